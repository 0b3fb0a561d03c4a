"""Runs torrents as their queues allow: joins what clients wish, what the engine reports, and `p2p.session.queue`.

The rule: nothing is looked over but for a reason, which is a verb, a change of settings, an event of the engine, or the
moment at which a torrent may be stalled while another waits. Where a line has no queue, who is to run runs at once.
"""

from __future__ import annotations

import heapq
import logging
import math
from typing import TYPE_CHECKING, Final

from p2p.daemon.intent import Intent
from p2p.daemon.ports import Start
from p2p.daemon.queue_order import QueueOrder
from p2p.daemon.state_records import RecordReader
from p2p.errors import StarlingError
from p2p.session import queue
from p2p.session.event_bus import EventKind
from p2p.session.queue import Line, Places, Rules, Runner

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.names import Json
    from p2p.daemon.ports import Step
    from p2p.daemon.session_values import SessionValues
    from p2p.daemon.state_records import Record
    from p2p.session.event_bus import Event, EventBus

log = logging.getLogger(__name__)

SETTINGS: Final = (
    "download_queue_enabled",
    "download_queue_size",
    "queue_stalled_enabled",
    "queue_stalled_minutes",
    "seed_queue_enabled",
    "seed_queue_size",
)
"""The keys that this applies."""

TELL_AFTER: Final = 1.0
"""Seconds for which removals are gathered before those who moved up are told as changed."""

SOONEST: Final = 0.01
"""Seconds until the queues are looked at again: sums of times are rounded, and may name the present moment."""

_SWITCHES: Final = {Line.DOWNLOAD: "download_queue", Line.SEED: "seed_queue"}


