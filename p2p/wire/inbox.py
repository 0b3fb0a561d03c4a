"""From bytes in an arena to messages: where they begin and end, and whether one of that id may stand there.

Blocks are the hot path, tens of thousands a second, and are read here without a copy. After a block mostly another one
follows, so the next read is laid out for a train of them: the headers land apart, and the blocks back to back, where a
piece is hashed and written in few long runs. What turns out to be another message is put back in the stream's order.
Every message that is no block goes, once it is whole, to the `interpret` function of the connection.

The rules kept: lengths are bounded by id before the bytes arrive; a message longer than MIN_ROOM is gathered apart, so
that an arena always has room; `have all` and `have none` come first (BEP 6), extension messages and `port` alone may
stand before them. `bitfield` may stand anywhere, although it too belongs first (BEP 3): aria2 sends one later where it
is shorter than many a `have`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import BLOCK_SIZE, PieceIndex
from p2p.wire import messages as wire
from p2p.wire.arena import MIN_ROOM, Arena, ArenaPool
from p2p.wire.early_messages import MAX_EARLY_BITFIELD
from p2p.wire.events import BlockReceived, BlocksReceived, Event
from p2p.wire.messages import BLOCK_HEADER, PIECE

Interpret: TypeAlias = Callable[[int, bytearray, int, int], Event | None]
"""Takes id, buffer, and the payload's offset and length in it."""

_FULL: Final = 9 + BLOCK_SIZE
"""The length in the header of a full block."""

_WAGON: Final = BLOCK_HEADER.size + BLOCK_SIZE
"""Bytes of the stream that a full block takes."""

FREE_SHARE: Final = 4
"""Of this share of an arena the end is left unused where a block would begin: reads into it would be too short."""

MAX_TRAIN: Final = 64
"""Full blocks a read is laid out for: 1 MiB, as much as one turn of the loop should bring."""

_NEUTRAL: Final = frozenset({wire.EXTENDED, wire.PORT})
"""These say nothing of pieces, and clients in use send them before the bitfield. So do ids that we do not know."""


class _Coming(NamedTuple):
    """A full block whose header was read and whose bytes go on landing."""

    piece: int
    begin: int


