"""Peers that the operator names: tried for every torrent that comes, as if a user had named them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from p2p.errors import NetworkError
from p2p.session.event_bus import EventKind
from p2p.swarm.peer_list import PeerSource

if TYPE_CHECKING:
    from p2p.ids import Address
    from p2p.metainfo.urls import Endpoint
    from p2p.net.network import Network
    from p2p.session.session import Session

log = logging.getLogger(__name__)


class GivenPeers:
    """See the module's head."""

    def __init__(self, session: Session, network: Network, places: tuple[Endpoint, ...]) -> None:
        self._session = session
        self._network = network
        self._places = places

    async def run(self) -> None:
        """Until cancelled; at once where there are none."""
        if not self._places:
            return
        with self._session.events.subscribe() as events:
            async for event in events:
                if event.kind is EventKind.ADDED:
                    found = await self._resolved()
                    for torrent in self._session.torrents:
                        if torrent.info_hash == event.info_hash:
                            torrent.add_peers(found, PeerSource.MANUAL)

    async def _resolved(self) -> list[Address]:
        found: list[Address] = []
        for host, port in self._places:
            try:
                found += await self._network.resolve(host, port)
            except NetworkError as error:
                log.warning("no address of the peer %s: %s", host, error)
        return found
