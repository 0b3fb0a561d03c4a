"""How a torrent presents itself to peers: its handshakes (BEP 3, 10, 52), and the connections that follow them."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from p2p.session.exchange import OUR_REQUEST_QUEUE
from p2p.session.peer_task import Peer, PeerOwner
from p2p.session.uploads import MAX_UPLOAD_QUEUE
from p2p.swarm.peer_list import PeerList, PeerSource
from p2p.version import CLIENT_NAME
from p2p.wire.connection import Connection
from p2p.wire.extension import ExtensionHandshake
from p2p.wire.handshake import Handshake

if TYPE_CHECKING:
    from p2p.ids import Address, InfoHash, PeerId
    from p2p.metainfo.layout import Layout
    from p2p.session.extensions import TorrentExtensions
    from p2p.session.handshaking import Opened
    from p2p.session.services import Services
    from p2p.session.throttle import Throttle


class Greeting:
    """See the module's head. `layout` is None until the torrent is known."""

    def __init__(
        self,
        *,
        peer_id: PeerId,
        services: Services,
        extensions: TorrentExtensions,
        peer_list: PeerList,
        down: Throttle,
        up: Throttle,
        layout: Layout | None,
        upgrade: bool,
    ) -> None:
        self.layout = layout
        self.upgrade = upgrade
        """Whether we would go on under a version 2 info-hash (BEP 52, Upgrade Path): only of what is known to be a
        hybrid, because libtorrent drops who says so of a torrent that is none."""
        self.dht = False
        """Whether we take part in the DHT for this torrent."""
        self._peer_id = peer_id
        self._services = services
        self._extensions = extensions
        self._peer_list = peer_list
        self._down = down
        self._up = up
        self._keys = itertools.count(1)

    def handshake(self, info_hash: InfoHash) -> Handshake:
        """Ours, under one of the torrent's names."""
        return Handshake(
            info_hash=info_hash, peer_id=self._peer_id, fast=True, extension=True, dht=self.dht, v2=self.upgrade
        )

    def extension_handshake(self, peer: Peer, *, upload_only: bool) -> ExtensionHandshake:
        """Ours for `peer`."""
        return ExtensionHandshake(
            messages=self._extensions.messages,
            client=CLIENT_NAME,
            request_queue=OUR_REQUEST_QUEUE,
            upload_only=upload_only,
            metadata_size=self._extensions.metadata_size,
            port=self._services.announced_port if not peer.incoming else None,
            your_ip=peer.address.host,
        )

    def make_peer(
        self, opened: Opened, theirs: Handshake, address: Address, source: PeerSource | None, owner: PeerOwner
    ) -> Peer:
        """The peer at the other end of a connection whose handshakes are done; it belongs to `owner`."""
        layout = self.layout
        now = asyncio.get_running_loop().time()
        wire = Connection(
            piece_count=None if layout is None else layout.piece_count,
            piece_size=None if layout is None else layout.piece_size,
            fast=theirs.fast,
            extension=theirs.extension,
            arenas=self._services.arenas,
            max_requests=MAX_UPLOAD_QUEUE,
            now=now,
        )
        return Peer(
            next(self._keys),
            opened.stream,
            theirs,
            wire,
            address=address,
            incoming=source is PeerSource.INCOMING,
            encrypted=opened.encrypted,
            source=source or self._peer_list.source_of(address) or PeerSource.TRACKER,
            owner=owner,
            down=self._down,
            up=self._up,
            now=now,
        )
