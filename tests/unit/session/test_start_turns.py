"""Whose turn it is to look at its content, when thousands start at once."""

from __future__ import annotations

import asyncio

from p2p.session.start_turns import AT_ONCE, StartTurns


async def begun(turns, torrent, log):
    await turns.enter(torrent)
    log.append(torrent)


async def test_so_many_begin_at_once_and_the_others_in_their_order():
    turns, log = StartTurns(), []
    tasks = [asyncio.create_task(begun(turns, torrent, log)) for torrent in range(AT_ONCE + 3)]
    await asyncio.sleep(0)
    assert log == list(range(AT_ONCE))
    for torrent in (5, 5, 2):
        turns.leave(torrent)
        await asyncio.sleep(0)
    assert log == list(range(AT_ONCE + 2)), "a turn that is over is given once"
    turns.leave(0)
    await asyncio.gather(*tasks)


async def test_who_gives_up_waiting_takes_nobodys_turn():
    turns, log = StartTurns(), []
    tasks = [asyncio.create_task(begun(turns, torrent, log)) for torrent in range(AT_ONCE + 3)]
    await asyncio.sleep(0)
    tasks[AT_ONCE].cancel()
    turns.leave(0)
    await asyncio.sleep(0)
    turns.leave(1)
    tasks[AT_ONCE + 1].cancel()  # whose turn has just come
    await asyncio.gather(*tasks, return_exceptions=True)
    assert log[AT_ONCE:] in ([AT_ONCE + 1, AT_ONCE + 2], [AT_ONCE + 2])
    assert tasks[AT_ONCE + 2].done()
