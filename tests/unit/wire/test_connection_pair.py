"""Two machines joined by a link: a whole torrent goes across, and no arena is left behind."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from p2p.ids import BLOCK_SIZE, Block
from p2p.wire.events import (
    BitfieldReceived,
    BlockReceived,
    Choked,
    Event,
    ExtensionHandshakeReceived,
    ExtensionMessage,
    HaveAll,
    Interested,
    RejectReceived,
    RequestReceived,
    Unchoked,
)
from p2p.wire.extension import ExtensionHandshake

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.wire.connection import Connection


@pytest.fixture
def carry(filled, singled) -> Callable[[Connection, Connection, random.Random, float], list[Event]]:
    """Carries bytes from one machine to another in portions drawn by a seed."""

    def take_across(near: Connection, far: Connection, rng: random.Random, now: float) -> list[Event]:
        views = near.views_to_send(rng.choice([1, 100, 20_000, 1 << 20]))
        taken = filled(far.receive_views(), b"".join(views))
        near.data_sent(taken, now)
        return singled(far.receive_data(taken, now))

    return take_across


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_torrent_goes_across(connect, carry, arenas, fast: bool, seed: int) -> None:
    rng = random.Random(seed)
    content = [rng.randbytes(20_000 if piece == 9 else 32_768) for piece in range(10)]
    seeder, leecher = connect(fast=fast), connect(fast=fast)
    if fast:
        seeder.send_have_all()
        leecher.send_have_none()
    else:
        seeder.send_bitfield(b"\xff\xc0")
    for side in (seeder, leecher):
        side.send_extension_handshake(ExtensionHandshake({"greeting": 3}))
    wanted = [
        Block(piece, begin, min(BLOCK_SIZE, len(content[piece]) - begin))
        for piece in range(10)
        for begin in range(0, len(content[piece]), BLOCK_SIZE)
    ]
    missing = dict.fromkeys(wanted)
    got = [bytearray(len(piece)) for piece in content]
    asked: dict[Block, None] = {}
    greeted, chokes = [], 0

    def ask() -> None:
        blocks = [block for block in missing if block not in asked][:5]
        asked.update(dict.fromkeys(blocks))
        leecher.send_requests(blocks)

    for turn in range(20_000):
        if not missing:
            break
        for event in carry(leecher, seeder, rng, float(turn)):
            match event:
                case Interested():
                    seeder.send_unchoke()
                case RequestReceived(block) if chokes < 3 and rng.random() < 0.1:
                    chokes += 1
                    seeder.send_choke()
                    if fast:
                        for unanswered in list(seeder.unanswered):
                            seeder.send_reject(unanswered)
                    seeder.send_unchoke()
                case RequestReceived(block) if block in seeder.unanswered:
                    view = memoryview(content[block.piece])
                    seeder.send_block(block, view[block.begin : block.begin + block.length])
                case ExtensionMessage(name, payload):
                    greeted.append((name, payload))
        for event in carry(seeder, leecher, rng, float(turn)):
            match event:
                case BitfieldReceived() | HaveAll():
                    leecher.send_interested()
                case Choked() if not fast:
                    asked.clear()
                case RejectReceived(block):
                    asked.pop(block)
                case BlockReceived(piece, begin, length, view, arena, _):
                    got[piece][begin : begin + length] = view
                    missing.pop(Block(piece, begin, length), None)
                    arena.unpin()
                case ExtensionHandshakeReceived():
                    leecher.send_extension("greeting", b"hello")
                case Unchoked():
                    pass
        if not leecher.peer_choking and len([block for block in asked if block in missing]) < 3:
            ask()
    assert not missing
    assert [bytes(piece) for piece in got] == content
    assert greeted == [("greeting", b"hello")]
    assert chokes
    assert leecher.payload_received >= sum(map(len, content))
    seeder.close()
    leecher.close()
    assert arenas.in_use == 0
