"""One seed and one leech by themselves: the link is full, and nothing is sent, written or hashed twice."""

from __future__ import annotations

import pytest

from p2p.session.settings import TorrentOptions
from p2p.simulation.world import SINGLE_FILE


@pytest.mark.parametrize(("up", "down"), [(1_000_000, None), (None, 1_000_000)], ids=["slow seed", "slow leech"])
def test_a_seed_and_a_leech_fill_the_link_and_do_nothing_twice(play, up, down):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=up))
        leech = await world.add_peer(
            "leech", host=world.add_host(down=down), options=TorrentOptions(peers=(seed.address,))
        )
        await world.completed([leech], 60)
        size = world.metainfo.total_size
        print(f"{size / leech.done_at / 1_000_000:.3f} of the link's rate")
        # Meeting, the first round's unchoke and the start of the stream take their time.
        assert size / 1_000_000 < leech.done_at < 1.02 * size / 1_000_000 + 1.0
        assert world.holds(leech)
        seen = leech.torrent.snapshot()
        assert seen.session_downloaded == seed.torrent.snapshot().session_uploaded == size
        assert seen.wasted == seen.corrupt == 0
        # A piece is hashed as it is stored.
        assert leech.knobs.stores == world.metainfo.piece_count
        assert seed.knobs.stores == 0

    play(scenario, files=[(SINGLE_FILE, (12 << 20) - 5_000)])


def test_thirty_peers_hash_each_piece_once(play):
    async def scenario(world):
        await world.start_tracker()
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=1 << 20))
        leeches = [await world.add_peer(f"leech-{index}", host=world.add_host(up=1 << 20)) for index in range(29)]
        await world.completed(leeches, 60)
        for peer in leeches:
            assert world.holds(peer), peer.name
            assert peer.knobs.stores == world.metainfo.piece_count, peer.name
            assert peer.torrent.snapshot().corrupt == 0
        # Far fewer copies than there are leeches: they have it of each other.
        assert seed.torrent.snapshot().session_uploaded < 5 * world.metainfo.total_size

    play(scenario, size=1_500_000, piece_length=32 << 10, announce="http")
