"""What a page of a terminal may send over its socket: keys, sizes, focus, and a ping. Pure; each bounded.

The form is textual-serve's: a JSON list of a word and, for some, what belongs to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

MOST_MESSAGE: Final = 256 * 1024
"""Bytes of one message: a paste of some hundred magnet links."""

MOST_PING: Final = 64
"""Letters that are sent back."""

COLUMNS: Final = (10, 500)
ROWS: Final = (4, 200)
"""Least and most of a terminal; a process draws as many cells as it is told."""


class Focus(Enum):
    """Whether the page has the keyboard."""

    GAINED = "focus"
    LOST = "blur"


@dataclass(frozen=True, slots=True)
class Typed:
    """Bytes as a terminal sends them."""

    keys: bytes


@dataclass(frozen=True, slots=True)
class Resized:
    """Cells."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """To be sent back."""

    mark: str


PageInput: TypeAlias = "Typed | Resized | Pinged | Focus"


def page_input(text: str) -> PageInput:
    """Raises ValueError for what no page of ours sends."""
    try:
        envelope = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    match envelope:
        case ["stdin", str(keys)]:
            return Typed(keys.encode("utf-8", "replace"))  # half a character would stop the reader for good
        case ["resize", {"width": width, "height": height}]:
            return bounded(width, height)
        case ["ping", str(mark)] if len(mark) <= MOST_PING:
            return Pinged(mark)
        case ["focus" | "blur" as word]:
            return Focus(word)
    raise ValueError("not what a page of ours sends")


def bounded(width: object, height: object) -> Resized:
    """A size in cells, brought within bounds. Raises ValueError for what is no number of them, in text or not."""
    return Resized(_within(width, COLUMNS), _within(height, ROWS))


def _within(given: object, bounds: tuple[int, int]) -> int:
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= 9:
        given = int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return min(max(given, bounds[0]), bounds[1])
    raise ValueError("a size is a whole number of cells")
