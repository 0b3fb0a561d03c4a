"""Watched folders: a torrent file or a file with magnet links that is put into one is added, and then renamed.

The rule: nothing is read before it is complete, which is when it has not changed for a while; nothing is added twice,
and nothing is lost. What was added gets `.added` behind its name (or is deleted, where the session's setting says so),
what is no torrent `.invalid`; what could not be added for another reason stays, and is tried again. Folders of any size
and content cost a bounded look now and then.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.codec.bencode import MAX_SIZE
from p2p.daemon.event_log import tell
from p2p.daemon.ports import Addition, SourceKind
from p2p.errors import MagnetError, MetainfoError, StarlingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from p2p.daemon.names import Json
    from p2p.daemon.ports import Added
    from p2p.daemon.session_values import SessionValues

INTERVAL: Final = 2.0
"""Seconds between looks: soon enough for who waits, and no load on a disk that sleeps in its cache."""

SETTLED: Final = 2.0
"""Seconds without a change after which a file is read."""

PATIENCE: Final = 10.0
"""Seconds without a change after which what cannot be read as a torrent is none, rather than half written."""

RETRY: Final = 30.0
"""Seconds until what could not be added is tried again."""

MAX_LOOKED_AT: Final = 10_000
"""Names of a folder that one look goes through."""

MAX_AT_ONCE: Final = 100
"""Files that are added after one look, so that others get their turn."""

MAX_LINKS: Final = 100
MAX_LINK_FILE: Final = 1 << 20
"""Links in a file, and its bytes."""

TORRENT: Final = ".torrent"
MAGNET: Final = ".magnet"

SETTINGS: Final = ("trash_original_torrent_files",)


@dataclass(slots=True)
class _Seen:
    """A file as it was when it was last looked at; `since` when it became so, on the loop's clock."""

    size: int
    changed: int
    since: float
    not_before: float = 0.0
    is_done: bool = False
    """Whether it is added and only could not be renamed."""


