"""What happens, told as it happens: `/events` (server-sent events, as the HTML standard has them).

The rule: nothing is looked at while nobody listens, and looking costs as much as there are changes. Events are made
once for all who listen. A listener that does not keep up loses what waited for it, is told so (`resync`), and is let
go; it comes again, and asks for everything anew. A sign of life goes out when nothing else does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import orjson

from p2p.daemon.rpc_errors import invalid
from p2p.daemon.shapes import told
from p2p.operation.log_lines import LogLevel
from p2p.session.event_bus import EventKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from p2p.daemon.deltas import Delta
    from p2p.daemon.log_ring import LogRing
    from p2p.daemon.names import Json
    from p2p.daemon.pages import Query
    from p2p.daemon.ports import Library
    from p2p.session.event_bus import Event, EventBus, Subscription

log = logging.getLogger(__name__)

INTERVAL: Final = 1.0
"""Seconds between looks: as often as the library looks at its torrents."""

HEARTBEAT: Final = 15.0
"""Seconds without an event after which a sign of life goes out, so that both ends notice a dead connection."""

MAX_WAITING: Final = 4 * 1024 * 1024
"""Bytes that wait for one listener: some sixty ticks in which all of ten thousand torrents change."""

_HAPPENINGS: Final = {
    EventKind.METADATA: "metadata",
    EventKind.COMPLETE: "completed",
    EventKind.ERROR: "error",
}
"""What of the engine's own news is passed on; the rest is seen as changes."""

_VOLATILE: Final = frozenset({"download_dir_free_space", "blocklist_size"})
"""Keys of the session that are facts rather than settings."""


class Listener:
    """One listener's queue. Iterating gives the bytes to send, and ends after it was overrun."""

    def __init__(self, level: int | None) -> None:
        self.level = level
        """The least of the log that it wants; None for nothing of it."""
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self.overrun = False

    def put(self, event: bytes) -> None:
        if self.overrun:
            return
        self._waiting.append(event)
        self._size += len(event)
        self._wake.set()

    @property
    def is_behind(self) -> bool:
        return self._size > MAX_WAITING

    def let_go(self, last: bytes) -> None:
        """Forget what waits; `last` is the last that it is told."""
        self._waiting.clear()
        self.put(last)
        self.overrun = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if not self._waiting:
                if self.overrun:
                    return
                self._wake.clear()
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await self._wake.wait()
                except TimeoutError:
                    yield b":\n\n"
                continue
            taken = b"".join(self._waiting)
            self._waiting.clear()
            self._size = 0
            yield taken


