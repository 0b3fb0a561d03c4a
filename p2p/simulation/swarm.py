"""A swarm of one torrent in virtual time: production sessions and the real tracker on simulated hosts.

The rule: everything follows from the plan, its `seed` included. Content, peer ids, latencies and every later choice come
from generators derived from that seed in a fixed order, so the same plan gives the same trace.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2p.disk.inline_hasher import InlineHasher
from p2p.disk.memory_storage import MemoryStorage
from p2p.errors import StarlingError
from p2p.ids import Address, PieceIndex
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.metainfo import Metainfo
from p2p.session.environment import Environment
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.sim_http import SimHttp
from p2p.simulation.sim_network import SimHost, SimInternet
from tracker.server import Tracker, TrackerSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from p2p.disk.journal import PieceJournal
    from p2p.disk.storage import Storage
    from p2p.metainfo.layout import Layout
    from p2p.session.snapshot import TorrentSnapshot
    from p2p.session.torrent import Torrent
    from p2p.simulation.trace import Trace

TRACKER_PORT = 6969
EPOCH = 1_700_000_000.0
"""What the wall clock says when virtual time begins, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class SwarmPlan:
    """What is simulated. Sizes in bytes, rates in bytes a second (None: no limit), times in seconds."""

    seed: int
    leechers: int
    seeders: int = 1
    size: int = 16 << 20
    piece_length: int = 256 << 10
    up: float | None = 1 << 20
    down: float | None = 10 << 20
    latency: tuple[float, float] = (0.010, 0.040)
    """One way to the middle of the network, drawn evenly for each host."""

    limit_up: float | None = None
    """A limit set in each session, beside what its link carries."""

    limit_down: float | None = None
    tracker: str = "http"
    """`http` or `udp`."""

    give_up_after: float = 3_600.0


@dataclass(slots=True)
class SimPeer:
    """One session of the swarm."""

    name: str
    host: SimHost
    session: Session
    torrent: Torrent
    storage: MemoryStorage
    done_at: float | None = None


@dataclass(frozen=True, slots=True)
class SwarmResult:
    """How it went. Times in virtual seconds."""

    done_at: dict[str, float]
    snapshots: dict[str, TorrentSnapshot]
    correct: dict[str, bool]
    """Whether every byte equals the content that was seeded."""

    seeded: int
    """Payload bytes that the seeders sent."""


@dataclass(slots=True)
class SimSwarm:
    """A swarm that runs: `content` is what is shared, peers are in order of creation."""

    plan: SwarmPlan
    internet: SimInternet
    metainfo: Metainfo
    content: dict[int, bytes]
    tracker: Tracker
    seeders: list[SimPeer] = field(default_factory=list)
    leechers: list[SimPeer] = field(default_factory=list)


def make_content(
    rng: random.Random, size: int, piece_length: int, *, announce: str
) -> tuple[Metainfo, dict[int, bytes]]:
    """A version 1 torrent of one file of random bytes, and its pieces."""
    plan = CreationPlan("content.bin", [((), size)], version="1", piece_length=piece_length)
    pieces: dict[int, bytes] = {}
    hashes = []
    for job in plan.jobs():
        pieces[job.index] = rng.randbytes(job.length)
        hashes.append(hash_job(job, [pieces[job.index]]))
    return Metainfo.from_bytes(plan.finish(hashes, envelope=Envelope(trackers=((announce,),)))), pieces


def sim_environment(
    host: SimHost, rng: random.Random, make_storage: Callable[[Layout], Storage], *, epoch: float = EPOCH
) -> Environment:
    """An environment on a simulated host: memory for disk, work done inline, chance from `rng`."""

    def storage(layout: Layout, target: Path, wanted: Callable[[int], bool], journal: PieceJournal | None) -> Storage:
        del target, wanted, journal  # memory has no places, no choice of files and no crashes
        return make_storage(layout)

    return Environment(
        network=host.network,
        http=SimHttp(host.network),
        hasher=InlineHasher(),
        storage=storage,
        rng=rng,
        secrets=rng.randbytes,
        wall=lambda: epoch + asyncio.get_running_loop().time(),
    )


