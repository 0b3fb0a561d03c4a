"""What a tracker answers: decisions over a store, the same for HTTP and UDP, in plain values.

The rules: a peer's address is the one its packets come from, never one it claims; an answer is made of the swarm of
that address's family; how long to wait is spread by chance, so that a swarm that came together does not come back so.

Who comes back before the min interval is over is answered, and told to come when it is, but is given no peers: clients
show a refusal as an error and some then drop the tracker, while an answer without peers leaves them with those they
have. It is the same peer as long as its id is the same, so a client that was started anew, and one that had said that
it stops, is a newcomer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from p2p.codec.announce import AnnounceEvent
from p2p.errors import TrackerError
from p2p.ids import InfoHash
from tracker.store import Role

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from p2p.codec.announce import ScrapeEntry
    from tracker.store import Answer, Family, Store, Totals

SPREAD: Final = 0.1
"""Of the interval, added by chance."""

LIFETIME: Final = 2.5
"""Intervals without an announce after which a peer is gone: it has missed two, spread included."""

HTTP_LISTS: Final = 1
"""Times a peer is given peers in one min interval over HTTP, where an answer that was lost is a rarity."""

UDP_LISTS: Final = 3
"""The same over UDP, where an answer may be lost on the way and BEP 15 has the client ask again."""

# Looked up once: an enum's members are found by a search through its class.
_NONE: Final = AnnounceEvent.NONE
_STOPPED: Final = AnnounceEvent.STOPPED
_COMPLETED: Final = AnnounceEvent.COMPLETED
_PAUSED: Final = AnnounceEvent.PAUSED
_DOWNLOADER: Final = Role.DOWNLOADER
_PARTIAL_SEED: Final = Role.PARTIAL_SEED
_SEEDER: Final = Role.SEEDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator decides. Seconds and numbers of peers."""

    interval: float = 1_800.0
    min_interval: float = 900.0
    default_peers: int = 50
    max_peers: int = 200
    """In one answer, whatever the asker wants."""
    max_full_scrape: int = 2_000
    """Torrents in the answer to a scrape that names none; it is built in one go, at some microseconds each."""

    def __post_init__(self) -> None:
        # A peer that keeps its interval is never too early.
        object.__setattr__(self, "min_interval", min(self.min_interval, self.interval))

    @property
    def peer_lifetime(self) -> float:
        """Seconds a peer stays without announcing."""
        return LIFETIME * self.interval


class TrackerLogic(Protocol):
    """What a frontend needs of the tracker behind it. Peers are compact, their host is where the request came from."""

    def announce(
        self, info_hash: bytes, peer: bytes, peer_id: bytes, left: int, event: AnnounceEvent, want: int, lists: int
    ) -> tuple[int, Answer]:
        """Seconds to wait until the next announce, and the answer. Raises TrackerError, worded for the client's user.

        `want` below 0 leaves the number to the tracker; `lists` is HTTP_LISTS or UDP_LISTS.
        """

    def peer_ids(self, info_hash: bytes, peers: bytes | bytearray, family: Family) -> list[bytes]:
        """See `Store.peer_ids`."""

    def scrape(self, info_hashes: Sequence[InfoHash], family: Family) -> dict[InfoHash, ScrapeEntry]:
        """The swarms asked for, or all where none is named. Raises TrackerError to refuse."""

    def totals(self) -> Totals: ...

    @property
    def min_interval(self) -> int:
        """Whole seconds before which a peer is given no peers again."""


class SwarmLogic:
    """The open tracker: a `TrackerLogic` over a store. `clock` tells seconds, `rng` is all its chance."""

    __slots__ = (
        "_clock",
        "_default_peers",
        "_enter",
        "_interval",
        "_max_peers",
        "_min_interval",
        "_rng",
        "_rules",
        "_spread",
        "_store",
    )

    def __init__(self, store: Store, *, rng: random.Random, clock: Callable[[], float], rules: Rules) -> None:
        self._store = store
        self._enter = store.announce
        self._rng = rng
        self._clock = clock
        self.set_rules(rules)

    def set_rules(self, rules: Rules) -> None:
        """From the next announce on."""
        self._rules = rules
        # Read at every announce: kept apart from what they are made of.
        self._interval = max(1.0, rules.interval)
        self._spread = SPREAD * rules.interval
        self._min_interval = rules.min_interval
        self._max_peers = rules.max_peers
        self._default_peers = rules.default_peers

    def announce(
        self, info_hash: bytes, peer: bytes, peer_id: bytes, left: int, event: AnnounceEvent, want: int, lists: int
    ) -> tuple[int, Answer]:
        """Enter, renew or remove the peer and answer it. Raises TrackerError for port 0 and when the store is full."""
        rng = self._rng
        role = _DOWNLOADER if left else _SEEDER
        if event is not _NONE:
            if event is _STOPPED:
                return int(self._interval + self._spread * rng.random()), self._store.remove(info_hash, peer)
            if event is _COMPLETED:
                if not left:
                    self._store.complete(info_hash, peer)
            elif event is _PAUSED and left:
                role = _PARTIAL_SEED
        if peer[-1] == 0 and peer[-2] == 0:
            raise TrackerError("port 0 cannot be reached")
        if want < 0:
            want = self._default_peers
        elif want > self._max_peers:
            want = self._max_peers
        answer = self._enter(info_hash, peer, peer_id, role, want, self._clock(), rng, self._min_interval, lists)
        if answer[4]:
            return math.ceil(answer.wait + self._min_interval * SPREAD * rng.random()), answer
        return int(self._interval + self._spread * rng.random()), answer

    def peer_ids(self, info_hash: bytes, peers: bytes | bytearray, family: Family) -> list[bytes]:
        return self._store.peer_ids(info_hash, peers, family)

    def scrape(self, info_hashes: Sequence[InfoHash], family: Family) -> dict[InfoHash, ScrapeEntry]:
        """The swarms of one family; none named means all of them. Raises TrackerError where all are too many."""
        if not info_hashes:
            most = self._rules.max_full_scrape
            info_hashes = [InfoHash(each) for each in self._store.info_hashes(family, most + 1)]
            if len(info_hashes) > most:
                raise TrackerError("too many torrents for one scrape; name those you want")
        return {info_hash: self._store.counts(info_hash, family) for info_hash in info_hashes}

    def totals(self) -> Totals:
        return self._store.totals()

    @property
    def min_interval(self) -> int:
        return max(1, round(self._min_interval))
