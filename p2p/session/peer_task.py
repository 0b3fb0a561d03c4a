"""One connected peer: its stream, its connection machine and its queues, driven by readiness, with no task a block.

The peer moves bytes and nothing else: what they mean is for the exchange it belongs to. `ended` resolves once, with the
reason, when the connection is over; the task that made the peer waits for it and then detaches it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from p2p.errors import LocalProtocolError, NetworkError, RemoteProtocolError
from p2p.swarm.rate import RateMeter
from p2p.swarm.request_queue import RequestQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.ids import Address, Block
    from p2p.net.network import Stream
    from p2p.session.throttle import Throttle
    from p2p.swarm.peer_list import PeerSource
    from p2p.wire.connection import Connection
    from p2p.wire.events import Event
    from p2p.wire.handshake import Handshake

log = logging.getLogger(__name__)

SEND_VECTOR: Final = 1 << 20
"""Bytes offered to one `send`: enough to fill a socket buffer, little enough to leave the loop to others."""

DEFAULT_REQUEST_QUEUE: Final = 250
"""Requests a peer is trusted to queue before it says (`reqq`): what the oldest clients in use keep."""


class EndKind(Enum):
    """Why a connection ended, as far as it matters for what we do about the peer."""

    CLOSED = "closed"
    BROKEN = "broken"
    MISBEHAVED = "misbehaved"
    POINTLESS = "pointless"
    BANNED = "banned"
    DUPLICATE = "duplicate"
    OURS = "stopping"


@dataclass(frozen=True, slots=True)
class PeerEnd:
    kind: EndKind
    reason: str


class PeerOwner(Protocol):
    """What a peer needs of the exchange it belongs to."""

    def on_peer_events(self, peer: Peer, events: Sequence[Event], now: float) -> None: ...

    def refill(self, peer: Peer) -> None:
        """Move what the peer asked for and may have into its connection machine."""

    def may_read(self, peer: Peer) -> bool:
        """False while storage is behind; the exchange resumes the peer."""

    def on_sent(self, peer: Peer, payload: int, now: float) -> None: ...


class Peer:
    """See the module's head."""

    __slots__ = (
        "_down",
        "_loop",
        "_owner",
        "_reading",
        "_up",
        "_writing",
        "address",
        "blocks_bad",
        "connected_at",
        "ended",
        "handshake",
        "incoming",
        "key",
        "last_unchoked",
        "payload_counted",
        "rate_from",
        "rate_to",
        "requests",
        "sent_since_unchoke",
        "source",
        "stream",
        "unasked",
        "uploads",
        "wasted",
        "wire",
    )

    def __init__(
        self,
        key: int,
        stream: Stream,
        handshake: Handshake,
        wire: Connection,
        *,
        address: Address,
        incoming: bool,
        source: PeerSource,
        owner: PeerOwner,
        down: Throttle,
        up: Throttle,
        now: float,
    ) -> None:
        self.key = key
        self.stream = stream
        self.handshake = handshake
        self.wire = wire
        self.address = address
        self.incoming = incoming
        self.source = source
        self.connected_at = now
        self.requests = RequestQueue(limit=DEFAULT_REQUEST_QUEUE)
        self.uploads: dict[Block, None] = {}
        self.rate_from = RateMeter()
        self.rate_to = RateMeter()
        self.last_unchoked: float | None = None
        self.sent_since_unchoke = 0
        self.payload_counted = 0
        self.unasked = 0
        self.wasted = 0
        self.blocks_bad = 0
        self.ended: asyncio.Future[PeerEnd] = asyncio.get_running_loop().create_future()
        self._owner = owner
        self._down = down
        self._up = up
        self._loop = asyncio.get_running_loop()
        self._reading = False
        self._writing = False

    # -- lifecycle

    def start(self) -> None:
        """Begin to read, and write what is queued."""
        self.resume_reading()
        self.flush()

    def end(self, kind: EndKind, reason: str) -> None:
        """The connection is over; nothing moves from here on."""
        if self.ended.done():
            return
        self.stream.on_readable(None)
        self.stream.on_writable(None)
        self._down.forget(self.key)
        self._up.forget(self.key)
        self.ended.set_result(PeerEnd(kind, reason))

    def release(self) -> None:
        """Close the stream and give the buffers back."""
        self.end(EndKind.OURS, "released")
        self.wire.close()
        self.stream.close()

    # -- bytes in

    def resume_reading(self) -> None:
        if not self._reading and not self.ended.done():
            self._reading = True
            self.stream.on_readable(self._on_readable)

    def pause_reading(self) -> None:
        self._reading = False
        self.stream.on_readable(None)

    def _on_readable(self) -> None:
        now = self._loop.time()
        if not self._owner.may_read(self):
            self.pause_reading()
            return
        allowance = self._down.allowance(now)
        if allowance == 0:
            self.pause_reading()
            self._down.wait(self.key, self.resume_reading)
            return
        wire = self.wire
        buffer = wire.receive_buffer()
        try:
            n = self.stream.receive_into([buffer if len(buffer) <= allowance else buffer[:allowance]])
            if n is None:
                wire.receive_data(0, now)  # gives an unused buffer back
                return
            if n == 0:
                self.end(EndKind.CLOSED, "closed by the peer")
                return
            self._down.take(n, now)
            events = wire.receive_data(n, now)
            if events:
                self._owner.on_peer_events(self, events, now)
        except NetworkError as error:
            self.end(EndKind.BROKEN, str(error))
        except RemoteProtocolError as error:
            self.end(EndKind.MISBEHAVED, str(error))
        except LocalProtocolError as error:
            log.exception("a bug of ours ended the connection to %s", self.address)
            self.end(EndKind.BROKEN, str(error))

    # -- bytes out

    def flush(self) -> None:
        """Send what is queued as far as the stream and the limits allow."""
        if self.ended.done():
            return
        wire = self.wire
        loop = self._loop
        try:
            while True:
                self._owner.refill(self)
                if not wire.pending:
                    break
                now = loop.time()
                allowance = self._up.allowance(now) if wire.pending_blocks else SEND_VECTOR
                views = wire.views_to_send(min(allowance, SEND_VECTOR))
                if not views:
                    self._stop_writing()
                    self._up.wait(self.key, self.flush)
                    return
                n = self.stream.send(views)
                if n == 0:
                    self._start_writing()
                    return
                payload = wire.data_sent(n, now)
                self._up.take(n, now)
                if payload:
                    self.rate_to.on_bytes(payload, now)
                    self.sent_since_unchoke += payload
                    self._owner.on_sent(self, payload, now)
                if self._up.limited:
                    if wire.pending or self.uploads:
                        self._stop_writing()
                        self._up.wait(self.key, self.flush)
                    else:
                        self._stop_writing()
                    return
                if n >= SEND_VECTOR:
                    # Others wait for the loop too; go on when it comes round again.
                    self._start_writing()
                    return
        except NetworkError as error:
            self.end(EndKind.BROKEN, str(error))
            return
        except LocalProtocolError as error:
            log.exception("a bug of ours ended the connection to %s", self.address)
            self.end(EndKind.BROKEN, str(error))
            return
        self._stop_writing()

    def _start_writing(self) -> None:
        if not self._writing:
            self._writing = True
            self.stream.on_writable(self.flush)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self.stream.on_writable(None)
