"""The tracker as one running thing: a store, the frontends over it, and the one timer that lets peers expire."""

from __future__ import annotations

import asyncio
import heapq
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.errors import NetworkError
from p2p.ids import Address
from tracker.figures import SwarmFigures, add_traffic
from tracker.gated_logic import GatedLogic
from tracker.http_answers import HttpAnswers
from tracker.http_frontend import HttpFrontend
from tracker.logic import Rules, SwarmLogic
from tracker.memory_store import MemoryStore
from tracker.proxies import Proxies
from tracker.store import Family
from tracker.told_logic import ToldGate, ToldLogic, told_malformed
from tracker.udp_frontend import UdpFrontend

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from p2p.net.network import Network, Stream
    from p2p.operation.config_values import IpNetwork
    from tracker.figures import Traffic
    from tracker.gate import Gate
    from tracker.logic import TrackerLogic
    from tracker.store import Store, Totals

SWEEPS_A_LIFETIME: Final = 10
"""So that a peer outstays its lifetime by a tenth at the most."""

SWEEP_LIMIT: Final = 10_000
"""Peers looked at in one go, within a millisecond; a sweep that reaches it goes on after a turn for others. A million
are looked at within a second, and forgotten within two minutes, if all of them are old."""

SWEEP_PAUSE: Final = 0.005
"""Seconds of that turn."""

RANKED_SWARMS: Final = 10_000
"""Of each address family that are compared to find the busiest: some 20 milliseconds of work."""

