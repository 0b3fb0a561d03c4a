"""The keeper of the queues against an engine whose stops take time and whose news comes late, in any order of verbs."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from p2p.daemon.intent import Intent
from p2p.daemon.ports import Start, Step
from p2p.daemon.queue_keeper import QueueKeeper
from p2p.daemon.session_values import SessionValues, initial
from p2p.session.event_bus import Event, EventKind
from p2p.session.queue import WAKE_INTERVAL
from p2p.session.settings import Settings

MINUTES = 5


class Clock:
    """The part of a loop that the keeper uses."""

    def __init__(self):
        self.now = 0.0
        self.timers = []

    def time(self):
        return self.now

    def call_at(self, when, call, *arguments):
        timer = SimpleNamespace(when=when, call=lambda: call(*arguments), cancel=lambda: self.cancel(timer))
        self.timers.append(timer)
        return timer

    def cancel(self, timer):
        if timer in self.timers:
            self.timers.remove(timer)

    def call_later(self, seconds, call):
        return self.call_at(self.now + seconds, call)

    def pass_to(self, until):
        while due := [timer for timer in self.timers if timer.when <= until]:
            timer = min(due, key=lambda timer: timer.when)
            self.timers.remove(timer)
            self.now = max(self.now, timer.when)
            timer.call()
        self.now = until


class Engine:
    """A torrent: it stops some time after it was told to, and one that is started meanwhile goes on."""

    metainfo = ()
    goal = None

    def __init__(self, clock):
        self.clock = clock
        self.running = self.stopping = self.goes_on = False
        self.ledger = SimpleNamespace(quiet_since=None)

    def start(self):
        if not self.running:
            self.running, self.goal, self.ledger.quiet_since = True, None, self.clock.now
        elif self.stopping:
            self.goes_on = True

    def request_stop(self):
        self.goes_on, self.stopping = False, self.running


class Queues(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.clock = Clock()
        queues = {"download_queue_size": 2, "seed_queue_enabled": True, "seed_queue_size": 1}
        self.values = SessionValues({**initial(Settings(), "/c"), **queues, "queue_stalled_minutes": MINUTES})
        self.kept = {}
        self.news = deque()
        self.finished = []
        self.keeper = QueueKeeper(
            self.values,
            self.kept,
            loop=self.clock,
            on_change=lambda torrents: None,
            on_moved=lambda torrents: None,
            on_finished=self.finished.append,
        )
        self.numbers = iter(range(1, 1000))
        self.ended = set()
        """Those that ended by themselves since a client has started them."""
        self.wanted = set()
        """Those that a client has started, and nobody has ended since."""

    def some(self, at, which=lambda managed: True):
        """One of those that are so, if any is."""
        found = [managed for managed in self.kept.values() if which(managed)]
        return found[at % len(found)] if found else None

    def running(self, at):
        return self.some(at, lambda managed: managed.torrent.running and not managed.torrent.stopping)

    def tell(self, kind, managed):
        self.news.append((Event(kind, 0.0, str(managed.id)), managed))

    # -- clients

    @initialize(missing=st.lists(st.booleans(), min_size=4, max_size=6))
    def has(self, missing):
        for each in missing:
            self.adds(each, Intent.QUEUED)

    @rule(missing=st.booleans(), intent=st.sampled_from([Intent.QUEUED, Intent.NOW, Intent.STOPPED]))
    def adds(self, missing, intent):
        number = next(self.numbers)
        wishes = SimpleNamespace(intent=intent)
        managed = SimpleNamespace(
            id=number, name=str(number), torrent=Engine(self.clock), wishes=wishes, left_until_done=int(missing)
        )
        self.kept[number] = managed
        self.keeper.on_added(managed)

    @rule(at=st.integers(0, 9))
    def removes(self, at):
        if managed := self.some(at):
            self.keeper.on_removed([managed])
            del self.kept[managed.id]

    @rule(at=st.integers(0, 9), when=st.sampled_from(Start))
    def starts(self, at, when):
        if managed := self.some(at):
            self.ended.discard(managed.id)
            self.wanted.add(managed.id)
            self.keeper.start([managed], when)
            assert managed.wishes.intent.to_run

    @rule(at=st.integers(0, 9))
    def stops(self, at):
        if managed := self.some(at):
            self.wanted.discard(managed.id)
            self.keeper.stop([managed])

    @rule(at=st.integers(0, 9), step=st.sampled_from(Step))
    def moves(self, at, step):
        if managed := self.some(at):
            self.keeper.move([managed], step)

    @rule(
        line=st.sampled_from(["download", "seed"]),
        size=st.integers(0, 3),
        enabled=st.booleans(),
        stalled=st.booleans(),
    )
    def sets(self, line, size, enabled, stalled):
        values = {f"{line}_queue_size": size, f"{line}_queue_enabled": enabled, "queue_stalled_enabled": stalled}
        for name, value in values.items():
            self.values.note(name, value)
        asyncio.run(self.keeper.apply(values))

    # -- the engine

    @rule(at=st.integers(0, 9))
    def ends(self, at):
        if managed := self.some(at, lambda managed: managed.torrent.stopping):
            torrent = managed.torrent
            torrent.stopping, torrent.running = False, torrent.goes_on
            torrent.goes_on, torrent.ledger.quiet_since = False, None
            if torrent.running:
                torrent.goal, torrent.ledger.quiet_since = None, self.clock.now
            else:
                self.tell(EventKind.STOPPED, managed)

    @rule(at=st.integers(0, 9))
    def fails(self, at):
        if managed := self.running(at):
            managed.torrent.running, managed.torrent.ledger.quiet_since = False, None
            self.ended.add(managed.id)
            self.wanted.discard(managed.id)
            self.tell(EventKind.STOPPED, managed)

    @rule(at=st.integers(0, 9))
    def reaches_its_goal(self, at):
        if managed := self.running(at):
            managed.torrent.stopping, managed.torrent.goal = True, "ratio 1 reached"
            self.ended.add(managed.id)
            self.wanted.discard(managed.id)

    @rule(at=st.integers(0, 9))
    def has_all_or_wants_more(self, at):
        if managed := self.running(at):
            managed.left_until_done = 1 - managed.left_until_done
            self.tell(EventKind.DOWNLOADING if managed.left_until_done else EventKind.COMPLETE, managed)

    @rule(at=st.integers(0, 9))
    def moves_payload(self, at):
        if managed := self.running(at):
            managed.torrent.ledger.quiet_since = self.clock.now

    @rule()
    def news_comes(self):
        while self.news:
            event, managed = self.news.popleft()
            self.keeper.on_event(event, managed if managed.id in self.kept else None)

    @rule(seconds=st.sampled_from([1, 100, MINUTES * 60 + 1]))
    def time_passes(self, seconds):
        self.clock.pass_to(self.clock.now + seconds)

    # -- what holds at any time

    @invariant()
    def positions_are_whole(self):
        assert sorted(map(self.keeper.position, self.kept)) == list(range(len(self.kept)))

    @invariant()
    def who_waits_is_to_run_and_is_not_run(self):
        for managed in self.kept.values():
            if self.keeper.waits(managed.id):
                assert managed.wishes.intent is Intent.QUEUED
                assert managed.torrent.stopping or not managed.torrent.running

    @invariant()
    def once_all_is_quiet_everybody_is_where_it_belongs(self):
        if self.news or any(managed.torrent.stopping for managed in self.kept.values()):
            return
        self.clock.pass_to(self.clock.now + WAKE_INTERVAL)
        now = self.clock.now
        for line, seeds in (("download", False), ("seed", True)):
            here = [managed for managed in self.kept.values() if (managed.left_until_done == 0) is seeds]
            waiting = [managed for managed in here if self.keeper.waits(managed.id)]
            running = [managed for managed in here if managed.torrent.running]
            for managed in here:
                at_work = managed in waiting or managed in running
                assert managed.wishes.intent.to_run or managed.id not in self.wanted
                if not managed.wishes.intent.to_run:
                    assert not at_work
                elif managed.id not in self.ended:
                    assert at_work
            if not self.values.flag(f"{line}_queue_enabled"):
                assert not waiting
                continue
            after = MINUTES * 60 if self.values.flag("queue_stalled_enabled") else None
            quiet = {managed.id: managed.torrent.ledger.quiet_since or now for managed in running}
            holding = [each for each in running if after is None or now - quiet[each.id] < after]
            size = self.values.number(f"{line}_queue_size")
            if waiting:
                assert len(holding) >= size
            if after is None:  # nobody comes to life again, so no more run than may, but for those started now
                assert sum(managed.wishes.intent is not Intent.NOW for managed in holding) <= size


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)


def test_who_is_started_while_it_ends_by_its_goal_goes_on():
    queues = Queues()
    queues.adds(missing=False, intent=Intent.QUEUED)
    queues.reaches_its_goal(0)
    queues.starts(0, Start.QUEUED)
    queues.ends(0)
    queues.news_comes()
    (managed,) = queues.kept.values()
    assert managed.torrent.running
    assert managed.wishes.intent is Intent.QUEUED
    assert queues.finished == []
    queues.reaches_its_goal(0)
    queues.ends(0)
    queues.starts(0, Start.QUEUED)  # before we have heard that it has ended
    queues.news_comes()
    assert managed.torrent.running
    queues.once_all_is_quiet_everybody_is_where_it_belongs()
