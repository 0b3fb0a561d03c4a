"""How sizes and rates are written on the command line: `16384`, `256KiB`, `1.5MiB/s`.

The rule: K, M, G and T alone are binary, as are KiB, MiB, GiB and TiB; kB, MB, GB and TB are decimal. Case does not
matter.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

import typer

_QUANTITY: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([kmgt]?)(i?b)?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

MAX_BYTES: Final = 2**63 - 1
"""More bytes than a file can have, on any filesystem."""


def parse_size(text: str) -> int:
    """Bytes that `text` means. A usage error (typer.BadParameter) for anything but a size."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or ((found[3] or "").lower() == "ib" and not found[2]):
        raise typer.BadParameter(f"{text!r} is no size: write it like 16384, 256KiB or 1.5MiB")
    base = 1_000 if (found[3] or "").lower() == "b" else 1_024
    size = int(Fraction(found[1]) * base ** _POWERS[found[2].lower()])
    if size > MAX_BYTES:
        raise typer.BadParameter(f"{text!r} is more than any file can hold")
    return size


def parse_rate(text: str) -> int:
    """Bytes a second that `text` means, with or without `/s`. A usage error for anything but a rate."""
    return parse_size(text.strip().removesuffix("/s"))
