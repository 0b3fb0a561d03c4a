"""A torrent's place in its swarm: who is connected, and whom newcomers belong to.

There is one connector for the torrent's whole life. Before the metadata is known peers belong to the fetch of it,
afterwards to the exchange; connections outlive the change.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from p2p.errors import NetworkError
from p2p.session.connector import Connector
from p2p.session.exchange import Exchange
from p2p.session.greeting import Greeting
from p2p.session.magnet_stage import MagnetStage
from p2p.session.uploads import Uploads
from p2p.swarm.bans import SmartBan
from p2p.swarm.peer_list import PeerSource
from p2p.swarm.piece_picker import PiecePicker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.errors import StorageError
    from p2p.ids import Address, InfoHash, PeerId, PieceIndex
    from p2p.metainfo.magnet import Magnet
    from p2p.metainfo.urls import Endpoint
    from p2p.session.dht_announcer import DhtAnnouncer
    from p2p.session.encryption import Encryption
    from p2p.session.extensions import TorrentExtensions
    from p2p.session.handshaking import Opened
    from p2p.session.local_announcer import LocalAnnouncer
    from p2p.session.metadata_fetch import MetadataFetch
    from p2p.session.peer_task import Peer
    from p2p.session.piece_store import PieceStore
    from p2p.session.scope import Scope
    from p2p.session.services import Services
    from p2p.session.throttle import Throttle
    from p2p.swarm.peer_list import PeerList
    from p2p.swarm.piece_picker import PickMode
    from p2p.wire.extension import ExtensionHandshake
    from p2p.wire.handshake import Handshake

log = logging.getLogger(__name__)


class Membership:
    """See the module's head. `magnet` is the link of a torrent whose metadata has to be fetched, `named` are peers to
    connect to, by host and port. `on_peer` hears of each that is connected."""

    def __init__(
        self,
        *,
        key: int,
        peer_id: PeerId,
        magnet: Magnet | None,
        named: Sequence[Endpoint],
        info_hashes: tuple[InfoHash, ...],
        services: Services,
        extensions: TorrentExtensions,
        peer_list: PeerList,
        down: Throttle,
        up: Throttle,
        on_ban: Callable[[str, str], None],
        on_peer: Callable[[], None],
        dht: DhtAnnouncer | None,
        local: LocalAnnouncer | None,
        max_peers: int,
    ) -> None:
        self.exchange: Exchange | None = None
        self.stage: MagnetStage | None = None
        self.info_hashes = info_hashes
        self._named = named
        self._key = key
        self._peer_id = peer_id
        self._services = services
        self._peer_list = peer_list
        self._extensions = extensions
        self._down = down
        self._up = up
        self._on_ban = on_ban
        self._on_peer = on_peer
        self._connector: Connector | None = None
        self._scope: Scope | None = None
        self.greeting = Greeting(
            peer_id=peer_id,
            services=services,
            extensions=extensions,
            peer_list=peer_list,
            down=down,
            up=up,
            layout=None,
            upgrade=len(info_hashes) > 1,
        )
        self.greeting.dht = dht is not None
        self._dht = dht
        self._searching: asyncio.Task[None] | None = None
        self._local = local
        self._nearby: asyncio.Task[None] | None = None
        self._max_peers = max_peers
        if magnet is not None:
            self.stage = MagnetStage(
                magnet,
                extensions=extensions,
                extension_handshake=self.extension_handshake,
                on_ban=on_ban,
                on_port=self._on_port,
            )

    @property
    def peers(self) -> list[Peer]:
        """Those we are connected to, in order of connection."""
        fetching = [] if self.stage is None else list(self.stage.fetch.peers.values())
        return fetching if self.exchange is None else [*fetching, *self.exchange.peers.values()]

    def meet(self, scope: Scope) -> None:
        """Connect to peers, and accept them, for as long as the scope is open or until `stop`."""
        services = self._services
        environment = services.environment
        self._scope = scope
        self._connector = Connector(
            network=environment.network,
            scope=scope,
            slots=services.slots,
            peer_list=self._peer_list,
            own_id=self._peer_id,
            info_hashes=self.info_hashes,
            upgrade=self._upgrade,
            handshake=self.greeting.handshake,
            make_peer=self._make_peer,
            attach=self._attach,
            detach=self._detach,
            candidates=self._candidates,
            bind=services.bind,
            encryption=services.settings.encryption,
            secrets=environment.secrets,
            max_peers=self._max_peers,
            key=self._key,
            agenda=services.agenda,
        )
        self._connector.wake()
        self._search(scope)
        self._look_nearby(scope, self._connector)
        if self._named:
            scope.start(self._find_named(), name="named peers")

    def _search(self, scope: Scope) -> None:
        if self._dht is not None:
            self._searching = scope.start(self._dht.run(), name="dht announcer")

    def _look_nearby(self, scope: Scope, connector: Connector) -> None:
        if self._local is not None:
            self._local.begin(self.info_hashes, connector.on_name_of)
            self._nearby = scope.start(self._local.run(), name="local announcer")

    async def _find_named(self) -> None:
        """Find the addresses of the peers that are named; those without one are left out."""
        for host, port in self._named:
            try:
                found = await self._services.environment.network.resolve(host, port)
            except NetworkError as error:
                log.info("no address of the peer %s that the link names: %s", host, error)
                continue
            self._peer_list.add(found, PeerSource.MANUAL, asyncio.get_running_loop().time())
            self.wake()

    def set_encryption(self, encryption: Encryption) -> None:
        """How connections begin from now on."""
        if self._connector is not None:
            self._connector.set_encryption(encryption)

    def wake(self) -> None:
        """There may be somebody new to connect to."""
        if self._connector is not None:
            self._connector.wake()

    def accept(self, opened: Opened, theirs: Handshake) -> None:
        """A peer reached the session and asked for this torrent; it is run to its end."""
        stream = opened.stream
        if self._connector is None or self._scope is None or self._scope.closing:
            stream.abort()
            return
        task = self._scope.start(self._connector.accept(opened, theirs), name=f"peer {stream.remote}")
        task.add_done_callback(lambda task: stream.abort() if task.cancelled() else None)

    def set_names(self, info_hashes: tuple[InfoHash, ...]) -> None:
        """The torrent's info-hashes as they are known now, version 1 first."""
        self.info_hashes = info_hashes
        self.greeting.upgrade = self._upgrade is not None
        if self._connector is not None:
            self._connector.on_names(info_hashes, self._upgrade)
            if self._local is not None:
                self._local.on_names(info_hashes)
            if self._dht is not None:
                self._dht.on_names()

    def on_private(self) -> None:
        """The torrent turned out to be private: from here on it is neither announced nor searched for (BEP 27)."""
        self.set_dht(None)
        self.set_local(None)

    def set_dht(self, dht: DhtAnnouncer | None) -> None:
        """Take part in the DHT by way of this from now on, or no more."""
        if self._searching is not None:
            self._searching.cancel()
            self._searching = None
        self._dht, self.greeting.dht = dht, dht is not None
        if self.exchange is not None:
            self.exchange.dht = dht
        if self._connector is not None and self._scope is not None and not self._scope.closing:
            self._search(self._scope)

    def set_local(self, local: LocalAnnouncer | None) -> None:
        """Take part in local discovery by way of this from now on, or no more."""
        self._leave_neighbourhood()
        if self._nearby is not None:
            self._nearby.cancel()
            self._nearby = None
        self._local = local
        if self._connector is not None and self._scope is not None and not self._scope.closing:
            self._look_nearby(self._scope, self._connector)

    def set_max_peers(self, count: int) -> None:
        """Have no more connections than this; those above it end."""
        self._max_peers = count
        if self._connector is not None:
            self._connector.set_max_peers(count)

    def set_exchange(self, *, wanted: bool) -> None:
        """Exchange peers from now on, or no more (BEP 11)."""
        self._extensions.set_exchange(wanted=wanted)
        now = asyncio.get_running_loop().time()
        for peer in self._greet_again():
            self._extensions.on_extension_handshake(peer, now)

    def on_port(self) -> None:
        """Peers reach us at another port, which those that we reached cannot see."""
        self._greet_again()
        if self._dht is not None:
            self._dht.on_names()

    def _greet_again(self) -> list[Peer]:
        """Say anew what we can and where we are; to whom it was said (BEP 10)."""
        told = [peer for peer in self.peers if peer.handshake.extension and not peer.ended.done()]
        for peer in told:
            peer.wire.send_extension_handshake(self.extension_handshake(peer))
            peer.flush()
        return told

    def _leave_neighbourhood(self) -> None:
        local, self._local = self._local, None
        if local is not None:
            local.leave()

    def begin_exchange(
        self,
        scope: Scope,
        store: PieceStore,
        priorities: bytes,
        mode: PickMode,
        *,
        on_piece: Callable[[PieceIndex], None],
        on_storage_error: Callable[[StorageError], None],
    ) -> None:
        """The torrent is known and its content open: peers belong to an exchange from here on."""
        services, environment = self._services, self._services.environment
        layout = self.greeting.layout = store.metainfo.layout
        picker = PiecePicker(layout.piece_count, layout.piece_size, rng=environment.rng)
        picker.mode = mode
        picker.set_priorities(priorities)
        picker.on_pieces_verified(store.have)
        uploads = Uploads(
            torrent=self.info_hashes[0],
            cache=services.cache,
            read=store.read,
            piece_size=layout.piece_size,
            scope=scope,
            on_error=on_storage_error,
        )
        self.exchange = Exchange(
            store=store,
            arenas=services.arenas,
            picker=picker,
            choker=environment.choking[services.settings.choking](slots=services.settings.upload_slots),
            bans=SmartBan(environment.secrets(16)),
            uploads=uploads,
            scope=scope,
            rng=environment.rng,
            info_hash=self.info_hashes[0],
            extensions=self._extensions,
            extension_handshake=self.extension_handshake,
            down=self._down,
            up=self._up,
            on_piece=on_piece,
            on_ban=self._on_ban,
            on_storage_error=on_storage_error,
            dht=self._dht,
        )
        if self.stage is not None:
            now = asyncio.get_running_loop().time()
            for peer, events in self.stage.fetch.hand_over(layout):
                self.exchange.adopt(peer, events, now)

    def stop_fetching(self) -> None:
        """End what waits for metadata."""
        if self.stage is not None:
            self.stage.fetch.stop()

    def stop(self) -> None:
        """Begin no connection further, and end those there are."""
        self._leave_neighbourhood()
        if self._connector is not None:
            self._connector.stop()
        self.stop_fetching()
        if self.exchange is not None:
            self.exchange.stop()

    def extension_handshake(self, peer: Peer) -> ExtensionHandshake:
        """Ours for `peer`, as things stand."""
        return self.greeting.extension_handshake(peer, upload_only=self.exchange is not None and self.exchange.seeding)

    @property
    def _upgrade(self) -> InfoHash | None:
        """The version 2 name of what has another name beside it."""
        return self.info_hashes[1] if len(self.info_hashes) > 1 else None

    @property
    def _host(self) -> Exchange | MetadataFetch:
        """Whom newcomers belong to."""
        if self.exchange is not None:
            return self.exchange
        if self.stage is None:
            raise RuntimeError("there is nobody whom a peer could belong to")
        return self.stage.fetch

    def _make_peer(self, opened: Opened, theirs: Handshake, address: Address, source: PeerSource | None) -> Peer:
        return self.greeting.make_peer(opened, theirs, address, source, self._host)

    def _on_port(self, peer: Peer, port: int) -> None:
        if self._dht is not None:
            self._dht.on_port(peer, port)

    def _attach(self, peer: Peer) -> None:
        self._on_peer()
        self._host.attach(peer)

    def _detach(self, peer: Peer) -> None:
        if self.stage is not None and peer.key in self.stage.fetch.peers:
            self.stage.fetch.detach(peer)
        elif self.exchange is not None:
            self.exchange.detach(peer)

    def _candidates(self, count: int, now: float) -> list[Address]:
        return self._peer_list.candidates(
            count, now, own_address=self._services.own_address(ipv6=False), rng=self._services.environment.rng
        )
