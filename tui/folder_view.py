"""A folder of this machine as it is looked through for torrent files: what is in it, hidden or not, filtered, marked.

The rule: reading is apart (`read_folder`, for a thread) from looking, which is pure. Folders come first; of files only
those whose name ends like a torrent file's are there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from tui.file_order import natural
from tui.safe_text import safe

MOST_ENTRIES: Final = 100_000
"""Of a folder that are looked at: more takes a thread seconds, and nobody scrolls through them."""

SUFFIX: Final = ".torrent"

MOST_SHOWN: Final = 50
"""Letters of a path, so that a reason stands beside it on 80 cells."""


@dataclass(frozen=True, slots=True)
class Item:
    """`size` is bytes, -1 for a folder."""

    name: str
    size: int

    @property
    def is_folder(self) -> bool:
        return self.size < 0


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder as it was read; `trouble` says why not, or not all of it."""

    path: str
    items: tuple[Item, ...] = ()
    trouble: str = ""


def read_folder(path: str) -> Listing:
    """What is in a folder, in order. Blocking."""
    items: list[Item] = []
    trouble = ""
    try:
        path = os.path.realpath(os.path.expanduser(path))  # noqa: PTH111 - a text, as what is typed need be no path
        with os.scandir(path) as entries:
            for seen, entry in enumerate(entries):
                if seen >= MOST_ENTRIES:
                    trouble = f"only the first {MOST_ENTRIES:,} are looked at"
                    break
                item = _item(entry)
                if item is not None:
                    items.append(item)
    except (OSError, ValueError) as error:  # ValueError: a null in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Listing(path, trouble=f"{tail(path)}: {reason}")
    items.sort(key=lambda item: (not item.is_folder, natural(item.name)))
    return Listing(path, tuple(items), trouble)


def tail(path: str) -> str:
    """The end of a path, which tells most, as it is shown on one line."""
    return safe(path) if len(path) <= MOST_SHOWN else f"…{safe(path[-MOST_SHOWN:])}"


def _item(entry: os.DirEntry[str]) -> Item | None:
    """What there is nothing to see of is left out: other files, and links to nowhere."""
    try:
        if entry.is_dir():
            return Item(entry.name, -1)
        if entry.name.lower().endswith(SUFFIX) and entry.is_file():
            return Item(entry.name, entry.stat().st_size)
    except OSError:
        return None
    return None


class FolderView:
    """What is seen of a listing; its first line leads to the folder above."""

    def __init__(self) -> None:
        self.listing = Listing("")
        self._items: list[Item] = []
        self._filter = ""
        self._hidden = False
        self._marks: set[str] = set()
        self._line = 0

    def show(self, listing: Listing, at: str = "") -> None:
        """Another folder, with the cursor on the name `at` if it is there."""
        self.listing = listing
        self._filter = ""
        self._marks = set()
        self._arrange(at)

    def _arrange(self, at: str) -> None:
        wanted = self._filter.casefold()
        self._items = [
            item
            for item in self.listing.items
            if (self._hidden or not item.name.startswith(".")) and wanted in item.name.casefold()
        ]
        names = [item.name for item in self._items]
        self.go(names.index(at) + 1 if at in names else 1 if self._filter and names else 0)

    def __len__(self) -> int:
        return len(self._items) + 1

    def at(self, line: int) -> Item | None:
        """None for the way up."""
        return self._items[line - 1] if line else None

    @property
    def cursor_line(self) -> int:
        return self._line

    def go(self, line: int) -> None:
        self._line = max(0, min(line, len(self) - 1))

    @property
    def filter_text(self) -> str:
        return self._filter

    def filter(self, text: str) -> None:
        """Only names with that in them, whatever the case."""
        item = self.at(self._line)
        self._filter = text
        self._arrange("" if item is None else item.name)

    def switch_hidden(self) -> None:
        """Names that begin with a dot."""
        item = self.at(self._line)
        self._hidden = not self._hidden
        self._arrange("" if item is None else item.name)

    def is_marked(self, item: Item) -> bool:
        return item.name in self._marks

    def toggle_mark(self) -> None:
        """Of a file; folders are looked into, not added."""
        item = self.at(self._line)
        if item is not None and not item.is_folder:
            self._marks ^= {item.name}

    @property
    def marked(self) -> int:
        return len(self._marks)

    def chosen(self) -> tuple[str, ...]:
        """Paths of the marked files, or of the cursor's; none where that is on a folder."""
        item = self.at(self._line)
        names = [each.name for each in self.listing.items if each.name in self._marks]
        if not names and item is not None and not item.is_folder:
            names = [item.name]
        return tuple(os.path.join(self.listing.path, name) for name in names)  # noqa: PTH118 - as above

    def into(self) -> tuple[str, str]:
        """The folder that the cursor's line leads to, and the name to be on there; empty for a file."""
        item = self.at(self._line)
        if item is None:
            return self.up()
        return (os.path.join(self.listing.path, item.name), "") if item.is_folder else ("", "")  # noqa: PTH118 - as above

    def up(self) -> tuple[str, str]:
        """The folder above, and the name of this one there."""
        above, name = os.path.split(self.listing.path)
        return above or "/", name
