"""One slow seed and eight downloads, all of them processes: the swarm carries what the seed gives once or twice.

The downloads find each other first, and the seed comes last, so that all of its upload falls on a swarm that is whole.
"""

from __future__ import annotations

import asyncio
import signal

MIB = 1 << 20
SIZE = 64 * MIB
LEECHERS = 8
MOST_COPIES = 3
DEADLINE = 60.0
"""Seconds: one copy takes the seed 8, and two cores carry all nine processes."""


async def test_eight_downloads_take_less_than_three_copies_from_the_seed(programs, make_torrent, tmp_path) -> None:
    async with asyncio.timeout(DEADLINE):
        _, url = await programs.tracker()
        content, torrent = make_torrent(SIZE, "--tracker", url)
        names = [f"leecher {number}" for number in range(LEECHERS)]
        leechers = [await programs.starling("download", torrent, "-o", tmp_path / name, state=name) for name in names]
        for leecher in leechers:
            await leecher.event("progress", leechers=LEECHERS - 1)
        seed = await programs.starling("seed", content, "--torrent", torrent, "--limit-up", "8MiB/s", state="seed")
        for leecher in leechers:
            await leecher.event("complete")
            assert await leecher.ended() == 0
        assert await seed.end(signal.SIGTERM) == 0
    copies = next(seed.all("stopped"))["uploaded"] / SIZE
    began = min(event["time"] for event in seed.all("complete"))
    seconds = [next(leecher.all("complete"))["time"] - began for leecher in leechers]
    print(
        f"the seed sent {copies:.2f} copies; downloads were complete after {min(seconds):.1f} to {max(seconds):.1f} s"
    )
    expected = content.read_bytes()
    for name in names:
        assert (tmp_path / name / content.name).read_bytes() == expected
    assert 1 <= copies < MOST_COPIES
