"""The small parts of a session: slots, choice of files, goals, handshake bytes, events."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import NetworkError, StarlingError
from p2p.ids import Address
from p2p.session import goals
from p2p.session.event_bus import MAX_WAITING, Event, EventBus, EventKind
from p2p.session.goals import Goals, Seeding
from p2p.session.selection import file_priorities, piece_priorities
from p2p.session.settings import TorrentOptions
from p2p.session.slots import Slots
from p2p.session.stream_io import read_exactly, write_all
from p2p.simulation.sim_network import SimInternet
from p2p.simulation.virtual_loop import run
from p2p.simulation.world import make_content

PIECE = 16_384
FILES = [
    (("a.txt",), 2 * PIECE + 5),
    (("docs", "a.txt"), 3),
    (("docs", "b.md"), 4 * PIECE),
    (("[x]", "z"), PIECE),
]


# -- slots


def test_slots_bound_what_is_under_way_and_what_is_there():
    slots = Slots(connections=3, connecting=2)
    slots.on_connecting()
    slots.on_connecting()
    assert not slots.may_connect
    slots.on_connecting_done()
    slots.on_connected()
    assert slots.may_connect
    slots.on_connected()
    assert not slots.may_connect  # one is under way, two are there
    assert slots.may_accept
    slots.on_connected()
    assert not slots.may_accept


def test_a_free_slot_goes_to_who_has_waited_longest():
    slots = Slots(connections=1, connecting=1)
    woken = []
    slots.on_connecting()
    for key in ("a", "b", "c", "a"):
        slots.wait(key, lambda key=key: woken.append(key))
    slots.forget("b")
    slots.on_connecting_done()
    assert woken == ["a"]
    slots.on_connected()
    slots.on_disconnected()
    assert woken == ["a", "c"]
    slots.on_connected()
    slots.on_disconnected()
    assert woken == ["a", "c"]


@given(st.lists(st.sampled_from(["connecting", "failed", "connected", "gone"]), max_size=60))
def test_slots_never_go_below_nothing_or_wake_for_nothing(steps):
    slots = Slots(connections=4, connecting=2)
    for step in steps:
        if step == "connecting" and slots.may_connect:
            slots.on_connecting()
        elif step == "failed" and slots.connecting:
            slots.on_connecting_done()
        elif step == "connected" and slots.may_accept:
            slots.on_connected()
        elif step == "gone" and slots.connections:
            slots.on_disconnected()
        assert 0 <= slots.connecting <= 2
        assert 0 <= slots.connections <= 4


# -- selection


@pytest.fixture(scope="module")
def metainfo():
    return make_content(random.Random(1), FILES, PIECE, announce=None)[0]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, ["[x]/z", "a.txt", "docs/a.txt", "docs/b.md"]),
        ({"select": ("a.txt",)}, ["a.txt", "docs/a.txt"]),
        ({"select": ("content/a.txt",)}, ["a.txt"]),
        ({"select": ("docs/*",)}, ["docs/a.txt", "docs/b.md"]),
        ({"select": ("*.md", "z")}, ["[x]/z", "docs/b.md"]),
        ({"select": ("DOCS/*", "*")}, None),
        ({"select_indices": (0, 2)}, ["[x]/z", "docs/a.txt"]),
        ({"select_indices": (0,), "select": ("*.md",)}, ["[x]/z", "docs/b.md"]),
        ({"select": ("*.md",), "priorities": {1: 1}}, ["a.txt", "docs/b.md"]),
        ({"priorities": {0: 0}}, ["a.txt", "docs/a.txt", "docs/b.md"]),
    ],
    ids=str,
)
def test_files_are_chosen_by_pattern_and_number(metainfo, options, wanted):
    chosen = TorrentOptions(**options)
    if wanted is None:
        with pytest.raises(StarlingError, match=r"no file of content matches 'DOCS/\*'"):
            file_priorities(metainfo, chosen)
        return
    priorities = file_priorities(metainfo, chosen)
    assert [file.path for file, priority in zip(metainfo.files, priorities, strict=True) if priority] == wanted


@pytest.mark.parametrize("index", [-1, 4, 10**9])
def test_a_file_that_is_not_there_cannot_be_chosen(metainfo, index):
    with pytest.raises(StarlingError, match=f"there is no file number {index}"):
        file_priorities(metainfo, TorrentOptions(select_indices=(index,)))


@settings(max_examples=50)
@given(files=st.lists(st.integers(0, 7), min_size=4, max_size=4), ends=st.booleans())
def test_a_piece_is_worth_what_the_best_of_its_files_is(metainfo, files, ends):
    layout = metainfo.layout
    priorities = piece_priorities(metainfo, files, TorrentOptions(first_and_last=ends))
    assert len(priorities) == layout.piece_count
    for piece in range(layout.piece_count):
        holding = [index for index in range(4) if piece in layout.pieces_of_file(index)]
        best = max(files[index] for index in holding)
        at_an_end = [
            i for i in holding if files[i] and piece in (layout.pieces_of_file(i)[0], layout.pieces_of_file(i)[-1])
        ]
        assert priorities[piece] == (7 if ends and at_an_end else best)


# -- goals


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Goals(), None),
        (Goals(ratio=2.0), "ratio 2 reached"),
        (Goals(ratio=0.0), "ratio 0 reached"),
        (Goals(ratio=2.1), None),
        (Goals(ratio=5.0, time=90.0), "seeded for 1.5 min"),
        (Goals(time=90.1), None),
        (Goals(time_in_all=600.0), "seeded for 10 min in all"),
        (Goals(time_in_all=601.0), None),
        (Goals(idle=60.0), "idle for 1 min"),
        (Goals(idle=61.0), None),
    ],
)
def test_the_first_goal_that_is_reached_ends_a_seeding(wanted, said):
    seeding = Seeding(uploaded=20, size=10, idle_for=60.0, seeding_for=90.0, seeding_in_all=600.0)
    assert goals.reached(wanted, seeding) == said


def test_nothing_wanted_has_no_ratio():
    nothing = Seeding(uploaded=0, size=0, idle_for=0.0, seeding_for=0.0, seeding_in_all=0.0)
    assert goals.reached(Goals(ratio=0.0), nothing) is None


_seconds = st.floats(0, 1e6)
_goal = st.none() | _seconds


@given(st.builds(Goals, _goal, _goal, _goal, _goal), st.builds(Seeding, st.just(0), st.just(0), *[_seconds] * 3))
def test_time_reaches_a_goal_when_it_is_said_to_and_not_before(wanted, seeding):
    wait = goals.look_in(wanted, seeding)

    def after(seconds):
        later = [each + seconds for each in (seeding.idle_for, seeding.seeding_for, seeding.seeding_in_all)]
        return goals.reached(wanted, Seeding(0, 0, *later))

    if wait == math.inf:
        assert after(1e12) is None
    else:
        assert after(max(wait, 0.0) + 1e-3) is not None
        if wait > 0:
            assert after(max(wait - 1e-3, 0.0) if wait > 1e-3 else 0.0) is None


# -- bytes of a handshake


async def line():
    """Two ends of a connection."""
    internet = SimInternet(random.Random(1))
    one, other = internet.host("10.0.0.1"), internet.host("10.0.0.2", down=50_000)
    accepted = asyncio.get_running_loop().create_future()
    listener = await other.network.listen(Address("0.0.0.0", 1), accepted.set_result)
    near = await one.network.connect(Address("10.0.0.2", 1))
    far = await accepted
    listener.close()
    return near, far


@settings(max_examples=20, deadline=None)
@given(parts=st.lists(st.binary(max_size=200_000), max_size=4), after=st.binary(max_size=10))
def test_what_is_written_is_read_and_not_one_byte_more(parts, after):
    async def scenario():
        near, far = await line()
        sent = b"".join(parts)

        async def write():
            for part in [*parts, after]:
                await write_all(near, part)
            near.close()

        writer = asyncio.create_task(write())
        assert await read_exactly(far, len(sent)) == sent
        assert await read_exactly(far, len(after)) == after
        await writer
        with pytest.raises(NetworkError, match="the peer closed the connection"):
            await read_exactly(far, 1)
        far.close()

    run(scenario())


def test_a_cancelled_read_leaves_the_rest_to_the_next():
    async def scenario():
        near, far = await line()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await read_exactly(far, 5)
        await write_all(near, b"hello")
        assert await read_exactly(far, 5) == b"hello"
        near.abort()
        far.close()

    run(scenario())


# -- events


def event(number):
    return Event(EventKind.PROGRESS, float(number), "00")


async def test_events_reach_every_subscriber_in_order():
    bus = EventBus()
    bus.publish(event(0))
    with bus.subscribe() as early:
        bus.publish(event(1))
        with bus.subscribe() as late:
            bus.publish(event(2))
            assert late.take() == [event(2)]
        bus.publish(event(3))
        assert late.take() == []
        assert [await early.next() for _ in range(3)] == [event(1), event(2), event(3)]
        assert early.take() == []
    bus.publish(event(4))
    assert early.take() == []


async def test_a_subscriber_waits_without_missing_anything():
    bus = EventBus()
    heard = []

    async def listen(subscription):
        while True:
            heard.append(await subscription.next())

    with bus.subscribe() as subscription:
        task = asyncio.create_task(listen(subscription))
        for number in range(5):
            bus.publish(event(number))
            if number % 2:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert heard == [event(number) for number in range(5)]


async def test_a_subscriber_that_sleeps_loses_the_oldest_and_is_told():
    bus = EventBus()
    with bus.subscribe() as subscription:
        for number in range(MAX_WAITING + 7):
            bus.publish(event(number))
        assert subscription.lost == 7
        taken = subscription.take()
        assert len(taken) == MAX_WAITING
        assert taken[0] == event(7)


async def test_ready_returns_for_an_event_or_a_wake():
    bus = EventBus()
    with bus.subscribe() as subscription:
        waiting = asyncio.create_task(subscription.ready())
        await asyncio.sleep(0)
        assert not waiting.done()
        subscription.wake()
        await waiting
        bus.publish(event(1))
        await subscription.ready()
        await subscription.ready()
        assert subscription.take() == [event(1)]
