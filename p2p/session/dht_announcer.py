"""One torrent in the DHT (BEP 5): it is announced there, and the peers that are found enter by the torrent's own door.

The rule: a search finds and announces at once, and every quarter of an hour it is repeated, since nodes forget what is
not renewed. A download that has few peers searches again soon, each time later, and without any never much later. A
seed leaves it at the one announce: who wants something finds it. A torrent that gets another name, or a node that has
only just joined, is announced at once, as far as others leave it a turn: a session searches for a few torrents at a
time and at a pace, those that want peers first. A private torrent has none of this (BEP 27): it is neither announced
nor searched for, and its peers are told of no node.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from p2p.errors import DhtError
from p2p.ids import Address
from p2p.session.host_gates import Haste, HostGates
from p2p.swarm.peer_list import PeerSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import InfoHash
    from p2p.metainfo.urls import Endpoint
    from p2p.session.dht_service import DhtService
    from p2p.session.peer_task import Peer
    from p2p.session.services import Services
    from p2p.session.torrent import Torrent

log = logging.getLogger(__name__)

INTERVAL: Final = 900.0
"""Seconds between announces: half of what nodes keep them for at least, and what other clients do."""

FIRST_RETRY: Final = 5.0
"""Seconds until the second search of a download with few peers; doubled from there on. Two that begin together miss
each other in the first."""

ALONE_INTERVAL: Final = 120.0
"""Seconds that doubling ends at while a download has no peer at all. A search costs some sixty datagrams."""

FEW_PEERS: Final = 10
"""Connections below which more peers are looked for: a swarm's own exchange carries on from there."""

SEARCHES: Final = 32
"""Searches of a session at once."""

SEARCH_PACE: Final = 10.0
"""Searches that may begin in a second, after a first burst: some 600 datagrams. Ten thousand torrents are announced in
the time for which nodes keep them, and the session has nearly all of its time for other things."""

_NETWORK: Final = "DHT"
"""What the one line is called that all searches stand in."""


def search_turns() -> HostGates:
    """The line that the searches of a session stand in."""
    return HostGates(per_host=SEARCHES, at_once=SEARCHES, pace=SEARCH_PACE)


def dht_announcer(torrent: Torrent, services: Services) -> DhtAnnouncer | None:
    """What `torrent` does in the DHT; None where it is private or the session runs no node."""
    if services.dht is None or torrent.private:
        return None
    return DhtAnnouncer(
        services.dht,
        lambda: torrent.info_hashes,
        nodes=() if torrent.metainfo is None else torrent.metainfo.nodes,
        port=lambda: services.announced_port,
        peers=lambda: len(torrent.connected_peers),
        seeding=lambda: torrent.exchange is not None and torrent.exchange.seeding,
        on_peers=lambda found: torrent.add_peers(found, PeerSource.DHT),
        turns=services.searches,
    )


class DhtAnnouncer:
    """See the module's head.

    `info_hashes` are the torrent's as they are known, `nodes` those that it names, `port` tells where peers reach us.
    `peers` counts the connected ones, `seeding` tells that none are needed, `on_peers` takes what is found.
    `turns` is the line that it stands in for each search.
    """

    def __init__(
        self,
        dht: DhtService,
        info_hashes: Callable[[], Sequence[InfoHash]],
        *,
        nodes: Sequence[Endpoint],
        port: Callable[[], int],
        peers: Callable[[], int],
        seeding: Callable[[], bool],
        on_peers: Callable[[list[Address]], None],
        turns: HostGates,
    ) -> None:
        self._dht = dht
        self._turns = turns
        self._info_hashes = info_hashes
        self._nodes = nodes
        self._port = port
        self._peers = peers
        self._seeding = seeding
        self._on_peers = on_peers
        self._named = asyncio.Event()

    def greet(self, peer: Peer) -> None:
        """Tell a peer that takes part in the DHT where our node is."""
        if peer.handshake.dht:
            peer.wire.send_port(self._dht.port)

    def on_port(self, peer: Peer, port: int) -> None:
        """A peer told where its node is."""
        self._dht.add_node(Address(peer.address.host, port))

    def on_names(self) -> None:
        """The torrent has other info-hashes than before, or is reached at another port."""
        self._named.set()

    async def run(self) -> None:
        """Search and announce, until cancelled or the node closes."""
        for host, port in self._nodes:
            self._dht.add_bootstrap(host, port)
        retry = FIRST_RETRY
        while True:
            self._named.clear()
            try:
                for info_hash in self._info_hashes():
                    await self._search(info_hash)
            except DhtError as error:
                log.debug("the DHT is searched no more: %s", error)
                return
            peers = self._peers()
            calm = self._seeding() or peers >= FEW_PEERS
            if not await self._news(INTERVAL if calm else retry):
                retry = FIRST_RETRY if calm else min(2 * retry, INTERVAL if peers else ALONE_INTERVAL)

    async def _search(self, info_hash: InfoHash) -> None:
        haste = Haste.ROUTINE if self._seeding() else Haste.WANTING
        async with (
            self._turns.turn(_NETWORK, haste),
            aclosing(self._dht.get_peers(info_hash, announce_port=self._port())) as search,
        ):
            async for found in search:
                self._on_peers(found)

    async def _news(self, within: float) -> bool:
        """Whether so many seconds bring what is to be announced at once: a name, or a network that we have joined."""
        try:
            async with asyncio.timeout(within):
                if self._dht.is_ready:
                    await self._named.wait()
                else:
                    await self._dht.ready()
        except TimeoutError:
            return False
        return True
