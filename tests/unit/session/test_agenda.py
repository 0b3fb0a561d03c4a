"""What falls due is done in order and at its time, in batches, and only the last wish for a key counts."""

from __future__ import annotations

import asyncio
import itertools

import uvloop

from p2p.session.agenda import BATCH, Agenda
from p2p.simulation.virtual_loop import run


def test_entries_are_done_at_their_time_in_order():
    async def scenario():
        loop = asyncio.get_running_loop()
        agenda, done = Agenda(), []
        for name, when in (("late", 5.0), ("early", 1.0), ("middle", 3.0), ("past", -1.0)):
            agenda.set(name, when, lambda name=name: done.append((name, loop.time())))
        await asyncio.sleep(10)
        assert [name for name, _ in done] == ["past", "early", "middle", "late"]
        assert [at for _, at in done[1:]] == [1.0, 3.0, 5.0]
        assert len(agenda) == 0

    run(scenario())


def test_a_later_wish_for_a_key_replaces_the_former():
    async def scenario():
        agenda, done = Agenda(), []
        agenda.set("a", 1.0, lambda: done.append("first"))
        agenda.set("a", 2.0, lambda: done.append("second"))
        agenda.set("b", 1.0, lambda: done.append("forgotten"))
        agenda.forget("b")
        await asyncio.sleep(5)
        assert done == ["second"]

    run(scenario())


def test_wishes_that_are_replaced_over_and_over_leave_nothing_behind():
    async def scenario():
        agenda, done = Agenda(), []
        for number in range(10_000):
            agenda.set("a", 1_000.0 + number, lambda number=number: done.append(number))
        assert len(agenda._heap) < 100
        await asyncio.sleep(20_000)
        assert done == [9_999]

    run(scenario())


def test_thousands_that_are_due_at_once_leave_turns_to_others():
    async def scenario():
        loop = asyncio.get_running_loop()
        agenda, done, between = Agenda(), [], []
        for number in range(10 * BATCH):
            agenda.set(number, 1.0, lambda number=number: done.append(number))

        def look() -> None:
            between.append(len(done))
            if len(done) < 10 * BATCH:
                loop.call_soon(look)

        loop.call_at(1.0, look)
        await asyncio.sleep(2)
        assert done == list(range(10 * BATCH))
        assert max(later - earlier for earlier, later in itertools.pairwise(between)) <= BATCH

    run(scenario())


def test_an_action_may_set_its_own_next_time():
    async def scenario():
        loop = asyncio.get_running_loop()
        agenda, done = Agenda(), []

        def act() -> None:
            done.append(loop.time())
            if len(done) < 3:
                agenda.set("a", loop.time() + 2.0, act)

        agenda.set("a", 1.0, act)
        await asyncio.sleep(10)
        assert done == [1.0, 3.0, 5.0]

    run(scenario())


def test_a_closed_agenda_does_nothing_further():
    async def scenario():
        agenda, done = Agenda(), []
        agenda.set("a", 1.0, lambda: done.append("a"))
        agenda.close()
        agenda.set("b", 1.0, lambda: done.append("b"))
        await asyncio.sleep(5)
        assert done == []

    run(scenario())


def test_what_has_passed_is_done_on_the_loop_of_the_commands_too():
    async def scenario():
        loop = asyncio.get_running_loop()
        agenda, ended, done = Agenda(), asyncio.Event(), []
        for name, when in (("later", 0.01), ("past", -5.0), ("now", 0.0), ("past again", -9.0)):
            agenda.set(name, loop.time() + when, lambda name=name: done.append(name))
        agenda.set("end", loop.time() + 0.02, ended.set)
        async with asyncio.timeout(30):
            await ended.wait()
        assert done == ["past again", "past", "now", "later"]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