RANKED_A_TURN: Final = 250
"""Compared before others have their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSettings:
    """Where a tracker listens and what it grants. Port 0 takes any free port."""

    http: tuple[Address, ...] = ()
    udp: tuple[Address, ...] = ()
    rules: Rules = field(default_factory=Rules)
    max_torrents: int = 100_000
    max_peers: int = 2_000_000
    """Of all torrents together; a peer takes some 140 bytes."""
    max_connections: int = 4_096
    """HTTP connections that stay, at once; each takes a file descriptor and some 10 KB while it sends."""
    max_per_address: int = 256
    """Of them from one IPv4 address or IPv6 network of 64 bits, unless it is one of `proxies`."""
    proxies: tuple[IpNetwork, ...] = ()
    """Whose word on who asks is taken (tracker.proxies)."""
    exchange_time: float = 15.0
    """Seconds for an HTTP request to arrive, an answer to leave, a connection to be quiet."""


class PrivateSide(NamedTuple):
    """What makes a tracker private. `wall` is seconds since the epoch."""

    gate: Gate
    wall: Callable[[], float]


class Tracker:
    """A tracker on `network`. `secret` (16 to 64 bytes) keys the UDP connection ids; equal seeds answer equally.

    HTTP connections that ask for a page are given to `on_page` with what was read of the request. A `private` tracker
    asks its gate before each announce and scrape. `tell` is told of every announce (tracker.told_logic), which is slow.
    The swarms are in `store`, by default in memory within the settings' bounds.
    """

    def __init__(
        self,
        network: Network,
        *,
        rng: random.Random,
        secret: bytes,
        settings: TrackerSettings,
        on_page: Callable[[Stream, bytes], None] | None = None,
        private: PrivateSide | None = None,
        tell: Callable[..., None] | None = None,
        store: Store | None = None,
    ) -> None:
        self._network = network
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        if store is None:
            store = MemoryStore(max_torrents=settings.max_torrents, max_peers=settings.max_peers)
        self._store = store
        self._logic = SwarmLogic(self._store, rng=rng, clock=self._now, rules=settings.rules)
        told: TrackerLogic = self._logic if tell is None else ToldLogic(self._logic, tell)
        gated = None
        if private is not None:
            gated = GatedLogic(told, private.gate if tell is None else ToldGate(private.gate, tell), private.wall)
        on_malformed = None if tell is None else told_malformed(tell)
        proxies = Proxies(settings.proxies)
        self._members_logic = gated
        self._http = HttpFrontend(
            HttpAnswers(told, gated, proxies, on_malformed),
            exchange_time=settings.exchange_time,
            max_connections=settings.max_connections,
            max_per_address=settings.max_per_address,
            proxies=proxies,
            on_page=on_page,
        )
        self._udp = UdpFrontend(told, secret=secret, clock=self._now, gated=gated, on_malformed=on_malformed)
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Bind every address of the settings. Raises NetworkError, with nothing left open, if one cannot be had."""
        try:
            for address in self._settings.http:
                with naming(address):
                    await self._http.open(self._network, address)
            for address in self._settings.udp:
                with naming(address):
                    await self._udp.open(self._network, address)
        except BaseException:
            await self.close()
            raise
        self._sweep_in(self._sweep_period)

    async def close(self) -> None:
        """Stop answering and free every address. Idempotent."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        self._http.close()
        self._udp.close()

    @property
    def http_addresses(self) -> tuple[Address, ...]:
        return self._http.addresses

    @property
    def udp_addresses(self) -> tuple[Address, ...]:
        return self._udp.addresses

    @property
    def announce_urls(self) -> tuple[str, ...]:
        """One URL an address, HTTP first. An address that stands for all of the host's is written as its loopback."""
        http = [f"http://{_reachable(address)}/announce" for address in self.http_addresses]
        udp = [f"udp://{_reachable(address)}/announce" for address in self.udp_addresses]
        return (*http, *udp)

    def totals(self) -> Totals:
        return self._store.totals()

    def traffic(self) -> Traffic:
        """What the frontends have answered since the start."""
        return add_traffic((self._http.traffic, self._udp.traffic))

    def set_rules(self, rules: Rules) -> None:
        """From the next announce on; peers that are here expire by the new lifetime."""
        self._settings = replace(self._settings, rules=rules)
        self._logic.set_rules(rules)

    @property
    def members_logic(self) -> GatedLogic | None:
        """What a private tracker's announces and scrapes go to, for who takes them elsewhere."""
        return self._members_logic

    @property
    def store(self) -> Store:
        """The swarms, for who saves and restores them."""
        return self._store

    async def busiest(self, limit: int) -> list[SwarmFigures]:
        """The torrents with the most peers of both families together, the busiest first; others have their turns."""
        found: dict[bytes, SwarmFigures] = {}
        for family in Family:
            for n, info_hash in enumerate(self._store.info_hashes(family, RANKED_SWARMS)):
                if n % RANKED_A_TURN == 0:
                    await asyncio.sleep(0)
                seeders, completed, leechers, _ = self._store.counts(info_hash, family)
                if (other := found.get(info_hash)) is not None:
                    seeders, leechers, completed = (
                        seeders + other.seeders,
                        leechers + other.leechers,
                        completed + other.completed,
                    )
                found[info_hash] = SwarmFigures(info_hash, seeders, leechers, completed)
        return heapq.nlargest(limit, found.values(), key=lambda each: (each.seeders + each.leechers, each.info_hash))

    def _now(self) -> float:
        loop = self._loop
        if loop is None:  # asking for the running one is a system call each time
            loop = self._loop = asyncio.get_running_loop()
        return loop.time()

    @property
    def _sweep_period(self) -> float:
        return self._settings.rules.peer_lifetime / SWEEPS_A_LIFETIME

    def _sweep_in(self, seconds: float) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        done = self._store.expire(self._now() - self._settings.rules.peer_lifetime, SWEEP_LIMIT)
        self._sweep_in(self._sweep_period if done else SWEEP_PAUSE)


@contextmanager
def naming(address: Address) -> Iterator[None]:
    """Put the address before what the network says of it."""
    try:
        yield
    except NetworkError as error:
        raise NetworkError(f"{address}: {error}") from error


def _reachable(address: Address) -> Address:
    if address.host == "0.0.0.0":  # noqa: S104 - compared, not bound
        return Address("127.0.0.1", address.port)
    return Address("::1", address.port) if address.host == "::" else address
