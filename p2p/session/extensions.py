"""What one torrent says and hears beside pieces: metadata and hashes served (BEP 9, 52), peers exchanged (BEP 11).

The rule: whoever asks is answered within bounds: a few times the whole for each peer, so much a second for all, and
never more than a peer reads. Until the metadata is known every request is rejected. A private torrent exchanges no
peers, and does not say that it could (BEP 27).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from p2p.errors import RemoteProtocolError
from p2p.ids import Address
from p2p.metainfo.hash_tree import MAX_SPAN, HashSpan, HashTrees
from p2p.metainfo.merkle import HASH_SIZE
from p2p.session.peer_task import EndKind
from p2p.swarm.pex import PexIn, PexOut
from p2p.swarm.rate import RateLimiter
from p2p.wire import ut_metadata, ut_pex
from p2p.wire.ut_metadata import MetadataPiece, MetadataReject, MetadataRequest
from p2p.wire.ut_pex import PexFlags, PexMessage, PexPeer

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.peer_task import Peer
    from p2p.wire.messages import HashRequest

OUR_METADATA_ID: Final = 1
OUR_PEX_ID: Final = 2
"""The ids under which we want these messages (BEP 10)."""

SERVING_RATE: Final = float(4 << 20)
"""Bytes a second of metadata and hashes for all peers of a torrent. They are sent outside of the upload limit."""

MAX_QUEUE: Final = 64
"""Requests of metadata that a peer may have waiting; those past it are rejected. Transmission keeps as many."""

MAX_UNREAD: Final = 262_144
"""Bytes waiting to be read by a peer from which on it gets no more."""

COPIES: Final = 3
"""How often a peer gets the whole over one connection: once, and again where others deceived it."""

SPARE: Final = 16
"""Requests beyond that, so that small torrents have some too."""


@dataclass(slots=True)
class _Asker:
    """What one peer asks for and has had."""

    peer: Peer
    queue: deque[int] = field(default_factory=deque)
    pieces: int = 0
    spans: int = 0


class TorrentExtensions:
    """See the module's head.

    `metainfo` is None while it is being fetched; `on_metadata` brings it. `exchange_peers` is the user's wish;
    `on_peers` takes the addresses that a peer tells of, `seeding` says whether nothing is to be had of seeds.
    """

    def __init__(
        self,
        metainfo: Metainfo | None,
        *,
        exchange_peers: bool,
        on_peers: Callable[[list[Address]], None],
        seeding: Callable[[], bool],
        now: float,
    ) -> None:
        self._private = metainfo is not None and metainfo.private
        self._exchange_peers = exchange_peers and not self._private
        self._offered_pex = self._exchange_peers
        self._on_peers = on_peers
        self._seeding = seeding
        self._out = PexOut()
        self._in = PexIn()
        self._askers: dict[int, _Asker] = {}
        self._limiter = RateLimiter(SERVING_RATE, now - 1.0)  # full from the start
        self._info = b""
        self._trees: HashTrees | None = None
        self._max_pieces = 0
        self._max_spans = 0
        if metainfo is not None:
            self.on_metadata(metainfo)

    @property
    def messages(self) -> dict[str, int]:
        """What to offer in extension handshakes; id 0 takes back what was offered before the torrent was known."""
        messages = {ut_metadata.NAME: OUR_METADATA_ID}
        if self._offered_pex:
            messages[ut_pex.NAME] = OUR_PEX_ID if self._exchange_peers else 0
        return messages

    @property
    def metadata_size(self) -> int | None:
        """Bytes of the metadata that is served; None while there is none."""
        return len(self._info) or None

    def on_metadata(self, metainfo: Metainfo) -> None:
        """Serve this from now on. If it is private, no peers are exchanged any more: tell with `messages`."""
        self._info = metainfo.info_bytes
        self._trees = HashTrees(metainfo) if metainfo.info_hash_v2 is not None else None
        self._max_pieces = COPIES * -(-len(self._info) // ut_metadata.PIECE_SIZE) + SPARE
        spans = sum(-(-len(layer) // (MAX_SPAN * HASH_SIZE)) for layer in metainfo.piece_layers.values())
        self._max_spans = COPIES * spans + SPARE
        self._private = metainfo.private
        self.set_exchange(wanted=self._exchange_peers)

    def set_exchange(self, *, wanted: bool) -> None:
        """Whether peers are exchanged from now on, as far as the torrent may: tell with `messages`."""
        self._exchange_peers = wanted and not self._private
        self._offered_pex = self._offered_pex or self._exchange_peers

    # Peers come and go

    def attach(self, peer: Peer, now: float) -> None:
        """A peer whose handshake is done."""
        self._askers[peer.key] = _Asker(peer)
        self.on_extension_handshake(peer, now)

    def detach(self, peer: Peer) -> None:
        """A peer is gone."""
        self._askers.pop(peer.key, None)
        self._out.on_left(peer.key)
        self._in.on_left(peer.key)

    def on_extension_handshake(self, peer: Peer, now: float) -> None:
        """A peer may have said where it listens, that it only uploads, or that it exchanges peers."""
        if not self._exchange_peers:
            return
        extension = peer.wire.peer_extension
        flags = PexFlags.NONE if peer.incoming else PexFlags.REACHABLE
        port = None if peer.incoming else peer.address.port
        if extension is not None:
            port = port or extension.port
            if extension.upload_only:
                flags |= PexFlags.SEED
            if ut_pex.NAME in extension.messages:
                self._out.on_listener(peer.key, now)
        if port:
            self._out.on_contact(peer.key, Address(peer.address.host, port), flags)

    # What they say

    def on_extension_message(
        self, peer: Peer, name: str, payload: bytes, now: float
    ) -> MetadataPiece | MetadataReject | None:
        """A message of an extension. Returns what is for whoever fetches metadata. Who breaks the rules is ended."""
        try:
            if name == ut_pex.NAME:
                self._on_exchange(peer, PexMessage.decode(payload), now)
            elif name == ut_metadata.NAME:
                message = ut_metadata.decode(payload)
                if not isinstance(message, MetadataRequest):
                    return message
                self._on_request(peer, message.piece, now)
        except RemoteProtocolError as error:
            peer.end(EndKind.MISBEHAVED, str(error))
        return None

    def on_hash_request(self, peer: Peer, request: HashRequest, now: float) -> None:
        """A request for hashes of version 2: answered, or rejected."""
        asker = self._askers.get(peer.key)
        answer: list[bytes] | None = None
        if (
            asker is not None
            and self._trees is not None
            and asker.spans < self._max_spans
            and self._may_send(peer, now)
        ):
            answer = self._trees.answer(
                HashSpan(request.pieces_root, request.base_layer, request.index, request.length, request.proof_layers)
            )
        if asker is None or answer is None:
            peer.wire.send_hash_reject(request)
            return
        asker.spans += 1
        self._limiter.take(HASH_SIZE * len(answer), now)
        peer.wire.send_hashes(request, answer)

    def on_tick(self, now: float) -> None:
        """About once a second: answers that had to wait, and peer exchange."""
        for asker in list(self._askers.values()):
            if asker.queue and not asker.peer.ended.done():
                self._serve(asker, now)
                asker.peer.flush()
        if not self._exchange_peers:
            return
        for key, change in self._out.due(now):
            peer = self._askers[key].peer  # whoever is gone is told nothing
            if peer.ended.done() or not _takes(peer, ut_pex.NAME):
                continue
            added = tuple(PexPeer(address, ut_pex.pex_flags(flags)) for address, flags in change.added)
            peer.wire.send_extension(ut_pex.NAME, PexMessage(added, change.dropped).encode())
            peer.flush()

    def _on_exchange(self, peer: Peer, message: PexMessage, now: float) -> None:
        if not self._exchange_peers:
            return  # on its way when the torrent turned out to be private
        seeding = self._seeding()  # then others that only upload are no use
        added = [told.address for told in message.added if not (seeding and told.flags & PexFlags.SEED)]
        verdict = self._in.on_message(peer.key, peer.address.host, added, now)
        if verdict.misbehaved:
            peer.end(EndKind.MISBEHAVED, "a flood of peer exchange")
        elif verdict.addresses:
            self._on_peers(list(verdict.addresses))

    def _on_request(self, peer: Peer, piece: int, now: float) -> None:
        asker = self._askers.get(peer.key)
        if asker is None or not _takes(peer, ut_metadata.NAME):
            return  # nothing can be said to it
        exists = piece * ut_metadata.PIECE_SIZE < len(self._info)
        had = asker.pieces + len(asker.queue)
        if not exists or len(asker.queue) >= MAX_QUEUE or had >= self._max_pieces:
            if peer.wire.control_pending <= MAX_UNREAD:  # who does not read needs no answer
                peer.wire.send_extension(ut_metadata.NAME, ut_metadata.encode(MetadataReject(piece)))
            return
        asker.queue.append(piece)
        self._serve(asker, now)

    def _serve(self, asker: _Asker, now: float) -> None:
        wire = asker.peer.wire
        while asker.queue and self._may_send(asker.peer, now) and _takes(asker.peer, ut_metadata.NAME):
            answer = ut_metadata.piece_of(self._info, asker.queue.popleft())
            if answer is not None:
                wire.send_extension(ut_metadata.NAME, ut_metadata.encode(answer))
                asker.pieces += 1
                self._limiter.take(len(answer.content), now)

    def _may_send(self, peer: Peer, now: float) -> bool:
        return peer.wire.control_pending <= MAX_UNREAD and self._limiter.available(now) > 0


def _takes(peer: Peer, name: str) -> bool:
    extension = peer.wire.peer_extension
    return extension is not None and name in extension.messages
