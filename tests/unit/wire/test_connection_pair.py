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
    from p2p.wire.arena import ArenaPool
    from p2p.wire.connection import Connection


class Link:
    """Carries bytes from one machine to another in portions drawn by a seed."""

    def __init__(self, near: Connection, far: Connection, rng: random.Random) -> None:
        self.near, self.far, self.rng = near, far, rng

    def carry(self, now: float) -> list[Event]:
        room = self.far.receive_buffer()
        views = self.near.views_to_send(self.rng.choice([1, 100, 20_000, 1 << 20]))
        data = b"".join(views)[: len(room)]
        room[: len(data)] = data
        self.near.data_sent(len(data), now)
        return self.far.receive_data(len(data), now)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_torrent_goes_across(connect, arenas: ArenaPool, fast: bool, seed: int) -> None:
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
    down, up = Link(seeder, leecher, rng), Link(leecher, seeder, rng)

    def ask() -> None:
        blocks = [block for block in missing if block not in asked][:5]
        asked.update(dict.fromkeys(blocks))
        leecher.send_requests(blocks)

    for turn in range(20_000):
        if not missing:
            break
        for event in up.carry(float(turn)):
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
        for event in down.carry(float(turn)):
            match event:
                case BitfieldReceived() | HaveAll():
                    leecher.send_interested()
                case Choked() if not fast:
                    asked.clear()
                case RejectReceived(block):
                    asked.pop(block)
                case BlockReceived(piece, begin, length, view, arena):
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
