"""One torrent in local discovery (BEP 14): announced nearby while it takes peers, and who is found enters by its door.

The rule: a private torrent has none of this (BEP 27), and one that turns out to be private has none from there on.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

from p2p.swarm.peer_list import PeerSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import Address, InfoHash
    from p2p.net.local_discovery import LocalDiscovery
    from p2p.session.services import Services
    from p2p.session.torrent import Torrent


def local_announcer(torrent: Torrent, services: Services) -> LocalAnnouncer | None:
    """What `torrent` does in local discovery; None where it is private or the session has none."""
    if services.local is None or torrent.private:
        return None
    return LocalAnnouncer(services.local, lambda peer: torrent.add_peers([peer], PeerSource.LSD))


class LocalAnnouncer:
    """See the module's head. `on_peer` takes the address of a peer nearby."""

    def __init__(self, discovery: LocalDiscovery, on_peer: Callable[[Address], None]) -> None:
        self._discovery = discovery
        self._on_peer = on_peer
        self._names: dict[InfoHash, None] = {}
        self._on_name: Callable[[Address, InfoHash], None] | None = None
        self._left = False

    def begin(self, info_hashes: Sequence[InfoHash], on_name: Callable[[Address, InfoHash], None]) -> None:
        """Announce, and listen. `on_name` hears under which name of the torrent a peer goes, before `on_peer` does."""
        self._on_name = on_name
        self.on_names(info_hashes)

    def on_names(self, info_hashes: Sequence[InfoHash]) -> None:
        """The torrent's names as they are known now. One that another torrent has is left to that."""
        for info_hash in info_hashes:
            hear = functools.partial(self._hear, info_hash)
            if not self._left and info_hash not in self._names and self._discovery.add(info_hash, hear):
                self._names[info_hash] = None

    def _hear(self, info_hash: InfoHash, peer: Address) -> None:
        if self._on_name is not None:
            self._on_name(peer, info_hash)
        self._on_peer(peer)

    def leave(self) -> None:
        """Be neither announced nor found from here on."""
        self._left = True
        for info_hash in self._names:
            self._discovery.remove(info_hash)
        self._names.clear()

    async def run(self) -> None:
        """Leave when cancelled, so that nothing outlives the torrent, however it ends."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.leave()