async def run_swarm(plan: SwarmPlan, *, trace: Trace | None = None) -> SwarmResult:
    """Run a swarm on the running (virtual) loop until every leecher is done. Raises TimeoutError after `give_up_after`."""
    async with AsyncExitStack() as stack:
        swarm = await start_swarm(plan, stack, trace=trace)
        async with asyncio.timeout(plan.give_up_after):
            for peer in swarm.leechers:
                await peer.torrent.completed()
                peer.done_at = peer.torrent.completed_at
        return SwarmResult(
            done_at={peer.name: peer.done_at for peer in swarm.leechers if peer.done_at is not None},
            snapshots={peer.name: peer.torrent.snapshot() for peer in (*swarm.seeders, *swarm.leechers)},
            correct={peer.name: await _holds(peer, swarm.content) for peer in swarm.leechers},
            seeded=sum(peer.torrent.snapshot().session_uploaded for peer in swarm.seeders),
        )


async def start_swarm(plan: SwarmPlan, stack: AsyncExitStack, *, trace: Trace | None = None) -> SimSwarm:
    """Build the swarm; it ends with `stack`."""
    rng = random.Random(plan.seed)
    internet = SimInternet(random.Random(rng.getrandbits(64)), trace=trace)
    tracker_host = internet.host("10.0.0.1", latency=0.01)
    tracker = await _start_tracker(tracker_host, random.Random(rng.getrandbits(64)), rng.randbytes(16), stack)
    announce = f"{plan.tracker}://10.0.0.1:{TRACKER_PORT}/announce"
    metainfo, content = make_content(
        random.Random(rng.getrandbits(64)), plan.size, plan.piece_length, announce=announce
    )
    swarm = SimSwarm(plan, internet, metainfo, content, tracker)
    for index in range(plan.seeders + plan.leechers):
        seeding = index < plan.seeders
        name = f"seeder-{index}" if seeding else f"leecher-{index - plan.seeders}"
        host = internet.host(
            f"10.{1 + index // 250}.0.{1 + index % 250}", up=plan.up, down=plan.down, latency=rng.uniform(*plan.latency)
        )
        peer = await _start_peer(swarm, name, host, random.Random(rng.getrandbits(64)), stack, seeding=seeding)
        (swarm.seeders if seeding else swarm.leechers).append(peer)
    return swarm


async def _start_tracker(host: SimHost, rng: random.Random, secret: bytes, stack: AsyncExitStack) -> Tracker:
    here = Address("10.0.0.1", TRACKER_PORT)
    tracker = Tracker(host.network, rng=rng, secret=secret, settings=TrackerSettings(http=(here,), udp=(here,)))
    await tracker.start()
    stack.push_async_callback(tracker.close)
    return tracker


async def _start_peer(
    swarm: SimSwarm, name: str, host: SimHost, rng: random.Random, stack: AsyncExitStack, *, seeding: bool
) -> SimPeer:
    plan = swarm.plan
    stored: list[MemoryStorage] = []

    def make_storage(layout: Layout) -> Storage:
        stored.append(MemoryStorage(layout, swarm.content if seeding else None))
        return stored[-1]

    settings = Settings(port=6881, bind=("0.0.0.0",), limit_up=plan.limit_up, limit_down=plan.limit_down)  # noqa: S104
    session = await stack.enter_async_context(Session(settings, environment=sim_environment(host, rng, make_storage)))
    torrent = await session.add(swarm.metainfo, TorrentOptions(trust=seeding))
    return SimPeer(name, host, session, torrent, stored[0])


async def _holds(peer: SimPeer, content: dict[int, bytes]) -> bool:
    for piece, expected in content.items():
        try:
            if await peer.torrent.store.read(PieceIndex(piece), 0, len(expected)) != expected:
                return False
        except StarlingError:
            return False
    return True
