"""How wanted a file is, and in which order files are seen. Pure.

The rule: numbers in names count as numbers, so that `track 10` comes after `track 9`.
"""

from __future__ import annotations

import re
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from p2p.daemon.client_values import FileFacts

_DIGITS: Final = re.compile(r"([0-9]+)")

Key: TypeAlias = tuple[object, ...]


class Wish(IntEnum):
    """How much a file is wanted."""

    SKIPPED = 0
    LOW = 1
    NORMAL = 2
    HIGH = 3


MIXED: Final = "mixed"
"""What is said of files that are not wanted alike."""


def wish_of(file: FileFacts) -> Wish:
    """A daemon's priorities go from -1 to 1; what is beyond is taken as the nearest."""
    return Wish(2 + max(-1, min(1, file.priority))) if file.wanted else Wish.SKIPPED


class Order(Enum):
    """What decides; the value is what it is called."""

    NAME = "name"
    SIZE = "size"
    DONE = "done"
    WISH = "wanted"


def part_done(done: int, size: int) -> float:
    """From 0 to 1; a file without content is done."""
    return done / size if size > 0 else 1.0


def natural(name: str) -> Key:
    """Comparable with that of any other name."""
    parts = _DIGITS.split(name.casefold())
    # Digits are compared by how many they are and then as text: what a stranger wrote may be no number Python takes.
    return tuple((len(part.lstrip("0")), part.lstrip("0")) if at % 2 else part for at, part in enumerate(parts))
