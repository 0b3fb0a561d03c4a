"""A swarm of one torrent in virtual time: production sessions and the real tracker on simulated hosts.

The rule: everything follows from the plan, its `seed` included, so the same plan gives the same trace. The run looks at
its peers at fixed moments of virtual time and never changes what they do.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from p2p.session.settings import Settings
from p2p.simulation.behaviours import AS_WE_ARE, BEHAVIOURS
from p2p.simulation.intruders import Intruder
from p2p.simulation.plan import SwarmPlan, count_out, rate_name
from p2p.simulation.sampling import Sampler
from p2p.simulation.sim_disk import DiskKnobs
from p2p.simulation.world import SINGLE_FILE, SimPeer, SimWorld

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine

    from p2p.session.snapshot import TorrentSnapshot
    from p2p.simulation.sampling import Sample
    from p2p.simulation.trace import Trace

__all__ = ["Member", "PeerClass", "SimSwarm", "SwarmPlan", "SwarmResult", "run_swarm", "start_swarm"]

SAMPLE_INTERVAL: Final = 0.25
"""Seconds between looks at the swarm, unless it is large: what a look costs grows with peers and their connections."""

LOOKS_A_SECOND: Final = 10_000
"""Connections looked at in a second of virtual time at the most."""

SEEDERS: Final = "seeders"


@dataclass(frozen=True, slots=True)
class PeerClass:
    """Leechers that are alike, or all seeders. Rates in bytes a second, None for no limit."""

    name: str
    up: float | None
    down: float | None
    idle: bool = False
    """Its uplink is of no use to others."""

    behaviour: str | None = None
    """A name in `p2p.simulation.behaviours`; None of those who are as we are."""

    @property
    def awaited(self) -> bool:
        """Whether the swarm goes on until these are done."""
        return self.behaviour is None or BEHAVIOURS[self.behaviour].awaited

    @property
    def leaves_when_done(self) -> bool:
        """Whether each of these leaves as soon as it has everything."""
        return self.behaviour is not None and BEHAVIOURS[self.behaviour].leaves_when_done


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the plan. `arrives` is in seconds from the start."""

    name: str
    kind: PeerClass
    arrives: float


@dataclass(slots=True)
class Attendance:
    """How it went for a member. Times in seconds from the start."""

    member: Member
    joined_at: float
    done_at: float | None = None
    left_at: float | None = None


@dataclass(frozen=True, slots=True)
class SwarmResult:
    """How it went. Times in virtual seconds, sizes in bytes."""

    plan: SwarmPlan
    attendances: tuple[Attendance, ...]
    """Of the leechers, in the order they came; those who never came or have no session are not in it."""

    awaited: int
    """Leechers in the plan that the run waited for."""

    done_at: dict[str, float]
    snapshots: dict[str, TorrentSnapshot]
    correct: dict[str, bool]
    """Whether every byte equals the content that was seeded."""

    seeded: int
    """Payload bytes that the seeders sent."""

    seeded_before_first: int
    """Those sent before the first leecher was done."""

    rates_before_first: tuple[tuple[int, int], ...]
    """What each leecher had sent and received by then, in the order of `attendances`."""

    samples: tuple[Sample, ...]
    traffic: dict[tuple[str, str], int]
    """Payload bytes from the peers of one class to those of another, by names of classes."""

    ended_at: float
    events: int
    """Steps that the simulated network took."""


@dataclass(slots=True)
class SimSwarm:
    """A swarm that runs in its world; peers are in order of creation, `attendances` those of the leechers."""

    plan: SwarmPlan
    world: SimWorld
    seeders: list[SimPeer] = field(default_factory=list)
    leechers: list[SimPeer] = field(default_factory=list)
    attendances: list[Attendance] = field(default_factory=list)
    classes: dict[str, PeerClass] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    """The class of each peer, by its name."""

    @property
    def seeded(self) -> int:
        """Payload bytes that the seeders have sent."""
        return sum(peer.torrent.snapshot().session_uploaded for peer in self.seeders)


