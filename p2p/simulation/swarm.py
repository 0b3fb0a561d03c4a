"""A swarm of one torrent in virtual time: production sessions and the real tracker on simulated hosts.

The rule: everything follows from the plan, its `seed` included, so the same plan gives the same trace.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2p.session.encryption import Encryption
from p2p.session.settings import Settings
from p2p.simulation.world import SINGLE_FILE, SimPeer, SimWorld

if TYPE_CHECKING:
    from p2p.session.snapshot import TorrentSnapshot
    from p2p.simulation.trace import Trace


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

    encryption: Encryption = Encryption.OFF
    """Of every session. It costs time to compute and changes nothing that a swarm is simulated for."""

    give_up_after: float = 3_600.0


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
    """A swarm that runs in its world; peers are in order of creation."""

    plan: SwarmPlan
    world: SimWorld
    seeders: list[SimPeer]
    leechers: list[SimPeer]


async def run_swarm(plan: SwarmPlan, *, trace: Trace | None = None) -> SwarmResult:
    """Run a swarm on the running (virtual) loop until every leecher is done. TimeoutError after `give_up_after`."""
    async with AsyncExitStack() as stack:
        swarm = await start_swarm(plan, stack, trace=trace)
        await swarm.world.completed(swarm.leechers, plan.give_up_after)
        return SwarmResult(
            done_at={peer.name: peer.done_at for peer in swarm.leechers if peer.done_at is not None},
            snapshots={peer.name: peer.torrent.snapshot() for peer in swarm.world.peers},
            correct={peer.name: swarm.world.holds(peer) for peer in swarm.leechers},
            seeded=sum(peer.torrent.snapshot().session_uploaded for peer in swarm.seeders),
        )


async def start_swarm(plan: SwarmPlan, stack: AsyncExitStack, *, trace: Trace | None = None) -> SimSwarm:
    """Build the swarm; it ends with `stack`."""
    world = SimWorld.make(
        plan.seed,
        stack,
        files=[(SINGLE_FILE, plan.size)],
        piece_length=plan.piece_length,
        announce=plan.tracker,
        trace=trace,
    )
    await world.start_tracker()
    settings = Settings(limit_up=plan.limit_up, limit_down=plan.limit_down)
    for index in range(plan.seeders + plan.leechers):
        seeding = index < plan.seeders
        name = f"seeder-{index}" if seeding else f"leecher-{index - plan.seeders}"
        host = world.add_host(up=plan.up, down=plan.down, latency=world.rng.uniform(*plan.latency))
        await world.add_peer(name, seeding=seeding, host=host, settings=settings, encryption=plan.encryption)
    return SimSwarm(plan, world, world.peers[: plan.seeders], world.peers[plan.seeders :])
