"""What the daemon watches of itself beyond what Transmission's RPC tells, each subject in a file of its own.

The rule: one look a second, which costs as much as there were changes; what asks the disk runs beside it. Everything
that is told is read from memory.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import orjson

from p2p.daemon.client_events import EVENTS_PATH
from p2p.daemon.creation import Creations
from p2p.daemon.engine_facts import dht_facts, disk_facts, look_at_filesystems, tracker_health_facts
from p2p.daemon.event_log import LOGGER
from p2p.daemon.events import EventFeed
from p2p.daemon.history import History
from p2p.daemon.log_ring import LogRing
from p2p.daemon.metrics import CONTENT_TYPE, metrics_text
from p2p.daemon.own_facts import LogFacts
from p2p.daemon.own_methods import own_methods
from p2p.daemon.pages import JSON_TYPE, Document, Pages
from p2p.daemon.schema import schema_text
from p2p.daemon.tally import Tally
from p2p.operation.log_lines import LogControl
from p2p.session.scope import Scope
from p2p.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from p2p.daemon.methods import Method
    from p2p.daemon.own_facts import DhtFacts, DiskFacts, Filesystem, RateHistory, TrackerHealthFacts
    from p2p.daemon.pages import Query
    from p2p.daemon.ports import Library
    from p2p.disk.meter import DiskMeter
    from p2p.operation.log_lines import LogLevel
    from p2p.session.environment import Environment
    from p2p.session.session import Session

log = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 1.0
"""Seconds between looks at what has changed."""

FILESYSTEMS_INTERVAL: Final = 30.0
"""Seconds between looks at the room on disk."""

LATE: Final = 30.0
"""Seconds without a look after which something is wrong: a loop that stands still, or a task that has ended."""

AFTER_BUG: Final = 60.0
"""Seconds without a look after one that failed: longer than LATE, so that the health page tells of it."""

HEALTH_PATH: Final = "/health"
METRICS_PATH: Final = "/metrics"
SCHEMA_PATH: Final = "/schema"


class Monitor:
    """See the module's head. `created` is the folder for torrent files that are made, `log` the control of the log that
    runs, if one does."""

    def __init__(
        self,
        session: Session,
        library: Library,
        environment: Environment,
        *,
        created: Path,
        log: LogControl | None = None,
    ) -> None:
        self._session = session
        self._library = library
        self._environment = environment
        self.ring = LogRing()
        self._log = log or LogControl(self.ring, LOGGER)
        self.feed = EventFeed(library, session.events, self.ring)
        self.tally = Tally()
        self.creations = Creations(library, created, wall=environment.wall)
        self._history = History(_now())
        self._filesystems: tuple[Filesystem, ...] = ()
        self._looked = _now()

    async def run(self) -> None:
        """Until cancelled."""
        with self.ring:
            async with Scope() as scope:
                scope.start(self.feed.run(), name="events")
                scope.start(self.creations.run(), name="creations")
                scope.start(self._watch_filesystems(), name="filesystems")
                while True:
                    try:
                        self._look()
                    except Exception:  # a bug in what only watches must not take the daemon down, and must be seen
                        log.exception("the look at what has changed ended by a bug")
                        await asyncio.sleep(AFTER_BUG)
                    await asyncio.sleep(LOOK_INTERVAL)

    def _look(self) -> None:
        tally, now = self.tally, _now()
        for number in tally.look(self._library):
            self._history.forget(number)
        self._history.on_rates(tally.rate_down, tally.rate_up, tally.active, now)
        self._looked = now

    async def _watch_filesystems(self) -> None:
        while True:
            # The look at torrents comes first, and this again once there is something to look at.
            folders = dict(self.tally.folders)
            self._filesystems = await asyncio.to_thread(look_at_filesystems, folders)
            await asyncio.sleep(FILESYSTEMS_INTERVAL if folders else LOOK_INTERVAL)

    # -- what is told

    def methods(self) -> dict[str, Method]:
        """Of the RPC, by name."""
        return own_methods(self)

    def pages(self) -> Pages:
        """Beside the RPC."""
        return Pages(
            documents={HEALTH_PATH: self._health, METRICS_PATH: self._metrics, SCHEMA_PATH: _schema},
            streams={EVENTS_PATH: self.feed.listen},
            unguarded=frozenset({HEALTH_PATH}),
        )

    def dht(self) -> DhtFacts:
        return dht_facts(self._session.dht)

    def disk(self) -> DiskFacts:
        return disk_facts(self._environment.disk, self._filesystems, _now())

    def trackers(self) -> TrackerHealthFacts:
        offset = self._environment.wall() - _now()
        return tracker_health_facts(self._session.tracker_health.hosts, self.tally.by_host(), offset)

    def rates(self, torrent: int | None) -> RateHistory:
        """Of the session where `torrent` is None."""
        wall = self._environment.wall()
        if torrent is None:
            return self._history.of_session(_now(), wall)
        return self._history.of_torrent(torrent, _now(), wall)

    def log_lines(self, since: int, level: int, count: int) -> LogFacts:
        """The last `count` lines after the serial `since`, of that level of `logging` or above."""
        lines = self.ring.after(since, level)
        return LogFacts(self._log.level.value, self.ring.serial, tuple(lines[len(lines) - min(count, len(lines)) :]))

    def set_log_level(self, level: LogLevel) -> None:
        """Log nothing less from now on."""
        self._log.set_level(level)

    def troubles(self) -> list[str]:
        """What keeps the daemon from being well; nothing where it is."""
        found = []
        late = _now() - self._looked
        if late > LATE:
            found.append(f"nobody has looked at the torrents for {late:.0f} s")
        if not self._session.port:
            found.append("peers cannot reach it: it listens nowhere")
        return found

    @property
    def disk_meter(self) -> DiskMeter:
        return self._environment.disk

    def _metrics(self, query: Query) -> Document:  # noqa: ARG002 - the shape of a page
        return Document(metrics_text(self, VERSION), CONTENT_TYPE)

    def _health(self, query: Query) -> Document:  # noqa: ARG002 - the shape of a page
        troubles = self.troubles()
        body = {"status": "failing" if troubles else "ok", "troubles": troubles}
        return Document(orjson.dumps(body), JSON_TYPE, 503 if troubles else 200)


def _schema(query: Query) -> Document:  # noqa: ARG001 - the shape of a page
    return Document(schema_text(), JSON_TYPE)


def _now() -> float:
    return asyncio.get_running_loop().time()
