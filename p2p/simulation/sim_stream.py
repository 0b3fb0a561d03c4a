"""A stream through memory: bytes are copied once at `send`, cross two links and a distance, and wait to be read.

A stream holds at most a window of bytes between `send` and the far side's `receive_into`, as TCP does; a full window is
a full stream. Bytes, the end of a stream and a reset travel the same way in the same order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError
from p2p.net.network import MAX_VIEWS
from p2p.simulation.link import Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import Address
    from p2p.simulation.sim_network import SimHost

Packet = memoryview | None
"""Bytes; none at all for the end of the stream; None for a reset."""

END: Final = memoryview(b"")


class Pipe:
    """One direction of a connection, from the sender's link to the receiver's buffer."""

    __slots__ = (
        "_down",
        "_down_link",
        "_receiver_host",
        "_refused",
        "_sender_host",
        "_up",
        "_up_link",
        "_window",
        "in_flight",
        "last_arrival",
        "receiver",
    )

    def __init__(self, sender_host: SimHost, receiver_host: SimHost, window: int) -> None:
        self._sender_host = sender_host
        self._receiver_host = receiver_host
        alone = sender_host is receiver_host
        self._up_link = sender_host.loopback if alone else sender_host.up
        self._down_link = receiver_host.loopback if alone else receiver_host.down
        self._window = window
        self._refused = False
        self._up: Flow[Packet] = Flow(self._leave)
        self._down: Flow[Packet] = Flow(self._deliver)
        self.in_flight = 0
        self.last_arrival = 0.0
        self.receiver: SimStream | None = None

    @property
    def room(self) -> int:
        """Bytes that `put` may take now."""
        return self._window - self.in_flight

    def put(self, data: bytes) -> None:
        """Send bytes, no more than `room`."""
        self.in_flight += len(data)
        view = memoryview(data)
        link = self._up_link
        step = min(link.burst, self._down_link.burst)
        for begin in range(0, len(view), step):
            piece = view[begin : begin + step]
            link.offer(self._up, piece, len(piece))

    def end(self) -> None:
        """Send the end of the stream."""
        self._up_link.offer(self._up, END, 0)

    def reset(self) -> None:
        """Drop what has not left and send a reset."""
        self._up.clear()
        self._up_link.offer(self._up, None, 0)

    def refuse(self) -> None:
        """Answer bytes that nobody will read with a reset, after what is on its way."""
        if not self._refused:
            self._refused = True
            self._up_link.offer(self._up, None, 0)

    def _leave(self, burst: list[Packet]) -> None:
        self._sender_host.internet.carry(self, self._sender_host, self._receiver_host, burst)

    def arrive(self, burst: list[Packet]) -> None:
        """A burst has crossed the distance and waits for the receiver's link."""
        for packet in burst:
            self._down_link.offer(self._down, packet, len(packet) if packet is not None else 0)

    def _deliver(self, burst: list[Packet]) -> None:
        receiver = self.receiver
        assert receiver is not None  # noqa: S101 -- set before the first packet can be sent
        for packet in burst:
            receiver.on_packet(packet)


class SimStream:
    """One end of a connection."""

    __slots__ = (
        "_arrived",
        "_closed",
        "_ended",
        "_host",
        "_into",
        "_notice",
        "_out",
        "_readable",
        "_why",
        "_writable",
        "local",
        "peer",
        "remote",
    )

    def __init__(self, host: SimHost, local: Address, remote: Address, into: Pipe, out: Pipe) -> None:
        self.local = local
        self.remote = remote
        self.peer: SimStream | None = None
        self._host = host
        self._into = into
        self._out = out
        self._arrived: deque[memoryview] = deque()
        self._ended = False
        self._closed = False
        self._why = ""
        self._readable: Callable[[], None] | None = None
        self._writable: Callable[[], None] | None = None
        self._notice: asyncio.Handle | None = None
        into.receiver = self

    def receive_into(self, views: Sequence[memoryview]) -> int | None:
        if self._closed:
            raise NetworkError(self._why)
        arrived = self._arrived
        if not arrived:
            if self._why:
                raise NetworkError(self._why)
            return 0 if self._ended else None
        total = 0
        for view in views[:MAX_VIEWS]:
            filled, room = 0, len(view)
            while filled < room and arrived:
                piece = arrived[0]
                size = min(len(piece), room - filled)
                view[filled : filled + size] = piece[:size]
                filled += size
                if size == len(piece):
                    arrived.popleft()
                else:
                    arrived[0] = piece[size:]
            total += filled
            if not arrived:
                break
        if not total:
            raise ValueError("receive_into was offered no room, where 0 would read as the end of the stream")
        self._into.in_flight -= total
        if self.peer is not None:
            self.peer.arm()
        return total

    def send(self, views: Sequence[bytes | memoryview]) -> int:
        if self._why:
            raise NetworkError(self._why)
        room = self._out.room
        taken: list[bytes | memoryview] = []
        for view in views[:MAX_VIEWS]:
            if len(view) >= room:
                taken.append(view[:room])
                break
            taken.append(view)
            room -= len(view)
        data = b"".join(taken)
        if data:
            self._out.put(data)
        return len(data)

    def on_readable(self, callback: Callable[[], None] | None) -> None:
        if not self._closed:
            self._readable = callback
            self.arm()

    def on_writable(self, callback: Callable[[], None] | None) -> None:
        if not self._closed:
            self._writable = callback
            self.arm()

    def close(self) -> None:
        if not self._closed:
            self._leave("closed")
            self._out.end()

    def abort(self) -> None:
        if not self._closed:
            self._leave("aborted")
            self._out.reset()

    def on_packet(self, packet: Packet) -> None:
        """Something has come through the link."""
        if packet is None:
            self._host.internet.record("reset", self.remote, self.local, b"")
            if not self._why:
                self._why = "connection reset by peer"
        elif not packet:
            self._host.internet.record("end", self.remote, self.local, b"")
            self._ended = True
        else:
            self._host.internet.record("bytes", self.remote, self.local, packet)
            if self._closed:
                self._out.refuse()
                return
            self._arrived.append(packet)
        self.arm()

    def arm(self) -> None:
        """Call back in the loop's next turn if there is reason to."""
        if self._notice is None and (
            (self._readable is not None and self._has_news) or (self._writable is not None and self._has_room)
        ):
            self._notice = asyncio.get_running_loop().call_soon(self._notify)

    @property
    def _has_news(self) -> bool:
        return bool(self._arrived) or self._ended or bool(self._why)

    @property
    def _has_room(self) -> bool:
        return self._out.room > 0 or bool(self._why)

    def _notify(self) -> None:
        try:
            if self._readable is not None and self._has_news:
                self._readable()
            if self._writable is not None and self._has_room:
                self._writable()
        finally:
            self._notice = None
            self.arm()

    def _leave(self, why: str) -> None:
        self._closed = True
        self._why = why
        self._readable = self._writable = None
        self._arrived.clear()
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None
