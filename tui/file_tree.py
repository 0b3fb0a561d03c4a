"""The files of one torrent as a tree that is looked at: folders opened and shut, marks, filter, order, a cursor. Pure.

The rule: what is inside a folder is made when it is first opened, and an update touches what has changed, so that a
torrent of a hundred thousand files costs little more than what is seen of it. What is not seen because of the filter is
not acted on. The order is taken when it is asked for, so that no line moves away under the cursor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from p2p.quantities import count
from tui.file_order import Order, Wish, natural, part_done, wish_of
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from p2p.daemon.client_values import FileFacts
    from tui.file_order import Key

FEW_LINES: Final = 40
"""Folders are open at first as far as no more lines than that come of it."""

MOST_FILTER: Final = 200
"""Characters of a filter."""


class Folder:
    """One folder with what is known of all that is in it. Only `FileTree` changes it."""

    __slots__ = ("depth", "done", "files", "folders", "is_open", "marked", "name", "numbers", "parent", "path", "size",
                 "start", "wishes")  # fmt: skip

    def __init__(self, parent: Folder | None, name: str, path: str, start: int) -> None:
        self.parent = parent
        self.name = name
        self.path = path
        self.start = start
        """Where the names of what is in it begin in their paths."""
        self.depth: int = -1 if parent is None else parent.depth + 1
        self.numbers: list[int] = []
        """Of all files in it, at any depth."""
        self.folders: list[Folder] | None = None
        """None before it was opened for the first time; so are `files`, its own ones, then empty."""
        self.files: list[int] = []
        self.is_open = False
        self.size = 0
        self.done = 0
        self.marked = 0
        self.wishes = [0] * len(Wish)
        """How many files are wanted how much."""

    @property
    def wish(self) -> Wish | None:
        """Of all the files in it; None where they differ."""
        found = [wish for wish in Wish if self.wishes[wish]]
        return found[0] if len(found) == 1 else None


Entry: TypeAlias = Folder | int
"""What a line is of: a folder, or a file by its number."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a verb is for: files by number, and the path of what the cursor is on, from the torrent's name on."""

    numbers: tuple[int, ...]
    path: str
    words: str
    """What they are called, safe to show."""


