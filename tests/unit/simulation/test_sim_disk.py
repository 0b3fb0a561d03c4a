"""The simulated disk: what equals the reference is shared, what deviates is kept, and the verdict is the hash's."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.disk.storage import PieceState
from p2p.errors import DiskFullError, StorageError
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


def disk_with(knobs):
    return SimDisk(METAINFO.layout, None, knobs, Reference(PIECES))


def put(disk, piece, content=None):
    return disk.store(piece, [content or PIECES[piece]], METAINFO.piece_check(piece))


def now():
    return asyncio.get_running_loop().time()


def test_a_disk_has_the_room_it_has_until_it_has_more():
    async def main():
        knobs = DiskKnobs(space=PIECE + 100)
        disk = disk_with(knobs)
        assert await put(disk, 0)
        with pytest.raises(DiskFullError):
            await put(disk, 1)
        assert await put(disk, 0)  # takes no more room than it did
        knobs.space = 2 * PIECE
        assert await put(disk, 1)
        with pytest.raises(DiskFullError):
            await put(disk, 2)
        assert sorted(disk.content) == [0, 1]

    run(main())


def test_calls_share_the_speed_of_the_disk():
    async def main():
        disk = disk_with(DiskKnobs(store_rate=PIECE, read_rate=2 * PIECE, hash_rate=None))
        await asyncio.gather(put(disk, 0), put(disk, 1))
        assert now() == pytest.approx(2.0)
        await disk.read(0, 0, PIECE)
        assert now() == pytest.approx(2.5)

    run(main())


def test_hashing_takes_time_on_the_clock():
    async def main():
        disk = disk_with(DiskKnobs(hash_rate=PIECE))
        assert await put(disk, 0)
        assert now() == pytest.approx(1.0)
        assert await disk.verify(0, METAINFO.piece_check(0)) is PieceState.GOOD
        assert now() == pytest.approx(2.0)

    run(main())


def test_the_call_named_fails_and_every_one_after_it():
    async def main():
        disk = disk_with(DiskKnobs(failing_store=2, failing_read=2, failing_sync=2))
        assert await put(disk, 0)
        await disk.read(0, 0, 10)
        await disk.sync()
        for _ in range(2):
            with pytest.raises(StorageError):
                await put(disk, 1)
            with pytest.raises(StorageError):
                await disk.read(0, 0, 10)
            with pytest.raises(StorageError):
                await disk.sync()
        assert sorted(disk.content) == [0]

    run(main())


def test_what_was_corrupted_reads_wrong_and_verifies_bad_on_this_disk_alone():
    async def main():
        one, other = disk_with(DiskKnobs()), disk_with(DiskKnobs())
        for disk in (one, other):
            assert await put(disk, 1)
        one.corrupt(1, at=7)
        assert await one.verify(1, METAINFO.piece_check(1)) is PieceState.BAD
        assert (await one.read(1, 7, 1))[0] == PIECES[1][7] ^ 0xFF
        assert await other.verify(1, METAINFO.piece_check(1)) is PieceState.GOOD
        assert await put(one, 1)
        assert one.content[1] is PIECES[1]

    run(main())


def test_a_crash_takes_what_was_not_synced():
    async def main():
        knobs = DiskKnobs(sync_time=1.0, space=2 * PIECE)
        disk = disk_with(knobs)
        assert await put(disk, 0)
        syncing = asyncio.ensure_future(disk.sync())
        await asyncio.sleep(0.5)
        assert await put(disk, 1)
        await syncing
        disk.corrupt(0)
        disk.crash()
        assert sorted(disk.content) == [0]
        assert await disk.verify(0, METAINFO.piece_check(0)) is PieceState.BAD
        assert await put(disk, 1)  # there is room for it again
        await disk.sync()
        disk.crash()
        assert sorted(disk.content) == [0, 1]

    run(main())
