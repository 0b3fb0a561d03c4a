"""From bytes in an arena to messages: where they begin and end, and whether one of that id may stand there.

Blocks are the hot path, tens of thousands a second, and are read here without a copy. Every other message goes, once it
is whole, to the `interpret` function of the connection. The rules kept: lengths are bounded by id before the bytes
arrive; a message longer than MIN_ROOM is gathered apart, so that an arena always has room; `have all` and `have none`
come first (BEP 6), extension messages and `port` alone may stand before them. `bitfield` may stand anywhere, although
it too belongs first (BEP 3): aria2 sends one later where it is shorter than many a `have`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import BLOCK_SIZE
from p2p.wire import messages as wire
from p2p.wire.arena import MIN_ROOM, Arena, ArenaPool
from p2p.wire.early_messages import MAX_EARLY_BITFIELD
from p2p.wire.events import BlockReceived, Event
from p2p.wire.messages import BLOCK_HEADER, PIECE

Interpret: TypeAlias = Callable[[int, bytearray, int, int], Event | None]
"""Takes id, buffer, and the payload's offset and length in it."""

_COMES_FIRST: Final = frozenset({wire.HAVE_ALL, wire.HAVE_NONE})

_NEUTRAL: Final = frozenset({wire.EXTENDED, wire.PORT})
"""These say nothing of pieces, and clients in use send them before the bitfield. So do ids that we do not know."""


