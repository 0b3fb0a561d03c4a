"""The peers known of one torrent, and which to connect to next.

Everybody enters through `add` with a source. A peer is idle, being connected or connected; an idle one that failed
waits twice as long each time and is forgotten in the end. Idle ones are offered in an order that trusts what was seen
before what was heard, and by whom: peers that were useful, then fewest failures, then the source's rank, then canonical
priority (BEP 40). The list is bounded: what it would offer last is what it forgets first, so a flood of made-up
addresses from gossip displaces nothing that a tracker or experience vouches for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, IPv6Network
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.swarm.peer_priority import peer_priority

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from random import Random

    from p2p.ids import Address


class PeerSource(Enum):
    """Who told of a peer, most trusted first."""

    MANUAL = "manual"
    LSD = "lsd"
    TRACKER = "tracker"
    RESUME = "resume"
    DHT = "dht"
    PEX = "pex"
    INCOMING = "incoming"


PRIVATE_SOURCES: Final = (PeerSource.MANUAL, PeerSource.TRACKER)
"""Sources of a private torrent (BEP 27): its tracker, and what the user typed."""

BACKOFF: Final = 20.0
"""Seconds a peer rests after its first failure; each further one doubles it."""
BACKOFF_MAX: Final = 3_600.0
NAMED_BACKOFF: Final = 1.0
NAMED_BACKOFF_MAX: Final = 60.0
"""The same for a peer that the user named: it is expected, and may be about to start."""
MAX_FAILURES: Final = 5
"""Failures in a row after which a peer is forgotten: ten minutes of trying. A source may name it again."""
RECONNECT: Final = 10.0
"""Seconds before a useful peer is tried again: it may just have restarted."""
DUPLICATE_REST: Final = 600.0
"""Seconds before the address of a peer that is connected by another way is tried again."""
MAX_BANNED: Final = 10_000
"""Hosts; more than anyone can prove bad in a torrent's life, and a bound all the same."""
MAX_OWN: Final = 64
"""Addresses that turned out to be ourselves; a host has a handful."""

# Rank within the offers: gossip that anyone can write stands behind what a tracker or the user vouches for.
_RANK: Final = {
    PeerSource.MANUAL: 0,
    PeerSource.LSD: 0,
    PeerSource.TRACKER: 1,
    PeerSource.RESUME: 1,
    PeerSource.DHT: 2,
    PeerSource.PEX: 2,
    PeerSource.INCOMING: 2,
}
_FIRST_USED: Final = 1
_FIRST_RESERVED: Final = 224
"""First numbers of IPv4 addresses: 0 is this network (RFC 1122), from 224 on multicast, reserved and broadcast."""

_NOWHERE6: Final = (
    IPv6Network("::/128"),
    IPv6Network("fe80::/10"),  # link-local means nothing without a scope
    IPv6Network("ff00::/8"),
)


class Ban(NamedTuple):
    """Why and when a host was banned."""

    host: str
    reason: str
    at: float


class _State(Enum):
    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"


@dataclass(slots=True)
class _Known:
    address: Address
    sources: list[PeerSource]
    state: _State = _State.IDLE
    useful: bool = False
    seed: bool = False
    failures: int = 0
    not_before: float = -math.inf
    rank: int = 0
    """The best of its sources'."""
    chance: int = 0
    """What orders equals: canonical priority where it can be had, chance otherwise. Higher is better."""
    ranked_for: Address | None = None
    """The address of ours that `chance` was computed with."""

    @property
    def order(self) -> tuple[bool, int, int, int]:
        """Best first."""
        return not self.useful, self.failures, self.rank, -self.chance