class Inbox:
    """The receiving end of one connection. `payload` counts the bytes of the blocks reported."""

    __slots__ = (
        "_arena",
        "_bitfield_bounds",
        "_coming",
        "_end",
        "_extension",
        "_fast",
        "_header_views",
        "_headers",
        "_interpret",
        "_large",
        "_large_size",
        "_opened",
        "_piece_count",
        "_piece_size",
        "_pool",
        "_start",
        "_train",
        "_trains",
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
        """Held while a message is incomplete, or between `receive_views` and `receive_data`."""
        self._start = 0
        self._end = 0
        """The incomplete message lies from `_start` to `_end`, of one that is `_coming` the content alone."""
        self._coming: _Coming | None = None
        self._trains = False
        """The stream stands at the end of a full block, or within one."""
        self._train: list[memoryview] | None = None
        """How the read is laid out that `receive_data` will tell of, if it is for a train of blocks."""
        self._headers = memoryview(b"")
        self._header_views: tuple[memoryview, ...] = ()
        """Where the headers of a train land, one behind the other: made with the first train."""
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

    def receive_views(self, limit: int | None) -> list[memoryview]:
        """Room for the next bytes of the stream, at most `limit` of them."""
        if self._trains:
            views = self._train = self._lay_out()
        else:
            self._train = None
            views = [self._room()]
        if limit is not None and limit < self._pool.arena_size:
            for index, view in enumerate(views):
                if len(view) >= limit:
                    views[index:] = [view[:limit]]
                    break
                limit -= len(view)
        return views

    def _room(self) -> memoryview:
        """All that is free of the arena."""
        arena = self._arena
        if arena is None:
            arena = self._arena = self._enter_arena()
        elif len(arena.buffer) - self._end < MIN_ROOM:
            arena = self._move(arena)
        return arena.view[self._end :]

    def _move(self, arena: Arena) -> Arena:
        """Go on in another arena with what is incomplete."""
        fresh = self._pool.take()
        tail = self._end - self._start
        fresh.view[:tail] = arena.view[self._start : self._end]
        arena.unpin()
        self._arena = fresh
        self._start, self._end = 0, tail
        return fresh

    def _lay_out(self) -> list[memoryview]:
        """Places for the rest of the block that is coming and for full ones after it, as many as the arena has room
        for in any case: what proves to be no train is put together there, headers and all."""
        arena = self._arena
        if arena is None:
            arena = self._arena = self._enter_arena()
        view, at = arena.view, self._end
        views: list[memoryview] = []
        if self._coming is not None:
            at = self._start + BLOCK_SIZE
            views.append(view[self._end : at])
        if not self._header_views:
            size = BLOCK_HEADER.size
            room = self._headers = memoryview(bytearray(MAX_TRAIN * size))
            self._header_views = tuple(room[begin : begin + size] for begin in range(0, len(room), size))
        for header in self._header_views[: (len(arena.buffer) - at) // _WAGON]:
            views.append(header)
            views.append(view[at : at + BLOCK_SIZE])
            at += BLOCK_SIZE
        return views

    def _enter_arena(self) -> Arena:
        """Go on behind blocks that still keep the last arena from reuse, or take another one.

        Without this a peer that sends a block at a time would pin a whole arena with each.
        """
        if self._vacated is not None:
            arena, serial, end = self._vacated
            self._vacated = None
            room = len(arena.buffer) - end
            if arena.pins and arena.serial == serial and room >= max(MIN_ROOM, len(arena.buffer) // FREE_SHARE):
                arena.pin()
                self._start = self._end = end
                return arena
        self._start = self._end = 0
        return self._pool.take()

    def receive_data(self, n: int) -> list[Event]:
        """Read the `n` bytes just put into `receive_views()`.

        Raises RemoteProtocolError for what the protocol forbids. The arena gets its pins, one a block, only when
        everything was read, so that nobody has to return those of events that were never reported.
        """
        arena, train = self._arena, self._train
        if arena is None or not 0 <= n <= (len(arena.buffer) - self._end if train is None else sum(map(len, train))):
            raise LocalProtocolError("more bytes were reported than receive_views had room for")
        events: list[Event] = []
        if train is not None:
            self._train = None
            blocks = self._read_train(arena, train, n, events)
            if self._coming is None and self._start < self._end:
                blocks += self._read(arena, events)
        else:
            self._end += n
            blocks = self._read(arena, events)
        if blocks:
            arena.pin(blocks)
        if self._coming is not None:
            if self._start + BLOCK_SIZE + len(arena.buffer) // FREE_SHARE > len(arena.buffer):
                self._move(arena)
        elif self._start == self._end:
            self._vacated = (arena, arena.serial, self._end)
            self._arena = None
            arena.unpin()
        return events

    def _read_train(self, arena: Arena, train: list[memoryview], n: int, events: list[Event]) -> int:
        """Read `n` bytes that landed in a train, as far as they are one; the rest is then ready for `_read`.

        Returns how many blocks were whole.
        """
        at, left, index = self._start, n, 0
        piece = begin = blocks = count = next_begin = 0  # `count` blocks up to `next_begin` of `piece` are one run
        if self._coming is not None:
            missing = at + BLOCK_SIZE - self._end
            if left < missing:
                self._end += left
                return 0
            piece, begin = self._coming
            self._coming = None
            at, left, index = at + BLOCK_SIZE, left - missing, 1
            count, next_begin = 1, begin + BLOCK_SIZE
        known = room = -1
        headers = left // _WAGON + (left % _WAGON >= BLOCK_HEADER.size)
        for length, kind, piece_now, begin_now in BLOCK_HEADER.iter_unpack(
            self._headers[: headers * BLOCK_HEADER.size]
        ):
            if kind != PIECE or length != _FULL:
                break
            if piece_now != known:
                room, known = self._room_of(piece_now), piece_now
            if begin_now + BLOCK_SIZE > room:
                raise _outside(BLOCK_SIZE, begin_now, piece_now)
            left -= BLOCK_HEADER.size
            if left < BLOCK_SIZE:
                self._coming = _Coming(piece_now, begin_now)
                self._start, self._end = at, at + left
                break
            if begin_now != next_begin or piece_now != piece:
                if count:
                    blocks += _report(events, piece, next_begin, count, (arena, at))
                count, piece = 0, piece_now
            count, next_begin = count + 1, begin_now + BLOCK_SIZE
            at, left, index = at + BLOCK_SIZE, left - BLOCK_SIZE, index + 2
        if count:
            blocks += _report(events, piece, next_begin, count, (arena, at))
            self._opened = True
            self.payload += BLOCK_SIZE * blocks
        if self._coming is None:
            if left:
                arena.view[at : at + left] = b"".join(train[index:])[:left]
            self._start, self._end = at, at + left
        return blocks

    def _read(self, arena: Arena, events: list[Event]) -> int:
        """Read the bytes from `_start` to `_end`, in the stream's order. Returns how many blocks they held."""
        buffer, view = arena.buffer, arena.view
        start, end = self._start, self._end
        if self._large is not None:
            start = self._gather(self._large, view[start:end], events) + start
        blocks = payload = room = length = 0
        known = -1
        unpack, event_of = BLOCK_HEADER.unpack_from, tuple.__new__
        self._trains = False
        while True:
            while end - start >= 13:
                length, kind, piece, begin = unpack(buffer, start)
                stop = start + 4 + length
                if kind != PIECE or length <= 9 or (stop > end and length != _FULL):
                    break
                if piece != known:
                    room, known = self._room_of(piece), piece
                size = length - 9
                if size > BLOCK_SIZE or begin + size > room:
                    raise _outside(size, begin, piece)
                if stop > end:
                    self._coming, self._trains = _Coming(piece, begin), True
                    start += BLOCK_HEADER.size
                    break
                events.append(event_of(BlockReceived, (piece, begin, size, view[start + 13 : stop], arena, start + 13)))
                blocks += 1
                payload += size
                start = stop
            if self._coming is not None:
                break
            if blocks:
                self._opened = True
            available = end - start
            if available < 4:
                self._trains = not available and length == _FULL
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
            length = 0
        self.payload += payload
        self._start, self._end = start, end
        return blocks

    def close(self) -> None:
        """Let go of what is held; idempotent."""
        if self._arena is not None:
            self._arena.unpin()
        self._arena = self._vacated = self._large = self._coming = self._train = None
        self._trains = False

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
        if kind == wire.HAVE_NONE:
            if self._opened:
                raise RemoteProtocolError("have none comes first, and once")
            self._opened = True
        # A late bitfield or have all is borne: aria2 says either in place of many haves, the latter when it has just
        # become a seeder.
        elif kind == wire.BITFIELD or (kind in wire.PAYLOAD_BOUNDS and kind not in _NEUTRAL):
            self._opened = True


def _report(events: list[Event], piece: int, end: int, count: int, where: tuple[Arena, int]) -> int:
    """Add a run of full blocks, which ends at `end` of the piece and before byte `at` of the arena."""
    arena, at = where
    size = count * BLOCK_SIZE
    view = arena.view[at - size : at]
    if count == 1:
        events.append(BlockReceived(PieceIndex(piece), end - size, size, view, arena, at - size))
    else:
        events.append(BlocksReceived(PieceIndex(piece), end - size, count, view, arena, at - size))
    return count


def _outside(size: int, begin: int, piece: int) -> RemoteProtocolError:
    return RemoteProtocolError(f"a block of {size} bytes at {begin} is not within piece {piece}")


def _bitfield_bounds(piece_count: int) -> tuple[int, int]:
    size = (piece_count + 7) // 8
    return size, size
