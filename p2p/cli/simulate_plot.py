"""Where a plot of a simulation goes: an SVG file as it is drawn, or a PNG made of it."""

from __future__ import annotations

from pathlib import Path

import typer

from p2p.disk.refusals import printable, refusal

KINDS = (".svg", ".png")


def parse_plot(text: str) -> Path:
    """A file for a plot. A usage error for a name that says neither kind."""
    path = Path(text)
    if path.suffix.lower() not in KINDS:
        raise typer.BadParameter(f"{printable(text)!r} ends neither in .svg nor in .png")
    return path


def write_plot(path: Path, svg: str) -> None:
    """Write `path` anew. Raises StorageError."""
    content = svg.encode()
    if path.suffix.lower() == ".png":
        import resvg_py  # noqa: PLC0415 - a megabyte of code that only this needs

        content = bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=2))
    try:
        path.write_bytes(content)
    except OSError as error:
        raise refusal(error, path) from error
