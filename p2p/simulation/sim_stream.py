"""A stream through memory: bytes cross two links and a distance, and wait to be read.

A stream holds at most a window of bytes between `send` and the far side's `receive_into`, as TCP does; a full window is
a full stream, and a sender is told of room when a third of it is free, as a kernel does. What leaves in a round trip
begins with ten packets and doubles with each that was used in full, until the window or the link is what limits it
(RFC 6928). Bytes, the end of a stream and a reset travel the same way in the same order. Bytes that cannot change are
not copied until they are read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError
from p2p.net.network import MAX_VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import Address
    from p2p.simulation.sim_host import SimHost

Packet = bytes | memoryview | None
"""Bytes; none at all for the end of the stream; None for a reset."""

END: Final = b""

INITIAL_WINDOW: Final = 10 * 1_460
"""Bytes that a new connection sends before the first acknowledgement (RFC 6928)."""

MIN_WINDOW: Final = 65_536
MAX_WINDOW: Final = 4 << 20
WINDOW_SLACK: Final = 0.1
"""A stream's window holds what the slower of its two links carries in a round trip and this many seconds, within the
two bounds, as a kernel that tunes its buffers ends up with. Without rates it is `UNLIMITED_WINDOW`."""

UNLIMITED_WINDOW: Final = 1 << 20

WORTH_A_VIEW: Final = 1_024
"""Bytes from which on a view of them costs less than a copy of what is cut off."""


class _Departure:
    """The packets of a pipe at its sender's link."""

    __slots__ = ("_pipe", "_round_ends", "_round_left", "_round_size", "opens_at", "packets", "waiting")

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.packets: list[Packet] = []
        self.waiting = False
        self.opens_at = 0.0
        self._round_size = INITIAL_WINDOW
        """Bytes that may leave in a round trip; 0 when only the window limits them."""
        self._round_left = 0
        self._round_ends = -1.0

    def take(self, limit: int, now: float) -> tuple[list[Packet], int]:
        if self._round_size:
            if now >= self._round_ends:
                self._begin_round(now)
            if self._round_size:
                limit = min(limit, self._round_left)
                if not limit and self.packets[0]:
                    self.opens_at = self._round_ends
                    return [], 0
        burst, size = cut(self.packets, limit)
        self._round_left -= size
        return burst, size

    def _begin_round(self, now: float) -> None:
        if self._round_ends >= 0.0 and not self._round_left:
            self._round_size *= 2
        round_trip = self._pipe.round_trip
        if self._round_size >= self._pipe.window or not round_trip:
            self._round_size = 0
        self._round_left = self._round_size
        self._round_ends = now + round_trip

    def carried(self, burst: list[Packet], size: int, until: float) -> None:
        self._pipe.leave(burst, size, until)


class _Landing:
    """The packets of a pipe at its receiver's link, which hands over a burst as its first byte comes through."""

    __slots__ = ("_pipe", "opens_at", "packets", "waiting")

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.packets: list[Packet] = []
        self.waiting = False
        self.opens_at = 0.0

    def take(self, limit: int, now: float) -> tuple[list[Packet], int]:  # noqa: ARG002 -- the port's shape
        return cut(self.packets, limit)

    def carried(self, burst: list[Packet], size: int, until: float) -> None:  # noqa: ARG002 -- the port's shape
        receiver = self._pipe.receiver
        assert receiver is not None  # noqa: S101 -- set before the first packet can be sent
        receiver.on_packets(burst)


def cut(packets: list[Packet], limit: int) -> tuple[list[Packet], int]:
    """Take the first `limit` bytes of packets, the last of them cut where need be, and what follows without bytes."""
    left = limit
    for index, packet in enumerate(packets):
        size = len(packet) if packet else 0
        if size > left:
            assert packet is not None  # noqa: S101 -- it has a size
            burst = packets[:index]
            if left:
                burst.append(packet[:left])
                packets[index] = packet[left:]
            del packets[:index]
            return burst, limit
        left -= size
    burst = packets[:]
    packets.clear()
    return burst, limit - left


