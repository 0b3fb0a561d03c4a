"""When to announce what to which tracker (BEP 3, 12, 27, 31).

Trackers stand in tiers; each tier is shuffled once, and a tracker that answers moves to its front (BEP 12). A public
torrent announces to every tier, each by its current tracker: the one that answered last, or the first that is not
resting. A private torrent has one current tracker in all, and changes it only when it fails (BEP 27).

To each tracker `started` goes first, `completed` at most once and only if the content became complete after the tracker
got `started`, `stopped` once and only if it accepted `started`. Regular announces keep the interval; wishes for an
earlier one keep the minimum interval, but a user's need not keep one that the tracker never named. A tracker that fails
rests, twice as long each time with some chance in it, or as long as it said itself (BEP 31), while the next of its tier
is tried at once.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING, Final

from p2p.codec.announce import AnnounceEvent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from p2p.codec.announce import AnnounceReply, ScrapeEntry
    from p2p.errors import TrackerError

MAX_TRACKERS: Final = 100
"""Trackers of a torrent; the rest are left out, or one torrent file could make us knock on any number of doors."""

SCHEMES: Final = ("http://", "https://", "udp://")

MIN_WAIT: Final = 10.0
"""Seconds between announces at least, whatever a tracker or a user says."""
USUAL_MIN_INTERVAL: Final = 300.0
"""Seconds between early announces where the tracker names no minimum."""
BACKOFF: Final = 20.0
"""Seconds a tracker rests after its first failure; each further one doubles it."""
BACKOFF_MAX: Final = 3_600.0
BACKOFF_CHANCE: Final = 0.25
"""Part of the rest that is left to chance, so that the clients of a tracker that was down do not return all at once."""

UNREGISTERED_FOR: Final = 900.0
UNREGISTERED_RETRY: Final = 30.0
"""Seconds. A site may know a new torrent later than its uploader's client does, so for its first minutes a refusal as
unknown is retried soon."""
_UNREGISTERED: Final = re.compile(
    r"unregistered|not registered|unapproved torrent|not whitelisted|torrent not found|info.?hash not found",
    re.IGNORECASE,
)

NUM_WANT: Final = 200
"""Peers to ask for while leeching, the most that trackers in use hand out."""
NUM_WANT_COMPLETE: Final = 50
"""Peers to ask for afterwards: enough to reach leechers that cannot reach us."""


class TrackerState(Enum):
    WAITING = "waiting"
    """Not asked yet: another of its tier works, or its turn has not come."""
    ANNOUNCING = "announcing"
    WORKING = "working"
    FAILING = "failing"
    REFUSED = "refused"
    """It said never to come back (BEP 31), or its URL is of no kind we speak."""


@dataclass(frozen=True, slots=True)
class AnnounceJob:
    """One announce to make. Its outcome goes back with `on_reply`, `on_failure` or `on_cancelled`."""

    url: str
    event: AnnounceEvent
    num_want: int
    tracker_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class TrackerSnapshot:
    """A tracker for a user's eyes. Times are seconds on the caller's clock; None stands for not known."""

    url: str
    tier: int
    state: TrackerState
    error: str | None
    warning: str | None
    seeders: int | None
    leechers: int | None
    completed: int | None
    peers: int
    """Peers in its last reply."""
    failures: int
    """In a row."""
    last_announce: float | None
    next_announce: float | None
    earliest_announce: float | None = None
    """When a user may have one; None for at once."""


@dataclass(slots=True, eq=False)
class _Tracker:
    url: str
    tier: int
    started: bool = False
    completed_due: bool = False
    in_flight: AnnounceJob | None = None
    next_at: float = -math.inf
    """When the next regular announce is due."""
    min_at: float = -math.inf
    """Before this the tracker wants no announce that is not an event."""
    asked_at: float = -math.inf
    """The same for an announce that the user asks for."""
    rests_until: float = -math.inf
    outdated: bool = False
    """What is under way says of us what is true no more."""
    failures: int = 0
    answered: bool = False
    error: str | None = None
    warning: str | None = None
    seeders: int | None = None
    leechers: int | None = None
    completed: int | None = None
    peers: int = 0
    tracker_id: bytes | None = None
    last_at: float | None = None

    @property
    def due_at(self) -> float:
        """When it is to be announced to, if it is the current one of its group."""
        if not self.started or self.completed_due:
            return self.rests_until
        return max(self.next_at, self.rests_until)

    @property
    def state(self) -> TrackerState:
        if self.in_flight is not None:
            return TrackerState.ANNOUNCING
        if self.rests_until == math.inf:
            return TrackerState.REFUSED
        if self.failures:
            return TrackerState.FAILING
        return TrackerState.WORKING if self.answered else TrackerState.WAITING


class _Group:
    """Trackers of which one is announced to at a time: a tier, or all of a private torrent's."""

    __slots__ = ("current", "members")

    def __init__(self, members: list[_Tracker]) -> None:
        self.members = members
        self.current: _Tracker | None = None

    def pick(self, now: float) -> _Tracker | None:
        """Whose turn it is; None while one is being asked or all rest."""
        if any(tracker.in_flight for tracker in self.members):
            return None
        if self.current is not None and self.current.rests_until <= now:
            return self.current
        return next((tracker for tracker in self.members if tracker.rests_until <= now), None)

    def due_at(self, now: float) -> float:
        """When there will be something to announce; infinity if only news can change that."""
        if any(tracker.in_flight for tracker in self.members):
            return math.inf
        tracker = self.pick(now)
        if tracker is not None:
            return tracker.due_at
        return min((tracker.rests_until for tracker in self.members), default=math.inf)


