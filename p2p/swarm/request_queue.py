"""What we have asked of one peer, how much more to ask, and when to stop waiting.

Depth. A peer that always has `rate x (round trip + QUEUE_TIME)` bytes of requests in hand never runs dry and never
holds blocks for long. The rate is not known at first, so the depth begins small and grows by one with every block
received, which doubles it each round trip, until a window passes in which the rate no longer grew. Requests leave in
batches of a quarter of the depth.

Silence. No block for a while (four times what the peer's rate promises, STALL_LEAST to SNUBBED_AFTER seconds) means a
stall: everything asked is given back, so that others can be asked, and the peer is probed with one request at a time
until a block comes. SNUBBED_AFTER seconds of waiting without a block make it snubbed (BEP 3's anti-snubbing).

What was given back may still arrive: the queue remembers it as late, so that honest blocks are not taken for an attack.
"""

from __future__ import annotations

from enum import Enum
from math import exp
from typing import TYPE_CHECKING, Final

from p2p.ids import BLOCK_SIZE, Block

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_LIMIT: Final = 250
"""Requests a peer is taken to hold until its `reqq` says otherwise (BEP 10; what clients in use fall back to)."""

MOST_LIMIT: Final = 2_000
"""Never more than this, whatever `reqq` says: 32 MB on the way to us from one peer."""

LEAST_DEPTH: Final = 4
"""Enough to bridge a round trip on a slow line, and the start of the growth."""

QUEUE_TIME: Final = 0.5
"""Seconds of work kept in the peer's hands beyond the round trip: enough for a late loop turn on either side. More lets
many peers ask a slow seed for the same pieces, leaves pieces half done for longer, and is what a choke throws away."""

WINDOW: Final = 0.5
"""Seconds over which one rate sample is taken."""

SMOOTHING: Final = 3.0
"""Time constant of the smoothed rate in seconds."""

STALL_LEAST: Final = 15.0
"""A shorter silence proves nothing: disks spin up, lines drop out, and buffers hold many seconds."""

SNUBBED_AFTER: Final = 60.0
"""Seconds without a block until a peer counts as snubbing us (BEP 3: "over a minute")."""


class BlockMatch(Enum):
    """How a block that arrived fits what was asked of the peer."""

    ASKED = "asked"
    LATE = "asked, then given back"
    UNASKED = "not asked"


