"""The time of a torrent before its metadata is known: a magnet link's peers are asked for it (BEP 9, 10, 52).

The fetch stands where `Exchange` stands later, behind the same `Connector`: peers are attached to it and detached. The
deciders are pure (`MetadataAssembly`, `LayerFetch`). The connections outlive it: `hand_over` gives them, with what
their peers have said of pieces, to the exchange.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from p2p.errors import MagnetError, MetainfoError, RemoteProtocolError, StarlingError
from p2p.ids import InfoHash
from p2p.metainfo.hash_tree import HashSpan, has_version_1, wanted_layers
from p2p.session.peer_task import EndKind, Peer
from p2p.swarm.layer_fetch import LayerFetch
from p2p.swarm.metadata_assembly import MetadataAssembly, Outcome
from p2p.wire import events as wire
from p2p.wire import ut_metadata
from p2p.wire.messages import HashRequest
from p2p.wire.ut_metadata import MetadataPiece, MetadataReject, MetadataRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.metainfo.layout import Layout
    from p2p.session.extensions import TorrentExtensions
    from p2p.wire.extension import ExtensionHandshake

MAX_REMEMBERED: Final = 10_000
"""Peers whose host is remembered after they left, in case they prove to have lied: hours of coming and going."""

LAYER_PATIENCE: Final = 20.0
"""Seconds without one hash more until a hybrid goes on as version 1: peers that had any would have answered twice."""


@dataclass(frozen=True, slots=True)
class FetchedMetadata:
    """`info_bytes` have the link's info-hash; the layers lead to their roots, None for a hybrid of which nobody has
    them."""

    info_bytes: bytes = field(repr=False)
    piece_layers: dict[bytes, bytes] | None = field(repr=False)


class MetadataFetch:
    """See the module's head.

    `hash_v1` and `hash_v2` are the link's, 20 and 32 bytes, at least one given. A hybrid that the link names by its
    version 1 hash does without piece layers where peers have none. `extension_handshake` makes ours for a
    peer, with the `messages` of `extensions`; `on_ban` takes host and reason of who is proven to have lied, `on_port`
    where a peer's DHT node is.
    """

    def __init__(
        self,
        *,
        hash_v1: bytes | None,
        hash_v2: bytes | None,
        extensions: TorrentExtensions,
        extension_handshake: Callable[[Peer], ExtensionHandshake],
        on_ban: Callable[[str, str], None],
        on_port: Callable[[Peer, int], None],
    ) -> None:
        self.peers: dict[int, Peer] = {}
        self._extensions = extensions
        self._extension_handshake = extension_handshake
        self._on_ban = on_ban
        self._on_port = on_port
        self._assembly = MetadataAssembly(hash_v1=hash_v1, hash_v2=hash_v2)
        self._layers: LayerFetch | None = None
        self._info: bytes | None = None
        self._info_hash_v2 = b""
        self._named_v1 = hash_v1 is not None
        self._patient_until = math.inf
        self._hosts: dict[int, str] = {}
        self._loop = asyncio.get_running_loop()
        self._fetched: asyncio.Future[FetchedMetadata] = self._loop.create_future()
        self._stopped = False

    async def fetched(self) -> FetchedMetadata:
        """Wait for the metadata. Raises MetainfoError where it is no torrent's, MagnetError for a link that
        names two torrents, StarlingError where `stop` came first."""
        return await asyncio.shield(self._fetched)

    @property
    def progress(self) -> float:
        """How much is there, 0.0 to 1.0: the info dict up to a half where layers follow."""
        if self._layers is None:
            return 0.0 if self._info is None else 1.0
        return self._layers.progress

    @property
    def info_hash_v2(self) -> InfoHash | None:
        """Under which name peers are found that give piece layers; None while none are missing."""
        if self._layers is None or self._layers.complete:
            return None
        return InfoHash(self._info_hash_v2)

    # Peers come and go

    def attach(self, peer: Peer) -> None:
        """Greet a peer whose handshake is done, and begin to read it. Its connection does not know the torrent."""
        self.peers[peer.key] = peer
        self._hosts[peer.key] = peer.address.host
        if len(self._hosts) > MAX_REMEMBERED:
            del self._hosts[next(iter(self._hosts))]
        if peer.wire.fast:
            peer.wire.send_have_none()
        if peer.handshake.extension:
            peer.wire.send_extension_handshake(self._extension_handshake(peer))
        now = self._loop.time()
        self._extensions.attach(peer, now)
        self._ask_for_layers(peer)
        self._ask(now)
        peer.start()

    def detach(self, peer: Peer) -> None:
        """Forget a peer; what it was asked for is asked of others at once."""
        if self.peers.pop(peer.key, None) is None:
            return
        self._extensions.detach(peer)
        self._assembly.on_left(peer.key)
        if self._layers is not None:
            self._layers.on_left(peer.key)
        peer.release()
        self._ask(self._loop.time())

    def stop(self) -> None:
        """End every connection; nothing is asked from here on."""
        self._stopped = True
        for peer in list(self.peers.values()):
            peer.end(EndKind.OURS, "stopping")
        self._fail(StarlingError("stopped before the metadata came"))

    def hand_over(self, layout: Layout) -> list[tuple[Peer, list[wire.Event]]]:
        """The peers that are connected, each with what it has said of the pieces, now that these are known.

        From here on they are the caller's. Who said what does not fit is ended, and stays here until it is detached.
        """
        self._stopped = True
        handed: list[tuple[Peer, list[wire.Event]]] = []
        for peer in list(self.peers.values()):
            if peer.ended.done():
                continue
            try:
                events = peer.wire.learn(layout.piece_count, layout.piece_size)
            except RemoteProtocolError as error:
                peer.end(EndKind.MISBEHAVED, str(error))
                continue
            del self.peers[peer.key]
            handed.append((peer, events))
        return handed

    # What peers say

    def on_peer_events(self, peer: Peer, events: Sequence[wire.Event], now: float) -> None:
        """One input of one peer."""
        for event in events:
            self._on_event(peer, event, now)
            if peer.ended.done():
                break
        self._ask(now)
        peer.flush()

    def _on_event(self, peer: Peer, event: wire.Event, now: float) -> None:
        match event:
            case wire.ExtensionHandshakeReceived(handshake=handshake):
                self._extensions.on_extension_handshake(peer, now)
                if handshake.request_queue is not None:
                    peer.requests.set_limit(handshake.request_queue)
                self._on_offer(peer, handshake)
            case wire.ExtensionMessage(name=name, payload=payload):
                message = self._extensions.on_extension_message(peer, name, payload, now)
                if isinstance(message, MetadataPiece):
                    self._on_outcome(self._assembly.on_piece(peer.key, *message, now), now)
                elif isinstance(message, MetadataReject):
                    self._assembly.on_reject(peer.key, message.piece, now)
            case wire.PortReceived(port=port):
                self._on_port(peer, port)
            case wire.HashRequestReceived(request=request):
                self._extensions.on_hash_request(peer, request, now)
            case wire.HashesReceived(request=request, hashes=hashes):
                self._on_hashes(peer, _span(request), hashes, now)
            case wire.HashRejectReceived(request=request):
                if self._layers is not None:
                    self._layers.on_reject(peer.key, _span(request), now)
            case _:
                pass  # the connection keeps what will matter later

    def _on_offer(self, peer: Peer, handshake: ExtensionHandshake) -> None:
        if ut_metadata.NAME not in handshake.messages:
            self._assembly.on_left(peer.key)  # perhaps it was offered before
        elif handshake.metadata_size is not None and not self._assembly.on_offer(peer.key, handshake.metadata_size):
            peer.end(EndKind.MISBEHAVED, "says two sizes of the metadata")

    def _on_outcome(self, outcome: Outcome, now: float) -> None:
        for key in outcome.liars:
            host = self._hosts.get(key)
            if host is not None:
                self._ban(host, "sent false metadata")
        if outcome.contradiction:
            self._fail(MagnetError("the link's two info-hashes are those of different torrents"))
        elif outcome.info is not None:
            self._on_info(outcome.info, now)

    def _on_info(self, info: bytes, now: float) -> None:
        self._info = info
        self._info_hash_v2 = hashlib.sha256(info).digest()[:20]
        try:
            self._layers = LayerFetch(wanted_layers(info))
        except MetainfoError as error:
            self._fail(error)
            return
        if self._named_v1 and has_version_1(info):
            self._patient_until = now + LAYER_PATIENCE
        for peer in self.peers.values():
            self._ask_for_layers(peer)
        self._finish_if_complete()

    def _ask_for_layers(self, peer: Peer) -> None:
        """Only of a peer that took up the version 2 info-hash (BEP 52, Upgrade Path): libtorrent drops us otherwise."""
        if self._layers is not None and peer.handshake.info_hash == self._info_hash_v2:
            self._layers.on_peer(peer.key)

    def _on_hashes(self, peer: Peer, span: HashSpan, hashes: Sequence[bytes], now: float) -> None:
        if self._layers is None:
            return
        before = self._layers.progress
        if not self._layers.on_hashes(peer.key, span, hashes):
            self._ban(peer.address.host, "sent false hashes")
        if self._layers.progress > before and self._patient_until < math.inf:
            self._patient_until = now + LAYER_PATIENCE
        self._finish_if_complete()

    def _finish_if_complete(self) -> None:
        layers = self._layers
        if layers is not None and layers.complete:
            self._finish(layers.layers())

    def _finish(self, layers: dict[bytes, bytes] | None) -> None:
        if self._info is not None and not self._fetched.done():
            self._fetched.set_result(FetchedMetadata(self._info, layers))

    def _fail(self, error: StarlingError) -> None:
        if not self._fetched.done():
            self._fetched.set_exception(error)
            self._fetched.exception()  # whoever waits is told; nobody has to

    def _ban(self, host: str, reason: str) -> None:
        self._on_ban(host, reason)
        for peer in list(self.peers.values()):
            if peer.address.host == host:
                peer.end(EndKind.BANNED, reason)

    # What is asked of them

    def on_tick(self, now: float) -> None:
        """About once a second: timeouts, keep-alives, requests that are made again."""
        for peer in list(self.peers.values()):
            if peer.ended.done():
                continue
            if peer.wire.timed_out(now):
                peer.end(EndKind.BROKEN, "silent for too long")
            elif peer.wire.keep_alive_due(now):
                peer.wire.send_keep_alive()
                peer.flush()
        self._extensions.on_tick(now)
        if now >= self._patient_until:
            self._finish(None)
        self._ask(now)

    def _ask(self, now: float) -> None:
        if self._stopped or self._fetched.done():
            return
        asked: dict[int, Peer] = {}
        if self._layers is None:
            for key, piece in self._assembly.next_requests(now):
                peer = self.peers[key]
                if not peer.ended.done():
                    peer.wire.send_extension(ut_metadata.NAME, ut_metadata.encode(MetadataRequest(piece)))
                    asked[key] = peer
        else:
            for key, span in self._layers.next_requests(now):
                peer = self.peers[key]
                if not peer.ended.done():
                    peer.wire.send_hash_request(_request(span))
                    asked[key] = peer
        for peer in asked.values():
            peer.flush()

    # What peers ask of whom they belong to

    def refill(self, peer: Peer, queued: int) -> None:
        """There is nothing to upload yet."""

    def may_read(self, peer: Peer) -> bool:  # noqa: ARG002 - the port's shape
        return True

    def on_sent(self, peer: Peer, payload: int, now: float) -> None:
        """No payload goes out yet."""


def _span(request: HashRequest) -> HashSpan:
    return HashSpan(request.pieces_root, request.base_layer, request.index, request.length, request.proof_layers)


def _request(span: HashSpan) -> HashRequest:
    return HashRequest(span.pieces_root, span.base_layer, span.index, span.length, span.proof_layers)
