"""The tracker as one running thing: a store, the frontends over it, and the one timer that lets peers expire."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from p2p.ids import Address
from tracker import logic
from tracker.http_frontend import HttpFrontend
from tracker.logic import Rules
from tracker.memory_store import MemoryStore
from tracker.udp_frontend import UdpFrontend

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from p2p.codec.announce import AnnounceEvent, ScrapeEntry
    from p2p.ids import InfoHash
    from p2p.net.network import Network
    from tracker.store import Answer, Family, Store, Totals

SWEEPS_A_LIFETIME: Final = 10
"""So that a peer outstays its lifetime by a tenth at the most."""

SWEEP_LIMIT: Final = 20_000
"""Peers looked at in one go, within a millisecond; a sweep that reaches it goes on after a turn for others."""

SWEEP_PAUSE: Final = 0.005
"""Seconds of that turn."""


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
    """HTTP connections at once; each takes a file descriptor and some 10 KB while it sends."""
    exchange_time: float = 15.0
    """Seconds for an HTTP request to arrive, an answer to leave, a connection to be quiet."""


class Tracker:
    """A tracker on `network`. `secret` (16 to 64 bytes) keys the UDP connection ids; equal seeds answer equally."""

    def __init__(self, network: Network, *, rng: random.Random, secret: bytes, settings: TrackerSettings) -> None:
        self._network = network
        self._rng = rng
        self._settings = settings
        self._store: Store = MemoryStore(max_torrents=settings.max_torrents, max_peers=settings.max_peers)
        self._http = HttpFrontend(self, exchange_time=settings.exchange_time, max_connections=settings.max_connections)
        self._udp = UdpFrontend(self, secret=secret, clock=self._now)
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Bind every address of the settings. Raises NetworkError, with nothing left open, if one cannot be had."""
        try:
            for address in self._settings.http:
                await self._http.open(self._network, address)
            for address in self._settings.udp:
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

    def announce(
        self, info_hash: bytes, peer: bytes, peer_id: bytes, left: int, event: AnnounceEvent, want: int, lists: int
    ) -> tuple[int, Answer]:
        """See `tracker.logic.announce`."""
        store, rng, rules = self._store, self._rng, self._settings.rules
        return logic.announce(
            info_hash, peer, peer_id, left, event, want, lists, store=store, now=self._now(), rng=rng, rules=rules
        )

    def peer_ids(self, info_hash: bytes, peers: bytes | bytearray, family: Family) -> list[bytes]:
        return self._store.peer_ids(info_hash, peers, family)

    def scrape(self, info_hashes: Sequence[InfoHash], family: Family) -> dict[InfoHash, ScrapeEntry]:
        """See `tracker.logic.scrape`."""
        return logic.scrape(info_hashes, family, self._store, self._settings.rules)

    def totals(self) -> Totals:
        return self._store.totals()

    @property
    def min_interval(self) -> int:
        return max(1, round(self._settings.rules.min_interval))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def _sweep_period(self) -> float:
        return self._settings.rules.peer_lifetime / SWEEPS_A_LIFETIME

    def _sweep_in(self, seconds: float) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        done = self._store.expire(self._now() - self._settings.rules.peer_lifetime, SWEEP_LIMIT)
        self._sweep_in(self._sweep_period if done else SWEEP_PAUSE)


def _reachable(address: Address) -> Address:
    if address.host == "0.0.0.0":  # noqa: S104 - compared, not bound
        return Address("127.0.0.1", address.port)
    return Address("::1", address.port) if address.host == "::" else address
