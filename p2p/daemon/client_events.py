"""What a daemon of ours tells as it happens, read from its stream into values that `match` can tell apart.

The rule: an event that this version does not know is passed over, and a broken one is an error, since what came before
it is then uncertain. After `Resync`, and whenever the stream ends, the list is asked for anew.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import orjson

from p2p.daemon.client_errors import BadAnswerError
from p2p.daemon.own_facts import LogLine
from p2p.daemon.shapes import Reader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from p2p.daemon.names import Json
    from p2p.net.http_calls import LineStream

EVENTS_PATH: Final = "/events"

MAX_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event: the ids of a million torrents."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The stream has begun; everything after `revision` will be told."""

    revision: int


@dataclass(frozen=True, slots=True)
class TorrentsAdded:
    ids: tuple[int, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class TorrentsChanged:
    ids: tuple[int, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class TorrentsRemoved:
    ids: tuple[int, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class TorrentCompleted:
    id: int
    hash_string: str
    time: float


@dataclass(frozen=True, slots=True)
class MetadataArrived:
    id: int
    hash_string: str
    time: float


@dataclass(frozen=True, slots=True)
class TorrentFailed:
    id: int
    hash_string: str
    time: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """`changed` has the new values by snake_case name."""

    changed: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resync:
    """Something was not told: ask for everything."""

    revision: int


Happening: TypeAlias = (
    Hello
    | TorrentsAdded
    | TorrentsChanged
    | TorrentsRemoved
    | TorrentCompleted
    | MetadataArrived
    | TorrentFailed
    | SettingsChanged
    | LogLine
    | Resync
)

_READERS: Final[dict[str, Reader[Happening]]] = {
    "hello": Reader(Hello),
    "added": Reader(TorrentsAdded),
    "changed": Reader(TorrentsChanged),
    "removed": Reader(TorrentsRemoved),
    "completed": Reader(TorrentCompleted),
    "metadata": Reader(MetadataArrived),
    "error": Reader(TorrentFailed),
    "log": Reader(LogLine),
    "resync": Reader(Resync),
}


async def happenings(stream: LineStream) -> AsyncGenerator[Happening, None]:
    """The events of a stream. Raises BadAnswerError for what is no event."""
    async with aclosing(aiter(stream)) as lines:
        async for happening in _parsed(lines):
            yield happening


async def _parsed(lines: AsyncIterator[bytes]) -> AsyncIterator[Happening]:
    name, parts, size = "", [], 0
    async for line in lines:
        if line.startswith(b"data:"):
            parts.append(line[5:].removeprefix(b" "))
            size += len(line)
            if size > MAX_EVENT:
                raise BadAnswerError(f"an event is larger than {MAX_EVENT} bytes")
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode("utf-8", "replace")
        elif not line:
            if parts:
                happening = _read(name, b"\n".join(parts))
                if happening is not None:
                    yield happening
            name, parts, size = "", [], 0


def _read(name: str, body: bytes) -> Happening | None:
    try:
        facts = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAnswerError("an event is not JSON") from error
    if not isinstance(facts, dict):
        raise BadAnswerError("an event is of another kind")
    if name == "settings":
        changed = facts.get("changed")
        return SettingsChanged(changed if isinstance(changed, dict) else {})
    reader = _READERS.get(name)
    return None if reader is None else reader.one(facts)
