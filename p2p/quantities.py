"""How quantities are written for people, and read from them: `16384`, `256KiB`, `1.5 MiB/s`, `2h 03m`.

The rule: K, M, G and T alone are binary, as are KiB, MiB, GiB and TiB; kB, MB, GB and TB are decimal. Case does not
matter. What is written is binary.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUANTITY: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([kmgt]?)(i?b)?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

MAX_BYTES: Final = 2**63 - 1
"""More bytes than a file can have, on any filesystem."""

_SIZE_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def parse_size(text: str) -> int:
    """Bytes that `text` means. ValueError, which says how to write it, for anything but a size."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or ((found[3] or "").lower() == "ib" and not found[2]):
        raise ValueError(f"{text!r} is no size: write it like 16384, 256KiB or 1.5MiB")
    base = 1_000 if (found[3] or "").lower() == "b" else 1_024
    size = int(Fraction(found[1]) * base ** _POWERS[found[2].lower()])
    if size > MAX_BYTES:
        raise ValueError(f"{text!r} is more than any file can hold")
    return size


def parse_rate(text: str) -> int:
    """Bytes a second that `text` means, with or without `/s`. ValueError for anything but a rate."""
    return parse_size(text.strip().removesuffix("/s"))


def format_size(size: float) -> str:
    """Bytes as people read them: `0 B`, `16 KiB`, `1.5 GiB`."""
    value = float(size)
    for unit in _SIZE_UNITS:
        if abs(value) < 1_023.95 or unit == _SIZE_UNITS[-1]:
            break
        value /= 1_024
    digits = f"{value:.0f}" if unit == "B" or abs(value) >= 99.95 else f"{value:.1f}".removesuffix(".0")
    return f"{digits} {unit}"


def format_rate(rate: float) -> str:
    """Bytes a second: `1.5 MiB/s`."""
    return f"{format_size(rate)}/s"


def format_duration(seconds: float | None) -> str:
    """Two units at most: `5s`, `1m 05s`, `2h 03m`, `3d 04h`; `-` where it is not known."""
    if seconds is None or not 0 <= seconds < 100 * 86_400:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3_600}h {whole // 60 % 60:02}m"
    return f"{whole // 86_400}d {whole // 3_600 % 24:02}h"


def format_ranges(numbers: Sequence[int], *, limit: int = 20) -> str:
    """Ascending numbers as `1, 4-7, 9`; after `limit` ranges, how many numbers are not named."""
    parts: list[str] = []
    at = 0
    while at < len(numbers) and len(parts) < limit:
        end = at
        while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
            end += 1
        parts.append(str(numbers[at]) if end == at else f"{numbers[at]}-{numbers[end]}")
        at = end + 1
    rest = len(numbers) - at
    return ", ".join(parts) + (f" and {rest:,} more" if rest else "")


def count(number: int, noun: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
