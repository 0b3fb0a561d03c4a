"""Optimistic unchokes, counted by those who get them: whoever wants something has its turn, and all have as many."""

from __future__ import annotations

import asyncio

from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.behaviours import FREE_RIDER
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.swarm.choker import OPTIMISTIC_INTERVAL, ROUND_INTERVAL

GIVERS = 4
WAITING = 6
CYCLES = 3
LOOK_INTERVAL = 0.5


def half(world, *, first):
    """A disk with one half of the content."""
    middle = world.metainfo.piece_count // 2
    pieces = {piece: content for piece, content in world.content.items() if (piece < middle) == first}
    return SimDisk(world.metainfo.layout, pieces, DiskKnobs(), world.reference)


def unchoked(peer):
    """Whether somebody lets it download."""
    return any(not other.peer_choking for other in peer.torrent.snapshot().peers)


def test_everybody_has_as_many_optimistic_turns_however_little_it_gives(play):
    """Who gives has the slots that are earned; six who give nothing have between them what is left, one or two."""

    async def scenario(world):
        alone = {"peer_exchange": False}
        settings = Settings(upload_slots=GIVERS, limit_up=10_000, limit_down=10_000, **alone)
        server = await world.add_peer("server", disk=half(world, first=True), settings=settings)
        options = TorrentOptions(peers=(server.address,))
        for index in range(GIVERS):
            await world.add_peer(
                f"giver-{index}", disk=half(world, first=False), settings=Settings(**alone), options=options
            )
        settings = Settings(choking=FREE_RIDER, **alone)
        waiting = [
            await world.add_peer(f"waiting-{index}", settings=settings, options=options) for index in range(WAITING)
        ]
        await asyncio.sleep(3 * ROUND_INTERVAL)
        had = dict.fromkeys((peer.name for peer in waiting), 0.0)
        since = dict.fromkeys(had, 0.0)
        longest = dict.fromkeys(had, 0.0)
        for _ in range(int(CYCLES * WAITING * OPTIMISTIC_INTERVAL / LOOK_INTERVAL)):
            await asyncio.sleep(LOOK_INTERVAL)
            for peer in waiting:
                turn = unchoked(peer)
                had[peer.name] += turn * LOOK_INTERVAL
                since[peer.name] = 0.0 if turn else since[peer.name] + LOOK_INTERVAL
                longest[peer.name] = max(longest[peer.name], since[peer.name])
        print(f"seconds of turns {had}, longest waits {longest}")
        assert server.torrent.snapshot().progress < 1.0
        # First in one cycle and last in the next is the longest that chance may make anybody wait.
        assert max(longest.values()) <= 2 * (WAITING - 1) * OPTIMISTIC_INTERVAL + ROUND_INTERVAL
        turns = [seconds / OPTIMISTIC_INTERVAL for seconds in had.values()]
        assert min(turns) >= CYCLES - 1.1
        # Nobody is drawn again before all who wait were drawn, but the time that is looked at cuts cycles in two.
        assert max(turns) - min(turns) <= 2.1
        assert sum(turns) < 3 * CYCLES * WAITING  # the other slots are for those who give

    play(scenario, size=14 << 20, piece_length=64 << 10)
