"""What is done for a magnet link before its torrent is known: its metadata is fetched.

The rule: a torrent that turns out to be private is from there on left to its tracker and to what the user named
(BEP 27); peers that came another way go, and so do those that answered for another torrent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.metainfo.envelope import Envelope
from p2p.metainfo.metainfo import Metainfo
from p2p.session.metadata_fetch import MetadataFetch
from p2p.session.peer_task import EndKind
from p2p.swarm.peer_list import PRIVATE_SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.ids import InfoHash
    from p2p.metainfo.magnet import Magnet
    from p2p.session.extensions import TorrentExtensions
    from p2p.session.peer_task import Peer
    from p2p.swarm.peer_list import PeerList
    from p2p.wire.extension import ExtensionHandshake

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
        on_port: Callable[[Peer, int], None],
    ) -> None:
        self.magnet = magnet
        self.fetch = MetadataFetch(
            hash_v1=magnet.info_hash_v1,
            hash_v2=magnet.info_hash_v2,
            extensions=extensions,
            extension_handshake=extension_handshake,
            on_ban=on_ban,
            on_port=on_port,
        )
        self._extensions = extensions
        self._named_v2 = False

    async def metainfo(self) -> Metainfo:
        """Wait for the metadata, and serve it from then on. Raises what `MetadataFetch.fetched` raises."""
        fetched = await self.fetch.fetched()
        metainfo = metainfo_of_link(self.magnet, fetched.info_bytes, fetched.piece_layers)
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

    def on_tick(self, peer_list: PeerList, now: float) -> InfoHash | None:
        """About once a second. Returns the version 2 name, once, if peers have to be found under it for piece layers.

        Who is connected under the other name, knows this one too and can be reached is greeted anew under this one.
        """
        self.fetch.on_tick(now)
        if self._named_v2:
            return None
        name = self.fetch.info_hash_v2
        if name is not None:
            self._named_v2 = True
            for peer in list(self.fetch.peers.values()):
                if peer.handshake.v2 and peer.handshake.info_hash != name and peer.listens_at in peer_list:
                    peer.end(EndKind.RENAMED, "greeted anew under the version 2 info-hash")
        return name


def metainfo_of_link(magnet: Magnet, info: bytes, layers: dict[bytes, bytes] | None) -> Metainfo:
    """The torrent that a link names, whose info dict this is. `layers` are None for a hybrid taken as version 1.

    Raises MetainfoError for what is no torrent.
    """
    data = _envelope(magnet).wrap(info, layers)
    return Metainfo.version_1_half(data) if layers is None else Metainfo.from_bytes(data)


def _envelope(magnet: Magnet) -> Envelope:
    """What a torrent file has around the info dict, as far as a link says it; each tracker is a tier of its own."""
    return Envelope(trackers=tuple((url,) for url in magnet.trackers), web_seeds=magnet.web_seeds)


def tracker_tiers(source: Metainfo | Magnet) -> tuple[tuple[str, ...], ...]:
    """The tiers of a torrent, or of the one that a link names."""
    return source.trackers if isinstance(source, Metainfo) else _envelope(source).trackers
