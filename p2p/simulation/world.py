"""A simulated world around one torrent: a tracker, hosts, and production sessions on them, added one at a time.

The rule: everything follows from one seed. Content, secrets and every peer's chance come from generators made from it
in the order in which things are added, so the same additions give the same trace.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from p2p.disk.inline_hasher import InlineHasher
from p2p.ids import Address
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.metainfo import Metainfo
from p2p.session.encryption import Encryption
from p2p.session.environment import Environment
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.behaviours import CHOKING
from p2p.simulation.reference import Reference
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.sim_http import SimHttp
from p2p.simulation.sim_network import SimHost, SimInternet
from tracker.logic import Rules
from tracker.server import Tracker, TrackerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.disk.journal import PieceJournal
    from p2p.disk.places import Places
    from p2p.disk.storage import Storage
    from p2p.metainfo.layout import Layout
    from p2p.session.torrent import Torrent
    from p2p.simulation.nat import NatKind
    from p2p.simulation.trace import Trace

TRACKER: Final = Address("10.0.0.1", 6969)
PEER_PORT: Final = 6881
EPOCH: Final = 1_700_000_000.0
"""What the wall clock says when virtual time begins, in seconds since 1970."""

SINGLE_FILE: Final[tuple[str, ...]] = ()
"""The path of a torrent's only file."""


@dataclass(slots=True)
class SimPeer:
    """One session of the world. Closing `stack` ends it."""

    name: str
    host: SimHost
    session: Session
    torrent: Torrent
    disk: SimDisk
    knobs: DiskKnobs
    stack: AsyncExitStack
    done_at: float | None = None

    @property
    def address(self) -> Address:
        """Where other peers reach it."""
        return Address(self.host.addresses[0], PEER_PORT)

    async def leave(self) -> None:
        """End its session in good order."""
        await self.stack.aclose()


def make_content(
    rng: random.Random, files: Sequence[tuple[tuple[str, ...], int]], piece_length: int, *, announce: str | None
) -> tuple[Metainfo, dict[int, bytes]]:
    """A version 1 torrent of files (path parts, bytes) of random content, and its pieces."""
    plan = CreationPlan("content", files, version="1", piece_length=piece_length)
    pieces: dict[int, bytes] = {}
    hashes = []
    for job in plan.jobs():
        pieces[job.index] = rng.randbytes(job.length)
        hashes.append(hash_job(job, [pieces[job.index]]))
    trackers = () if announce is None else ((announce,),)
    return Metainfo.from_bytes(plan.finish(hashes, envelope=Envelope(trackers=trackers))), pieces


def sim_environment(
    host: SimHost, rng: random.Random, make_storage: Callable[[Layout], Storage], *, epoch: float = EPOCH
) -> Environment:
    """An environment on a simulated host: memory for disk, work done inline, chance from `rng`."""

    def storage(layout: Layout, places: Places, wanted: Callable[[int], bool], journal: PieceJournal | None) -> Storage:
        del places, wanted, journal  # memory has no places, no choice of files and no crashes
        return make_storage(layout)

    return Environment(
        network=host.network,
        http=SimHttp(host.network),
        hasher=InlineHasher(),
        storage=storage,
        rng=rng,
        secrets=rng.randbytes,
        wall=lambda: epoch + asyncio.get_running_loop().time(),
        choking=CHOKING,
    )