class RequestQueue:
    """The requests to one peer. All times are seconds of one rising clock."""

    __slots__ = (
        "_asked",
        "_depth",
        "_growing",
        "_late",
        "_limit",
        "_probing",
        "_rate",
        "_round_trip",
        "_sample",
        "_silence",
        "_snubbed",
        "_waiting_since",
        "_window_bytes",
        "_window_start",
    )

    def __init__(self, *, limit: int = DEFAULT_LIMIT) -> None:
        self._asked: dict[Block, float] = {}
        self._late: dict[Block, None] = {}
        self._depth = float(LEAST_DEPTH)
        self._growing = True
        self._round_trip = 0.0
        self._rate = 0.0
        self._sample: float | None = None
        self._window_start = 0.0
        self._window_bytes = 0
        self._probing = False
        self._snubbed = False
        # Waiting began, or went on after the last block, at `_waiting_since`; `_silence` is what was waited before that
        # since the last block.
        self._waiting_since = 0.0
        self._silence = 0.0
        self._limit = 1
        self.set_limit(limit)

    def set_limit(self, limit: int) -> None:
        """The peer's `reqq`: at most so many requests at once. Any number is taken, held to 1..MOST_LIMIT."""
        self._limit = max(1, min(limit, MOST_LIMIT))

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def outstanding(self) -> int:
        """Requests that wait for an answer."""
        return len(self._asked)

    def blocks(self) -> list[Block]:
        """The blocks that are asked, oldest request first."""
        return list(self._asked)

    @property
    def depth(self) -> int:
        """Requests that should be outstanding."""
        return 1 if self._probing or self._snubbed else min(int(self._depth), self._limit)

    @property
    def rate(self) -> float:
        """Smoothed bytes a second, measured only while something is asked; 0 until the first window is over."""
        return self._rate

    @property
    def snubbed(self) -> bool:
        """We waited SNUBBED_AFTER seconds for a block, and none has come since."""
        return self._snubbed

    def room(self, now: float) -> int:
        """How many requests to send now: 0 until a quarter of the depth is free, and 0 to a peer about to time out."""
        depth = self.depth
        free = depth - len(self._asked)
        if free <= 0 or 4 * free < depth or (self._asked and now >= self._waiting_since + self._patience()):
            return 0
        return free

    def on_requested(self, blocks: Iterable[Block], now: float) -> None:
        """These requests were sent."""
        if not self._asked:
            # The time since the last block was no waiting of ours, and belongs to no sample.
            self._window_start += now - self._waiting_since
            self._waiting_since = now
        self._asked.update(dict.fromkeys(blocks, now))

    def on_block(self, block: Block, now: float) -> BlockMatch:
        """A block came; its place is free again."""
        sent = self._asked.pop(block, None)
        if sent is None:
            if block not in self._late:
                return BlockMatch.UNASKED
            del self._late[block]
            match = BlockMatch.LATE
        else:
            match = BlockMatch.ASKED
            if now - sent < self._round_trip or not self._round_trip:
                self._round_trip = now - sent
        self._on_came(1, block.length, now)
        return match

    def on_blocks(self, blocks: Iterable[Block], count: int, size: int, now: float) -> None:
        """`count` blocks of `size` bytes in all came at once, each of them outstanding. KeyError if one was not."""
        latest = max(map(self._asked.pop, blocks))
        if now - latest < self._round_trip or not self._round_trip:
            self._round_trip = now - latest
        self._on_came(count, size, now)

    def _on_came(self, count: int, size: int, now: float) -> None:
        if self._probing or self._snubbed:
            self._probing = self._snubbed = False
            self._grow_anew()
            count -= 1
        if self._growing and self._depth < self._limit:
            self._depth = min(self._depth + count, float(self._limit))
        self._waiting_since = now
        self._silence = 0.0
        self._window_bytes += size
        if now - self._window_start >= WINDOW:
            self._close_window(now)

    def on_rejected(self, block: Block) -> bool:
        """The peer refused a request (BEP 6); False if that request was not outstanding."""
        if block in self._asked:
            del self._asked[block]
            return True
        self._late.pop(block, None)
        return False

    def on_choked(self, fast: bool) -> list[Block]:  # noqa: FBT001  # a fact about the connection, not a choice
        """The peer choked us: the blocks that will not come.

        Without the fast extension a choke drops every request (BEP 3). With it each is answered by its block or a
        reject (BEP 6), so none are given back here.
        """
        self._rate = 0.0
        self._silence = 0.0
        self._probing = False
        self._grow_anew()
        return [] if fast else self._give_back()

    def cancel(self, block: Block) -> bool:
        """We no longer want the block; False if it was not outstanding, and then there is nothing to cancel."""
        if block not in self._asked:
            return False
        del self._asked[block]
        self._remember(block)
        return True

    def next_timeout(self, now: float) -> float | None:
        """When to call `on_timer`, on the clock of `now`; None while nothing is asked."""
        if not self._asked:
            return None
        return max(now, self._waiting_since + self._patience())

    def on_timer(self, now: float) -> list[Block]:
        """The blocks to ask elsewhere, if the peer has stalled. Calling early does nothing."""
        if not self._asked or now < self._waiting_since + self._patience():
            return []
        self._silence += now - self._waiting_since
        # Sums of float seconds fall short of their total by rounding.
        self._snubbed = self._silence >= SNUBBED_AFTER - 1e-3
        self._probing = True
        self._rate = 0.0
        return self._give_back()

    def on_resumed(self, since: float, now: float) -> None:
        """From `since` until `now` we did not read: that time was no silence of the peer's."""
        if self._asked:
            self._waiting_since += now - max(since, self._waiting_since)

    def _patience(self) -> float:
        """Seconds of silence, from `_waiting_since`, that make a stall."""
        if self._snubbed:
            return SNUBBED_AFTER
        expected = 4.0 * BLOCK_SIZE / self._rate if self._rate else 0.0
        return min(max(STALL_LEAST, expected), SNUBBED_AFTER - self._silence)

    def _give_back(self) -> list[Block]:
        given = list(self._asked)
        self._asked.clear()
        for block in given:
            self._remember(block)
        return given

    def _remember(self, block: Block) -> None:
        self._late[block] = None
        # As many as could ever have been asked at once; past that the oldest is not worth its memory.
        if len(self._late) > MOST_LIMIT:
            del self._late[next(iter(self._late))]

    def _grow_anew(self) -> None:
        self._depth = float(LEAST_DEPTH)
        self._growing = True
        self._sample = None

    def _close_window(self, now: float) -> None:
        """Turn what came since the window's start into a rate sample, and the rate into a depth."""
        elapsed = now - self._window_start
        sample = self._window_bytes / elapsed
        self._window_start = now
        self._window_bytes = 0
        self._rate += (sample - self._rate) * (1.0 - exp(-elapsed / SMOOTHING) if self._rate else 1.0)
        if self._growing:
            self._growing = self._sample is None or sample > 1.1 * self._sample
            self._sample = sample
        if not self._growing:
            target = self._rate * (self._round_trip + QUEUE_TIME) / BLOCK_SIZE
            self._depth = max(float(LEAST_DEPTH), min(target, float(self._limit)))
