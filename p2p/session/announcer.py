"""Carries out one torrent's announces: the schedule decides, HTTP and UDP travel, replies go to whoever connects.

A hybrid torrent is announced under both its info-hashes, with its traffic counted on the first alone (BEP 52), and
succeeds if either does. Announces to one tracker host wait for their turn, and a host that keeps its callers waiting is
left alone for a while, so that a dead tracker costs a session of thousands of torrents little.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from p2p.codec import http_tracker
from p2p.codec.announce import AnnounceEvent, AnnounceReply, AnnounceRequest
from p2p.errors import TrackerError
from p2p.session.announce_merge import merge_replies
from p2p.session.scope import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from p2p.ids import Address, InfoHash, PeerId
    from p2p.net.http import HttpClient
    from p2p.session.udp_trackers import UdpTrackers
    from p2p.swarm.announce import AnnounceJob, AnnounceSchedule, TrackerSnapshot

HTTP_TIMEOUT: Final = 30.0
"""Seconds for an announce or a scrape over HTTP: busy trackers take ten, dead ones for ever."""

PER_HOST: Final = 4
"""Announces to one tracker host at once. More gain nothing and look like an attack."""

SLOW_FAILURE: Final = 5.0
"""Seconds. A failure that took longer kept others waiting; a quick refusal did not."""
SLOW_FAILURES: Final = 3
"""Slow failures in a row before a host is left alone."""
PAUSE: Final = 60.0
"""Seconds a host is left alone at first; doubled while it stays dead."""
PAUSE_MAX: Final = 600.0
"""Seconds. A third of the usual interval: what a host that came back can have missed."""

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


@dataclass(slots=True)
class _Gate:
    free: int
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    slow_failures: int = 0
    pause: float = PAUSE
    closed_until: float = -math.inf


class HostGates:
    """How many announces may be under way to each tracker host; shared by the torrents of a session."""

    def __init__(self, *, per_host: int = PER_HOST) -> None:
        self._per_host = per_host
        self._gates: dict[str, _Gate] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for a turn with `host`, first come first served.

        Raises TrackerError at once, also to those who wait, while the host is left alone.
        """
        loop = asyncio.get_running_loop()
        gate = self._gates.setdefault(host, _Gate(self._per_host))
        await self._enter(gate, host)
        began = loop.time()
        try:
            yield
        except TrackerError:
            if loop.time() - began >= SLOW_FAILURE:
                self._on_slow_failure(gate, host, loop.time())
            else:
                gate.slow_failures, gate.pause = 0, PAUSE
            raise
        else:
            gate.slow_failures, gate.pause = 0, PAUSE
        finally:
            self._leave(gate, host)

    async def _enter(self, gate: _Gate, host: str) -> None:
        loop = asyncio.get_running_loop()
        if gate.closed_until > loop.time():
            raise TrackerError(f"{host} has not been answering")
        if gate.free:
            gate.free -= 1
            return
        future: asyncio.Future[None] = loop.create_future()
        gate.waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._leave(gate, host)  # the turn came in the same moment as the cancel
            raise

    def _leave(self, gate: _Gate, host: str) -> None:
        """Give the turn to whoever has waited longest."""
        while gate.waiting:
            future = gate.waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        gate.free += 1
        if gate.free == self._per_host and not gate.slow_failures:
            self._gates.pop(host, None)

    def _on_slow_failure(self, gate: _Gate, host: str, now: float) -> None:
        gate.slow_failures += 1
        if gate.slow_failures < SLOW_FAILURES:
            return
        gate.closed_until = now + gate.pause
        gate.pause = min(2 * gate.pause, PAUSE_MAX)
        gate.slow_failures = SLOW_FAILURES - 1  # after the pause, one more is enough
        for future in gate.waiting:
            if not future.done():
                future.set_exception(TrackerError(f"{host} has not been answering"))
        gate.waiting.clear()


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
        self._local = local
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()

    def wake(self) -> None:
        """The schedule has changed."""
        self._wake.set()

    def snapshot(self) -> tuple[TrackerSnapshot, ...]:
        """See `AnnounceSchedule.snapshot`."""
        return self._schedule.snapshot()

    async def run(self) -> None:
        """Announce when announces are due, until cancelled or stopped. A tracker's failure ends nothing."""
        if self._stopping.is_set():
            return
        self._ended.clear()
        try:
            async with Scope() as scope:
                self._schedule.start(self._clock())
                under_way: dict[asyncio.Task[None], AnnounceJob] = {}
                while not self._stopping.is_set():
                    self._wake.clear()
                    now = self._clock()
                    under_way = {task: job for task, job in under_way.items() if not task.done()}
                    for job in self._schedule.due(now):
                        under_way[scope.start(self._announce(job), name=f"announce {_host(job.url)}")] = job
                    due = self._schedule.next_due(now)
                    try:
                        async with asyncio.timeout(None if due is None else max(due - now, 0.0)):
                            await self._wake.wait()
                    except TimeoutError:
                        continue  # an announce is due
                told_once = (AnnounceEvent.STARTED, AnnounceEvent.COMPLETED)
                lingering = [task for task, job in under_way.items() if job.event in told_once]
                if lingering:
                    await asyncio.wait(lingering, timeout=LINGER)
        finally:
            self._ended.set()

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 - the bound is shared by all trackers
        """End `run`, and tell each tracker that knows us that we stop, within `timeout` seconds. Never fails."""
        self._stopping.set()
        self._wake.set()
        try:
            async with asyncio.timeout(timeout), Scope() as scope:
                await self._ended.wait()
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

    async def _say_farewell(self, jobs: list[AnnounceJob]) -> None:
        """One tracker's last announces, in order; without the rest where one fails."""
        try:
            for job in jobs:
                await self._exchange(job)
        except TrackerError:
            return

    async def _announce(self, job: AnnounceJob) -> None:
        schedule = self._schedule
        try:
            reply = await self._exchange(job)
        except TrackerError as error:
            schedule.on_failure(job, error, self._clock())
            self.wake()
            return
        except asyncio.CancelledError:
            schedule.on_cancelled(job)
            raise
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
        async with self._gates.turn(_host(url)):
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
            async with self._gates.turn(_host(url)):
                body = await self._get(scrape_url)
            entry = http_tracker.decode_scrape(body).get(info_hash)
        except TrackerError:
            return  # counts are for show
        if entry is not None:
            self._schedule.on_scrape(url, entry)

    async def _get(self, url: str) -> bytes:
        return await self._http.get(url, timeout=HTTP_TIMEOUT, max_body=http_tracker.MAX_BODY, local=self._local)


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
