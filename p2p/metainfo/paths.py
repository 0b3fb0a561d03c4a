"""Names a stranger chose, made safe to put on a disk (BEP 3, BEP 52 "Interpreting paths").

The rule: no result resolves outside its folder or means a device on any platform, results in one folder differ from
each other even where case or Unicode composition is ignored, and a name that needs no change stays exactly itself.
Results depend on the torrent alone, never on the platform, so every machine lays the same torrent out the same way.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAME: Final = 255
"""Bytes of one name in UTF-8: the limit of every Linux and BSD filesystem in use, and within NTFS's and APFS's."""

_MAX_EXTENSION: Final = 32
"""Bytes of an extension that is kept when a name is cut; a longer one is hardly an extension."""

_FORBIDDEN = re.compile(
    "[/\\\\"  # separators, ours and theirs
    "\x00-\x1f\x7f-\x9f"  # controls, which also drive terminals
    "\u2028\u2029"  # line breaks
    "\u202a-\u202e\u2066-\u2069"  # direction overrides, which hide what an extension is
    "\ud800-\udfff]"  # bytes that were not UTF-8
)
_DRIVE = re.compile(r"\A([A-Za-z]):")
_DEVICE = re.compile(r"\A(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|\Z)", re.IGNORECASE)
_TRAILING = re.compile(r"[. ]+\Z")


def safe_name(raw: bytes) -> str:
    """One path part from its bytes in a torrent: never empty, at most MAX_NAME bytes of UTF-8."""
    name = _FORBIDDEN.sub("_", raw.decode("utf-8", "surrogateescape"))
    name = _DRIVE.sub(r"\1_", name)
    if _DEVICE.match(name):
        name = "_" + name
    name = _cut(name, "")
    name = _TRAILING.sub(lambda found: "_" * len(found[0]), name)
    return name or "_"


def safe_paths(declared: Sequence[Sequence[bytes]]) -> list[tuple[str, ...]]:
    """Safe path parts for each declared path, in order.

    Equal declared folders stay one folder. Of names that clash, one that needed no change is kept if there is one, and
    the others get a suffix made from their own bytes; so do repeated files and a file where a folder must be.
    """
    top = _Folder()
    for index, parts in enumerate(declared):
        top.add(parts, index)
    found: list[tuple[str, ...]] = [()] * len(declared)
    open_folders: list[tuple[_Folder, tuple[str, ...]]] = [(top, ())]
    while open_folders:
        folder, above = open_folders.pop()
        for child, name in zip(folder.children, folder.names(), strict=True):
            if isinstance(child.what, _Folder):
                open_folders.append((child.what, (*above, name)))
            else:
                found[child.what] = (*above, name)
    return found


class _Child(NamedTuple):
    raw: bytes
    what: _Folder | int
    """A folder, or the index of a declared file."""


class _Folder:
    """What is declared in one folder, in order of first appearance."""

    __slots__ = ("children", "folders")

    def __init__(self) -> None:
        self.children: list[_Child] = []
        self.folders: dict[bytes, _Folder] = {}

    def add(self, parts: Sequence[bytes], index: int) -> None:
        folder = self
        for raw in parts[:-1]:
            below = folder.folders.get(raw)
            if below is None:
                below = folder.folders[raw] = _Folder()
                folder.children.append(_Child(raw, below))
            folder = below
        folder.children.append(_Child(parts[-1], index))

    def names(self) -> list[str]:
        names = [safe_name(child.raw) for child in self.children]
        taken: set[str] = set()
        settled = [False] * len(names)
        for at, child in enumerate(self.children):
            if names[at].encode() == child.raw and (key := folded(names[at])) not in taken:
                taken.add(key)
                settled[at] = True
        # Repetitions of one name are counted, so that a torrent full of them costs one try each.
        seen: dict[bytes, int] = {}
        for at, child in enumerate(self.children):
            if settled[at]:
                continue
            key = folded(names[at])
            if key in taken:
                seen[child.raw] = seen.get(child.raw, 0) + 1
                names[at] = _distinct(names[at], child.raw, seen[child.raw], taken)
                key = folded(names[at])
            taken.add(key)
        return names


def _distinct(name: str, raw: bytes, repetition: int, taken: set[str]) -> str:
    for salt in count():
        digest = hashlib.sha256(b"%d %d %b" % (repetition, salt, raw)).hexdigest()
        for size in (8, 32):  # a torrent made so that the short suffixes collide gets long ones
            candidate = _cut(name, "~" + digest[:size])
            if folded(candidate) not in taken:
                return candidate
    raise AssertionError("count() has no end")


def folded(name: str) -> str:
    """What a filesystem that ignores case and composition compares: equal for two names that it takes for one."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _cut(name: str, suffix: str) -> str:
    """`name` with `suffix` before its extension, the stem cut so that all fits MAX_NAME."""
    encoded = name.encode()
    if not suffix and len(encoded) <= MAX_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = suffix + dot + extension
    if not stem or not extension or len(extension.encode()) > _MAX_EXTENSION:
        stem, tail = name, suffix
    room = MAX_NAME - len(tail.encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + tail
