"""Where received bytes land: buffers that are filled by the stream, read in place, and used again.

Decides when a buffer may be written over. The rule: an arena belongs to the pool exactly when its pins are 0; whoever
looks at its bytes holds a pin. Counts are explicit, so reuse never waits for a garbage collector.
"""

from __future__ import annotations

from typing import Final

from p2p.errors import LocalProtocolError

MIN_ROOM: Final = 32_768
"""Bytes of room a read is worth: two blocks. Less, and system calls would outweigh what they bring."""

MIN_ARENA_SIZE: Final = 2 * MIN_ROOM
"""A message kept in an arena is at most MIN_ROOM long, and as much must remain free behind it."""


class Arena:
    """One buffer. `view` covers all of it, and slices of `view` are the blocks that landed there.

    `serial` counts how often the arena was taken, so that one who let go can tell whether it is still the same filling.
    """

    __slots__ = ("_pool", "buffer", "pins", "serial", "view")

    def __init__(self, pool: ArenaPool, size: int) -> None:
        self.buffer = bytearray(size)
        self.view = memoryview(self.buffer)
        self.pins = 0
        self.serial = 0
        self._pool = pool

    def pin(self, count: int = 1) -> None:
        """Keep the bytes from being written over until `count` calls of `unpin`."""
        self.pins += count

    def unpin(self, count: int = 1) -> None:
        """Take back pins; with the last, the arena returns to its pool. LocalProtocolError if there were fewer."""
        if self.pins < count:
            raise LocalProtocolError("an arena was unpinned more often than it was pinned")
        self.pins -= count
        if not self.pins:
            self._pool.give_back(self)


class ArenaPool:
    """Arenas for all connections of a session.

    `arena_size` is bytes an arena (at least 64 KiB). `limit` is the bytes in use from which `pressed` tells callers to
    copy blocks out instead of keeping arenas pinned. `idle_limit` is the bytes kept for reuse while nobody needs them.
    """

    __slots__ = ("_idle", "_idle_count", "arena_size", "in_use", "limit")

    def __init__(
        self, arena_size: int = 262_352, limit: int = 64 * 1_048_576, *, idle_limit: int = 8 * 1_048_576
    ) -> None:
        if arena_size < MIN_ARENA_SIZE:
            raise ValueError(f"an arena of {arena_size} bytes is too small; at least {MIN_ARENA_SIZE}")
        self.arena_size = arena_size
        self.limit = limit
        self.in_use = 0
        """Bytes of the arenas that are taken."""
        self._idle: list[Arena] = []
        self._idle_count = idle_limit // arena_size

    @property
    def pressed(self) -> bool:
        """More than `limit` bytes are in use."""
        return self.in_use > self.limit

    def take(self) -> Arena:
        """An arena with one pin, the taker's. The last one returned comes first: its bytes are still in cache."""
        arena = self._idle.pop() if self._idle else Arena(self, self.arena_size)
        arena.pins = 1
        arena.serial += 1
        self.in_use += self.arena_size
        return arena

    def give_back(self, arena: Arena) -> None:
        """Called by an arena whose last pin is gone."""
        self.in_use -= self.arena_size
        if len(self._idle) < self._idle_count:
            self._idle.append(arena)
