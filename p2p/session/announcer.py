"""Carries out one torrent's announces: the schedule decides, HTTP and UDP travel, replies go to whoever connects.

The rule: between announces there is an entry in the session's agenda and no task. An announce that is due waits for its
turn with the tracker's host (`p2p.session.host_gates`), and is a task from then until its answer. A hybrid torrent is
announced under both its info-hashes, with its traffic counted on the first alone (BEP 52), and succeeds if either does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from p2p.codec import http_tracker
from p2p.codec.announce import AnnounceEvent, AnnounceReply, AnnounceRequest
from p2p.errors import TrackerError
from p2p.session.announce_merge import merge_replies
from p2p.session.host_gates import Haste, Outcome
from p2p.session.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import Address, InfoHash, PeerId
    from p2p.net.http import HttpClient
    from p2p.session.agenda import Agenda
    from p2p.session.host_gates import HostGates
    from p2p.session.udp_trackers import UdpTrackers
    from p2p.swarm.announce import AnnounceJob, AnnounceSchedule, TrackerSnapshot

HTTP_TIMEOUT: Final = 30.0
"""Seconds for an announce or a scrape over HTTP: busy trackers take ten, dead ones for ever."""

LINGER: Final = 2.0
"""Seconds that `started` and `completed` under way have left when the torrent stops, or a short download would never be
told as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceFacts:
    """What an announce says of us. Bytes; `info_hashes` are all to announce, the one that counts traffic first."""

    uploaded: int
    downloaded: int
    left: int
    port: int
    key: int
    peer_id: PeerId
    info_hashes: Sequence[InfoHash]
    partial_seed: bool = False
    """Incomplete and fetching nothing (BEP 21)."""