class AnnounceSchedule:
    """The announces of one torrent. Times are the caller's `now`, in seconds."""

    def __init__(self, tiers: Sequence[Sequence[str]], *, private: bool, rng: Random) -> None:
        self._private = private
        self._rng = rng
        self._trackers: dict[str, _Tracker] = {}
        self._tiers: list[list[_Tracker]] = []
        self._groups: list[_Group] = []
        self._farewells: list[AnnounceJob] = []
        self._running = True
        self._began: float | None = None
        self._complete = False
        self._last_private: _Tracker | None = None
        self._arrange(tiers)

    @property
    def tiers(self) -> tuple[tuple[str, ...], ...]:
        """The trackers' URLs as they are tried now."""
        return tuple(tuple(tracker.url for tracker in tier) for tier in self._tiers)

    def start(self, now: float) -> None:
        """Announce from now on, `started` first. Only needed again after `stop_jobs`."""
        self._running = True
        self._began = now

    def set_tiers(self, tiers: Sequence[Sequence[str]]) -> bool:
        """Use these trackers from now on. Those that stay keep their state; those that go are told `stopped`.

        True if peers are to be dropped: the tracker that a private torrent has them of is gone.
        """
        before = self._trackers
        self._arrange(tiers)
        for url, tracker in before.items():
            if url not in self._trackers and tracker.started and self._running:
                self._farewells.append(_stopped_job(tracker))
        last = self._last_private
        if last is None or self._trackers.get(last.url) is last:
            return False
        self._last_private = None
        return True

    def next_due(self, now: float) -> float | None:
        """When `due` will have something, `now` if it has; None if only news can change that."""
        if not self._running:
            return None
        if self._farewells:
            return now
        due = min((group.due_at(now) for group in self._groups), default=math.inf)
        return None if due == math.inf else max(due, now)

    def due(self, now: float) -> list[AnnounceJob]:
        """The announces to make now; they count as under way until their outcome is told."""
        if not self._running:
            return []
        if self._began is None:
            self._began = now
        jobs, self._farewells = self._farewells, []
        for group in self._groups:
            tracker = group.pick(now)
            if tracker is not None and tracker.due_at <= now:
                tracker.in_flight = self._job(tracker)
                tracker.last_at = now
                jobs.append(tracker.in_flight)
        return jobs

    def wants(self, job: AnnounceJob) -> bool:
        """Whether an announce that `due` gave out is still to be made; a tracker may have gone since."""
        tracker = self._trackers.get(job.url)
        return job.event is AnnounceEvent.STOPPED or (tracker is not None and tracker.in_flight is job)

    def on_reply(self, job: AnnounceJob, reply: AnnounceReply, now: float) -> bool:
        """The tracker answered. True if peers of others are to be dropped: a private torrent's tracker has changed."""
        tracker = self._finish(job)
        if tracker is None:
            return False
        tracker.failures = 0
        tracker.answered = True
        tracker.error = None
        tracker.warning = reply.warning
        tracker.peers = len(reply.peers)
        tracker.tracker_id = reply.tracker_id or tracker.tracker_id  # one that is not repeated stays valid (BEP 3)
        self.on_counts(tracker.url, reply.seeders, reply.leechers, reply.completed)
        least = reply.min_interval
        if least is None:
            least = min(reply.interval, USUAL_MIN_INTERVAL)
        tracker.min_at = now + max(least, MIN_WAIT)
        tracker.asked_at = now + max(reply.min_interval or 0.0, MIN_WAIT)
        tracker.next_at = tracker.asked_at if tracker.outdated else max(now + reply.interval, tracker.min_at)
        tracker.outdated = False
        tracker.rests_until = -math.inf
        if job.event is AnnounceEvent.STARTED:
            tracker.started = True
        elif job.event is AnnounceEvent.COMPLETED:
            tracker.completed_due = False
        tier = self._tiers[tracker.tier]
        tier.remove(tracker)
        tier.insert(0, tracker)
        return self._make_current(tracker)

    def on_failure(self, job: AnnounceJob, error: TrackerError, now: float) -> None:
        """The tracker refused, answered garbage, or did not answer."""
        tracker = self._finish(job)
        if tracker is None:
            return
        tracker.failures += 1
        tracker.error = str(error)
        if job.event is AnnounceEvent.STARTED:
            tracker.completed_due = False  # it will hear of us as complete from the start
        if error.retry_in is not None:
            tracker.min_at = tracker.asked_at = now + max(error.retry_in, MIN_WAIT)
            tracker.rests_until = tracker.min_at
        elif self._is_new(now) and _UNREGISTERED.search(tracker.error):
            tracker.rests_until = now + UNREGISTERED_RETRY
        else:
            rest = min(BACKOFF * 2.0 ** min(tracker.failures - 1, 10), BACKOFF_MAX)
            tracker.rests_until = now + rest * (1 - BACKOFF_CHANCE * self._rng.random())
        for group in self._groups:
            if group.current is tracker:
                group.current = None

    def on_cancelled(self, job: AnnounceJob) -> None:
        """The announce was given up by ourselves; nothing is held against the tracker."""
        tracker = self._finish(job)
        if tracker is not None and job.event is AnnounceEvent.STARTED:
            tracker.completed_due = False

    def on_counts(self, url: str, seeders: int | None, leechers: int | None, completed: int | None) -> None:
        """What a reply says of the swarm; None changes nothing."""
        tracker = self._trackers.get(url)
        if tracker is not None:
            tracker.seeders = tracker.seeders if seeders is None else seeders
            tracker.leechers = tracker.leechers if leechers is None else leechers
            tracker.completed = tracker.completed if completed is None else completed

    def on_scrape(self, url: str, entry: ScrapeEntry) -> None:
        """What a scrape says of the swarm (BEP 48)."""
        self.on_counts(url, entry.seeders, entry.leechers, entry.completed)

    def on_completed(self, now: float) -> None:  # noqa: ARG002 - a fact has its time
        """The content became complete while the torrent ran; told once."""
        if self._complete:
            return
        self._complete = True
        for tracker in self._trackers.values():
            in_flight = tracker.in_flight is not None and tracker.in_flight.event is AnnounceEvent.STARTED
            tracker.completed_due = tracker.started or in_flight

    def on_private(self) -> None:
        """The torrent turned out to be private: from now on one tracker at a time (BEP 27)."""
        self._private = True
        self._regroup()
        self._last_private = next((group.current for group in self._groups), None)

    def on_more_peers_wanted(self, now: float) -> None:
        """There are too few peers: announce again as early as the trackers allow."""
        for tracker in self._trackers.values():
            tracker.next_at = min(tracker.next_at, max(tracker.min_at, now))

    def reannounce(self, now: float) -> None:
        """The user wants an announce: as early as the trackers allow, and without waiting for failed ones to rest.

        A minimum interval that the tracker named is kept; where it named none, ten seconds are enough.
        """
        for tracker in self._trackers.values():
            last = -math.inf if tracker.last_at is None else tracker.last_at
            earliest = max(now, last + MIN_WAIT, tracker.asked_at)
            tracker.next_at = min(tracker.next_at, earliest)
            if tracker.rests_until != math.inf:
                tracker.rests_until = min(tracker.rests_until, earliest)

    def on_port(self, now: float) -> None:
        """Peers reach us at another port: tell it as early as `reannounce` would, also where an announce is under way
        that tells of the old one."""
        self.reannounce(now)
        for tracker in self._trackers.values():
            tracker.outdated = tracker.in_flight is not None

    def stop_jobs(self) -> list[AnnounceJob]:
        """Stop announcing. Returns the last announces, in order: `stopped` for each tracker that accepted `started`.

        A `completed` that was not told yet comes before. Outcomes of these need not be told, and announces under way
        count as given up.
        """
        jobs, self._farewells = self._farewells, []
        self._running = False
        for tracker in self._trackers.values():
            if tracker.started:
                if tracker.completed_due:
                    jobs.append(AnnounceJob(tracker.url, AnnounceEvent.COMPLETED, 0, tracker.tracker_id))
                jobs.append(_stopped_job(tracker))
            tracker.started = tracker.completed_due = False
            tracker.in_flight = None
        return jobs

    def complaint(self) -> str | None:
        """What is wrong where every tracker refuses; one that answers is enough to be well."""
        first = None
        for tracker in self._trackers.values():
            if tracker.error is None:
                return None
            first = first or tracker.error
        return first

    def counts(self) -> tuple[int | None, int | None]:
        """Seeders and leechers of the swarm, the most that any tracker tells of; None where none has."""
        trackers = self._trackers.values()
        return (
            max((each.seeders for each in trackers if each.seeders is not None), default=None),
            max((each.leechers for each in trackers if each.leechers is not None), default=None),
        )

    def snapshot(self) -> tuple[TrackerSnapshot, ...]:
        """Each tracker, in the order of tiers."""
        due: dict[str, float] = {}
        for group in self._groups if self._running else ():
            tracker = group.current or min(group.members, key=lambda member: member.rests_until)
            if math.isfinite(tracker.due_at) and not any(member.in_flight for member in group.members):
                due[tracker.url] = tracker.due_at
        return tuple(_snapshot(tracker, due.get(tracker.url)) for tracker in chain.from_iterable(self._tiers))

    def _arrange(self, tiers: Sequence[Sequence[str]]) -> None:
        before, self._trackers, self._tiers = self._trackers, {}, []
        for urls in tiers:
            tier: list[_Tracker] = []
            for url in urls:
                if url in self._trackers or len(self._trackers) >= MAX_TRACKERS:
                    continue
                tracker = before.get(url) or _Tracker(url, 0)
                tracker.tier = len(self._tiers)
                if not url.lower().startswith(SCHEMES):
                    tracker.error, tracker.rests_until = "not a kind of tracker this client speaks to", math.inf
                self._trackers[url] = tracker
                tier.append(tracker)
            if tier:
                self._rng.shuffle(tier)
                tier.sort(key=lambda tracker: not tracker.answered)
                self._tiers.append(tier)
        self._regroup()

    def _regroup(self) -> None:
        currents = [group.current for group in self._groups]
        tiers = [list(chain.from_iterable(self._tiers))] if self._private else self._tiers
        self._groups = [_Group(members) for members in tiers if members]
        for group in self._groups:
            group.current = next((tracker for tracker in currents if tracker in group.members), None)

    def _make_current(self, tracker: _Tracker) -> bool:
        self._regroup()
        for group in self._groups:
            if tracker in group.members:
                group.current = tracker
        if not self._private or not self._running:
            return False
        changed = self._last_private is not None and self._last_private is not tracker
        self._last_private = tracker
        return changed

    def _job(self, tracker: _Tracker) -> AnnounceJob:
        event = AnnounceEvent.NONE
        if not tracker.started:
            event = AnnounceEvent.STARTED
        elif tracker.completed_due:
            event = AnnounceEvent.COMPLETED
        want = NUM_WANT_COMPLETE if self._complete else NUM_WANT
        return AnnounceJob(tracker.url, event, want, tracker.tracker_id)

    def _finish(self, job: AnnounceJob) -> _Tracker | None:
        """The tracker this outcome is of; None if nobody waits for it any more."""
        tracker = self._trackers.get(job.url)
        if tracker is None or tracker.in_flight is not job:
            return None
        tracker.in_flight = None
        return tracker

    def _is_new(self, now: float) -> bool:
        return self._began is not None and now - self._began < UNREGISTERED_FOR


def _stopped_job(tracker: _Tracker) -> AnnounceJob:
    return AnnounceJob(tracker.url, AnnounceEvent.STOPPED, 0, tracker.tracker_id)


def _snapshot(tracker: _Tracker, next_announce: float | None) -> TrackerSnapshot:
    return TrackerSnapshot(
        url=tracker.url,
        tier=tracker.tier,
        state=tracker.state,
        error=tracker.error,
        warning=tracker.warning,
        seeders=tracker.seeders,
        leechers=tracker.leechers,
        completed=tracker.completed,
        peers=tracker.peers,
        failures=tracker.failures,
        last_announce=tracker.last_at,
        next_announce=next_announce,
        earliest_announce=tracker.asked_at if math.isfinite(tracker.asked_at) else None,
    )
