"""What is offered to complete a line that is typed: folders, labels after the last comma, and terms of a filter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from textual.suggester import Suggester

from tui.terms import KEYS, STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LAST_TERM: Final = re.compile(r"[^\s&|!()\"]*$")
_SPECIAL: Final = re.compile(r"[\s&|!()\"]")
"""What stands in quotes in a filter."""

_ASKED: Final = re.compile(r"(label|tracker|state)(:|=|!=)(.+)")


def folder_after(value: str, folders: Sequence[str]) -> str | None:
    """The first folder that begins like that, None where none does."""
    return next((each for each in folders if value and each.startswith(value) and each != value), None)


def next_folder(value: str, folders: Sequence[str]) -> str:
    """The one after that which is written; after the last one, and after what is none of them, the first."""
    if not folders:
        return value
    return folders[(folders.index(value) + 1) % len(folders)] if value in folders else folders[0]


def labels_after(value: str, labels: Sequence[str]) -> str | None:
    """The line with its last label completed by one that is not in it yet."""
    before, comma, last = value.rpartition(",")
    typed = last.lstrip()
    given = {each.strip() for each in before.split(",")}
    found = next((each for each in labels if typed and each.startswith(typed) and each not in given), None)
    return None if found is None or found == typed else f"{before}{comma}{last[: len(last) - len(typed)]}{found}"


def filter_after(value: str, values_of: Callable[[str], Sequence[str]]) -> str | None:
    """The filter with its last term completed: a state, something to ask for, or what torrents have of it."""
    found = _LAST_TERM.search(value)
    term = found[0] if found else ""
    if not term:
        return None
    asked = _ASKED.fullmatch(term)
    if asked:
        key, _, typed = asked.groups()
        known: Sequence[str] = tuple(STATES) if key == "state" else values_of(key)
        known = [each for each in known if not _SPECIAL.search(each)]
    else:
        typed, known = term, (*STATES, *KEYS)
    offered = next((each for each in known if each.startswith(typed) and each != typed), None)
    return None if offered is None else value + offered[len(typed) :]


class FilterOffer(Suggester):
    """`values_of` tells what torrents have of labels and trackers. Taken by Tab or the right arrow."""

    def __init__(self, values_of: Callable[[str], Sequence[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._values_of = values_of

    async def get_suggestion(self, value: str) -> str | None:
        return filter_after(value, self._values_of)


class FolderOffer(Suggester):
    """Taken by the right arrow."""

    def __init__(self, folders: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._folders = folders

    async def get_suggestion(self, value: str) -> str | None:
        return folder_after(value, self._folders)


class LabelOffer(Suggester):
    """The same for labels."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._labels = labels

    async def get_suggestion(self, value: str) -> str | None:
        return labels_after(value, self._labels)
