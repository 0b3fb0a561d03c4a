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
from p2p.ids import Address
from p2p.swarm.rate import RateMeter
from p2p.swarm.request_queue import RequestQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.ids import Block, PieceIndex
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


CONTROL_READ: Final = 2_048
"""Bytes a second read of a peer beyond the limit, while nothing is asked of it: over a hundred requests, or haves."""


class EndKind(Enum):
    """Why a connection ended, as far as it matters for what we do about the peer."""

    CLOSED = "closed"
    BROKEN = "broken"
    MISBEHAVED = "misbehaved"
    POINTLESS = "pointless"
    BANNED = "banned"
    DUPLICATE = "duplicate"
    RENAMED = "renamed"
    OURS = "stopping"


@dataclass(frozen=True, slots=True)
class PeerEnd:
    kind: EndKind
    reason: str


class PeerOwner(Protocol):
    """What a peer needs of the exchange it belongs to."""

    def on_peer_events(self, peer: Peer, events: Sequence[Event], now: float) -> None: ...

    def refill(self, peer: Peer, queued: int) -> None:
        """Move what the peer asked for and may have into its connection machine, until that holds `queued` bytes."""

    def may_read(self, peer: Peer) -> bool:
        """False while storage is behind; the exchange resumes the peer."""

    def on_sent(self, peer: Peer, payload: int, now: float) -> None: ...


class Peer:
    """See the module's head."""

    __slots__ = (
        "_control_credit",
        "_down",
        "_loop",
        "_owner",
        "_paused_at",
        "_reading",
        "_unhurried",
        "_up",
        "_waits_to_read",
        "_writing",
        "address",
        "blocks_bad",
        "connected_at",
        "encrypted",
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
        encrypted: bool,
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
        self.encrypted = encrypted
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
        self._waits_to_read = False
        self._paused_at = now
        self._control_credit = CONTROL_READ
        self._writing = False
        self._unhurried = 0

    # -- lifecycle

    def start(self) -> None:
        """Begin to read, and write what is queued."""
        self.resume_reading()
        self.flush()

    def hand_over(self, owner: PeerOwner) -> None:
        """From here on the peer belongs to `owner`."""
        self._owner = owner

    def end(self, kind: EndKind, reason: str) -> None:
        """The connection is over; nothing moves from here on."""
        if self.ended.done():
            return
        self.stream.on_readable(None)
        self.stream.on_writable(None)
        self._down.forget(self.key)
        self._up.forget(self.key)
        self.ended.set_result(PeerEnd(kind, reason))

    @property
    def listens_at(self) -> Address | None:
        """Where it takes connections; None if it reached us and has not said."""
        if not self.incoming:
            return self.address
        port = None if self.wire.peer_extension is None else self.wire.peer_extension.port
        return Address(self.address.host, port) if port else None

    def release(self) -> None:
        """Close the stream and give the buffers back."""
        self.end(EndKind.OURS, "released")
        self.wire.close()
        self.stream.close()

    # -- bytes in

    @property
    def reading(self) -> bool:
        """False while we leave what the peer sent where it is, for a limit or for storage."""
        return self._reading

    def on_tick(self) -> None:
        """About once a second: a peer of whom nothing is asked sends control messages, which no limit may starve."""
        self._control_credit = CONTROL_READ
        if self._waits_to_read and not self.requests.outstanding:
            self.resume_reading()

    def resume_reading(self) -> None:
        if not self._reading and not self.ended.done():
            self._reading = True
            self._waits_to_read = False
            self.requests.on_resumed(self._paused_at, self._loop.time())
            self.stream.on_readable(self._on_readable)

    def _pause_reading(self, now: float) -> None:
        self._reading = False
        self._paused_at = now
        self.stream.on_readable(None)

    def _on_turn(self) -> None:
        """It is our turn to read, now and not when the loop comes round: until then others would take the allowance."""
        self.resume_reading()
        if not self.ended.done():
            self._on_readable()

    def _on_readable(self) -> None:
        now = self._loop.time()
        if not self._owner.may_read(self):
            self._pause_reading(now)
            return
        room = allowance = self._down.allowance(self.key, now)
        if not allowance:
            if self.requests.outstanding or not self._control_credit:
                self._pause_reading(now)
                self._waits_to_read = True
                self._down.wait(self.key, self._on_turn)
                return
            room = self._control_credit
        wire = self.wire
        try:
            n = self.stream.receive_into(wire.receive_views(room))
            if n is None:
                wire.receive_data(0, now)  # gives unused room back
                return
            if n == 0:
                self.end(EndKind.CLOSED, "closed by the peer")
                return
            self._down.take(n, now)
            if not allowance:
                self._control_credit -= n
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

    def send_unhurried_have(self, piece: PieceIndex) -> None:
        """Tell of a piece when something else is sent, or at the next tick."""
        queued = self.wire.pending
        self.wire.send_have(piece)
        self._unhurried += self.wire.pending - queued

    @property
    def hurried(self) -> bool:
        """Whether anything is queued that ought to leave now."""
        return self.wire.pending > self._unhurried

    def flush(self) -> None:
        """Queue blocks as far as the limits allow, and send what is queued as far as the stream does.

        A limit holds blocks back before they are queued, where they can still be cancelled and nothing stands behind
        them; so control messages never wait for it.
        """
        if self.ended.done():
            return
        self._unhurried = 0
        wire = self.wire
        if not self.uploads and not wire.pending:  # as for most peers at most ticks
            self._stop_writing()
            return
        up = self._up
        limited = up.limited
        moved = 0
        try:
            while True:
                now = self._loop.time()
                allowance = min(up.allowance(self.key, now), SEND_VECTOR)
                if self.uploads:
                    queued = wire.pending
                    self._owner.refill(self, allowance)
                    up.take(wire.pending - queued, now)
                if not wire.pending:
                    if self.uploads and not allowance:
                        up.wait(self.key, self.flush)
                    break
                control = wire.control_pending
                n = self.stream.send(wire.views_to_send(SEND_VECTOR))
                if n == 0:
                    self._start_writing()
                    return
                payload = wire.data_sent(n, now)
                if limited:
                    up.take(control - wire.control_pending, now)
                if payload:
                    self.rate_to.on_bytes(payload, now)
                    self.sent_since_unchoke += payload
                    self._owner.on_sent(self, payload, now)
                moved += n
                if moved >= SEND_VECTOR:
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