class Pipe:
    """One direction of a connection, from the sender's link to the receiver's buffer."""

    __slots__ = (
        "_departure",
        "_down_link",
        "_landing",
        "_receiver_host",
        "_refused",
        "_sender_host",
        "_tuned_at",
        "_up_link",
        "in_flight",
        "last_arrival",
        "receiver",
        "window",
    )

    def __init__(self, sender_host: SimHost, receiver_host: SimHost) -> None:
        self._sender_host = sender_host
        self._receiver_host = receiver_host
        alone = sender_host is receiver_host
        self._up_link = sender_host.loopback if alone else sender_host.up
        self._down_link = receiver_host.loopback if alone else receiver_host.down
        self._refused = False
        self._departure = _Departure(self)
        self._landing = _Landing(self)
        self.in_flight = 0
        self.window = 0
        """Bytes that may be in flight at most."""
        self._tuned_at = 0
        self._tune()
        self.last_arrival = 0.0
        self.receiver: SimStream | None = None

    @property
    def round_trip(self) -> float:
        """Seconds there and back."""
        return 2 * self._sender_host.internet.latency(self._sender_host, self._receiver_host)

    @property
    def room(self) -> int:
        """Bytes that `put` may take now."""
        if self._tuned_at != self._up_link.changes + self._down_link.changes:
            self._tune()
        return self.window - self.in_flight

    def _tune(self) -> None:
        self._tuned_at = self._up_link.changes + self._down_link.changes
        rates = [rate for rate in (self._up_link.rate, self._down_link.rate) if rate is not None]
        if rates:
            self.window = min(max(int(min(rates) * (self.round_trip + WINDOW_SLACK)), MIN_WINDOW), MAX_WINDOW)
        else:
            self.window = UNLIMITED_WINDOW

    @property
    def writable(self) -> bool:
        """Whether there is enough room to tell a sender of."""
        return 3 * self.in_flight <= 2 * self.window

    def put(self, packets: list[Packet], size: int) -> None:
        """Send packets of `size` bytes in all, no more than `room`."""
        self.in_flight += size
        self._up_link.offer(self._departure, packets, size)

    def end(self) -> None:
        """Send the end of the stream."""
        self._up_link.offer(self._departure, [END], 0)

    def reset(self) -> None:
        """Drop what has not left and send a reset."""
        self._departure.packets.clear()
        self._up_link.offer(self._departure, [None], 0)

    def refuse(self) -> None:
        """Answer bytes that nobody will read with a reset, after what is on its way."""
        if not self._refused:
            self._refused = True
            self._up_link.offer(self._departure, [None], 0)

    def leave(self, burst: list[Packet], size: int, when: float) -> None:
        """A burst leaves the sender's link at `when`."""
        self._sender_host.internet.carry(self, self._sender_host, self._receiver_host, burst, size, when)

    def arrive(self, burst: list[Packet], size: int) -> None:
        """A burst has crossed the distance and waits for the receiver's link."""
        self._down_link.offer(self._landing, burst, size)


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
        self._arrived: list[bytes | memoryview] = []
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
        total = taken = 0
        piece, left = arrived[0], len(arrived[0])
        for view in views[:MAX_VIEWS]:
            filled, room = 0, len(view)
            while filled < room:
                if left <= room - filled:
                    view[filled : filled + left] = piece
                    filled += left
                    taken += 1
                    if taken == len(arrived):
                        break
                    piece = arrived[taken]
                    left = len(piece)
                else:
                    size = room - filled
                    view[filled:room] = piece[:size]
                    filled = room
                    piece = memoryview(piece)[size:]
                    left -= size
            total += filled
            if taken == len(arrived):
                break
        if taken < len(arrived):
            arrived[taken] = piece
        del arrived[:taken]
        if not total:
            raise ValueError("receive_into was offered no room, where 0 would read as the end of the stream")
        self._into.in_flight -= total
        if self.peer is not None:
            self.peer.on_room()
        return total

    def send(self, views: Sequence[bytes | memoryview]) -> int:
        if self._why:
            raise NetworkError(self._why)
        room = left = self._out.room
        packets: list[Packet] = []
        for view in views[:MAX_VIEWS]:
            size = len(view)
            if size >= left:
                if left:
                    packets.append(_lasting(view[:left]))
                left = 0
                break
            if size:
                packets.append(_lasting(view))
                left -= size
        if packets:
            self._out.put(packets, room - left)
        return room - left

    def on_readable(self, callback: Callable[[], None] | None) -> None:
        if not self._closed:
            self._readable = callback
            if callback is not None:
                self.arm()

    def on_writable(self, callback: Callable[[], None] | None) -> None:
        if not self._closed:
            self._writable = callback
            if callback is not None:
                self.arm()

    def close(self) -> None:
        if not self._closed:
            self._leave("closed")
            self._out.end()

    def abort(self) -> None:
        if not self._closed:
            self._leave("aborted")
            self._out.reset()

    def on_packets(self, packets: list[Packet]) -> None:
        """Something has come through the link, in a callback of the loop."""
        trace = self._host.internet.trace
        if trace is not None:
            self._record(packets)
        if packets[0] and packets[-1]:
            if self._closed:
                self._out.refuse()
                return
            self._arrived += packets  # type: ignore[arg-type]  # the end and a reset are the last of a stream's packets
        else:
            for packet in packets:
                self._on_packet(packet)
        if self._notice is None:
            if self._readable is not None and self._has_news:
                self._readable()
            if self._readable is not None or self._writable is not None:
                self.arm()

    def _on_packet(self, packet: Packet) -> None:
        if packet is None:
            if not self._why:
                self._why = "connection reset by peer"
        elif not packet:
            self._ended = True
        elif self._closed:
            self._out.refuse()
        else:
            self._arrived.append(packet)

    def _record(self, packets: list[Packet]) -> None:
        record = self._host.internet.record
        for packet in packets:
            if packet is None:
                record("reset", self.remote, self.local, b"")
            elif not packet:
                record("end", self.remote, self.local, b"")
            else:
                record("bytes", self.remote, self.local, packet)

    def on_room(self) -> None:
        """The far side has read something."""
        if self._writable is not None and self._notice is None:
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
        return self._out.writable or bool(self._why)

    def _notify(self) -> None:
        try:
            if self._readable is not None and self._has_news:
                self._readable()
            if self._writable is not None and self._has_room:
                self._writable()
        finally:
            self._notice = None
            if self._readable is not None or self._writable is not None:
                self.arm()

    def _leave(self, why: str) -> None:
        self._closed = True
        self._why = why
        self._readable = self._writable = None
        self._arrived.clear()
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None


def _lasting(view: bytes | memoryview) -> bytes | memoryview:
    """The same bytes, now and when they arrive: copied, unless nobody can change them."""
    if type(view) is bytes:
        return view if len(view) < WORTH_A_VIEW else memoryview(view)
    if len(view) >= WORTH_A_VIEW and isinstance(view, memoryview) and type(view.obj) is bytes:
        return view
    return bytes(view)