class PeerList:
    """The known peers of a torrent. Times are the caller's `now`, in seconds."""

    def __init__(
        self,
        *,
        limit: int = 2_000,
        own: Iterable[Address] = (),
        sources: Collection[PeerSource] = tuple(PeerSource),
        refuses: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`limit` bounds the peers kept, `own` are addresses of ours, other `sources` than these are not heard, and
        hosts that the user `refuses` are not either."""
        self._refuses = refuses
        self._limit = limit
        self._sources = tuple(sources)
        self._peers: dict[Address, _Known] = {}
        self._own: dict[Address, None] = dict.fromkeys(own)
        self._banned: dict[str, Ban] = {}
        self._offers: list[_Known] = []  # best last; stale entries are dropped as they surface
        self._wakes_at = math.inf  # when the next resting peer may be offered
        self._stale = True
        self._ranked_for: Address | None = None  # ourselves from outside, in the last ranking

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, address: object) -> bool:
        return address in self._peers

    def add(self, addresses: Iterable[Address], source: PeerSource, now: float) -> int:
        """Peers heard of from `source`; at most `limit` of them are looked at. Returns how many are new and kept.

        Addresses that are ours, banned, or of nobody (port 0, unspecified, multicast, broadcast) are passed over.
        """
        if source not in self._sources:
            return 0
        new: list[Address] = []
        for address in islice(addresses, self._limit):
            known = self._peers.get(address)
            if known is not None:
                if source not in known.sources:
                    known.sources.append(source)
                    known.rank = min(known.rank, _RANK[source])
                if known.state is _State.IDLE and source is PeerSource.MANUAL:
                    known.failures, known.not_before = 0, now  # the user says try it now
                    self._stale = True
                elif known.state is _State.IDLE and source is PeerSource.LSD and known.failures:
                    known.not_before = min(known.not_before, now)  # it says itself that it is there, this very moment
                    self._stale = True
            elif (
                address not in self._own
                and address.host not in self._banned
                and _is_somebody(address)
                and not self._refuses(address.host)
            ):
                self._peers[address] = _Known(address, [source], not_before=now, rank=_RANK[source])
                new.append(address)
        if new:
            self._stale = True
            self._trim()
        return sum(address in self._peers for address in new)

    def candidates(self, count: int, now: float, *, own_address: Address | None, rng: Random) -> list[Address]:
        """Up to `count` peers to connect to now, best first. They stay on offer until `on_connecting` takes them.

        `own_address` is where the outside sees us; None while nobody has said.
        """
        if self._stale or now >= self._wakes_at or own_address != self._ranked_for:
            self._rank_offers(now, own_address, rng)
        chosen: list[Address] = []
        kept: list[_Known] = []
        while self._offers and len(chosen) < count:
            known = self._offers.pop()
            if self._peers.get(known.address) is known and known.state is _State.IDLE and known.not_before <= now:
                kept.append(known)
                chosen.append(known.address)
        self._offers.extend(reversed(kept))
        return chosen

    def next_candidate_time(self, now: float) -> float | None:
        """When `candidates` may have somebody: `now` if it may already, None if only news can change that."""
        if self._stale or now >= self._wakes_at:
            self._stale = True
            due = math.inf
            for known in self._peers.values():
                if known.not_before < due and self._may_be_offered(known):
                    due = known.not_before
                    if due <= now:  # as there mostly is one, few are looked at
                        return now
            return None if due == math.inf else due
        if any(
            known.state is _State.IDLE and known.not_before <= now and known.address in self._peers
            for known in reversed(self._offers)
        ):
            return now
        return None if self._wakes_at == math.inf else self._wakes_at

    def on_connecting(self, address: Address) -> None:
        """A connection to it is being made."""
        known = self._peers.get(address)
        if known is not None:
            known.state = _State.CONNECTING

    def on_connected(self, address: Address) -> None:
        """It is connected, whichever side began."""
        known = self._peers.get(address)
        if known is not None:
            self._stale = self._stale or known.state is _State.IDLE  # it reached us; nobody waits for its rest to end
            known.state = _State.CONNECTED

    def on_failed(self, address: Address, now: float) -> None:
        """It could not be reached, or its handshake failed."""
        known = self._peers.get(address)
        if known is None:
            return
        known.failures += 1
        first, longest = BACKOFF, BACKOFF_MAX
        if PeerSource.MANUAL in known.sources:
            first, longest = NAMED_BACKOFF, NAMED_BACKOFF_MAX
        elif known.failures >= MAX_FAILURES:
            del self._peers[address]
            return
        self._rest(known, now + min(first * 2.0 ** min(known.failures - 1, 16), longest))

    def on_disconnected(self, address: Address, now: float, *, useful: bool) -> None:
        """Its connection ended; `useful` if anything was exchanged over it. A useless one counts as a failure."""
        known = self._peers.get(address)
        if known is None:
            return
        known.useful = useful
        if not useful:
            self.on_failed(address, now)
            return
        known.failures = 0
        self._rest(known, now + RECONNECT)

    def on_duplicate(self, address: Address, now: float) -> None:
        """It turned out to be a peer that we are connected to by another way."""
        known = self._peers.get(address)
        if known is not None:
            self._rest(known, now + DUPLICATE_REST)

    def on_renamed(self, address: Address, now: float) -> None:
        """Its connection ended so that it is greeted anew, under another name of the torrent, at once."""
        known = self._peers.get(address)
        if known is not None:
            self._rest(known, now)

    def on_self(self, address: Address) -> None:
        """It turned out to be ourselves: never again."""
        self._peers.pop(address, None)
        self._own[address] = None
        if len(self._own) > MAX_OWN:
            del self._own[next(iter(self._own))]

    def on_seed(self, address: Address) -> None:
        """It has everything, and so have we: not to be tried again until `on_wanting`."""
        known = self._peers.get(address)
        if known is not None:
            known.seed = True
            self._stale = True

    def on_wanting(self) -> None:
        """We want something again, so seeds are worth a connection."""
        for known in self._peers.values():
            known.seed = False
        self._stale = True

    def on_restart(self, now: float) -> None:
        """The torrent starts again: nobody is connected, and what failed before is worth a try."""
        for known in self._peers.values():
            known.state, known.failures, known.not_before = _State.IDLE, 0, now
        self._stale = True

    def ban(self, host: str, reason: str, now: float) -> None:
        """Hear of no peer at `host` again. `reason` is one line for a user."""
        self._banned.pop(host, None)
        self._banned[host] = Ban(host, reason, now)
        if len(self._banned) > MAX_BANNED:
            del self._banned[next(iter(self._banned))]
        for address in [address for address in self._peers if address.host == host]:
            del self._peers[address]
        self._stale = True

    def unban(self, host: str) -> None:
        """The user forgives `host`."""
        self._banned.pop(host, None)

    def is_banned(self, host: str) -> bool:
        return host in self._banned

    @property
    def bans(self) -> tuple[Ban, ...]:
        """All bans, oldest first."""
        return tuple(self._banned.values())

    def keep_sources(self, sources: Collection[PeerSource]) -> None:
        """From now on hear these sources only, and forget every peer that none of them named.

        For a magnet link that turns out to be private (BEP 27). Connections are the caller's to end.
        """
        self._sources = tuple(sources)
        for known in list(self._peers.values()):
            known.sources = [source for source in known.sources if source in self._sources]
            if known.sources:
                known.rank = min(_RANK[source] for source in known.sources)
            else:
                del self._peers[known.address]

    def on_refusals(self) -> None:
        """Other hosts are refused than before, and those that are now are forgotten. Connections are the caller's."""
        for address in [address for address in self._peers if self._refuses(address.host)]:
            del self._peers[address]
        self._stale = True

    def on_network(self, now: float) -> None:
        """The network is another, or is there again: who could not be reached before may be now."""
        for known in self._peers.values():
            if known.state is _State.IDLE:
                known.failures, known.not_before = 0, now
        self._stale = True

    def clear(self) -> None:
        """Forget every peer, as a private torrent does when it changes trackers (BEP 27). Bans stay."""
        self._peers.clear()
        self._offers.clear()
        self._wakes_at = math.inf

    def source_of(self, address: Address) -> PeerSource | None:
        """Who told of it first; None for a peer that is not known."""
        known = self._peers.get(address)
        return None if known is None else known.sources[0]

    def worth_keeping(self, count: int) -> list[Address]:
        """Up to `count` peers for the next run: connected ones, useful ones, then untried ones; never failed ones."""
        good = [known for known in self._peers.values() if known.failures == 0]
        good.sort(key=lambda known: (known.state is not _State.CONNECTED, known.order))
        return [known.address for known in good[:count]]

    def _rest(self, known: _Known, until: float) -> None:
        known.state = _State.IDLE
        known.not_before = until
        if self._may_be_offered(known):
            self._wakes_at = min(self._wakes_at, until)

    def _rank_offers(self, now: float, own_address: Address | None, rng: Random) -> None:
        self._stale = False
        self._ranked_for = own_address
        self._wakes_at = math.inf
        offers: list[_Known] = []
        for known in self._peers.values():
            if not self._may_be_offered(known):
                continue
            if known.not_before > now:
                self._wakes_at = min(self._wakes_at, known.not_before)
                continue
            if own_address is None or known.ranked_for != own_address:
                priority = None if own_address is None else peer_priority(own_address, known.address)
                known.chance = rng.getrandbits(32) if priority is None else priority
                known.ranked_for = own_address
            offers.append(known)
        offers.sort(key=lambda known: known.order, reverse=True)
        self._offers = offers

    def _may_be_offered(self, known: _Known) -> bool:
        return known.state is _State.IDLE and not known.seed and known.address != self._ranked_for

    def _trim(self) -> None:
        """Back within the limit: idle peers that would be offered last go first, newest of equals before older."""
        excess = len(self._peers) - self._limit
        if excess <= 0:
            return
        idle = [known for known in self._peers.values() if known.state is _State.IDLE]
        idle.sort(key=lambda known: (not known.useful, known.failures, known.rank))
        for known in idle[-excess:]:
            del self._peers[known.address]


def _is_somebody(address: Address) -> bool:
    if not 0 < address.port <= 65_535:
        return False
    if address.is_ipv6:
        ip = IPv6Address(address.host)
        return not any(ip in network for network in _NOWHERE6)
    # A thousand peers each tell of a hundred: the first number says it all, and an IPv4Address costs ten times more.
    return _FIRST_USED <= int(address.host.partition(".")[0]) < _FIRST_RESERVED