class Announcer:
    """The announces of one torrent while it runs."""

    def __init__(
        self,
        *,
        schedule: AnnounceSchedule,
        http: HttpClient,
        udp: UdpTrackers,
        gates: HostGates,
        facts: Callable[[], AnnounceFacts],
        on_reply: Callable[[list[Address], AnnounceReply], None],
        clock: Callable[[], float],
        agenda: Agenda,
        on_switch: Callable[[], None] | None = None,
        local: str | None = None,
    ) -> None:
        """`clock` is the running loop's time. `on_reply` takes the peers of each reply.

        `on_switch` is told before that when a private torrent has changed its tracker, and peers of the old one are to
        go (BEP 27). `local` is the IP address that HTTP announces are sent from, None for any.
        """
        self._schedule = schedule
        self._http = http
        self._udp = udp
        self._gates = gates
        self._facts = facts
        self._on_reply = on_reply
        self._on_switch = on_switch
        self._clock = clock
        self._agenda = agenda
        self._local = local
        self._scope: Scope | None = None
        self._stopping = False
        self._waiting: dict[AnnounceJob, _Turn] = {}
        self._under_way: dict[asyncio.Task[None], AnnounceJob] = {}

    def start(self, scope: Scope) -> None:
        """Announce when announces are due, for as long as `scope` is open or until `stop`. A tracker's failure ends
        nothing."""
        if not self._stopping:
            self._scope = scope
            self._schedule.start(self._clock())
            self._act()

    def wake(self) -> None:
        """The schedule has changed."""
        if self._at_work:
            self._agenda.set(self, self._clock(), self._act)

    @property
    def _at_work(self) -> bool:
        return not self._stopping and self._scope is not None and not self._scope.closing

    def snapshot(self) -> tuple[TrackerSnapshot, ...]:
        """See `AnnounceSchedule.snapshot`."""
        return self._schedule.snapshot()

    def _act(self) -> None:
        """Let what is due wait for its turn, and come back when more is."""
        if not self._at_work:
            return
        now = self._clock()
        for job in self._schedule.due(now):
            haste = Haste.WANTING if self._facts().left else Haste.ROUTINE
            turn = self._waiting[job] = _Turn(self, job)
            self._gates.ask(_host(job.url), turn, haste)
        due = self._schedule.next_due(now)
        if due is None:
            self._agenda.forget(self)
        else:
            self._agenda.set(self, due, self._act)

    def on_turn(self, turn: _Turn) -> None:
        """The announce may begin."""
        job = turn.job
        self._waiting.pop(job, None)
        if not self._at_work or self._scope is None or not self._schedule.wants(job):
            self._schedule.on_cancelled(job)
            self._gates.leave(_host(job.url), turn, Outcome.NONE)
            return
        task = self._scope.start(self._announce(turn), name=f"announce {_host(job.url)}")
        self._under_way[task] = job
        task.add_done_callback(lambda task: self._on_done(task, turn))

    def on_refused(self, turn: _Turn, error: TrackerError) -> None:
        """The announce may not begin."""
        self._waiting.pop(turn.job, None)
        self._gates.health.on_skipped(_host(turn.job.url))
        self._schedule.on_failure(turn.job, error, self._clock())
        self.wake()

    def _on_done(self, task: asyncio.Task[None], turn: _Turn) -> None:
        del self._under_way[task]
        if task.cancelled():  # also where the task never came to its first step
            self._schedule.on_cancelled(turn.job)
        self._gates.leave(_host(turn.job.url), turn, turn.outcome)

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 - the bound is shared by all trackers
        """Announce no more, and tell each tracker that knows us that we stop, within `timeout` seconds. Never fails."""
        self._stopping = True
        self._agenda.forget(self)
        for job, turn in self._waiting.items():
            self._gates.forget(_host(job.url), turn)
            self._schedule.on_cancelled(job)
        self._waiting.clear()
        try:
            async with asyncio.timeout(timeout), Scope() as scope:
                await self._end_those_under_way()
                by_tracker: dict[str, list[AnnounceJob]] = {}
                for job in self._schedule.stop_jobs():
                    by_tracker.setdefault(job.url, []).append(job)
                farewells = [
                    scope.start(self._say_farewell(jobs), name=f"stop {_host(url)}") for url, jobs in by_tracker.items()
                ]
                if farewells:
                    await asyncio.wait(farewells)
        except TimeoutError:
            return  # whoever has not answered by now will find out by our silence

    async def _end_those_under_way(self) -> None:
        told_once = (AnnounceEvent.STARTED, AnnounceEvent.COMPLETED)
        try:
            lingering = [task for task, job in self._under_way.items() if job.event in told_once]
            if lingering:
                await asyncio.wait(lingering, timeout=LINGER)
        finally:
            ending = list(self._under_way)
            for task in ending:
                task.cancel()
        if ending:
            await asyncio.wait(ending)

    async def _say_farewell(self, jobs: list[AnnounceJob]) -> None:
        """One tracker's last announces, in order; without the rest where one fails."""
        try:
            async with self._gates.turn(_host(jobs[0].url)):
                for job in jobs:
                    await self._exchange(job)
        except TrackerError:
            return

    async def _announce(self, turn: _Turn) -> None:
        schedule, job = self._schedule, turn.job
        health, host, began = self._gates.health, _host(turn.job.url), self._clock()
        try:
            reply = await self._exchange(job)
        except TrackerError as error:
            turn.outcome = Outcome.FAILED
            health.on_failure(host, str(error), self._clock())
            schedule.on_failure(job, error, self._clock())
            self.wake()
            return
        turn.outcome = Outcome.GOOD
        health.on_answer(host, self._clock() - began, self._clock())
        if job.event is AnnounceEvent.STOPPED:
            return
        switched = schedule.on_reply(job, reply, self._clock())
        self.wake()
        if switched and self._on_switch is not None:
            self._on_switch()
        self._on_reply(list(reply.peers), reply)
        if reply.seeders is None or reply.leechers is None:
            await self._scrape(job.url)

    async def _exchange(self, job: AnnounceJob) -> AnnounceReply:
        """Announce under each info-hash. Raises TrackerError if none is taken."""
        facts = self._facts()
        replies: list[AnnounceReply] = []
        failure: TrackerError | None = None
        for index, info_hash in enumerate(facts.info_hashes):
            try:
                replies.append(await self._send(job.url, _request(job, facts, info_hash, counted=index == 0)))
            except TrackerError as error:
                failure = failure or error
        if replies:
            return merge_replies(replies)
        raise failure or TrackerError("nothing to announce")

    async def _send(self, url: str, request: AnnounceRequest) -> AnnounceReply:
        if url.lower().startswith("udp:"):
            return await self._udp.announce(url, request)
        body = await self._get(http_tracker.announce_url(url, request))
        return http_tracker.decode_announce(body)

    async def _scrape(self, url: str) -> None:
        """Learn the counts that an HTTP tracker leaves out of its replies, if it scrapes (BEP 48)."""
        info_hash = self._facts().info_hashes[0]
        scrape_url = http_tracker.scrape_url(url, [info_hash])
        if scrape_url is None:
            return
        try:
            body = await self._get(scrape_url)
            entry = http_tracker.decode_scrape(body).get(info_hash)
        except TrackerError:
            return  # counts are for show
        if entry is not None:
            self._schedule.on_scrape(url, entry)

    async def _get(self, url: str) -> bytes:
        return await self._http.get(url, timeout=HTTP_TIMEOUT, max_body=http_tracker.MAX_BODY, local=self._local)


class _Turn:
    """One announce on its way: the caller that `HostGates` knows."""

    __slots__ = ("_announcer", "job", "outcome")

    def __init__(self, announcer: Announcer, job: AnnounceJob) -> None:
        self._announcer = announcer
        self.job = job
        self.outcome = Outcome.NONE

    def on_turn(self) -> None:
        self._announcer.on_turn(self)

    def on_refused(self, error: TrackerError) -> None:
        self._announcer.on_refused(self, error)


def _request(job: AnnounceJob, facts: AnnounceFacts, info_hash: InfoHash, *, counted: bool) -> AnnounceRequest:
    event = job.event
    if event is AnnounceEvent.NONE and facts.partial_seed:
        event = AnnounceEvent.PAUSED
    return AnnounceRequest(
        info_hash=info_hash,
        peer_id=facts.peer_id,
        port=facts.port,
        uploaded=facts.uploaded if counted else 0,
        downloaded=facts.downloaded if counted else 0,
        left=facts.left,
        event=event,
        key=facts.key,
        num_want=job.num_want,
        tracker_id=job.tracker_id,
    )


def _host(url: str) -> str:
    """What limits apply to; for a URL that is none, the URL itself."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url