class QueueKeeper:
    """See the module's head. `kept` are the daemon's torrents by id. `on_change` is told of those that a client sees
    changed, `on_moved` of those that have but another position, `on_finished` of each that a goal of seeding has
    stopped."""

    def __init__(
        self,
        values: SessionValues,
        kept: Mapping[int, ManagedTorrent],
        *,
        loop: asyncio.AbstractEventLoop,
        on_change: Callable[[Iterable[ManagedTorrent]], None],
        on_moved: Callable[[Iterable[ManagedTorrent]], None],
        on_finished: Callable[[ManagedTorrent], None],
    ) -> None:
        self._values = values
        self._kept = kept
        self._loop = loop
        self._on_change = on_change
        self._on_moved = on_moved
        self._on_finished = on_finished
        self._order = QueueOrder()
        self._waiting: dict[Line, dict[int, ManagedTorrent]] = {line: {} for line in Line}
        self._running: dict[Line, dict[int, ManagedTorrent]] = {line: {} for line in Line}
        self._line: dict[int, Line] = {}
        """Of those that wait or run."""
        self._timer: asyncio.TimerHandle | None = None
        self._shifted: set[int] = set()
        self._telling: asyncio.TimerHandle | None = None
        self._kept_order: tuple[int, ...] = ()
        self._rules = self._read_rules()
        self._places = {line: Places(rules, self._quiet_since) for line, rules in self._rules.items()}

    # -- facts

    def position(self, torrent: int) -> int:
        return self._order.position(torrent)

    def waits(self, torrent: int) -> bool:
        """Whether it is to run, and is not let."""
        line = self._line.get(torrent)
        return line is not None and torrent in self._waiting[line]

    def stalled(self, managed: ManagedTorrent) -> bool:
        """Whether it runs, and has moved nothing for so long that it holds no place."""
        line = self._line.get(managed.id)
        if line is None or managed.id not in self._running[line]:
            return False
        now = self._loop.time()
        return queue.stalled(self._quiet_since(managed.id, now), self._rules[line], now)

    # -- who is there

    def on_added(self, managed: ManagedTorrent) -> None:
        """It is the last in the queue, and runs as its wishes say."""
        managed.queue = self
        self._order.append(managed.id)
        if managed.wishes.intent.to_run:
            self._enter(managed)
            self._admit(self._line[managed.id])

    async def look(self, managed: ManagedTorrent) -> None:
        """One that waits to download may be there whole already: a check, which takes no place, tells."""
        try:
            if self.waits(managed.id) and await managed.torrent.seems_whole():
                await managed.torrent.verify()
        except StarlingError as error:
            log.info("%s is looked at when its turn comes: %s", managed.name, error)

    def on_removed(self, torrents: Collection[ManagedTorrent]) -> None:
        for managed in torrents:
            self._leave(managed)
        gone = {managed.id for managed in torrents}
        self._shift(self._order.remove(gone))
        self._shifted -= gone
        self._admit(*Line)

    # -- what clients want

    def start(self, torrents: Sequence[ManagedTorrent], when: Start) -> None:
        intent = Intent.NOW if when is Start.NOW else Intent.QUEUED
        for managed in torrents:
            if not managed.torrent.running:  # it may have ended, and we have not heard of it yet
                self._leave(managed)
            line = self._line.get(managed.id)
            if line is None or managed.wishes.intent is not Intent.NOW:
                managed.wishes.intent = intent
            if line is not None and managed.id in self._running[line]:
                managed.torrent.start()  # it may be about to end
            self._enter(managed)
        self._admit(*Line)

    def stop(self, torrents: Sequence[ManagedTorrent]) -> None:
        for managed in torrents:
            if managed.wishes.intent is not Intent.FINISHED:
                managed.wishes.intent = Intent.STOPPED
            self._leave(managed)
            managed.torrent.request_stop()
        self._admit(*Line)

    def move(self, torrents: Sequence[ManagedTorrent], step: Step) -> None:
        self._tell(self._order.move([managed.id for managed in torrents], step))

    def place(self, torrents: Sequence[ManagedTorrent], position: int) -> None:
        self._tell(self._order.place([managed.id for managed in torrents], position))

    async def apply(self, changes: Mapping[str, Json]) -> None:  # noqa: ARG002 - all rules are looked at anew
        now = self._loop.time()
        self._rules = self._read_rules()
        for line, rules in self._rules.items():
            self._places[line].set_rules(rules, now)
            running = [self._runner(key, now) for key in sorted(self._running[line], key=self.position)]
            for key in queue.surplus(running, rules, now):
                self._put_back(self._kept[key], line)
        self._admit(*Line)

    # -- what the engine reports

    async def run(self, events: EventBus, find: Callable[[str], ManagedTorrent | None]) -> None:
        """Follow the engine, until cancelled."""
        lost = 0
        with events.subscribe() as subscription:
            try:
                self._look_over()
                while True:
                    await subscription.ready()
                    for event in subscription.take():
                        self.on_event(event, find(event.info_hash))
                    if subscription.lost != lost:
                        lost = subscription.lost
                        self._look_over()
            finally:
                for timer in (self._timer, self._telling):
                    if timer is not None:
                        timer.cancel()
                self._timer = self._telling = None

    def on_event(self, event: Event, managed: ManagedTorrent | None) -> None:
        """Something has happened to a torrent; those of others, and those that went, are None."""
        if managed is None or managed.id not in self._kept:
            return
        match event.kind:
            case EventKind.COMPLETE | EventKind.DOWNLOADING:
                self.on_line(managed)
            case EventKind.STOPPED:
                self._on_stopped(managed)
            case _:
                pass

    def on_line(self, managed: ManagedTorrent) -> None:
        """It may have become a seed, or a leecher again: then it needs a place in the other line."""
        before, after = self._line.get(managed.id), _line(managed)
        if before is None or before is after:
            return
        ran = self._leave(managed)
        self._line[managed.id] = after
        if ran and managed.wishes.intent is Intent.NOW:
            self._take_place(managed, after)
        else:
            self._waiting[after][managed.id] = managed
        self._admit(before, after)
        if ran and self.waits(managed.id):
            managed.torrent.request_stop()
            log.info("%s waits for its turn in the %s queue", managed.name, after.value)
        self._on_change([managed])

    def _on_stopped(self, managed: ManagedTorrent) -> None:
        if managed.torrent.running:
            return
        line = self._line.get(managed.id)
        if line is not None and managed.id in self._running[line]:
            self._leave(managed)
            if managed.torrent.goal is not None:
                managed.wishes.intent = Intent.FINISHED
                self._on_finished(managed)
            self._admit(line)
            self._on_change([managed])
        self.on_line(managed)

    def _look_over(self) -> None:
        """Catch up with what was not heard of."""
        for managed in list(self._kept.values()):
            self._on_stopped(managed)
            self.on_line(managed)

    # -- lines

    def _read_rules(self) -> dict[Line, Rules]:
        values, found = self._values, {}
        stalled_after = values.number("queue_stalled_minutes") * 60 if values.flag("queue_stalled_enabled") else None
        for line, name in _SWITCHES.items():
            size = int(values.number(f"{name}_size")) if values.flag(f"{name}_enabled") else None
            found[line] = Rules(size, stalled_after)
        return found

    def _quiet_since(self, key: int, now: float) -> float:
        quiet_since = self._kept[key].torrent.ledger.quiet_since if key in self._kept else None
        return now if quiet_since is None else quiet_since

    def _runner(self, key: int, now: float) -> Runner:
        return Runner(key, self._quiet_since(key, now), free=self._kept[key].wishes.intent is Intent.NOW)

    def _enter(self, managed: ManagedTorrent) -> None:
        """It is to run."""
        line = self._line.get(managed.id)
        if line is None:
            line = self._line[managed.id] = _line(managed)
            self._waiting[line][managed.id] = managed
        if managed.wishes.intent is Intent.NOW and self._waiting[line].pop(managed.id, None) is not None:
            self._take_place(managed, line)
            managed.torrent.start()

    def _take_place(self, managed: ManagedTorrent, line: Line) -> None:
        self._running[line][managed.id] = managed
        self._places[line].enter(managed.id, self._loop.time())

    def _leave(self, managed: ManagedTorrent) -> bool:
        """It is in no line any more; whether it ran."""
        line = self._line.pop(managed.id, None)
        if line is None:
            return False
        self._waiting[line].pop(managed.id, None)
        self._places[line].leave(managed.id)
        return self._running[line].pop(managed.id, None) is not None

    def _put_back(self, managed: ManagedTorrent, line: Line) -> None:
        del self._running[line][managed.id]
        self._places[line].leave(managed.id)
        self._waiting[line][managed.id] = managed
        managed.torrent.request_stop()
        self._on_change([managed])

    def _admit(self, *lines: Line) -> None:
        """Let in who waits, as far as there is room."""
        now = self._loop.time()
        for line in lines:
            waiting = self._waiting[line]
            room = self._places[line].room(now) if waiting else 0
            if room == 0:
                continue
            count = len(waiting) if room is None else min(room, len(waiting))
            started = [waiting.pop(key) for key in heapq.nsmallest(count, waiting, key=self.position)]
            for managed in started:
                self._take_place(managed, line)
                managed.torrent.start()
            self._on_change(started)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = min((self._places[line].look_at() for line in Line if self._waiting[line]), default=math.inf)
        if due < math.inf:
            due = max(due, self._loop.time() + SOONEST)
            self._timer = self._loop.call_at(due, self._admit, *Line)

    # -- order

    def _tell(self, changed: Iterable[int]) -> None:
        self._on_moved([self._kept[key] for key in changed if key in self._kept])

    def _shift(self, changed: Iterable[int]) -> None:
        """Whoever stands behind a torrent that went has another position, which is told once for many removals."""
        self._shifted.update(changed)
        if self._shifted and self._telling is None:
            self._telling = self._loop.call_later(TELL_AFTER, self._tell_shifted)

    def _tell_shifted(self) -> None:
        shifted, self._shifted, self._telling = self._shifted, set(), None
        self._tell(shifted)

    # -- over a restart

    def to_record(self) -> Record:
        """Empty while nobody has been moved, as it is asked for after every verb."""
        keys = list(self._order)
        return {"order": [] if keys == sorted(keys) else list(keys)}

    def from_record(self, record: Mapping[str, Json]) -> None:
        """Take in the order; it holds once `on_restored` has been called."""
        reader = RecordReader(dict(record), "the queue")
        self._kept_order = reader.integers("order")
        reader.close()

    def on_restored(self) -> None:
        """The torrents of the last run are here: in their order, those that are to run begin where there is room."""
        for key, managed in self._kept.items():
            managed.queue = self
            self._order.append(key)
        self._order.arrange(self._kept_order)
        self._kept_order = ()
        for managed in self._kept.values():
            if managed.wishes.intent.to_run:
                self._enter(managed)
        self._admit(*Line)


def _line(managed: ManagedTorrent) -> Line:
    missing = managed.torrent.metainfo is None or managed.left_until_done > 0
    return Line.DOWNLOAD if missing else Line.SEED
