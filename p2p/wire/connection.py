"""The peer wire protocol after the handshake, as a machine without I/O (BEP 3, 5, 6, 10, 52).

In: the stream fills `receive_views()`, `receive_data` reads what landed there and returns events, copying no block.
Out: each `send_*` queues bytes, `views_to_send` and `data_sent` hand them to the stream.

What the protocol forbids raises: RemoteProtocolError for what the peer sent (drop it, with the events of that call),
LocalProtocolError for what we were about to send. Judged here is all that bytes and this connection's state can tell;
whether a block was asked for, and whether a request deserves an answer, is known to the queues above.

Requests have exactly one answer (BEP 6): `unanswered` holds the peer's requests that have none yet.

A connection can begin before the torrent is known (BEP 9): what the peer says of pieces is then held until `learn`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import BLOCK_SIZE, Block, PieceIndex
from p2p.wire import messages as wire
from p2p.wire.early_messages import EarlyMessages, no_piece
from p2p.wire.events import (
    AllowedFast,
    BitfieldReceived,
    CancelReceived,
    Choked,
    Event,
    ExtensionHandshakeReceived,
    ExtensionMessage,
    HashRejectReceived,
    HashRequestReceived,
    HaveAll,
    HaveNone,
    HaveReceived,
    Interested,
    NotInterested,
    PortReceived,
    RejectReceived,
    RequestReceived,
    Suggested,
    Unchoked,
)
from p2p.wire.extension import ExtensionHandshake
from p2p.wire.hash_messages import encode_hashes, read_hash_request, read_hashes
from p2p.wire.inbox import Inbox
from p2p.wire.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.wire.arena import ArenaPool
    from p2p.wire.messages import HashRequest

KEEP_ALIVE_AFTER: Final = 100.0
"""Seconds without sending: peers give up after two minutes (BEP 3), and the message needs time to get there."""

TIMEOUT_AFTER: Final = 180.0
"""Seconds without receiving: one keep-alive of two minutes, late by a minute."""

MAX_ALLOWED_FAST: Final = 128
"""Allowed-fast pieces remembered; BEP 6 speaks of ten. Those past it are not reported."""

MAX_UNREAD: Final = 1_048_576
"""Bytes of messages other than blocks that a peer may leave unread while it goes on to send: what it asks has answers
as long as the questions. What we say of our own accord stays below, unless a peer sleeps through 100,000 pieces."""


class Connection:
    """One peer, both directions.

    `piece_size` gives the bytes of a piece below `piece_count`, both None if `learn` will tell; `fast` and `extension`
    say whether both handshakes had the bit; `max_requests` is how many requests the peer may have unanswered, those
    beyond are rejected (fast) or dropped; `now` is the moment of the handshake, in the seconds of every later `now`.
    """

    __slots__ = (
        "_allowed_fast",
        "_early",
        "_inbox",
        "_max_requests",
        "_offered",
        "_outbox",
        "_piece_count",
        "_piece_size",
        "_said_something",
        "am_choking",
        "am_interested",
        "bytes_received",
        "bytes_sent",
        "extension",
        "fast",
        "last_received",
        "last_sent",
        "payload_sent",
        "peer_choking",
        "peer_extension",
        "peer_interested",
        "unanswered",
    )

    def __init__(
        self,
        *,
        piece_count: int | None,
        piece_size: Callable[[int], int] | None,
        fast: bool,
        extension: bool,
        arenas: ArenaPool,
        max_requests: int,
        now: float,
    ) -> None:
        self.fast = fast
        self.extension = extension
        self.am_choking = True
        self.am_interested = False
        self.peer_choking = True
        self.peer_interested = False
        self.peer_extension: ExtensionHandshake | None = None
        self.last_received = now
        self.last_sent = now
        self.payload_sent = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self.unanswered: dict[Block, None] = {}
        """The peer's requests without an answer, oldest first. `send_block`, `send_reject`, `drop_request` answer."""
        self._piece_count = piece_count or 0
        self._piece_size = piece_size or no_piece
        self._max_requests = max_requests
        self._allowed_fast: dict[PieceIndex, None] = {}
        self._offered: dict[int, str] = {}
        self._said_something = False
        self._outbox = Outbox(in_order=not fast)
        early = EarlyMessages(self._on_message, self._outbox.add_control if fast else None)
        self._early = early if piece_count is None else None
        self._inbox = Inbox(
            piece_count=piece_count,
            piece_size=self._piece_size,
            fast=fast,
            extension=extension,
            arenas=arenas,
            interpret=self._on_message if piece_count is not None else early.on_message,
        )

    def learn(self, piece_count: int, piece_size: Callable[[int], int]) -> list[Event]:
        """The torrent is known now. Returns what the peer has said of its pieces, as `receive_data` would have.

        Raises RemoteProtocolError if that does not fit the torrent, LocalProtocolError if it was known before.
        """
        early, self._early = self._early, None
        if early is None:
            raise LocalProtocolError("the connection knows its torrent already")
        self._piece_count = piece_count
        self._piece_size = piece_size
        self._inbox.learn(piece_count, piece_size, self._on_message)
        return early.judged()

    # In

    def receive_views(self, limit: int | None = None) -> list[memoryview]:
        """Room for the next bytes of the stream, at most `limit`, in at most 129 views to be filled from the first on.

        They hold an arena: where the stream had nothing after all, `receive_data(0, now)` lets go of it.
        """
        return self._inbox.receive_views(limit)

    def receive_data(self, n: int, now: float) -> list[Event]:
        """Read the `n` bytes just put into `receive_views()`. Each BlockReceived holds one pin on its arena.

        Raises RemoteProtocolError, after which nothing but `close` makes sense; no pin is left behind.
        """
        if self._outbox.control_pending > MAX_UNREAD:
            raise RemoteProtocolError("the peer asks and does not read")
        if n:
            self.last_received = now
            self.bytes_received += n
        return self._inbox.receive_data(n)

    @property
    def payload_received(self) -> int:
        """Bytes of whole blocks; `bytes_received` counts everything."""
        return self._inbox.payload

    def _on_message(self, kind: int, buffer: bytearray, at: int, size: int) -> Event | None:
        """One whole message of legal length whose payload is `buffer[at : at + size]`."""
        match kind:
            case wire.REQUEST:
                return self._on_request(self._block(buffer, at))
            case wire.HAVE:
                return HaveReceived(self._piece(buffer, at))
            case wire.CANCEL:
                return self._on_cancel(self._block(buffer, at))
            case wire.REJECT:
                return RejectReceived(self._block(buffer, at))
            case wire.CHOKE:
                known, self.peer_choking = self.peer_choking, True
                return None if known else Choked()
            case wire.UNCHOKE:
                choking, self.peer_choking = self.peer_choking, False
                return Unchoked() if choking else None
            case wire.INTERESTED:
                known, self.peer_interested = self.peer_interested, True
                return None if known else Interested()
            case wire.NOT_INTERESTED:
                interested, self.peer_interested = self.peer_interested, False
                return NotInterested() if interested else None
            case wire.BITFIELD:
                data = bytes(buffer[at : at + size])
                if not wire.is_bitfield(data, self._piece_count):
                    raise RemoteProtocolError("a bitfield names pieces that do not exist")
                return BitfieldReceived(data)
            case wire.HAVE_ALL:
                return HaveAll()
            case wire.HAVE_NONE:
                return HaveNone()
            case wire.ALLOWED_FAST:
                return self._on_allowed_fast(self._piece(buffer, at))
            case wire.SUGGEST:
                return Suggested(self._piece(buffer, at))
            case wire.PORT:
                (port,) = wire.PORT_NUMBER.unpack_from(buffer, at)
                return PortReceived(port) if port else None
            case wire.EXTENDED if self.extension:
                return self._on_extended(buffer[at], bytes(buffer[at + 1 : at + size]))
            case wire.HASH_REQUEST:
                return HashRequestReceived(read_hash_request(buffer, at))
            case wire.HASH_REJECT:
                return HashRejectReceived(read_hash_request(buffer, at))
            case wire.HASHES:
                return read_hashes(buffer, at, size)
            case _:
                return None

    def _piece(self, buffer: bytearray, at: int) -> PieceIndex:
        (piece,) = wire.NUMBER.unpack_from(buffer, at)
        if piece >= self._piece_count:
            raise RemoteProtocolError(f"piece {piece} does not exist; there are {self._piece_count}")
        return PieceIndex(piece)

    def _block(self, buffer: bytearray, at: int) -> Block:
        block = Block._make(wire.SPAN.unpack_from(buffer, at))
        if not self._exists(block):
            raise RemoteProtocolError(f"{block} is not 1 to {BLOCK_SIZE} bytes within a piece")
        return block

    def _exists(self, block: Block) -> bool:
        piece, begin, length = block
        is_block = begin >= 0 and 0 < length <= BLOCK_SIZE
        return is_block and 0 <= piece < self._piece_count and begin + length <= self._piece_size(piece)

    def _on_request(self, block: Block) -> Event | None:
        if self.fast:
            if block in self.unanswered:  # one answer serves both
                return None
            if len(self.unanswered) >= self._max_requests:
                self._outbox.add_control(wire.encode_span(wire.REJECT, block))
                return None
        elif self.am_choking or len(self.unanswered) >= self._max_requests:
            return None  # dropped: there is no message that says no (BEP 3)
        self.unanswered[block] = None
        return RequestReceived(block)

    def _on_cancel(self, block: Block) -> Event | None:
        if block not in self.unanswered:  # the answer and the cancel crossed
            return None
        if not self.fast:
            del self.unanswered[block]
        return CancelReceived(block)

    def _on_allowed_fast(self, piece: PieceIndex) -> Event | None:
        if piece in self._allowed_fast or len(self._allowed_fast) >= MAX_ALLOWED_FAST:
            return None
        self._allowed_fast[piece] = None
        return AllowedFast(piece)

    def _on_extended(self, extended_id: int, payload: bytes) -> Event | None:
        if not extended_id:
            self.peer_extension = ExtensionHandshake.decode(payload, self.peer_extension)
            return ExtensionHandshakeReceived(self.peer_extension)
        name = self._offered.get(extended_id)
        return None if name is None else ExtensionMessage(name, payload)

    # Out

    def send_bitfield(self, data: bytes) -> None:
        """The pieces we have; our first message but for extension messages and `port`, and only once."""
        if self._early is not None or not wire.is_bitfield(data, self._piece_count):
            raise LocalProtocolError("the bitfield does not fit the torrent")
        self._say_pieces(wire.encode_bitfield(data))

    def send_have_all(self) -> None:
        self._require_fast()
        self._say_pieces(wire.encode_empty(wire.HAVE_ALL))

    def send_have_none(self) -> None:
        self._require_fast()
        self._say_pieces(wire.encode_empty(wire.HAVE_NONE))

    def send_choke(self) -> None:
        """Without the fast extension this also drops `unanswered`: a choke refuses them all (BEP 3)."""
        if not self.am_choking:
            self.am_choking = True
            self._send(wire.encode_empty(wire.CHOKE))
            if not self.fast:
                self.unanswered.clear()

    def send_unchoke(self) -> None:
        if self.am_choking:
            self.am_choking = False
            self._send(wire.encode_empty(wire.UNCHOKE))

    def send_interested(self) -> None:
        if not self.am_interested:
            self.am_interested = True
            self._send(wire.encode_empty(wire.INTERESTED))

    def send_not_interested(self) -> None:
        if self.am_interested:
            self.am_interested = False
            self._send(wire.encode_empty(wire.NOT_INTERESTED))

    def send_have(self, piece: PieceIndex) -> None:
        self._send(self._indexed(wire.HAVE, piece))

    def send_requests(self, blocks: Sequence[Block]) -> None:
        """Ask for blocks. We must be interested, and unchoked or allowed fast."""
        if not self.am_interested:
            raise LocalProtocolError("a request without interest")
        if self.peer_choking and not all(block.piece in self._allowed_fast for block in blocks):
            raise LocalProtocolError("a request while choked, for a piece that is not allowed fast")
        ends: dict[PieceIndex, int] = {}
        for piece, begin, length in blocks:
            if begin < 0 or not 0 < length <= BLOCK_SIZE:
                raise LocalProtocolError(f"{length} bytes at {begin} are no block")
            ends[piece] = max(begin + length, ends.get(piece, 0))
        for piece, end in ends.items():
            if not 0 <= piece < self._piece_count or end > self._piece_size(piece):
                raise LocalProtocolError(f"a block that ends at {end} is not within piece {piece}")
        self._send(wire.encode_requests(blocks))

    def send_cancel(self, block: Block) -> None:
        self._send(self._spanned(wire.CANCEL, block))

    def send_block(self, block: Block, view: bytes | memoryview) -> None:
        """Answer a request with its bytes, which must stay as they are until they are sent."""
        if len(view) != block.length:
            raise LocalProtocolError(f"{len(view)} bytes for {block}")
        self._answer(block)
        self._begin()
        self._outbox.add_block(wire.encode_block_header(block), view)

    def drop_request(self, block: Block) -> None:
        """Refuse a request of a peer without the fast extension: silently, there is no message for it."""
        if self.fast:
            raise LocalProtocolError("with the fast extension a refusal must be sent")
        self.unanswered.pop(block, None)

    def send_reject(self, block: Block) -> None:
        """Answer a request with a refusal (BEP 6)."""
        self._require_fast()
        self._answer(block)
        self._send(wire.encode_span(wire.REJECT, block))

    def send_allowed_fast(self, piece: PieceIndex) -> None:
        self._require_fast()
        self._send(self._indexed(wire.ALLOWED_FAST, piece))

    def send_suggest(self, piece: PieceIndex) -> None:
        self._require_fast()
        self._send(self._indexed(wire.SUGGEST, piece))

    def send_port(self, port: int) -> None:
        """The UDP port of our DHT node (BEP 5)."""
        if not 0 < port <= 65_535:
            raise LocalProtocolError(f"port {port} is outside 1..65535")
        self._outbox.add_control(wire.encode_port(port))

    def send_extension_handshake(self, handshake: ExtensionHandshake) -> None:
        """Offer extensions (BEP 10). Its ids are those under which `ExtensionMessage` is reported; 0 takes one back."""
        self._require_extension()
        for name, extended_id in handshake.messages.items():
            if not 0 <= extended_id < 256:
                raise LocalProtocolError(f"{name} cannot have the id {extended_id}")
            for known in [known for known, taken in self._offered.items() if taken == name]:
                del self._offered[known]
            if extended_id and self._offered.setdefault(extended_id, name) != name:
                raise LocalProtocolError(f"{name} and {self._offered[extended_id]} share the id {extended_id}")
        self._outbox.add_control(wire.encode_extended(0, handshake.encode()))

    def send_extension(self, name: str, payload: bytes) -> None:
        """A message of an extension that the peer offered, under the peer's id (BEP 10)."""
        self._require_extension()
        extended_id = self.peer_extension.messages.get(name) if self.peer_extension else None
        if extended_id is None:
            raise LocalProtocolError(f"the peer did not offer {name}")
        if len(payload) >= wire.MAX_EXTENDED:
            raise LocalProtocolError(f"{len(payload)} bytes are too many for a message of {name}")
        self._outbox.add_control(wire.encode_extended(extended_id, payload))

    def send_hash_request(self, request: HashRequest) -> None:
        """Ask for hashes (BEP 52)."""
        self._send(encode_hashes(wire.HASH_REQUEST, request))

    def send_hashes(self, request: HashRequest, hashes: Sequence[bytes]) -> None:
        """Answer a hash request: base layer first, uncles after it (BEP 52)."""
        if not hashes or len(hashes) > wire.MAX_HASHES + wire.MAX_LAYERS or any(len(one) != 32 for one in hashes):
            raise LocalProtocolError("an answer with hashes holds 1 to 576 of 32 bytes each")
        self._send(encode_hashes(wire.HASHES, request, b"".join(hashes)))

    def send_hash_reject(self, request: HashRequest) -> None:
        """Refuse a hash request (BEP 52)."""
        self._send(encode_hashes(wire.HASH_REJECT, request))

    def send_keep_alive(self) -> None:
        self._outbox.add_control(wire.KEEP_ALIVE)

    def views_to_send(self, limit: int) -> list[bytes | memoryview]:
        """The next at most `limit` bytes, in at most 1,024 views; the last may be cut. Report with `data_sent`."""
        return self._outbox.views_to_send(limit)

    def data_sent(self, n: int, now: float) -> int:
        """The stream took the first `n` bytes of the latest `views_to_send`. Returns how many were of blocks."""
        payload = self._outbox.data_sent(n)
        if n:
            self.last_sent = now
            self.bytes_sent += n
            self.payload_sent += payload
        return payload

    @property
    def pending(self) -> int:
        """Bytes queued."""
        return self._outbox.pending

    @property
    def control_pending(self) -> int:
        """Bytes queued of messages that are no blocks."""
        return self._outbox.control_pending

    @property
    def pending_blocks(self) -> int:
        """Blocks queued or under way."""
        return self._outbox.pending_blocks

    # Time and end

    def keep_alive_due(self, now: float) -> bool:
        """Nothing was sent for KEEP_ALIVE_AFTER seconds, and nothing waits to be."""
        return not self._outbox.pending and now - self.last_sent >= KEEP_ALIVE_AFTER

    def timed_out(self, now: float) -> bool:
        """Nothing came for TIMEOUT_AFTER seconds."""
        return now - self.last_received >= TIMEOUT_AFTER

    def close(self) -> None:
        """Let go of the arena and of everything queued; idempotent. Arenas of reported blocks keep their pins."""
        self._inbox.close()
        self._outbox.clear()
        self.unanswered.clear()

    def _send(self, message: bytes) -> None:
        self._begin()
        self._outbox.add_control(message)

    def _begin(self) -> None:
        if not self._said_something:
            if self.fast:
                raise LocalProtocolError("with the fast extension the pieces we have come first")
            self._said_something = True

    def _say_pieces(self, message: bytes) -> None:
        if self._said_something:
            raise LocalProtocolError("the pieces we have come first, and once")
        self._said_something = True
        self._outbox.add_control(message)

    def _answer(self, block: Block) -> None:
        if block not in self.unanswered:
            raise LocalProtocolError(f"{block} has no request to answer")
        del self.unanswered[block]

    def _indexed(self, kind: int, piece: PieceIndex) -> bytes:
        if not 0 <= piece < self._piece_count:
            raise LocalProtocolError(f"piece {piece} does not exist; there are {self._piece_count}")
        return wire.encode_indexed(kind, piece)

    def _spanned(self, kind: int, block: Block) -> bytes:
        if not self._exists(block):
            raise LocalProtocolError(f"{block} is not 1 to {BLOCK_SIZE} bytes within a piece")
        return wire.encode_span(kind, block)

    def _require_fast(self) -> None:
        if not self.fast:
            raise LocalProtocolError("the fast extension is not in use")

    def _require_extension(self) -> None:
        if not self.extension:
            raise LocalProtocolError("the extension protocol is not in use")
