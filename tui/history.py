"""What was typed before: lines after `:`, filters and folders, kept over runs for who types them again.

The rule: it is bounded, it is this user's alone, and nothing that can hold a secret is kept: links and URLs carry
passkeys and passwords, so a line with one in it is forgotten. A file that makes no sense is as if it were empty.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Final

from tui.memory import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME: Final = "tui-history.json"
"""Of the file, beside what else the interface remembers."""

MOST_LINES: Final = 200
"""Of a kind; the oldest go first."""

MOST_LETTERS: Final = 1_000
"""Of a line: a longer one is no line that is typed again."""

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of the file, which has room for all that may be in it."""

_SECRETS: Final = ("://", "magnet:", "password", "passkey")
"""What a line that may hold a secret has in it."""


class Kind(Enum):
    COMMANDS = "commands"
    FOLDERS = "folders"


def with_line(lines: tuple[str, ...], line: str) -> tuple[str, ...]:
    """The lines with one more, which is the last one then, or without, where it is none to be kept."""
    if not line.strip() or len(line) > MOST_LETTERS or any(each in line.casefold() for each in _SECRETS):
        return lines
    return (*(each for each in lines if each != line), line)[-MOST_LINES:]


def read_lines(raw: bytes) -> dict[Kind, tuple[str, ...]]:
    """What a file holds."""
    try:
        told = json.loads(raw[: MOST_BYTES + 1]) if len(raw) <= MOST_BYTES else {}
    except (ValueError, RecursionError):
        told = {}
    if not isinstance(told, dict):
        told = {}
    found: dict[Kind, tuple[str, ...]] = {}
    for kind in Kind:
        lines: tuple[str, ...] = ()
        known = told.get(kind.value)
        for line in known[-MOST_LINES:] if isinstance(known, list) else []:
            lines = with_line(lines, line) if isinstance(line, str) else lines
        found[kind] = lines
    return found


def written_lines(lines: Mapping[Kind, tuple[str, ...]]) -> bytes:
    """The file."""
    told = {kind.value: list(lines.get(kind, ())) for kind in Kind}
    return json.dumps(told, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


class History:
    """Kept at `path`; without one for as long as the interface runs."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lines: dict[Kind, tuple[str, ...]] = dict.fromkeys(Kind, ())

    def lines(self, kind: Kind) -> tuple[str, ...]:
        """The oldest first."""
        return self._lines[kind]

    def add(self, kind: Kind, line: str) -> None:
        """Remember a line; `keep` puts it into the file."""
        self._lines[kind] = with_line(self._lines[kind], line)

    def read(self) -> None:
        """Take in what is kept. Blocking; a file that cannot be read has nothing in it."""
        if self._path is None:
            return
        try:
            with self._path.open("rb") as file:
                self._lines = read_lines(file.read(MOST_BYTES + 1))
        except OSError:
            return

    def keep(self, kind: Kind, line: str) -> None:
        """Put a line into the file, after what other interfaces have put there. Blocking. Raises OSError."""
        if self._path is None:
            return
        kept = History(self._path)
        kept.read()
        kept.add(kind, line)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._path, written_lines(kept._lines))
