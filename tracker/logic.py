"""What a tracker answers: pure decisions over a store, the same for HTTP and UDP.

The rules: a peer's address is the one its packets come from, never one it claims; an answer is made of the swarm of
that address's family; how long to wait is spread by chance, so that a swarm that came together does not come back so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from p2p.codec.announce import AnnounceEvent, AnnounceReply, AnnounceRequest, ScrapeEntry
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker.store import Role

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from p2p.ids import InfoHash
    from tracker.store import Store, Totals

SPREAD: Final = 0.1
"""Of the interval, added by chance."""

LIFETIME: Final = 2.5
"""Intervals without an announce after which a peer is gone: it has missed two, spread included."""


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

    @property
    def peer_lifetime(self) -> float:
        """Seconds a peer stays without announcing."""
        return LIFETIME * self.interval


class TrackerLogic(Protocol):
    """What a frontend needs of the tracker behind it. `source` is where the request came from."""

    def announce(self, request: AnnounceRequest, source: Address) -> AnnounceReply:
        """Raises TrackerError to refuse, worded for the client's user."""

    def scrape(self, info_hashes: Sequence[InfoHash], source: Address) -> dict[InfoHash, ScrapeEntry]:
        """The swarms asked for, or all where none is named. Raises TrackerError to refuse."""

    def totals(self) -> Totals: ...


def announce(
    request: AnnounceRequest, source: Address, store: Store, now: float, rng: random.Random, *, rules: Rules
) -> AnnounceReply:
    """Enter, renew or remove the peer and answer it. Raises TrackerError for a port no peer can listen on."""
    peer = Address(source.host, request.port)
    role = _role(request)
    if request.event is AnnounceEvent.STOPPED:
        store.remove(request.info_hash, peer)
        picked = []
    else:
        if request.port == 0:
            raise TrackerError("port 0 cannot be reached")
        store.put(request.info_hash, peer, request.peer_id, role, now)
        if request.event is AnnounceEvent.COMPLETED and role is Role.SEEDER:
            store.complete(request.info_hash, peer)
        wanted = request.num_want if request.num_want >= 0 else rules.default_peers
        picked = store.pick(request.info_hash, peer, role, min(wanted, rules.max_peers), rng)
    seeders, completed, leechers, _ = store.counts(request.info_hash, peer)
    with_ids = not (request.compact or request.no_peer_id)
    return AnnounceReply(
        interval=float(max(1, round(rules.interval * (1 + SPREAD * rng.random())))),
        min_interval=float(max(1, round(rules.min_interval))),
        seeders=seeders,
        leechers=leechers,
        completed=completed,
        peers=tuple([each.address for each in picked]),
        peer_ids=tuple([each.peer_id for each in picked]) if with_ids else (),
        external_ip=source.host,
    )


def scrape(info_hashes: Sequence[InfoHash], source: Address, store: Store, rules: Rules) -> dict[InfoHash, ScrapeEntry]:
    """The swarms of `source`'s family; none named means all of them. Raises TrackerError where all are too many."""
    if not info_hashes:
        info_hashes = store.info_hashes(source, rules.max_full_scrape + 1)
        if len(info_hashes) > rules.max_full_scrape:
            raise TrackerError("too many torrents for one scrape; name those you want")
    return {info_hash: store.counts(info_hash, source) for info_hash in info_hashes}


def _role(request: AnnounceRequest) -> Role:
    if request.left == 0:
        return Role.SEEDER
    return Role.PARTIAL_SEED if request.event is AnnounceEvent.PAUSED else Role.DOWNLOADER
