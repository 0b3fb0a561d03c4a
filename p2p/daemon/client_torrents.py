"""The torrents of a daemon from afar: the list, what is new in it, one in detail, and every verb.

The rule: what a server does not have is refused here by name, never sent to be forgotten.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from p2p.daemon.client_errors import BadAnswerError, UnsupportedError
from p2p.daemon.client_server import SLOW_TIMEOUT, ServerCalls
from p2p.daemon.client_transport import RECENT
from p2p.daemon.client_values import (
    COSTLY,
    ROW_OWN,
    AddedTorrent,
    Changes,
    FileFacts,
    Mark,
    Part,
    ServerInfo,
    TorrentChanges,
    TorrentDetails,
    TorrentRow,
    TrackerFacts,
)
from p2p.daemon.names import Dialect, torrent_key
from p2p.daemon.shapes import Reader

if TYPE_CHECKING:
    from p2p.daemon.names import Json

T = TypeVar("T")

TRUSTED: Final = 40.0
"""Seconds for which `recently-active` of a foreign server, which looks back sixty, surely joins up with the last."""

WHOLE_INTERVAL: Final = 60.0
"""Seconds after which a foreign server is asked for everything: not every change counts as activity there."""

ROW_FIELDS: Final = tuple(each.name for each in fields(TorrentRow))
_ALWAYS: Final = ("id", "hash_string", "name")
_DETAIL_FIELDS: Final = tuple(each.name for each in fields(TorrentDetails) if each.name not in COSTLY)
_TRACKER_LIST_SINCE: Final = 17
"""RPC version that can replace trackers as a whole, and take labels with a torrent that is added."""

_SINCE: Final = {"labels": (16, "3.00"), "group": (17, "4.0"), "sequential_download": (18, "4.1")}
"""RPC version that brought what others take and forget, and Transmission's."""

_TABLE_SINCE: Final = 16


class Every(Enum):
    """Stands for all torrents, so that a list that happens to be empty never does."""

    TORRENT = "every torrent"


Ids: TypeAlias = Sequence[int | str] | Every
"""Numbers and info-hashes in hex."""


class Step(Enum):
    """Where to in the queue."""

    TOP = "top"
    UP = "up"
    DOWN = "down"
    BOTTOM = "bottom"