class EventFeed:
    """See the module's head. `bus` is the engine's, `interval` seconds between looks."""

    def __init__(self, library: Library, bus: EventBus, ring: LogRing, *, interval: float = INTERVAL) -> None:
        self._library = library
        self._bus = bus
        self._ring = ring
        self._interval = interval
        self._listeners: dict[Listener, None] = {}
        self._wanted = asyncio.Event()
        self._revision = 0
        self._newest = 0
        """The highest number of a torrent that was told of."""
        self._settings: Mapping[str, Json] = {}
        self._serial = 0

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wanted.wait()
            with self._bus.subscribe() as happenings:
                while self._listeners:
                    try:
                        self._look(happenings)
                    except Exception:  # a bug in what only tells must not take the daemon down, and must be seen
                        log.exception("telling of what happens ended by a bug")
                        self._let_go(self._listeners)
                    await asyncio.sleep(self._interval)
            self._wanted.clear()

    @contextmanager
    def listen(self, query: Query) -> Iterator[Listener]:
        """Take part; the first event is `hello`. Raises RpcError for a query that cannot be."""
        listener = Listener(_level(query))
        since = _since(query)
        if self._listeners:
            self._tell_changes()
        else:
            self._begin()
        missed = None if since is None else self._library.since(since)
        listener.put(_event("hello", {"revision": self._revision}, self._revision))
        if missed is not None:
            for event in self._changes(missed, newest=None):
                listener.put(event)
        self._listeners[listener] = None
        self._wanted.set()
        try:
            yield listener
        finally:
            del self._listeners[listener]

    def _begin(self) -> None:
        """Nobody listened until now: what was before is no news."""
        self._revision = self._library.since(-1).revision
        self._newest = max((torrent.id for torrent in self._library.torrents()), default=0)
        self._settings = dict(self._library.settings())
        self._serial = self._ring.serial

    def _look(self, happenings: Subscription) -> None:
        self._tell_changes()
        if happenings.lost:
            happenings.lost = 0
            self._tell([_event("resync", {"revision": self._revision}, self._revision)])
        self._tell([event for each in happenings.take() if (event := self._happening(each)) is not None])
        self._tell_settings()
        self._tell_log()
        self._let_go(listener for listener in self._listeners if listener.is_behind)

    def _let_go(self, listeners: Iterable[Listener]) -> None:
        for listener in listeners:
            if not listener.overrun:
                listener.let_go(_event("resync", {"revision": self._revision}, self._revision))

    def _tell(self, events: Sequence[bytes]) -> None:
        for event in events:
            for listener in self._listeners:
                listener.put(event)

    def _tell_changes(self) -> None:
        delta = self._library.since(self._revision)
        if delta.revision != self._revision or delta.full:
            self._revision = delta.revision
            self._tell(self._changes(delta, newest=self._newest))
            self._newest = max((self._newest, *delta.changed))

    def _changes(self, delta: Delta, newest: int | None) -> list[bytes]:
        """Torrents above `newest` were added; None for who cannot know which were."""
        revision = delta.revision
        if delta.full:
            return [_event("resync", {"revision": revision}, revision)]
        added = [each for each in delta.changed if newest is not None and each > newest]
        changed = [each for each in delta.changed if newest is None or each <= newest]
        parts = (("removed", list(delta.removed)), ("added", added), ("changed", changed))
        return [_event(name, {"ids": [*ids], "revision": revision}, revision) for name, ids in parts if ids]

    def _happening(self, happening: Event) -> bytes | None:
        name = _HAPPENINGS.get(happening.kind)
        torrent = None if name is None else self._library.by_hash(happening.info_hash)
        if name is None or torrent is None:
            return None
        facts: dict[str, Json] = {"id": torrent.id, "hash_string": torrent.hash_string, "time": happening.time}
        return _event(name, facts if happening.message is None else {**facts, "message": happening.message})

    def _tell_settings(self) -> None:
        before, self._settings = self._settings, dict(self._library.settings())
        changed = {
            name: value
            for name, value in self._settings.items()
            if name not in _VOLATILE and before.get(name, None) != value
        }
        if changed:
            self._tell([_event("settings", {"changed": changed})])

    def _tell_log(self) -> None:
        levels = [listener.level for listener in self._listeners if listener.level is not None]
        if not levels:
            self._serial = self._ring.serial
            return
        numbers = logging.getLevelNamesMapping()
        for line in self._ring.after(self._serial, min(levels)):
            self._serial = line.serial
            event = _event("log", told(line))
            number = numbers.get(line.level.upper(), logging.CRITICAL)
            for listener in self._listeners:
                if listener.level is not None and listener.level <= number:
                    listener.put(event)


def _event(name: str, facts: Json, revision: int | None = None) -> bytes:
    mark = b"" if revision is None else b"id: %d\n" % revision
    return mark + b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(facts))


def _level(query: Query) -> int | None:
    asked = query.get("log")
    if asked is None:
        return None
    try:
        return LogLevel(asked).number
    except ValueError as error:
        raise invalid(f"log must be one of {', '.join(LogLevel)}") from error


def _since(query: Query) -> int | None:
    """The revision that a listener knows: its own word, or what its browser kept of the last event."""
    asked = query.get("since") or query.get("last_event_id")
    if not asked:
        return None
    if not asked.isascii() or not asked.isdecimal() or len(asked) > 19:
        raise invalid("since must be a revision")
    return int(asked)
