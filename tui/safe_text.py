"""Text from outside as a terminal may show it: one line, nothing that moves the cursor, changes order or hides.

The rule: what is shown looks like what is there. Control characters, and what reverses or joins text invisibly, become
a visible stand-in, so that a name can neither act nor disguise itself; wide characters count as two cells.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

from rich.cells import cell_len, set_cell_size

STAND_IN: Final = "\N{REPLACEMENT CHARACTER}"
ELLIPSIS: Final = "…"

MOST_SHOWN: Final = 1_024
"""Characters of a name that are ever looked at: more than any screen is wide."""

_HIDDEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode categories: control, format (directions, joiners), surrogates, private, unassigned, ends of lines."""

_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters by category that are drawn as nothing: Hangul fillers and the empty Braille pattern."""

MOST_MARKS: Final = 2
"""Marks on one character that are kept: languages in use need no more, and towers of them cover other lines."""


@lru_cache(maxsize=20_000)  # a name is asked for whenever its line is drawn; twice as many as a large list has
def safe(text: str) -> str:
    """`text` on one line, without what acts on a terminal or deceives the eye."""
    text = text[:MOST_SHOWN]
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category.startswith("M"):
            marks += 1
            # Variation selectors change how wide a terminal draws what is before them, each terminal in its own way.
            if marks <= MOST_MARKS and shown and not "\ufe00" <= character <= "\ufe0f":
                shown.append(character)
            continue
        marks = 0
        if character in "\t\n\r" or character.isspace():
            shown.append(" ")
        elif category in _HIDDEN or character in _BLANK:
            shown.append(STAND_IN)
        else:
            shown.append(character)
    return "".join(shown)


def fit(text: str, width: int) -> str:
    """`text`, safe already, in exactly `width` cells: cut with an ellipsis, or filled up with spaces."""
    if width <= 0:
        return ""
    length = len(text) if text.isascii() else cell_len(text)
    if length <= width:
        return text + " " * (width - length)
    if width == 1:
        return ELLIPSIS
    return set_cell_size(text, width - 1) + ELLIPSIS


def fit_right(text: str, width: int) -> str:
    """The same with the text at the right."""
    length = len(text) if text.isascii() else cell_len(text)
    return " " * (width - length) + text if length <= width else fit(text, width)