class TorrentCalls(ServerCalls):
    """See the module's head. Every method raises a ClientError."""

    async def torrents(self, ids: Ids = Every.TORRENT, *, only: Iterable[str] = ROW_FIELDS) -> tuple[TorrentRow, ...]:
        """Rows of torrents; of those fields alone that are in `only`, and what names a torrent."""
        info = await self.info()
        answer = await self._get(info, _selection(ids), only)
        return self._rows(info, answer, only)

    async def changes(self, since: Mark | None = None, *, only: Iterable[str] = ROW_FIELDS) -> Changes:
        """What became of the list since a mark, which an earlier answer gave; everything without one."""
        info, only = await self.info(), tuple(only)
        now = asyncio.get_running_loop().time()
        generation = self.transport.generation
        if since is not None and since.generation != generation:
            since = None
        if info.ours:
            asked = 0 if since is None or since.revision is None else since.revision
            answer = await self._get(info, {"starling_since": asked}, only)
            revision, full = answer.get("starling_revision"), answer.get("starling_full") is not False
        else:
            full = since is None or now - since.asked > TRUSTED or now - since.whole > WHOLE_INTERVAL
            answer = await self._get(info, {} if full else {"ids": RECENT}, only)
            revision = None
        if self.transport.generation != generation and not full:
            return await self.changes(None, only=only)  # another process in between, whose numbers are new
        removed = answer.get("removed")
        return Changes(
            torrents=self._rows(info, answer, only),
            removed=tuple(each for each in removed if isinstance(each, int)) if isinstance(removed, list) else (),
            full=full,
            mark=Mark(
                revision=revision if isinstance(revision, int) else None,
                generation=self.transport.generation,
                asked=now,
                whole=now if full or since is None else since.whole,
            ),
        )

    async def _get(self, info: ServerInfo, selection: Mapping[str, Json], only: Iterable[str]) -> dict[str, Json]:
        names = dict.fromkeys((*_ALWAYS, *only))
        asked = [ROW_OWN.get(name, name) if info.ours else name for name in names if info.ours or name not in ROW_OWN]
        if not info.ours and any(name in names for name in ROW_OWN):
            asked.append("tracker_stats")
        arguments: dict[str, Json] = {**selection, "fields": list(asked)}
        if info.rpc_version >= _TABLE_SINCE:
            arguments["format"] = "table"
        return await self.transport.call("torrent_get", arguments)

    def _rows(self, info: ServerInfo, answer: Mapping[str, Json], only: Iterable[str]) -> tuple[TorrentRow, ...]:
        told = answer.get("torrents")
        rows = _row_reader(self.transport.dialect).every(told)
        if info.ours or not any(name in ROW_OWN for name in only):
            return rows
        trackers = _reader(_Trackers, self.transport.dialect).every(told)
        return tuple(_with_trackers(row, each.tracker_stats) for row, each in zip(rows, trackers, strict=True))

    async def details(self, torrent: int | str, *parts: Part) -> TorrentDetails | None:
        """One torrent, with those parts of it that cost something; None where there is none of that name."""
        asked = [*_DETAIL_FIELDS, *(name for part in parts for name in part.value)]
        answer = await self.transport.call("torrent_get", {"ids": [torrent], "fields": list(asked)})
        torrents = answer.get("torrents")
        if not isinstance(torrents, list) or not torrents or not isinstance(torrents[0], dict):
            return None
        told = torrents[0]
        found: TorrentDetails = _reader(TorrentDetails, self.transport.dialect).one(told)
        return replace(found, files=self._files(told)) if Part.FILES in parts else found

    def _files(self, told: Mapping[str, Json]) -> tuple[FileFacts, ...]:
        """Files with what the RPC tells of them beside the list of files."""
        reader = _reader(FileFacts, self.transport.dialect)
        files, beside = reader.every(told.get("files")), reader.every(told.get("file_stats", told.get("fileStats")))
        if len(files) != len(beside):
            return files
        return tuple(
            replace(file, wanted=each.wanted, priority=each.priority) for file, each in zip(files, beside, strict=True)
        )

    # -- verbs on torrents

    async def add(
        self,
        source: str | bytes,
        *,
        download_dir: str | None = None,
        paused: bool | None = None,
        cookies: str | None = None,
        changes: TorrentChanges | None = None,
    ) -> AddedTorrent:
        """Add a torrent: the bytes of its file, a magnet link, a URL, or a path on the daemon's machine.

        `paused` None leaves it to the daemon's setting.
        """
        given: dict[str, Json] = {} if changes is None else await self._said(changes)
        later: dict[str, Json] = {}
        if (await self.info()).rpc_version < _TRACKER_LIST_SINCE:
            allowed = ("bandwidth_priority", "peer_limit")
            late = [name for name in given if name not in allowed and not name.startswith(("files_", "priority_"))]
            if "tracker_list" in late:
                raise UnsupportedError("this server takes trackers from the torrent alone")
            later = {name: given.pop(name) for name in late}
        if isinstance(source, bytes):
            given["metainfo"] = base64.b64encode(source).decode()
        else:
            given["filename"] = source
        beside: dict[str, Json] = {"download_dir": download_dir, "paused": paused, "cookies": cookies}
        given |= {name: value for name, value in beside.items() if value is not None}
        answer = await self.transport.call("torrent_add", given, timeout=SLOW_TIMEOUT)
        for name in ("torrent_added", "torrent_duplicate"):
            told = answer.get(name)
            if isinstance(told, dict):
                # Inside, the legacy dialect has hashString; the transport has made one name of both.
                added = replace(Reader(AddedTorrent).one(told), duplicate=name == "torrent_duplicate")
                if later and not added.duplicate:
                    await self.transport.call("torrent_set", {"ids": [added.id], **later})
                return added
        raise BadAnswerError("the daemon does not tell what it has added")

    async def remove(self, ids: Ids, *, delete: bool = False) -> None:
        """Forget torrents; with `delete` their content goes too."""
        await self._verb("torrent_remove", ids, {"delete_local_data": delete})

    async def start(self, ids: Ids) -> None:
        """When the queue lets them."""
        await self._verb("torrent_start", ids)

    async def start_now(self, ids: Ids) -> None:
        await self._verb("torrent_start_now", ids)

    async def stop(self, ids: Ids) -> None:
        await self._verb("torrent_stop", ids)

    async def verify(self, ids: Ids) -> None:
        await self._verb("torrent_verify", ids)

    async def reannounce(self, ids: Ids) -> None:
        await self._verb("torrent_reannounce", ids)

    async def change(self, ids: Ids, changes: TorrentChanges) -> None:
        given = await self._said(changes)
        if "tracker_list" in given and (await self.info()).rpc_version < _TRACKER_LIST_SINCE:
            raise UnsupportedError("this server cannot replace trackers, only add and remove them")
        await self._verb("torrent_set", ids, given)

    async def _said(self, changes: TorrentChanges) -> dict[str, Json]:
        """What is to be changed. Raises UnsupportedError for what the server would take and forget."""
        given = changes.arguments()
        own = [name for name in given if name.startswith("starling_")]
        if own and not (await self.info()).ours:
            raise UnsupportedError(f"this server has no {own[0].removeprefix('starling_')}")
        for name, (since, version) in _SINCE.items():
            if given.get(name) and (await self.info()).rpc_version < since:
                raise UnsupportedError(f"this server has no {name}, which Transmission {version} brought")
        return given

    async def move(self, ids: Ids, location: str) -> None:
        """Move the content to another folder of the daemon's machine."""
        await self._verb("torrent_set_location", ids, {"location": location, "move": True})

    async def find(self, ids: Ids, location: str) -> None:
        """Look for the content in another folder."""
        await self._verb("torrent_set_location", ids, {"location": location, "move": False})

    async def rename(self, torrent: int | str, path: str, name: str) -> None:
        """Rename a file or folder inside a torrent; `path` begins with the torrent's name."""
        await self._verb("torrent_rename_path", [torrent], {"path": path, "name": name})

    async def move_in_queue(self, ids: Ids, step: Step) -> None:
        await self._verb(f"queue_move_{step.value}", ids)

    async def _verb(self, method: str, ids: Ids, arguments: Mapping[str, Json] | None = None) -> None:
        if isinstance(ids, Every) or ids:
            await self.transport.call(method, {**_selection(ids), **(arguments or {})})


@dataclass(frozen=True, slots=True)
class _Trackers:
    tracker_stats: tuple[TrackerFacts, ...] = ()


def _selection(ids: Ids) -> dict[str, Json]:
    return {} if isinstance(ids, Every) else {"ids": list(ids)}


@lru_cache(maxsize=16)  # of the handful of kinds here, in two dialects
def _reader(kind: type[T], dialect: Dialect) -> Reader[T]:
    return Reader(kind, torrent_key if dialect is Dialect.LEGACY else str)


@lru_cache(maxsize=4)
def _row_reader(dialect: Dialect) -> Reader[TorrentRow]:
    return Reader(
        TorrentRow, lambda name: ROW_OWN.get(name) or (torrent_key(name) if dialect is Dialect.LEGACY else name)
    )


def _with_trackers(row: TorrentRow, trackers: Sequence[TrackerFacts]) -> TorrentRow:
    """What our own daemon tells in one word, from what another's trackers have said."""
    first = trackers[0].host if trackers else ""
    return replace(
        row,
        seeders=max((each.seeder_count for each in trackers), default=-1),
        leechers=max((each.leecher_count for each in trackers), default=-1),
        tracker=(urlsplit(first).hostname or "") if "//" in first else first,
    )
