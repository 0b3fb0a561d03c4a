"""Rate limits hold over every ten seconds, whichever side they are on, and are shared fairly."""

from __future__ import annotations

import asyncio

import pytest

from p2p.session.settings import Settings, TorrentOptions

LIMIT = 250_000
WINDOW = 10


async def every_second(count, read):
    """What `read()` grows by in each of `count` seconds."""
    steps, before = [], read()
    for _ in range(count):
        await asyncio.sleep(1)
        now = read()
        steps.append(now - before)
        before = now
    return steps


def assert_true_to(limit, steps, *, skip=2):
    """Every window of ten seconds, but for the first moments in which connections are made, is within 5 %."""
    settled = steps[skip:]
    windows = [sum(settled[i : i + WINDOW]) / WINDOW for i in range(len(settled) - WINDOW + 1)]
    assert windows
    assert 0.95 * limit <= min(windows)
    assert max(windows) <= 1.05 * limit
    whole = [sum(steps[i : i + WINDOW]) / WINDOW for i in range(len(steps) - WINDOW + 1)]
    assert max(whole) <= 1.05 * limit


@pytest.mark.parametrize(
    ("session", "torrent"),
    [(LIMIT, None), (None, LIMIT), (LIMIT, 2 * LIMIT), (2 * LIMIT, LIMIT)],
    ids=["session", "torrent", "session is tighter", "torrent is tighter"],
)
@pytest.mark.parametrize("peers", [1, 3])
def test_an_upload_limit_is_kept_and_shared(play, session, torrent, peers):
    async def scenario(world):
        seed = await world.add_peer(
            "seed", seeding=True, settings=Settings(limit_up=session), options=TorrentOptions(limit_up=torrent)
        )
        # They do not know each other: all that they get comes from the seed.
        leechers = [
            await world.add_peer(f"leecher-{index}", options=TorrentOptions(peers=(seed.address,)))
            for index in range(peers)
        ]
        steps = await every_second(25, lambda: seed.torrent.snapshot().session_uploaded)
        assert_true_to(LIMIT, steps)
        got = [peer.torrent.snapshot().session_downloaded for peer in leechers]
        assert min(got) > 0.8 * sum(got) / peers, got

    play(scenario, size=32 << 20)


@pytest.mark.parametrize(
    ("session", "torrent"),
    [(LIMIT, None), (None, LIMIT), (LIMIT, 2 * LIMIT)],
    ids=["session", "torrent", "session is tighter"],
)
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_download_limit_is_kept_and_shared(play, session, torrent, seeds):
    async def scenario(world):
        sources = [await world.add_peer(f"seed-{index}", seeding=True) for index in range(seeds)]
        leecher = await world.add_peer(
            "leecher",
            settings=Settings(limit_down=session),
            options=TorrentOptions(limit_down=torrent, peers=tuple(peer.address for peer in sources)),
        )
        steps = await every_second(25, lambda: leecher.torrent.snapshot().session_downloaded)
        assert_true_to(LIMIT, steps)
        gave = [peer.downloaded for peer in leecher.torrent.snapshot().peers]
        assert min(gave) > 0.8 * sum(gave) / seeds, gave

    play(scenario, size=32 << 20)


def test_limits_of_both_ends_and_both_ways_at_once(play):
    """Four leechers that trade, each limited in both directions: nobody passes either limit in any window."""

    async def scenario(world):
        settings = Settings(limit_up=LIMIT, limit_down=2 * LIMIT)
        seed = await world.add_peer("seed", seeding=True, settings=settings)
        peers = []
        for index in range(4):
            known = (seed.address, *(peer.address for peer in peers))
            peers.append(
                await world.add_peer(f"leecher-{index}", settings=settings, options=TorrentOptions(peers=known))
            )

        def moved():
            return [
                total
                for peer in (seed, *peers)
                for total in (peer.torrent.snapshot().session_uploaded, peer.torrent.snapshot().session_downloaded / 2)
            ]

        before = moved()
        history = []
        for _ in range(25):
            await asyncio.sleep(1)
            now = moved()
            history.append([a - b for a, b in zip(now, before, strict=True)])
            before = now
        for steps in zip(*history, strict=True):
            assert max(sum(steps[i : i + WINDOW]) for i in range(16)) <= 1.05 * LIMIT * WINDOW
        assert sum(history[-1][::2]) > 3 * LIMIT  # and together they use what they may

    play(scenario, size=16 << 20)


def test_a_limit_changes_while_it_runs(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=LIMIT))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        await asyncio.sleep(5)
        seed.session.set_limits(down=None, up=4 * LIMIT)
        faster = await every_second(14, lambda: leecher.torrent.snapshot().session_downloaded)
        assert_true_to(4 * LIMIT, faster)
        seed.session.set_limits(down=None, up=None)
        await world.completed([leecher], 20)

    play(scenario, size=32 << 20)
