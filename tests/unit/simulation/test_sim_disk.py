"""The simulated disk: what equals the reference is shared, what deviates is kept, and the verdict is the hash's."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.disk.storage import PieceState
from p2p.errors import DiskFullError
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.metainfo import Metainfo
from p2p.simulation import run
from p2p.simulation.reference import Reference
from p2p.simulation.sim_disk import DiskKnobs, SimDisk

PIECE = 32 << 10
COUNT = 3


def make(version="1"):
    plan = CreationPlan("content", [((), COUNT * PIECE - 100)], version=version, piece_length=PIECE)
    rng = random.Random(1)
    pieces, hashes = {}, []
    for job in plan.jobs():
        pieces[job.index] = rng.randbytes(job.length)
        hashes.append(hash_job(job, [pieces[job.index]]))
    return Metainfo.from_bytes(plan.finish(hashes, envelope=Envelope())), pieces


METAINFO, PIECES = make()


def split(content, cuts):
    """Consecutive views of a copy of `content`, cut at these places."""
    view = memoryview(bytearray(content))
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    return [view[begin:end] for begin, end in pairwise(places)]


def test_what_equals_the_reference_is_the_reference():
    async def main():
        disk = SimDisk(METAINFO.layout, None, DiskKnobs(), Reference(PIECES))
        for piece, content in PIECES.items():
            assert await disk.store(piece, split(content, [1_000, 20_000]), METAINFO.piece_check(piece))
            assert disk.content[piece] is content
            assert await disk.verify(piece, METAINFO.piece_check(piece)) is PieceState.GOOD
        assert disk.content == PIECES

    run(main())


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
def test_the_reference_is_hashed_once_whoever_stores_it(version):
    metainfo, pieces = make(version)
    hashed = []

    async def main():
        reference = Reference(pieces)
        for _ in range(3):
            disk = SimDisk(metainfo.layout, None, DiskKnobs(), reference)
            for piece, content in pieces.items():
                check = metainfo.piece_check(piece)
                assert await disk.store(piece, split(content, []), check)
        other = SimDisk(metainfo.layout, None, DiskKnobs(), reference)
        assert not await other.store(0, split(pieces[0], []), lambda views: hashed.append(views) or False)
        assert not other.content

    run(main())
    assert len(hashed) == 1


@given(
    piece=st.integers(0, COUNT - 1),
    cuts=st.lists(st.integers(0, PIECE), max_size=4),
    changed=st.none() | st.integers(0, PIECE - 101),
    short=st.booleans(),
    known=st.booleans(),
)
def test_a_verdict_is_what_hashing_gives(piece, cuts, changed, short, known):
    """Whether or not the reference is known, and whatever its own verdict is."""
    content = bytearray(PIECES[piece])
    if changed is not None:
        content[changed] ^= 1
    if short:
        content = content[:-1]
    reference = Reference({piece: bytes(content)} if known else PIECES)
    views = split(content, cuts)
    check = METAINFO.piece_check(piece)

    async def main():
        disk = SimDisk(METAINFO.layout, None, DiskKnobs(), reference)
        good = await disk.store(piece, views, check)
        assert good == check(views)
        assert dict(disk.content) == ({piece: bytes(content)} if good else {})

    run(main())


def test_a_full_disk_takes_nothing_and_tells_no_lie_of_bad_pieces():
    async def main():
        knobs = DiskKnobs(full=True)
        disk = SimDisk(METAINFO.layout, None, knobs, Reference(PIECES))
        check = METAINFO.piece_check(1)
        with pytest.raises(DiskFullError):
            await disk.store(1, [PIECES[1]], check)
        assert not await disk.store(1, [bytes(PIECE)], check)
        assert not disk.content
        knobs.full = False
        assert await disk.store(1, [PIECES[1]], check)
        assert dict(disk.content) == {1: PIECES[1]}

    run(main())
