"""The outbox: exact limits, whole messages, nothing lost or doubled whatever the stream takes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import LocalProtocolError
from p2p.wire.outbox import MAX_VIEWS, Outbox


def test_small_messages_leave_as_one_view() -> None:
    outbox = Outbox(in_order=False)
    for _ in range(100):
        outbox.add_control(b"message")
    assert outbox.views_to_send(10_000) == [b"message" * 100]


def test_a_view_is_cut_at_the_limit() -> None:
    outbox = Outbox(in_order=False)
    outbox.add_control(b"control")
    outbox.add_block(b"header", b"block")
    for limit in range(19):
        assert b"".join(outbox.views_to_send(limit)) == b"controlheaderblock"[:limit]


def test_nothing_is_given_for_nothing() -> None:
    outbox = Outbox(in_order=False)
    outbox.add_block(b"header", b"block")
    assert outbox.views_to_send(0) == []
    assert outbox.views_to_send(-1) == []


@pytest.mark.parametrize("in_order", [False, True])
def test_no_call_gives_more_views_than_a_stream_takes(in_order: bool) -> None:
    outbox = Outbox(in_order=in_order)
    for number in range(2_000):
        outbox.add_block(b"h", b"b")
        outbox.add_control(b"c")
        if number % 700 == 0:
            outbox.views_to_send(10)
            outbox.data_sent(1)
    while outbox.pending:
        views = outbox.views_to_send(1 << 20)
        assert 0 < len(views) <= MAX_VIEWS
        outbox.data_sent(sum(map(len, views)))
    assert outbox.pending_blocks == 0


def test_more_sent_than_given_is_our_bug() -> None:
    outbox = Outbox(in_order=False)
    outbox.add_control(b"control")
    with pytest.raises(LocalProtocolError):
        outbox.data_sent(1)
    outbox.views_to_send(100)
    with pytest.raises(LocalProtocolError):
        outbox.data_sent(8)
    with pytest.raises(LocalProtocolError):
        outbox.data_sent(-1)


steps = st.lists(
    st.tuples(st.just("control"), st.integers(1, 30))
    | st.tuples(st.just("block"), st.integers(1, 200))
    | st.tuples(st.just("send"), st.integers(0, 300)),
    max_size=40,
)


@given(steps, st.booleans(), st.randoms(use_true_random=False))
def test_messages_arrive_whole_once_and_in_their_order(
    plan: list[tuple[str, int]], in_order: bool, rng: object
) -> None:
    outbox = Outbox(in_order=in_order)
    out = bytearray()
    queued: list[tuple[str, int]] = []
    payload = 0
    for what, size in [*plan, *[("send", 1 << 20)] * 2]:
        if what == "send":
            views = outbox.views_to_send(size)
            offered = b"".join(views)
            assert len(offered) == min(size, outbox.pending) or len(views) >= MAX_VIEWS - 1
            if rng.random() < 0.3:
                outbox.add_control(struct.pack(">BHI", 0, 7, len(queued)))
                queued.append(("control", len(queued)))
            taken = len(offered) if size == 1 << 20 else rng.randint(0, len(offered))
            out += offered[:taken]
            payload += outbox.data_sent(taken)
        else:
            number = len(queued)
            queued.append((what, number))
            if what == "control":
                outbox.add_control(struct.pack(">BHI", 0, 7 + size, number) + bytes(size))
            else:
                outbox.add_block(struct.pack(">BHI", 1, 7 + size, number), bytes(size))
    rest = b"".join(outbox.views_to_send(1 << 20))
    out += rest
    payload += outbox.data_sent(len(rest))
    assert outbox.pending == outbox.pending_blocks == 0
    arrived: list[tuple[str, int]] = []
    blocks = 0
    while out:
        is_block, length, number = struct.unpack_from(">BHI", out)
        arrived.append(("block" if is_block else "control", number))
        blocks += (length - 7) * is_block
        del out[:length]
    assert payload == blocks
    if in_order:
        assert arrived == queued
    for kind in ("control", "block"):
        assert [one for one in arrived if one[0] == kind] == [one for one in queued if one[0] == kind]


@given(steps, st.booleans(), st.randoms(use_true_random=False))
def test_the_bytes_of_control_messages_that_wait_are_counted(
    plan: list[tuple[str, int]], in_order: bool, rng: object
) -> None:
    outbox = Outbox(in_order=in_order)
    for what, size in plan:
        if what == "control":
            outbox.add_control(b"c" * size)
        elif what == "block":
            outbox.add_block(b"12", b"b" * size)
        else:
            offered = b"".join(outbox.views_to_send(size))
            outbox.data_sent(rng.randint(0, len(offered)))
        rest = b"".join(outbox.views_to_send(1 << 20))
        assert outbox.control_pending == rest.count(b"c") + rest.startswith(b"2")
    outbox.clear()
    assert outbox.control_pending == 0
