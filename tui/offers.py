"""What is offered to complete a line that is typed: folders, and labels after the last comma."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.suggester import Suggester

if TYPE_CHECKING:
    from collections.abc import Sequence


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
