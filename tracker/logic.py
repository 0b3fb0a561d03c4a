"""What a tracker answers: pure decisions over a store, the same for HTTP and UDP, in plain values.

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
    from collections.abc import Sequence

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

_NO_PORT: Final = bytes(2)
_STOPPED = AnnounceEvent.STOPPED
_COMPLETED = AnnounceEvent.COMPLETED
_PAUSED = AnnounceEvent.PAUSED


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


def announce(
    info_hash: bytes,
    peer: bytes,
    peer_id: bytes,
    left: int,
    event: AnnounceEvent,
    want: int,
    lists: int,
    *,
    store: Store,
    now: float,
    rng: random.Random,
    rules: Rules,
) -> tuple[int, Answer]:
    """Enter, renew or remove the peer and answer it: see `TrackerLogic.announce`.

    Raises TrackerError for a port no peer can listen on, and when the store is full.
    """
    if event is _STOPPED:
        answer = store.remove(info_hash, peer)
    else:
        if peer.endswith(_NO_PORT):
            raise TrackerError("port 0 cannot be reached")
        if left == 0:
            role = Role.SEEDER
            if event is _COMPLETED:
                store.complete(info_hash, peer)
        else:
            role = Role.PARTIAL_SEED if event is _PAUSED else Role.DOWNLOADER
        want = rules.default_peers if want < 0 else min(want, rules.max_peers)
        answer = store.announce(info_hash, peer, peer_id, role, want, now, rng, rules.min_interval, lists)
        if answer.wait:
            return math.ceil(answer.wait + rules.min_interval * SPREAD * rng.random()), answer
    return max(1, round(rules.interval * (1 + SPREAD * rng.random()))), answer


def scrape(info_hashes: Sequence[InfoHash], family: Family, store: Store, rules: Rules) -> dict[InfoHash, ScrapeEntry]:
    """The swarms of one family; none named means all of them. Raises TrackerError where all are too many."""
    if not info_hashes:
        info_hashes = [InfoHash(each) for each in store.info_hashes(family, rules.max_full_scrape + 1)]
        if len(info_hashes) > rules.max_full_scrape:
            raise TrackerError("too many torrents for one scrape; name those you want")
    return {info_hash: store.counts(info_hash, family) for info_hash in info_hashes}
