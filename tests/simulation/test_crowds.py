"""A flash crowd: two hundred come at once for what one seed has, and all have it within a few copies' time."""

from __future__ import annotations

from p2p.session.settings import Settings
from tracker.logic import Rules

CROWD = 200
UP = 128 << 10
NEIGHBOURS = 2
"""In an answer of the tracker: as many as a crowd needs to hang together, and few enough to be simulated in no time."""


def test_a_crowd_of_two_hundred_is_served_by_one_seed(play):
    async def scenario(world):
        await world.start_tracker(rules=Rules(default_peers=NEIGHBOURS, max_peers=NEIGHBOURS))
        settings = Settings(peer_exchange=False)
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=UP), settings=settings)
        crowd = [
            await world.add_peer(f"peer-{index}", host=world.add_host(up=UP), settings=settings)
            for index in range(CROWD)
        ]
        await world.completed(crowd, 600)
        size = world.metainfo.total_size
        copies = seed.torrent.snapshot().session_uploaded / size
        last = max(peer.done_at for peer in crowd)
        print(f"last after {last:.0f} s, {copies:.1f} copies from the seed")
        assert all(world.holds(peer) for peer in crowd)
        # The seed alone would take 200 copies' time; what all have together grows as they do.
        assert last < 20 * size / UP
        assert copies < 20
        for peer in crowd:
            seen = peer.torrent.snapshot()
            assert seen.session_downloaded - seen.wasted == size, peer.name
            assert seen.corrupt == 0

    play(scenario, size=256 << 10, piece_length=64 << 10, announce="http")
