"""Text from outside, made fit for one line of a terminal, a log or a page.

The rule: nothing a stranger wrote can move a cursor, forge a second line, reorder a line or fill a screen.
"""

from __future__ import annotations

from typing import Final

MAX_LINE: Final = 200
"""Characters kept: what fits two lines of a terminal."""


def clean_line(raw: bytes, limit: int = MAX_LINE) -> str:
    """`raw` read as UTF-8, as one line of at most `limit` printable characters.

    Runs of whitespace and of unprintable characters (controls, bidirectional marks, unassigned) become one space.
    """
    text = raw[: 4 * limit].decode("utf-8", "replace")  # a character of UTF-8 is at most four bytes
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:limit].rstrip()
