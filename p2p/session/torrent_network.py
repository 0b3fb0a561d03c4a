"""How a torrent follows what changes in its session's network while it goes on: ports, ways to find peers, refusals.

The rule: what is turned off is off at once and for every run to come, and a private torrent takes no part in what it
may not (BEP 27), whatever is turned on.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from p2p.session.dht_announcer import dht_announcer
from p2p.session.local_announcer import local_announcer
from p2p.session.peer_task import EndKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.session.encryption import Encryption
    from p2p.session.membership import Membership
    from p2p.session.peer_task import Peer
    from p2p.session.run import Run
    from p2p.session.services import Services
    from p2p.session.settings import TorrentOptions
    from p2p.session.torrent import Torrent
    from p2p.session.tracking import Tracking
    from p2p.swarm.peer_list import PeerList


class TorrentNetwork(ABC):
    """The part of a `Torrent` that the session tells of its network; the torrent has what is named here."""

    options: TorrentOptions
    peer_list: PeerList
    tracking: Tracking
    _services: Services

    @property
    @abstractmethod
    def _itself(self) -> Torrent:
        """The torrent."""

    @property
    @abstractmethod
    def current_run(self) -> Run | None:
        """The run that goes; None while it is stopped."""

    @property
    @abstractmethod
    def connected_peers(self) -> list[Peer]:
        """Those we are connected to."""

    @property
    def _active(self) -> Membership | None:
        """Its place in the swarm, unless it is leaving."""
        run = self.current_run
        return None if run is None or run.stopping.is_set() else run.members

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether it is at work."""

    @property
    def obstacle(self) -> str | None:
        """Why it reaches nobody although it is at work, in one line; None where it can."""
        return self._services.obstacle if self.running else None

    # -- wishes of its own

    def set_peer_limit(self, count: int | None) -> None:
        """Have no more connections than this, from 1 on; None for what the session says. Those above it end."""
        self.options = replace(self.options, max_connections=count)
        self.on_peer_limit()

    @property
    def peer_limit(self) -> int:
        """How many connections it may have."""
        own = self.options.max_connections
        return self._services.settings.max_connections_per_torrent if own is None else own

    # -- what the session tells

    def on_peer_limit(self) -> None:
        """The session's limit of each torrent is another."""
        if self._active is not None:
            self._active.set_max_peers(self.peer_limit)

    def set_encryption(self, encryption: Encryption) -> None:
        """How connections begin from now on; for the session, which holds the setting."""
        if self._active is not None:
            self._active.set_encryption(encryption)

    def on_dht(self) -> None:
        """The session has a DHT node, has another one, or has none any more."""
        if self._active is not None:
            self._active.set_dht(dht_announcer(self._itself, self._services))

    def on_local(self) -> None:
        """The session has local discovery, or has none any more."""
        if self._active is not None:
            self._active.set_local(local_announcer(self._itself, self._services))

    def on_peer_exchange(self) -> None:
        """The user wants peers to tell each other of peers, or no more."""
        if self._active is not None:
            self._active.set_exchange(wanted=self._services.settings.peer_exchange)

    def on_port(self) -> None:
        """Peers reach us at another port: whoever tells others of it hears of it now."""
        if self._active is not None:
            self._active.on_port()
            self.tracking.on_port(asyncio.get_running_loop().time())

    def on_blocklist(self) -> None:
        """The user refuses other hosts than before: peers there go."""
        refuses = self._services.refuses
        self.peer_list.on_refusals()
        self._end_peers(lambda peer: refuses(peer.address.host), "on the blocklist")

    def on_network_lost(self, why: str) -> None:
        """There is no network, or it is another from now on: what is connected is of no use."""
        self._end_peers(lambda _: True, why)

    def on_network(self) -> None:
        """There is a network again: who could not be reached may be, and everybody is told where we are."""
        self.peer_list.on_network(asyncio.get_running_loop().time())
        self.on_port()
        if self._active is not None:
            self._active.wake()

    def _end_peers(self, which: Callable[[Peer], bool], why: str) -> None:
        for peer in self.connected_peers:
            if which(peer):
                peer.end(EndKind.OURS, why)