class Inbox:
    """The receiving end of one connection. `payload` counts the bytes of the blocks reported."""

    __slots__ = (
        "_arena",
        "_bitfield_bounds",
        "_end",
        "_extension",
        "_fast",
        "_interpret",
        "_large",
        "_large_size",
        "_opened",
        "_piece_count",
        "_piece_size",
        "_pool",
        "_start",
        "_vacated",
        "payload",
    )

    def __init__(
        self,
        *,
        piece_count: int | None,
        piece_size: Callable[[int], int],
        fast: bool,
        extension: bool,
        arenas: ArenaPool,
        interpret: Interpret,
    ) -> None:
        self.payload = 0
        self._piece_count = piece_count or 0
        self._piece_size = piece_size
        self._bitfield_bounds = (1, MAX_EARLY_BITFIELD) if piece_count is None else _bitfield_bounds(piece_count)
        self._fast = fast
        self._extension = extension
        self._pool = arenas
        self._interpret = interpret
        self._opened = False
        self._arena: Arena | None = None
        """Held while a message is incomplete, or between `receive_buffer` and `receive_data`."""
        self._start = 0
        self._end = 0
        self._vacated: tuple[Arena, int, int] | None = None
        """The arena last let go, its serial, and where its free room begins."""
        self._large: bytearray | None = None
        """A message too long for an arena, as far as it came; it will have `_large_size` bytes."""
        self._large_size = 0

    def learn(self, piece_count: int, piece_size: Callable[[int], int], interpret: Interpret) -> None:
        """The torrent, which was not known (`piece_count` None), is known now."""
        self._piece_count = piece_count
        self._piece_size = piece_size
        self._bitfield_bounds = _bitfield_bounds(piece_count)
        self._interpret = interpret

    def receive_buffer(self) -> memoryview:
        """Room for the next bytes of the stream, at least MIN_ROOM."""
        arena = self._arena
        if arena is None:
            arena = self._arena = self._enter_arena()
        elif len(arena.buffer) - self._end < MIN_ROOM:
            fresh = self._pool.take()
            tail = self._end - self._start
            fresh.view[:tail] = arena.view[self._start : self._end]
            arena.unpin()
            arena = self._arena = fresh
            self._start, self._end = 0, tail
        return arena.view[self._end :]

    def _enter_arena(self) -> Arena:
        """Go on behind blocks that still keep the last arena from reuse, or take another one.

        Without this a peer that sends a block at a time would pin a whole arena with each.
        """
        if self._vacated is not None:
            arena, serial, end = self._vacated
            self._vacated = None
            if arena.pins and arena.serial == serial and len(arena.buffer) - end >= MIN_ROOM:
                arena.pin()
                self._start = self._end = end
                return arena
        self._start = self._end = 0
        return self._pool.take()

    def receive_data(self, n: int) -> list[Event]:
        """Read the `n` bytes just put into `receive_buffer()`.

        Raises RemoteProtocolError for what the protocol forbids. The arena gets its pins, one a block, only when
        everything was read, so that nobody has to return those of events that were never reported.
        """
        arena = self._arena
        if arena is None or not 0 <= n <= len(arena.buffer) - self._end:
            raise LocalProtocolError("more bytes were reported than receive_buffer has room for")
        buffer, view = arena.buffer, arena.view
        start, end = self._start, self._end + n
        events: list[Event] = []
        if self._large is not None:
            start = self._gather(self._large, view[start:end], events) + start
        blocks = payload = room = 0
        known = -1
        unpack, event_of = BLOCK_HEADER.unpack_from, tuple.__new__
        while True:
            while end - start >= 13:
                length, kind, piece, begin = unpack(buffer, start)
                stop = start + 4 + length
                if kind != PIECE or stop > end or length <= 9:
                    break
                if piece != known:
                    room, known = self._room_of(piece), piece
                size = length - 9
                if size > BLOCK_SIZE or begin + size > room:
                    raise RemoteProtocolError(f"a block of {size} bytes at {begin} is not within piece {piece}")
                events.append(event_of(BlockReceived, (piece, begin, size, view[start + 13 : stop], arena)))
                blocks += 1
                payload += size
                start = stop
            if blocks:
                self._opened = True
            available = end - start
            if available < 4:
                break
            (length,) = wire.LENGTH.unpack_from(buffer, start)
            if not length:
                start += 4
                continue
            if available == 4:
                break
            kind = buffer[start + 4]
            self._check_length(kind, length - 1)
            if available < 4 + length:
                if 4 + length > MIN_ROOM:
                    self._large, self._large_size = bytearray(view[start:end]), 4 + length
                    start = end
                break
            self._check_place(kind)
            event = self._interpret(kind, buffer, start + 5, length - 1)
            if event is not None:
                events.append(event)
            start += 4 + length
        if blocks:
            arena.pin(blocks)
            self.payload += payload
        self._start, self._end = start, end
        if start == end:
            self._vacated = (arena, arena.serial, end)
            self._arena = None
            arena.unpin()
        return events

    def close(self) -> None:
        """Let go of what is held; idempotent."""
        if self._arena is not None:
            self._arena.unpin()
        self._arena = self._vacated = self._large = None

    def _gather(self, large: bytearray, fresh: memoryview, events: list[Event]) -> int:
        """Add to a message gathered apart; returns how many of the fresh bytes were its."""
        taken = min(len(fresh), self._large_size - len(large))
        large += fresh[:taken]
        if len(large) == self._large_size:
            self._large = None
            kind = large[4]
            self._check_place(kind)
            event = self._interpret(kind, large, 5, len(large) - 5)
            if event is not None:
                events.append(event)
        return taken

    def _room_of(self, piece: int) -> int:
        if piece >= self._piece_count:
            raise RemoteProtocolError(f"piece {piece} does not exist; there are {self._piece_count}")
        return self._piece_size(piece)

    def _check_length(self, kind: int, size: int) -> None:
        if kind == wire.BITFIELD:
            least, most = self._bitfield_bounds
        elif kind == wire.EXTENDED and not self._extension:
            least, most = 0, wire.MAX_UNKNOWN
        else:
            least, most = wire.PAYLOAD_BOUNDS.get(kind, (0, wire.MAX_UNKNOWN))
        if not least <= size <= most:
            raise RemoteProtocolError(f"message {kind} with {size} bytes of payload; {least} to {most} are possible")

    def _check_place(self, kind: int) -> None:
        if kind in wire.FAST_ONLY and not self._fast:
            raise RemoteProtocolError(f"message {kind} belongs to the fast extension, which is not in use")
        if kind in _COMES_FIRST:
            if self._opened:
                raise RemoteProtocolError("have all and have none come first, and once")
            self._opened = True
        elif kind == wire.BITFIELD or (kind in wire.PAYLOAD_BOUNDS and kind not in _NEUTRAL):
            self._opened = True


def _bitfield_bounds(piece_count: int) -> tuple[int, int]:
    size = (piece_count + 7) // 8
    return size, size
