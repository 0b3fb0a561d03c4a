"""A torrent of ten pieces for connection machines, and three ways to feed them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p2p.wire.arena import ArenaPool
from p2p.wire.connection import Connection
from p2p.wire.events import BlockReceived, BlocksReceived, Event

PIECES = 10
PIECE_SIZE = 32_768
LAST_SIZE = 20_000


def piece_size(piece: int) -> int:
    return LAST_SIZE if piece == PIECES - 1 else PIECE_SIZE


Make = Callable[..., Connection]


@pytest.fixture
def arenas() -> ArenaPool:
    return ArenaPool(arena_size=65_536)


@pytest.fixture
def connect(arenas: ArenaPool) -> Make:
    def make(*, fast: bool = True, extension: bool = True, max_requests: int = 100, pieces: int = PIECES) -> Connection:
        return Connection(
            piece_count=pieces,
            piece_size=piece_size,
            fast=fast,
            extension=extension,
            arenas=arenas,
            max_requests=max_requests,
            now=0.0,
        )

    return make


def fill(views: list[memoryview], data: bytes) -> int:
    """Put `data` into `views` as far as there is room, as a stream does; how many bytes that were."""
    taken = 0
    for view in views:
        if taken == len(data):
            break
        part = data[taken : taken + len(view)]
        view[: len(part)] = part
        taken += len(part)
    return taken


def give(connection: Connection, data: bytes, step: int | None = None, now: float = 0.0) -> list[Event]:
    """Feed `data`, at most `step` bytes a call; events as they came, their arenas still pinned."""
    events: list[Event] = []
    while data:
        n = fill(connection.receive_views(), data[:step])
        assert n
        data = data[n:]
        events += connection.receive_data(n, now)
    return events


def one_by_one(events: list[Event]) -> list[Event]:
    """The same events, with every block of a run by itself."""
    single: list[Event] = []
    for event in events:
        single += list(event.each()) if isinstance(event, BlocksReceived) else [event]
    return single


def settle(events: list[Event]) -> list[tuple[type, object]]:
    """Comparable events: blocks by their content, arenas unpinned."""
    settled: list[tuple[type, object]] = []
    for event in one_by_one(events):
        if isinstance(event, BlockReceived):
            settled.append((BlockReceived, (event.piece, event.begin, event.length, bytes(event.view))))
            event.arena.unpin()
        else:
            settled.append((type(event), event))
    return settled


def drain(connection: Connection, limit: int = 1 << 30) -> bytes:
    """Everything the connection has to send."""
    out = bytearray()
    while views := connection.views_to_send(limit):
        part = b"".join(views)
        out += part
        connection.data_sent(len(part), 0.0)
    return bytes(out)


@pytest.fixture
def feed() -> Callable[..., list[Event]]:
    return give


@pytest.fixture(scope="session")
def filled() -> Callable[[list[memoryview], bytes], int]:
    return fill


@pytest.fixture(scope="session")
def singled() -> Callable[[list[Event]], list[Event]]:
    return one_by_one


@pytest.fixture
def settled() -> Callable[[list[Event]], list[tuple[type, object]]]:
    return settle


@pytest.fixture
def sent() -> Callable[..., bytes]:
    return drain