class FileTree:
    """See the module's head. Files have the numbers that they have in the torrent."""

    def __init__(self) -> None:
        self._files: Sequence[FileFacts] = ()
        self._root = Folder(None, "", "", 0)
        self._homes: list[Folder] = []
        """By number, the deepest folder that is made so far."""
        self._lines: list[Entry] = []
        self._line = 0
        self._marks: set[int] = set()
        self._filter = ""
        self._order = Order.NAME
        self._reverse = False

    # -- what there is

    def __len__(self) -> int:
        return len(self._lines)

    def at(self, line: int) -> Entry:
        return self._lines[line]

    def file(self, number: int) -> FileFacts:
        return self._files[number]

    @property
    def total(self) -> Folder:
        """All files."""
        return self._root

    @property
    def filter_text(self) -> str:
        return self._filter

    @property
    def order(self) -> tuple[Order, bool]:
        """What decides, and whether it is reversed."""
        return self._order, self._reverse

    def depth(self, line: int) -> int:
        """Of a line, 0 for the outermost; all lines are, where a filter holds."""
        entry = self._lines[line]
        if self._filter:
            return 0
        return entry.depth if isinstance(entry, Folder) else self._homes[entry].depth + 1

    def is_marked(self, number: int) -> bool:
        return number in self._marks

    # -- what became of it

    def take(self, files: Sequence[FileFacts]) -> bool:
        """The files as they are now; whether anything looks otherwise."""
        before = self._files
        if len(files) != len(before):
            self._begin(files)
            return True
        changed = []
        for number, (old, new) in enumerate(zip(before, files, strict=True)):
            if old is new:
                continue
            if old.name != new.name:
                self._begin(files)
                return True
            if (
                old.bytes_completed != new.bytes_completed
                or old.wanted is not new.wanted
                or old.priority != new.priority
                or old.length != new.length
            ):
                changed.append(number)
        self._files = files
        for number in changed:
            old, new = before[number], files[number]
            for folder in self._above(number):
                _count(folder, old, -1)
                _count(folder, new, 1)
        return bool(changed)

    def _begin(self, files: Sequence[FileFacts]) -> None:
        """Other files, or other names: marks, the cursor and what is open stay as far as numbers and paths do."""
        here = self._line
        # One that was renamed has another path, but the same depth, and the same file is the first one in it.
        opened = {
            (entry.depth, entry.numbers[0]) for entry in self._lines if isinstance(entry, Folder) and entry.is_open
        }
        fresh = not self._files
        self._files = files
        self._marks = {number for number in self._marks if number < len(files)}
        self._root = root = Folder(None, "", "", 0)
        root.numbers = list(range(len(files)))
        for number, file in enumerate(files):
            _count(root, file, 1)
            root.marked += number in self._marks
        self._homes = [root] * len(files)
        self._grow(root)
        self._open_again(opened)
        if fresh:
            self._open_few()
        self._arrange(None)
        self.go(here)

    def _open_again(self, opened: Collection[tuple[int, int]]) -> None:
        waiting = list(self._root.folders or ())
        while waiting:
            folder = waiting.pop()
            if (folder.depth, folder.numbers[0]) in opened:
                waiting += self._opened(folder)

    def _open_few(self) -> None:
        lines = len(self._root.folders or ()) + len(self._root.files)
        waiting = list(self._root.folders or ())
        while waiting:
            folder = waiting.pop(0)
            inside = self._opened(folder)
            lines += len(inside) + len(folder.files)
            if lines > FEW_LINES and folder.parent is not self._root:
                folder.is_open = False
                return
            waiting += inside

    # -- the tree

    def _above(self, number: int) -> Iterator[Folder]:
        folder: Folder | None = self._homes[number]
        while folder is not None:
            yield folder
            folder = folder.parent

    def _grow(self, folder: Folder) -> list[Folder]:
        """Make what is in it, one level deep."""
        if folder.folders is not None:
            return folder.folders
        inside: dict[str, Folder] = {}
        for number in folder.numbers:
            file = self._files[number]
            end = file.name.find("/", folder.start)
            if end < 0:
                folder.files.append(number)
                continue
            name = file.name[folder.start : end]
            child = inside.get(name)
            if child is None:
                child = inside[name] = Folder(folder, name, file.name[:end], end + 1)
            child.numbers.append(number)
            child.marked += number in self._marks
            _count(child, file, 1)
            self._homes[number] = child
        folder.folders = list(inside.values())
        return folder.folders

    def _opened(self, folder: Folder) -> list[Folder]:
        folder.is_open = True
        return self._grow(folder)

    def _inside(self, folder: Folder) -> list[Entry]:
        """The lines of an open folder."""
        lines: list[Entry] = []
        waiting: list[Entry] = list(reversed(self._sorted(folder)))
        while waiting:
            entry = waiting.pop()
            lines.append(entry)
            if isinstance(entry, Folder) and entry.is_open:
                waiting += reversed(self._sorted(entry))
        return lines

    def _sorted(self, folder: Folder) -> list[Entry]:
        """Folders come first."""
        folders = sorted(folder.folders or (), key=self._folder_key, reverse=self._reverse)
        return [*folders, *sorted(folder.files, key=self._file_key, reverse=self._reverse)]

    def _folder_key(self, folder: Folder) -> Key:
        match self._order:
            case Order.SIZE:
                return (-folder.size,)
            case Order.DONE:
                return (part_done(folder.done, folder.size),)
            case Order.WISH:
                return (-max(wish for wish in Wish if folder.wishes[wish]),)
        return natural(folder.name)

    def _file_key(self, number: int) -> Key:
        file = self._files[number]
        match self._order:
            case Order.SIZE:
                return (-file.length,)
            case Order.DONE:
                return (part_done(file.bytes_completed, file.length),)
            case Order.WISH:
                return (-wish_of(file),)
        return natural(file.name if self._filter else file.name.rpartition("/")[2])

    def _arrange(self, keep: Entry | None) -> None:
        """Make the lines anew; the cursor stays on what is to be kept, if that is seen still."""
        if self._filter:
            words = self._filter.casefold().split()
            found = [
                number
                for number, file in enumerate(self._files)
                if (path := file.name.casefold()) and all(word in path for word in words)
            ]
            self._lines = [*sorted(found, key=self._file_key, reverse=self._reverse)]
        else:
            self._lines = self._inside(self._root)
        at = self._lines.index(keep) if keep is not None and keep in self._lines else self._line
        self.go(at)

    # -- looking

    @property
    def cursor_line(self) -> int:
        """0 where there is no line."""
        return self._line

    def go(self, line: int) -> None:
        """To a line, or the nearest there is."""
        self._line = max(0, min(line, len(self._lines) - 1))

    @property
    def _here(self) -> Entry | None:
        return self._lines[self._line] if self._lines else None

    def open(self) -> bool:
        """The folder at the cursor; whether it was one, and shut."""
        folder = self._here
        if not isinstance(folder, Folder) or folder.is_open:
            return False
        self._opened(folder)
        self._lines[self._line + 1 : self._line + 1] = self._inside(folder)
        return True

    def shut(self) -> bool:
        """The open folder at the cursor; elsewhere go to the folder that this is in. Whether there was either."""
        entry = self._here
        if entry is None or self._filter:
            return False
        if isinstance(entry, Folder) and entry.is_open:
            first = after = self._line + 1
            while after < len(self._lines) and self.depth(after) > entry.depth:
                after += 1
            del self._lines[first:after]
            entry.is_open = False
            return True
        above = entry.parent if isinstance(entry, Folder) else self._homes[entry]
        if above is None or above is self._root:
            return False
        while self._lines[self._line] is not above:
            self._line -= 1
        return True

    def filter(self, text: str) -> None:
        """See only files in whose path every word is, whatever the case; without words the tree."""
        self._filter = " ".join(text[:MOST_FILTER].split())
        self._arrange(self._here)

    def sort_by(self, order: Order) -> None:
        """The largest, the most wanted, the least done first; what decides already is reversed."""
        self._reverse = order is self._order and not self._reverse
        self._order = order
        self._arrange(self._here)

    # -- marks

    @property
    def marked(self) -> int:
        """How many files are marked, and let through by the filter."""
        return len(self._seen_marks())

    def _seen_marks(self) -> list[int]:
        return [line for line in self._lines if line in self._marks] if self._filter else sorted(self._marks)

    def _of(self, entry: Entry) -> Sequence[int]:
        return entry.numbers if isinstance(entry, Folder) else (entry,)

    def _all(self) -> Sequence[int]:
        return [line for line in self._lines if isinstance(line, int)] if self._filter else self._root.numbers

    def toggle_mark(self) -> None:
        """Of the cursor's file, or of all in its folder: they are marked unless all are."""
        if self._here is not None:
            self._switch(self._of(self._here))

    def mark_all(self) -> None:
        """All that the filter lets through, and none if all are."""
        self._switch(self._all())

    def _switch(self, numbers: Sequence[int]) -> None:
        wanted = not all(number in self._marks for number in numbers)
        self._mark(number for number in numbers if (number in self._marks) is not wanted)

    def invert_marks(self) -> None:
        self._mark(self._all())

    def unmark(self) -> None:
        self._mark(tuple(self._marks))

    def _mark(self, numbers: Iterable[int]) -> None:
        """Each the other way."""
        for number in numbers:
            self._marks ^= {number}
            step = 1 if number in self._marks else -1
            for folder in self._above(number):
                folder.marked += step

    def chosen(self) -> Chosen | None:
        """The marked files that are seen, or the cursor's file or folder where none is; None without any."""
        here = self._here
        if here is None:
            return None
        path = here.path if isinstance(here, Folder) else self._files[here].name
        marked = self._seen_marks()
        numbers = tuple(marked or self._of(here))
        if marked:
            return Chosen(numbers, path, count(len(numbers), "marked file"))
        name = safe(path.rpartition("/")[2])
        return Chosen(numbers, path, f"{name} ({count(len(numbers), 'file')})" if isinstance(here, Folder) else name)


def _count(folder: Folder, file: FileFacts, sign: int) -> None:
    folder.size += sign * file.length
    folder.done += sign * file.bytes_completed
    folder.wishes[wish_of(file)] += sign