async def run_swarm(
    plan: SwarmPlan, *, trace: Trace | None = None, on_sample: Callable[[Sample], None] | None = None
) -> SwarmResult:
    """Run a swarm on the running (virtual) loop until every leecher is done, or for `give_up_after` seconds.

    `on_sample` is called at every look at the swarm.
    """
    async with AsyncExitStack() as stack:
        swarm = start_swarm(plan, stack, trace=trace)
        return await _Run(swarm, on_sample).go()


def start_swarm(plan: SwarmPlan, stack: AsyncExitStack, *, trace: Trace | None = None) -> SimSwarm:
    """A swarm that nobody has come to yet; it ends with `stack`."""
    world = SimWorld.make(
        plan.seed,
        stack,
        files=[(SINGLE_FILE, plan.size)],
        piece_length=plan.piece_length,
        announce=plan.tracker,
        trace=trace,
    )
    return SimSwarm(plan, world)


def cast(plan: SwarmPlan, rng: random.Random) -> list[Member]:
    """The leechers in the order they come. `rng` decides who has which rates."""
    ups = count_out(plan.up.classes, plan.leechers)
    downs = count_out(plan.down.classes, plan.leechers)
    rates = list(zip(ups, downs, strict=True))
    rng.shuffle(rates)  # who misbehaves has a link like anybody's
    ways = count_out([*plan.behaviours.classes, (plan.behaviours.rest, None)], plan.leechers)
    kinds = [_class(up, down, way) for (up, down), way in zip(rates, ways, strict=True)]
    rng.shuffle(kinds)
    times = plan.arrivals.times(plan.leechers, rng)
    return [Member(f"leecher-{index}", kind, times[index]) for index, kind in enumerate(kinds)]


def _class(up: float | None, down: float | None, behaviour: str | None) -> PeerClass:
    name = f"{rate_name(up)} up, {rate_name(down)} down"
    if behaviour is None:
        return PeerClass(name, up, down)
    return PeerClass(f"{name}, {behaviour}", up, down, idle=BEHAVIOURS[behaviour].idle, behaviour=behaviour)


