"""The fields of a torrent as `torrent_get` tells them, in both dialects, from one table.

The rule: a field that nobody knows is skipped, since clients ask for what older versions had. In the legacy dialect a
field is answered under the very name it was asked by. Nothing here waits, and what is not asked for is not computed.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from p2p.daemon.names import Dialect, Json, canonical, torrent_key
from p2p.daemon.ports import (
    ErrorKind,
    FileFacts,
    GoalMode,
    PeerFacts,
    PeersFrom,
    Priority,
    Status,
    TrackerFacts,
)
from p2p.daemon.shapes import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from enum import IntEnum

    from p2p.daemon.ports import Managed

Read: TypeAlias = Callable[[Any], Json]
"""Reads a field off a Managed torrent."""

MAX_FIELDS: Final = 500
"""Names in one question: there are under a hundred, and clients ask for some that no longer are."""


@dataclass(frozen=True, slots=True)
class Field:
    """`name` is the snake_case one. `read` is for JSON-RPC, and for the legacy dialect where `read_legacy` is None."""

    name: str
    read: Read
    kind: str
    """What it is in a JSON schema."""
    read_legacy: Read | None = None
    shape: Callable[[Dialect], dict[str, Json]] | None = None
    """Its JSON Schema, where `kind` does not say it all."""
    attribute: str | None = None
    """What of a Managed torrent it is, where that is all there is to reading it."""

    def schema(self, dialect: Dialect) -> dict[str, Json]:
        return {"type": self.kind} if self.shape is None else self.shape(dialect)

    def reader(self, dialect: Dialect) -> Read:
        return self.read_legacy if dialect is Dialect.LEGACY and self.read_legacy is not None else self.read


class _Parts:
    """Reads a sequence of values as a list of objects, or one value as one object, in either dialect."""

    def __init__(self, kind: type, leave_out: Iterable[str] = ()) -> None:
        names = [field.name for field in dataclasses.fields(kind) if field.name not in leave_out]
        self._kind = kind
        self._read = attrgetter(*names)
        self._keys = {
            Dialect.JSON_RPC: tuple(names),
            Dialect.LEGACY: tuple(map(torrent_key, names)),
        }

    def schema(self, dialect: Dialect) -> dict[str, Json]:
        """Of one object."""
        whole = schema_of(self._kind, torrent_key if dialect is Dialect.LEGACY else str)
        keys, properties = self._keys[dialect], whole["properties"]
        if not isinstance(properties, dict):
            raise TypeError("the schema of a value has properties")
        return {**whole, "properties": {key: properties[key] for key in keys}, "required": [*keys]}

    def one(self, value: object, dialect: Dialect) -> Json:
        return dict(zip(self._keys[dialect], self._read(value), strict=True))

    def all(self, values: Iterable[object], dialect: Dialect) -> Json:
        keys, read = self._keys[dialect], self._read
        return [dict(zip(keys, read(value), strict=True)) for value in values]


_FILES: Final = _Parts(FileFacts, leave_out=("wanted", "priority"))
_FILE_STATS: Final = _Parts(FileFacts, leave_out=("name", "length", "begin_piece", "end_piece"))
_PEERS: Final = _Parts(PeerFacts)
_PEERS_FROM: Final = _Parts(PeersFrom)
_TRACKER_STATS: Final = _Parts(TrackerFacts)
_TRACKERS: Final = _Parts(
    TrackerFacts,
    leave_out=[
        field.name
        for field in dataclasses.fields(TrackerFacts)
        if field.name not in ("announce", "id", "scrape", "sitename", "tier")
    ],
)


def _plain(name: str, kind: str, attribute: str | None = None) -> Field:
    return Field(name, attrgetter(attribute or name), kind, attribute=attribute or name)


def _choice(name: str, kind: type[IntEnum]) -> Field:
    return Field(name, attrgetter(name), "integer", shape=lambda _: schema_of(kind), attribute=name)


def _list(name: str, item: str, read: Read, legacy: tuple[str, Read] | None = None) -> Field:
    """`item` is what an element is in a JSON Schema; `legacy` the same for that dialect, where it differs."""
    items = {Dialect.JSON_RPC: item, Dialect.LEGACY: item if legacy is None else legacy[0]}
    read_legacy = None if legacy is None else legacy[1]
    return Field(name, read, "array", read_legacy, lambda dialect: {"type": "array", "items": {"type": items[dialect]}})


def _objects(name: str, attribute: str, parts: _Parts) -> Field:
    def read(torrent: Any, dialect: Dialect) -> Json:
        return parts.all(getattr(torrent, attribute)(), dialect)

    return Field(
        name,
        lambda torrent: read(torrent, Dialect.JSON_RPC),
        "array",
        lambda torrent: read(torrent, Dialect.LEGACY),
        lambda dialect: {"type": "array", "items": parts.schema(dialect)},
    )


def tracker_list(torrent: Managed) -> str:
    """One announce URL a line, a blank line between tiers (BEP 12)."""
    tiers: dict[int, list[str]] = {}
    for tracker in torrent.trackers():
        tiers.setdefault(tracker.tier, []).append(tracker.announce)
    return "\n\n".join("\n".join(urls) for urls in tiers.values())


FIELDS: Final = (
    _plain("activity_date", "integer"),
    _plain("added_date", "integer"),
    _list("availability", "integer", lambda torrent: list(torrent.availability())),
    _choice("bandwidth_priority", Priority),
    _list("bytes_completed", "integer", lambda torrent: [file.bytes_completed for file in torrent.files()]),
    _plain("comment", "string"),
    _plain("corrupt_ever", "integer"),
    _plain("creator", "string"),
    _plain("date_created", "integer"),
    _plain("desired_available", "integer"),
    _plain("done_date", "integer"),
    _plain("download_dir", "string"),
    _plain("download_limit", "integer"),
    _plain("download_limited", "boolean"),
    _plain("downloaded_ever", "integer"),
    _plain("edit_date", "integer"),
    _choice("error", ErrorKind),
    _plain("error_string", "string"),
    _plain("eta", "integer"),
    _plain("eta_idle", "integer"),
    _plain("file_count", "integer"),
    _objects("file_stats", "files", _FILE_STATS),
    _objects("files", "files", _FILES),
    _plain("group", "string"),
    _plain("hash_string", "string"),
    _plain("have_unchecked", "integer"),
    _plain("have_valid", "integer"),
    _plain("honors_session_limits", "boolean"),
    _plain("id", "integer"),
    _plain("is_finished", "boolean"),
    _plain("is_private", "boolean"),
    _plain("is_stalled", "boolean"),
    _list("labels", "string", lambda torrent: list(torrent.labels)),
    _plain("left_until_done", "integer"),
    Field("magnet_link", lambda torrent: torrent.magnet_link(), "string"),
    _plain("manual_announce_time", "integer"),
    _plain("max_connected_peers", "integer", "peer_limit"),
    _plain("metadata_percent_complete", "number"),
    _plain("name", "string"),
    _plain("peer_limit", "integer"),
    _objects("peers", "peers", _PEERS),
    _plain("peers_connected", "integer"),
    Field(
        "peers_from",
        lambda torrent: _PEERS_FROM.one(torrent.peers_from(), Dialect.JSON_RPC),
        "object",
        lambda torrent: _PEERS_FROM.one(torrent.peers_from(), Dialect.LEGACY),
        _PEERS_FROM.schema,
    ),
    _plain("peers_getting_from_us", "integer"),
    _plain("peers_sending_to_us", "integer"),
    _plain("percent_complete", "number"),
    _plain("percent_done", "number"),
    _plain("piece_count", "integer"),
    _plain("piece_size", "integer"),
    Field("pieces", lambda torrent: base64.b64encode(torrent.pieces()).decode(), "string"),
    _plain("primary_mime_type", "string"),
    _list("priorities", "integer", lambda torrent: [file.priority for file in torrent.files()]),
    _plain("queue_position", "integer"),
    _plain("rate_download", "integer"),
    _plain("rate_upload", "integer"),
    _plain("recheck_progress", "number"),
    _plain("seconds_downloading", "integer"),
    _plain("seconds_seeding", "integer"),
    _plain("seed_idle_limit", "integer"),
    _choice("seed_idle_mode", GoalMode),
    _plain("seed_ratio_limit", "number"),
    _choice("seed_ratio_mode", GoalMode),
    _plain("sequential_download", "boolean"),
    Field("sequential_download_from_piece", lambda _: 0, "integer"),
    _plain("size_when_done", "integer"),
    _plain("starling_leechers", "integer"),
    _plain("starling_seeders", "integer"),
    _plain("starling_tracker", "string"),
    _plain("starling_seed_time_limit", "integer"),
    _plain("starling_seed_time_mode", "integer"),
    _plain("start_date", "integer"),
    _choice("status", Status),
    _plain("torrent_file", "string"),
    _plain("total_size", "integer"),
    Field("tracker_list", tracker_list, "string"),
    _objects("tracker_stats", "trackers", _TRACKER_STATS),
    _objects("trackers", "trackers", _TRACKERS),
    _plain("upload_limit", "integer"),
    _plain("upload_limited", "boolean"),
    _plain("upload_ratio", "number"),
    _plain("uploaded_ever", "integer"),
    # Numbers in the legacy dialect: clients of other makers broke when they became booleans.
    _list(
        "wanted",
        "boolean",
        lambda torrent: [file.wanted for file in torrent.files()],
        ("integer", lambda torrent: [int(file.wanted) for file in torrent.files()]),
    ),
    _list("webseeds", "string", lambda torrent: list(torrent.web_seeds)),
    # Web seeds are not downloaded from, so nothing is to be told of each.
    Field("webseeds_ex", lambda _: [], "array"),
    _plain("webseeds_sending_to_us", "integer", "web_seeds_sending_to_us"),
)
"""All of them, in alphabetical order."""

BY_NAME: Final = {field.name: field for field in FIELDS}


@dataclass(frozen=True, slots=True)
class Columns:
    """The fields of one question: under which key each is answered, and how it is read."""

    keys: tuple[str, ...]
    row: Callable[[Any], Iterable[Json]]
    """Reads them all off a Managed torrent."""

    @classmethod
    def of(cls, asked: Iterable[str], dialect: Dialect) -> Columns:
        """Those that are known, each key once."""
        chosen: dict[str, Field] = {}
        for key in asked:
            field = BY_NAME.get(canonical(key) if dialect is Dialect.LEGACY else key)
            if field is not None:
                chosen[key] = field
        attributes = [field.attribute for field in chosen.values() if field.attribute is not None]
        if 1 < len(attributes) == len(chosen):  # one call for all of them, where ten thousand torrents are asked for
            return cls(tuple(chosen), attrgetter(*attributes))
        readers = tuple(field.reader(dialect) for field in chosen.values())
        return cls(tuple(chosen), lambda torrent: [read(torrent) for read in readers])

    def objects(self, torrents: Sequence[Managed]) -> list[Json]:
        """One object a torrent."""
        keys, row = self.keys, self.row
        return [dict(zip(keys, row(torrent), strict=True)) for torrent in torrents]

    def table(self, torrents: Sequence[Managed]) -> list[Json]:
        """The keys first, then one row a torrent."""
        return [list(self.keys), *(list(self.row(torrent)) for torrent in torrents)]
