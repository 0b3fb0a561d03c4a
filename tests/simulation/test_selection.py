"""What is fetched when not everything is wanted, and in which order."""

from __future__ import annotations

import asyncio

import pytest

from p2p.errors import StarlingError
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState

PIECE = 64 << 10
FILES = [(("a",), 5 * PIECE + 100), (("b", "one"), 3 * PIECE), (("b", "two"), 7), (("c",), 4 * PIECE)]


async def download(world, options, *, limit=None, within=120):
    seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=limit))
    order = []
    world.internet.trace = lambda *_: order.extend(piece for piece in leecher.disk.content if piece not in order)
    leecher = await world.add_peer("leecher", options=options(seed.address))
    await world.completed([leecher], within)
    order.extend(piece for piece in leecher.disk.content if piece not in order)
    return leecher, order


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"select": ("a",)}, range(6)),
        ({"select": ("b/*",)}, range(5, 9)),
        ({"select_indices": (2,)}, [8]),
        ({"select": ("content/c",)}, range(8, 13)),
        ({"select": ("a", "two")}, [*range(6), 8]),
        ({"priorities": {0: 0, 1: 0, 2: 0}}, range(8, 13)),
    ],
    ids=str,
)
def test_only_pieces_of_chosen_files_are_fetched(play, options, wanted):
    async def scenario(world):
        leecher, _ = await download(world, lambda seed: TorrentOptions(peers=(seed,), **options))
        await asyncio.sleep(60)
        assert sorted(leecher.disk.content) == list(wanted)
        snapshot = leecher.torrent.snapshot()
        assert snapshot.progress == 1.0
        assert snapshot.state is TorrentState.SEEDING
        assert snapshot.session_downloaded == snapshot.wanted_size + snapshot.wasted
        assert snapshot.pieces_had == len(wanted)

    play(scenario, files=FILES, piece_length=PIECE)


def test_a_choice_that_fits_nothing_is_refused(play):
    async def scenario(world):
        with pytest.raises(StarlingError, match="no file of content matches 'nothing'"):
            await world.add_peer("leecher", options=TorrentOptions(select=("nothing",)))
        with pytest.raises(StarlingError, match="there is no file number 4"):
            await world.add_peer("other", options=TorrentOptions(select_indices=(4,)))

    play(scenario, files=FILES, piece_length=PIECE)


def test_partial_seeds_finish_each_other(play):
    """Two that want different halves trade nothing they do not want, and both complete."""

    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=100_000))
        one = await world.add_peer("one", options=TorrentOptions(select=("a", "b/*"), peers=(seed.address,)))
        other = await world.add_peer(
            "other", options=TorrentOptions(select=("b/*", "c"), peers=(seed.address, one.address))
        )
        await world.completed([one, other], 120)
        await asyncio.sleep(10)
        assert one.torrent.snapshot().session_uploaded + other.torrent.snapshot().session_uploaded > 0
        assert sorted(one.disk.content) == list(range(9))
        assert sorted(other.disk.content) == list(range(5, 13))

    play(scenario, files=FILES, piece_length=PIECE)


def test_sequential_mode_fetches_in_order(play):
    async def scenario(world):
        _, order = await download(world, lambda seed: TorrentOptions(peers=(seed,), sequential=True), limit=1_000_000)
        assert len(order) > 60
        assert all(order.index(piece) - piece <= 2 for piece in order)

    play(scenario, size=4 << 20)


def test_first_and_last_pieces_come_first(play):
    async def scenario(world):
        _, order = await download(
            world, lambda seed: TorrentOptions(peers=(seed,), first_and_last=True), limit=1_000_000
        )
        # The first requests leave before any of the pieces is there.
        assert {0, 63} <= set(order[:4])

    play(scenario, size=4 << 20)


def test_files_of_higher_priority_come_first(play):
    async def scenario(world):
        _, order = await download(
            world, lambda seed: TorrentOptions(peers=(seed,), priorities={0: 1, 1: 4, 2: 4, 3: 7}), limit=200_000
        )
        rank = {piece: place for place, piece in enumerate(order)}
        assert max(rank[piece] for piece in range(9, 13)) < min(rank[piece] for piece in range(5))

    play(scenario, files=FILES, piece_length=PIECE)
