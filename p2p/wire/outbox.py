"""What waits to be sent on one connection, and in which order.

Control messages overtake blocks that wait, at message boundaries only: a request must not stand behind a megabyte of
upload. Legal with the fast extension, where every request has its own answer (BEP 6). Without it a `choke` says that no
more blocks will come (BEP 3), so there everything keeps the order in which it was queued.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from p2p.errors import LocalProtocolError

MAX_VIEWS: Final = 1_024
"""Views a call, the most a stream takes at once."""


class Outbox:
    """A queue of messages.

    `pending` is bytes, `control_pending` those of messages that are no blocks, and of a header that was cut;
    `pending_blocks` counts blocks that are not wholly sent.
    """

    __slots__ = ("_begun", "_control", "_in_order", "_waiting", "control_pending", "pending", "pending_blocks")

    def __init__(self, *, in_order: bool) -> None:
        self._in_order = in_order
        self._begun: deque[tuple[bytes | memoryview, bool]] = deque()
        """Goes first: the rest of a message that was cut, then control messages already offered. True: payload."""
        self._control = bytearray()
        """Small messages since the last offer; they leave as one piece of bytes."""
        self._waiting: deque[tuple[bytes, bytes | memoryview]] = deque()
        """Header and block. In order, also control messages that came after a block: those have an empty block."""
        self.pending = 0
        self.control_pending = 0
        self.pending_blocks = 0

    def add_control(self, message: bytes) -> None:
        size = len(message)
        self.pending += size
        self.control_pending += size
        if self._in_order and self._waiting:
            self._waiting.append((message, b""))
        else:
            self._control += message

    def add_block(self, header: bytes, block: bytes | memoryview) -> None:
        self.pending += len(header) + len(block)
        self.pending_blocks += 1
        self._waiting.append((header, block))

    def views_to_send(self, limit: int) -> list[bytes | memoryview]:
        """The next at most `limit` bytes in at most 1,024 views. The last view may be cut."""
        if self._control:
            self._begun.append((bytes(self._control), False))
            self._control.clear()
        views: list[bytes | memoryview] = []
        room = max(0, min(limit, self.pending))
        for view, _ in self._begun:
            if room <= 0 or len(views) == MAX_VIEWS:
                break
            views.append(view)
            room -= len(view)
        for header, block in self._waiting:
            if room <= 0 or len(views) > MAX_VIEWS - 2:
                break
            views.append(header)
            room -= len(header)
            if room > 0 and block:
                views.append(block)
                room -= len(block)
        if room < 0:
            views[-1] = memoryview(views[-1])[:room]
        return views

    def data_sent(self, n: int) -> int:
        """Drop the first `n` bytes of what `views_to_send` last gave; returns how many of them were payload."""
        if not 0 <= n <= self.pending - len(self._control):
            raise LocalProtocolError("more bytes were reported sent than were given to send")
        self.pending -= n
        payload = 0
        begun = self._begun
        while n and begun:
            view, is_payload = begun.popleft()
            size = len(view)
            if not is_payload:
                self.control_pending -= min(size, n)
            if size > n:
                begun.appendleft((memoryview(view)[n:], is_payload))
                return payload + n * is_payload
            n -= size
            if is_payload:
                payload += size
                self.pending_blocks -= 1
        while n:
            header, block = self._waiting.popleft()
            head, size = len(header), len(block)
            if not size:
                self.control_pending -= min(n, head)
            if n < head + size:
                if n < head:
                    if size:
                        self.control_pending += head - n
                    begun.append((header[n:], False))
                    n = head
                if size:
                    begun.append((memoryview(block)[n - head :], True))
                return payload + n - head
            n -= head + size
            if size:
                payload += size
                self.pending_blocks -= 1
        return payload

    def clear(self) -> None:
        """Forget everything that waits."""
        self._begun.clear()
        self._control.clear()
        self._waiting.clear()
        self.pending = self.control_pending = self.pending_blocks = 0
