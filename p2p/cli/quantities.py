"""Sizes and rates as options of the command line, see `p2p.quantities`."""

from __future__ import annotations

import typer

from p2p import quantities


def parse_size(text: str) -> int:
    """Bytes that `text` means. A usage error (typer.BadParameter) for anything but a size."""
    try:
        return quantities.parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_rate(text: str) -> int:
    """Bytes a second that `text` means, with or without `/s`. A usage error for anything but a rate."""
    try:
        return quantities.parse_rate(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
