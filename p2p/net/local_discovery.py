"""Finding peers on the local network (BEP 14): announces to both multicast groups, and hears those of neighbours.

The rule: who is heard is whoever sent the datagram; a flood of announces costs a bounded number of calls a second, and
our own, which come back to us, are known by their cookie. A machine without multicast has no local discovery, and that
is no error.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from p2p.codec import lsd
from p2p.errors import NetworkError, RemoteProtocolError
from p2p.ids import Address, InfoHash
from p2p.swarm.local_announce import LocalSchedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.net.network import Datagrams, Network

log = logging.getLogger(__name__)

MAX_HEARD_A_SECOND: Final = 50
"""Announces read: a network of thousands makes so many, each client one a minute; more is a flood."""


class LocalDiscovery:
    """The local discovery of a session. `on_peer` takes the info-hash and where to connect to.

    `port` is where peers reach us, in both families; `cookie` is 16 bytes by chance, sent in hex. `groups` are those to
    join, `interface` the name of the one to do it on, None for the system's choice.
    """

    def __init__(
        self,
        network: Network,
        *,
        port: int,
        cookie: bytes,
        on_peer: Callable[[InfoHash, Address], None],
        groups: Sequence[Address] = (lsd.GROUP, lsd.GROUP6),
        interface: str | None = None,
    ) -> None:
        self._network = network
        self._port = port
        self._cookie = cookie.hex().encode()[: lsd.MAX_COOKIE]
        self._on_peer = on_peer
        self._groups = tuple(groups)
        self._interface = interface
        self._schedule = LocalSchedule()
        self._members: list[Datagrams] = []
        self._wake = asyncio.Event()
        self._heard_since = 0.0
        self._heard = 0

    @property
    def groups(self) -> tuple[Address, ...]:
        """The groups that were joined."""
        return tuple(member.local for member in self._members)

    def add(self, info_hash: InfoHash) -> None:
        """Announce a torrent, and report its peers. Never for a private one (BEP 27)."""
        self._schedule.add(info_hash)
        self._wake.set()

    def remove(self, info_hash: InfoHash) -> None:
        """Forget a torrent."""
        self._schedule.remove(info_hash)

    async def run(self) -> None:
        """Join the groups, and announce for as long as it is not cancelled. Returns where no group can be joined."""
        loop = asyncio.get_running_loop()
        try:
            for group in self._groups:
                try:
                    member = await self._network.open_multicast(group, self._on_datagram, interface=self._interface)
                except NetworkError as error:
                    log.info("no local discovery at %s: %s", group, error)
                else:
                    self._members.append(member)
            while self._members:
                self._wake.clear()
                self._announce(loop.time())
                due = self._schedule.next_due(loop.time())
                try:
                    async with asyncio.timeout_at(due):
                        await self._wake.wait()
                except TimeoutError:
                    continue  # an announce is due
        finally:
            for member in self._members:
                member.close()
            self._members.clear()

    def _announce(self, now: float) -> None:
        info_hashes = self._schedule.due(now)
        if not info_hashes:
            return
        announce = lsd.LocalAnnounce(self._port, tuple(info_hashes), self._cookie)
        for member in self._members:
            member.send(lsd.encode(member.local, announce), member.local)

    def _on_datagram(self, datagram: bytes, source: Address) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._heard_since >= 1.0:
            self._heard_since, self._heard = now, 0
        self._heard += 1
        if self._heard > MAX_HEARD_A_SECOND:
            return
        try:
            announce = lsd.decode(datagram)
        except RemoteProtocolError as error:
            log.debug("a datagram of %s is no local announce: %s", source, error)
            return
        if announce.cookie == self._cookie:
            return
        for info_hash in announce.info_hashes:
            if info_hash in self._schedule:
                self._on_peer(info_hash, Address(source.host, announce.port))