class _Run:
    """One run of a swarm."""

    def __init__(self, swarm: SimSwarm, on_sample: Callable[[Sample], None] | None) -> None:
        self._swarm = swarm
        self._plan = swarm.plan
        self._on_sample = on_sample
        plan = self._plan
        self._settings = Settings(limit_up=plan.limit_up, limit_down=plan.limit_down, choking=plan.choker)
        self._tasks: list[asyncio.Task[None]] = []
        self._sampler = Sampler(swarm.world.metainfo.piece_count, swarm.kinds)
        self._seeded_before_first: int | None = None
        self._rates_before_first: list[tuple[int, int]] = []
        self._correct: dict[str, bool] = {}

    async def go(self) -> SwarmResult:
        loop = asyncio.get_running_loop()
        swarm, plan = self._swarm, self._plan
        world = swarm.world
        await world.start_tracker()
        for index in range(plan.seeders):
            kind = PeerClass(SEEDERS, plan.seed_up, plan.seed_down)
            seeder = await self._join(f"seeder-{index}", kind, seeding=True)
            if seeder is not None:
                swarm.seeders.append(seeder)
        members = cast(plan, world.new_rng())
        for member in members:
            swarm.classes.setdefault(member.kind.name, member.kind)
        self._start(self._look_now_and_then(), "look at the swarm")
        if plan.seed_leaves_after is not None:
            self._start(self._seeders_leave(plan.seed_leaves_after), "seeders leave")
        try:
            async with asyncio.timeout(plan.give_up_after):
                await self._attend(members)
        except TimeoutError:
            pass  # the result says who is not done
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._look()
        for peer in swarm.leechers:
            self._correct.setdefault(peer.name, world.holds(peer))
        snapshots = {peer.name: peer.torrent.snapshot() for peer in world.peers}
        return SwarmResult(
            plan=plan,
            attendances=tuple(swarm.attendances),
            awaited=sum(member.kind.awaited for member in members),
            done_at={seat.member.name: seat.done_at for seat in swarm.attendances if seat.done_at is not None},
            snapshots=snapshots,
            correct=self._correct,
            seeded=swarm.seeded,
            seeded_before_first=swarm.seeded if self._seeded_before_first is None else self._seeded_before_first,
            rates_before_first=tuple(self._rates_before_first),
            samples=tuple(self._sampler.samples),
            traffic=dict(self._sampler.traffic),
            ended_at=loop.time(),
            events=world.internet.agenda.done,
        )

    def _start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.append(task)
        return task

    async def _join(self, name: str, kind: PeerClass, *, seeding: bool) -> SimPeer | None:
        """Somebody comes; None for one that has no session."""
        plan, world = self._plan, self._swarm.world
        # A round trip between two hosts crosses the access of each twice.
        host = world.add_host(
            up=kind.up, down=kind.down, latency=world.rng.uniform(plan.rtt.least / 4, plan.rtt.most / 4)
        )
        self._swarm.kinds[name] = kind.name
        way = AS_WE_ARE if kind.behaviour is None else BEHAVIOURS[kind.behaviour]
        if way.script is not None:
            await world.stack.enter_async_context(Intruder(world, host, way.script, lines=way.lines))
            return None
        return await world.add_peer(
            name,
            seeding=seeding,
            host=host,
            settings=replace(self._settings, **way.settings),
            encryption=plan.encryption,
            knobs=DiskKnobs(lying=way.lies),
        )

    async def _attend(self, members: list[Member]) -> None:
        """Let all come in their order, and wait until the last is done."""
        loop = asyncio.get_running_loop()
        swarm = self._swarm
        begun = loop.time()
        stays = []
        for member in members:
            await asyncio.sleep(max(0.0, begun + member.arrives - loop.time()))
            seat = Attendance(member, loop.time())
            peer = await self._join(member.name, member.kind, seeding=False)
            if peer is None:
                continue
            swarm.leechers.append(peer)
            swarm.attendances.append(seat)
            stay = self._start(self._complete(peer, seat), f"completion of {member.name}")
            if member.kind.awaited:
                stays.append(stay)
        await asyncio.gather(*stays)

    async def _complete(self, peer: SimPeer, seat: Attendance) -> None:
        await peer.torrent.completed()
        seat.done_at = peer.torrent.completed_at
        if self._seeded_before_first is None:
            self._seeded_before_first = self._swarm.seeded
            self._rates_before_first = [
                (snapshot.session_uploaded, snapshot.session_downloaded)
                for snapshot in (other.torrent.snapshot() for other in self._swarm.leechers)
            ]
        leave_after = 0.0 if seat.member.kind.leaves_when_done else self._plan.leave_after
        if leave_after is not None:
            self._start(self._leave(peer, seat, leave_after), f"leave of {peer.name}")

    async def _leave(self, peer: SimPeer, seat: Attendance, after: float) -> None:
        await asyncio.sleep(after)
        self._correct[peer.name] = self._swarm.world.holds(peer)
        seat.left_at = asyncio.get_running_loop().time()
        await peer.leave()

    async def _seeders_leave(self, after: float) -> None:
        await asyncio.sleep(after)
        for peer in self._swarm.seeders:
            await peer.leave()

    async def _look_now_and_then(self) -> None:
        while True:
            self._look()
            connections = sum(self._sampler.connections.values())
            await asyncio.sleep(max(SAMPLE_INTERVAL, connections / LOOKS_A_SECOND))

    def _look(self) -> None:
        swarm = self._swarm
        sample = self._sampler.look(asyncio.get_running_loop().time(), swarm.seeders, swarm.leechers)
        if self._on_sample is not None:
            self._on_sample(sample)
