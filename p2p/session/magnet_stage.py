"""What is done for a magnet link before its torrent is known: peers that it names are found, metadata is fetched.

The rule: a torrent that turns out to be private is from there on left to its tracker and to what the user named
(BEP 27); peers that came another way go, and so do those that answered for another torrent.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError
from p2p.metainfo.metainfo import Metainfo
from p2p.session.metadata_fetch import MetadataFetch
from p2p.session.peer_task import EndKind
from p2p.swarm.peer_list import PRIVATE_SOURCES, PeerSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.ids import Address, InfoHash
    from p2p.metainfo.magnet import Magnet
    from p2p.net.network import Network
    from p2p.session.extensions import TorrentExtensions
    from p2p.session.peer_task import Peer
    from p2p.swarm.peer_list import PeerList
    from p2p.wire.extension import ExtensionHandshake

log = logging.getLogger(__name__)

UNKNOWN_LEFT: Final = 16_384
"""Bytes that we say are left while nobody knows: more than nothing, or a tracker takes us for a seeder."""


class MagnetStage:
    """See the module's head. Peers are attached to `fetch`, and detached from it."""

    def __init__(
        self,
        magnet: Magnet,
        *,
        extensions: TorrentExtensions,
        extension_handshake: Callable[[Peer], ExtensionHandshake],
        on_ban: Callable[[str, str], None],
    ) -> None:
        self.magnet = magnet
        self.fetch = MetadataFetch(
            hash_v1=magnet.info_hash_v1,
            hash_v2=magnet.info_hash_v2,
            extensions=extensions,
            extension_handshake=extension_handshake,
            on_ban=on_ban,
        )
        self._extensions = extensions
        self._greeted_as_v2 = False

    async def named_peers(self, network: Network) -> list[Address]:
        """Where the peers are that the link names; those without an address are left out."""
        found: dict[Address, None] = {}
        for host, port in self.magnet.peers:
            try:
                found.update(dict.fromkeys(await network.resolve(host, port)))
            except NetworkError as error:
                log.info("no address of the peer %s that the link names: %s", host, error)
        return list(found)

    async def metainfo(self) -> Metainfo:
        """Wait for the metadata, and serve it from then on. Raises what `MetadataFetch.fetched` raises."""
        fetched = await self.fetch.fetched()
        magnet = self.magnet
        metainfo = Metainfo.from_info(
            fetched.info_bytes,
            trackers=magnet.trackers,
            web_seeds=magnet.web_seeds,
            piece_layers=fetched.piece_layers,
        )
        self._extensions.on_metadata(metainfo)
        return metainfo

    def on_metainfo(self, metainfo: Metainfo, peer_list: PeerList) -> None:
        """End the connections that are not the torrent's."""
        if metainfo.private:
            peer_list.keep_sources(PRIVATE_SOURCES)
        names = metainfo.wire_info_hashes()
        for peer in list(self.fetch.peers.values()):
            if peer.handshake.info_hash not in names:
                peer.end(EndKind.OURS, "a peer of another torrent")
            elif metainfo.private and peer.source not in PRIVATE_SOURCES and peer.address not in peer_list:
                peer.end(EndKind.OURS, "not found by the tracker of a private torrent")

    def on_tick(self, now: float) -> InfoHash | None:
        """About once a second. Returns the version 2 name once peers have to be greeted under it, for piece layers."""
        self.fetch.on_tick(now)
        name = self.fetch.info_hash_v2
        if name is None or self._greeted_as_v2:
            return None
        self._greeted_as_v2 = True
        for peer in list(self.fetch.peers.values()):
            if peer.handshake.info_hash != name and peer.source is not PeerSource.INCOMING:
                peer.end(EndKind.OURS, "to be greeted under the version 2 info-hash")
        return name


def tracker_tiers(source: Metainfo | Magnet) -> tuple[tuple[str, ...], ...]:
    """The tiers of a torrent; a link's trackers are tiers of their own."""
    return source.trackers if isinstance(source, Metainfo) else tuple((url,) for url in source.trackers)