@dataclass(slots=True)
class SimWorld:
    """See the module's head. `content` is what is shared; peers are in order of addition and end with `stack`."""

    internet: SimInternet
    metainfo: Metainfo
    content: dict[int, bytes]
    stack: AsyncExitStack
    rng: random.Random
    tracker_host: SimHost
    tracker: Tracker | None = None
    peers: list[SimPeer] = field(default_factory=list)
    _hosts: int = 0
    _reference: Reference | None = None

    @classmethod
    def make(
        cls,
        seed: int,
        stack: AsyncExitStack,
        *,
        files: Sequence[tuple[tuple[str, ...], int]],
        piece_length: int,
        announce: str | None = None,
        trace: Trace | None = None,
    ) -> SimWorld:
        """A world without peers. `announce` is `http` or `udp`, None for a torrent without a tracker."""
        rng = random.Random(seed)
        internet = SimInternet(random.Random(rng.getrandbits(64)), trace=trace)
        host = internet.host(TRACKER.host, latency=0.01)
        url = None if announce is None else f"{announce}://{TRACKER}/announce"
        metainfo, content = make_content(random.Random(rng.getrandbits(64)), files, piece_length, announce=url)
        return cls(internet, metainfo, content, stack, rng, host)

    @property
    def reference(self) -> Reference:
        """`content` as the disks share it."""
        if self._reference is None or self._reference.pieces is not self.content:
            self._reference = Reference(self.content)
        return self._reference

    def new_rng(self) -> random.Random:
        """A generator of its own for the next thing that needs chance."""
        return random.Random(self.rng.getrandbits(64))

    def add_host(
        self,
        *,
        up: float | None = None,
        down: float | None = None,
        latency: float = 0.02,
        region: str | None = None,
        nat: NatKind | None = None,
    ) -> SimHost:
        """A host at the next free address. Rates in bytes a second, latency in seconds to the middle of the network or
        of its region; `nat` is the kind of translator that it is behind."""
        index = self._hosts
        self._hosts += 1
        address = f"10.{1 + index // 250}.0.{1 + index % 250}"
        return self.internet.host(address, up=up, down=down, latency=latency, region=region, nat=nat)

    async def start_tracker(self, *, tell: Callable[..., None] | None = None, rules: Rules | None = None) -> Tracker:
        """Let the real tracker listen, over HTTP and UDP, until the world ends or it is closed.

        Its rules are those of any tracker unless others are given. `tell` is told of every announce, see
        `tracker.server.Tracker`.
        """
        tracker = Tracker(
            self.tracker_host.network,
            rng=self.new_rng(),
            secret=self.rng.randbytes(16),
            settings=TrackerSettings(http=(TRACKER,), udp=(TRACKER,), rules=rules or Rules()),
            tell=tell,
        )
        await tracker.start()
        self.stack.push_async_callback(tracker.close)
        self.tracker = tracker
        return tracker

    async def add_peer(
        self,
        name: str,
        *,
        seeding: bool = False,
        host: SimHost | None = None,
        settings: Settings | None = None,
        options: TorrentOptions | None = None,
        knobs: DiskKnobs | None = None,
        disk: SimDisk | None = None,
        encryption: Encryption = Encryption.OFF,
        bootstrap: Sequence[tuple[str, int]] | None = None,
        local_discovery: bool = False,
    ) -> SimPeer:
        """A session on `host` (a new one) with the torrent, whole if it is `seeding`.

        `disk` is one that something is on already; its knobs are its own. Port and bind are the world's. The session
        does not encrypt unless told to, which keeps scenarios cheap, runs a DHT node only where `bootstrap` says by
        whom it joins, and has local discovery only if told to, as all are neighbours.
        """
        host = host or self.add_host()
        knobs = knobs or DiskKnobs()
        disks: list[tuple[Layout, SimDisk]] = [] if disk is None else [(self.metainfo.layout, disk)]

        def make_storage(layout: Layout) -> Storage:  # what a run left on the disk, the next one finds there
            for known, used in disks:
                if known == layout:
                    return used
            disks.append((layout, SimDisk(layout, self.content if seeding else None, knobs, self.reference)))
            return disks[-1][1]

        settings = replace(
            settings or Settings(),
            port=PEER_PORT,
            bind=("0.0.0.0",),  # noqa: S104 -- simulated
            encryption=encryption,
            dht=bootstrap is not None,
            bootstrap=tuple(bootstrap or ()),
            local_discovery=local_discovery,
        )
        options = replace(options or TorrentOptions(), trust=seeding)
        stack = AsyncExitStack()
        self.stack.push_async_callback(stack.aclose)
        environment = sim_environment(host, self.new_rng(), make_storage)
        session = await stack.enter_async_context(Session(settings, environment=environment))
        torrent = await session.add(self.metainfo, options)
        peer = SimPeer(name, host, session, torrent, disks[0][1], knobs, stack)
        self.peers.append(peer)
        return peer

    async def completed(self, peers: Sequence[SimPeer], within: float) -> None:
        """Wait until these have everything they want, and note when. TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            for peer in peers:
                await peer.torrent.completed()
                peer.done_at = peer.torrent.completed_at

    def holds(self, peer: SimPeer) -> bool:
        """Whether every byte on the peer's disk is there and equals the content."""
        return peer.disk.content == self.content
