"""Finding peers on the local network (BEP 14): announces to both multicast groups, and hears those of neighbours.

The rule: every interface that is up and carries multicast takes part, as far as the session listens there; who is heard
is whoever sent the datagram, if it can be a neighbour at all. What a flood of announces costs is bounded
(`LocalHearing`), and our own, which come back to us, are known by their cookie. A machine without multicast has no
local discovery, and that is no error.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from ipaddress import IPv4Interface, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.codec import lsd
from p2p.errors import NetworkError, RemoteProtocolError
from p2p.ids import Address, InfoHash
from p2p.swarm.local_announce import LocalHearing, LocalSchedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.net.network import Datagrams, Interface, Network

log = logging.getLogger(__name__)

EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - a session listens on all interfaces unless told otherwise

MAX_PLACES: Final = 32
"""Groups joined: both on each interface of a usual machine. One that runs containers can have hundreds of links."""

LOOK_AGAIN: Final = 60.0
"""Seconds between looks at the interfaces: networks come and go with the cable and the train."""

GATHER: Final = 0.2
"""Seconds that a new torrent waits for others, since those of one command line are added one after the other."""


class Place(NamedTuple):
    """Where announces are made: a group, an interface's name, and the address of ours on it that others see."""

    group: Address
    interface: str
    source: str


class LocalDiscovery:
    """The local discovery of a session.

    `port` is where peers reach us, in both families; `cookie` is 16 bytes by chance, sent in hex. `bind` are the IP
    addresses that the session listens on: others announce nothing.
    """

    def __init__(self, network: Network, *, port: int, cookie: bytes, bind: Sequence[str] = EVERYWHERE) -> None:
        self._network = network
        self._port = port
        self._cookie = cookie.hex().encode()[: lsd.MAX_COOKIE]
        self._bind = tuple(bind)
        self._schedule = LocalSchedule()
        self._hearing = LocalHearing()
        self._listeners: dict[InfoHash, Callable[[Address], None]] = {}
        self._members: dict[Place, Datagrams] = {}
        self._wake = asyncio.Event()

    @property
    def places(self) -> tuple[Place, ...]:
        """Where groups were joined."""
        return tuple(self._members)

    def add(self, info_hash: InfoHash, on_peer: Callable[[Address], None]) -> bool:
        """Announce a torrent, and tell `on_peer` where its peers are. Never for a private one (BEP 27).

        False, and nothing is done, for one that is announced already.
        """
        if info_hash in self._listeners:
            return False
        self._listeners[info_hash] = on_peer
        self._schedule.add(info_hash)
        self._wake.set()
        return True

    def remove(self, info_hash: InfoHash) -> None:
        """Forget a torrent: it is neither announced nor heard of from here on."""
        self._listeners.pop(info_hash, None)
        self._schedule.remove(info_hash)

    def set_port(self, port: int) -> None:
        """Peers reach us at another port: every torrent is announced anew."""
        self._port = port
        self._schedule.renew()
        self._wake.set()

    def look_again(self) -> None:
        """The interfaces may be others than before."""
        self._wake.set()

    async def run(self) -> None:
        """Join the groups and announce, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._wake.clear()
                await self._join()
                due = loop.time() + LOOK_AGAIN
                if self._members:
                    self._announce(loop.time())
                    due = min(due, self._schedule.next_due(loop.time()) or due)
                try:
                    async with asyncio.timeout_at(due):
                        await self._wake.wait()
                except TimeoutError:
                    continue  # an announce or a look is due
                await asyncio.sleep(GATHER)
        finally:
            for member in self._members.values():
                member.close()
            self._members.clear()

    async def _join(self) -> None:
        """Join where we have not, and leave what is no more."""
        try:
            interfaces = self._network.multicast_interfaces()
        except NetworkError as error:
            log.debug("no local discovery: %s", error)
            interfaces = []
        wanted = {place: interface for interface in interfaces for place in _places(interface, self._bind)}
        for place in [place for place in self._members if place not in wanted]:
            self._members.pop(place).close()
        for place, interface in list(wanted.items())[:MAX_PLACES]:
            if place in self._members:
                continue
            hear = functools.partial(self._on_datagram, interface)
            try:
                self._members[place] = await self._network.open_multicast(
                    place.group, hear, interface=place.interface, source=place.source
                )
            except NetworkError as error:
                log.debug("no local discovery on %s at %s: %s", place.interface, place.group, error)
            else:
                self._schedule.renew()

    def _announce(self, now: float) -> None:
        info_hashes = self._schedule.due(now)
        if not info_hashes:
            return
        announce = lsd.LocalAnnounce(self._port, tuple(info_hashes), self._cookie)
        for place, member in self._members.items():
            member.send(lsd.encode(place.group, announce), place.group)

    def _on_datagram(self, interface: Interface, datagram: bytes, source: Address) -> None:
        now = asyncio.get_running_loop().time()
        if not self._hearing.reads(source.host, now) or not _is_neighbour(source.host, interface):
            return
        try:
            announce = lsd.decode(datagram)
        except RemoteProtocolError as error:
            log.debug("a datagram of %s is no local announce: %s", source, error)
            return
        if announce.cookie == self._cookie:
            return
        peer = Address(source.host, announce.port)
        for info_hash in announce.info_hashes:
            on_peer = self._listeners.get(info_hash)
            if on_peer is not None and self._hearing.believes(info_hash, peer, now):
                on_peer(peer)


def _places(interface: Interface, bind: Sequence[str]) -> list[Place]:
    """Where to announce on an interface: in each family that has an address there which we listen on.

    A link-local IPv6 address is none: whoever hears it cannot connect without naming an interface.
    """
    places = []
    for group, everywhere in zip((lsd.GROUP, lsd.GROUP6), EVERYWHERE, strict=True):
        fit = [
            place.ip
            for place in interface.places
            if isinstance(place, IPv4Interface) != group.is_ipv6
            and (everywhere in bind or str(place.ip) in bind)
            and not (group.is_ipv6 and place.ip.is_link_local)
        ]
        fit.sort(key=lambda ip: ip.is_loopback)  # some clients take no peer there
        if fit:
            places.append(Place(group, interface.name, str(fit[0])))
    return places


def _is_neighbour(host: str, interface: Interface) -> bool:
    """Whether `host` can be on the interface's link: a public address from elsewhere is made up, to make us call it."""
    ip = ip_address(host)
    return not ip.is_global or any(ip in place.network for place in interface.places)