class Watch:
    """See the module's head. `add` is the library's; `settled`, `patience` and `retry` are seconds."""

    def __init__(
        self,
        values: SessionValues,
        add: Callable[[Addition], Awaitable[Added]],
        *,
        settled: float = SETTLED,
        patience: float = PATIENCE,
        retry: float = RETRY,
    ) -> None:
        self._values = values
        self._add = add
        self._settled = settled
        self._patience = patience
        self._retry = retry
        self._folders: tuple[Path, ...] = ()
        self._paused = False
        self._seen: dict[Path, _Seen] = {}
        self._complained: set[Path] = set()
        values.applied_by(SETTINGS, self.apply)

    async def apply(self, changes: Mapping[str, Json]) -> None:
        """It is read when it is needed."""

    def watch(self, folders: Sequence[Path], *, paused: bool) -> None:
        """These from now on; what is added does not start with `paused`."""
        self._folders = tuple(dict.fromkeys(folders))
        self._paused = paused

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for folder in self._folders:
                await self.look(folder)
            await asyncio.sleep(INTERVAL)

    async def look(self, folder: Path) -> None:
        """Add what is complete in a folder."""
        try:
            found = await asyncio.to_thread(_candidates, folder)
        except OSError as error:
            if folder not in self._complained:
                self._complained.add(folder)
                reason = os.strerror(error.errno) if error.errno else str(error)
                tell("a watched folder cannot be read", level=logging.WARNING, folder=str(folder), reason=reason)
            return
        self._complained.discard(folder)
        now = asyncio.get_running_loop().time()
        for path in [each for each in self._seen if each.parent == folder and each not in found]:
            del self._seen[path]
        ready = [path for path, (size, changed) in found.items() if self._is_ready(path, size, changed, now)]
        for path in ready[:MAX_AT_ONCE]:
            await self._take(path, now)

    def _is_ready(self, path: Path, size: int, changed: int, now: float) -> bool:
        seen = self._seen.get(path)
        if seen is None or (seen.size, seen.changed) != (size, changed):
            self._seen[path] = _Seen(size, changed, now)
            return False
        return not seen.is_done and now - seen.since >= self._settled and now >= seen.not_before

    async def _take(self, path: Path, now: float) -> None:
        seen = self._seen[path]
        try:
            for addition in await asyncio.to_thread(self._read, path):
                added = await self._add(addition)
                event = "a watched torrent is there already" if added.duplicate else "added a watched torrent"
                tell(event, file=str(path), torrent=added.torrent.name, id=added.torrent.id)
        except (MetainfoError, MagnetError) as error:
            if now - seen.since >= self._patience:
                tell("a watched file is no torrent", level=logging.WARNING, file=str(path), reason=str(error))
                await self._put_away(path, seen, ".invalid")
        except (StarlingError, OSError) as error:
            seen.not_before = now + self._retry
            tell("a watched torrent cannot be added yet", level=logging.WARNING, file=str(path), reason=str(error))
        else:
            await self._put_away(path, seen, ".added")

    def _read(self, path: Path) -> list[Addition]:
        """What a file asks for. Raises OSError, MagnetError, MetainfoError."""
        limit = MAX_SIZE if path.suffix.lower() == TORRENT else MAX_LINK_FILE
        with path.open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise MetainfoError(f"it has more than {limit} bytes")
        paused = True if self._paused else None
        if path.suffix.lower() == TORRENT:
            return [Addition(kind=SourceKind.METAINFO, source=content, paused=paused)]
        links = [line.strip() for line in content.splitlines() if line.strip()]
        if not links or len(links) > MAX_LINKS or not all(link[:7].lower() == b"magnet:" for link in links):
            raise MagnetError(f"it must have magnet links, one a line and at most {MAX_LINKS}")
        return [
            Addition(kind=SourceKind.MAGNET, source=link.decode("utf-8", "replace").encode(), paused=paused)
            for link in links
        ]

    async def on_added_from(self, path: Path) -> None:
        """A client had a torrent file added by its path, which goes where the session's setting says so."""
        if self._values.flag("trash_original_torrent_files"):
            with suppress(OSError):  # which is gone, or not ours to delete: the torrent is kept all the same
                await asyncio.to_thread(path.unlink)

    async def _put_away(self, path: Path, seen: _Seen, ending: str) -> None:
        delete = ending == ".added" and self._values.flag("trash_original_torrent_files")
        try:
            await asyncio.to_thread(path.unlink if delete else lambda: _rename(path, ending))
        except OSError as error:
            seen.is_done = True  # as long as it stays as it is, and we run; later it is a torrent that is there already
            reason = os.strerror(error.errno) if error.errno else str(error)
            tell("a watched file cannot be renamed", level=logging.WARNING, file=str(path), reason=reason)


def _candidates(folder: Path) -> dict[Path, tuple[int, int]]:
    """Files with the right endings, by name, each with its size and its time of change in nanoseconds."""
    found: dict[Path, tuple[int, int]] = {}
    with os.scandir(folder) as entries:
        for entry in islice(entries, MAX_LOOKED_AT):
            if entry.name.startswith(".") or not entry.name.lower().endswith((TORRENT, MAGNET)):
                continue
            with suppress(OSError):  # which is gone by now, or not ours to look at
                facts = entry.stat()
                if stat.S_ISREG(facts.st_mode):
                    found[Path(entry.path)] = (facts.st_size, facts.st_mtime_ns)
    return dict(sorted(found.items()))


def _rename(path: Path, ending: str) -> None:
    """To a name that nothing has yet."""
    for number in count():
        target = path.with_name(f"{path.name}{f'.{number}' if number else ''}{ending}")
        try:
            os.link(path, target)
        except FileExistsError:
            continue
        except OSError:  # a filesystem without links: the look and the rename are two steps there
            if os.path.lexists(target):
                continue
            path.rename(target)
            return
        path.unlink()
        return
