"""Torrents of every version, and sessions that know nothing but a magnet link."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from p2p.ids import Address
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.encryption import Encryption
from p2p.session.session import Session
from p2p.session.settings import Settings
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.world import PEER_PORT, sim_environment

PIECE = 16 << 10
SETTINGS = Settings(port=PEER_PORT, bind=("0.0.0.0",), encryption=Encryption.OFF, dht=False, local_discovery=False)


def make_torrent(version, lengths, *, private=False):
    """A torrent of files of these lengths, and its pieces."""
    rng = random.Random(len(lengths))
    plan = CreationPlan(
        "content", [((f"file{i}",), n) for i, n in enumerate(lengths)], version=version, piece_length=PIECE
    )
    content, hashes = {}, []
    for job in plan.jobs():
        content[job.index] = rng.randbytes(job.length) + bytes(job.padding)
        hashes.append(hash_job(job, [content[job.index][: job.length]]))
    return Metainfo.from_bytes(plan.finish(hashes, private=private)), content


def as_version_1(metainfo):
    """What a client that knows version 1 alone makes of a hybrid."""
    return Metainfo.version_1_half(Envelope().wrap(metainfo.info_bytes))


def link(metainfo, *, hashes=("v1", "v2"), peers=()):
    """A link with some of the torrent's info-hashes, and addresses of peers."""
    found = replace(Magnet.from_metainfo(metainfo), peers=tuple(tuple(address) for address in peers))
    if "v1" not in hashes:
        found = replace(found, info_hash_v1=None)
    return found if "v2" in hashes else replace(found, info_hash_v2=None)


@dataclass
class Fetcher:
    """A session that knows nothing; `disks` are where its torrents' content is, in the order of opening."""

    session: Session
    address: Address
    disks: list[SimDisk]


async def add_fetcher(world, *, settings=SETTINGS, content=None, host=None):
    """`content` is what is on its disk at first."""
    disks = []

    def make_storage(layout):
        disks.append(SimDisk(layout, content, DiskKnobs()))
        return disks[-1]

    host = host or world.add_host()
    session = Session(settings, environment=sim_environment(host, world.new_rng(), make_storage))
    await world.stack.enter_async_context(session)
    return Fetcher(session, Address(host.addresses[0], PEER_PORT), disks)
