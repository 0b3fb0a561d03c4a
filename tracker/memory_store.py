"""The store in memory: a swarm is a few dense buffers (tracker.swarm), the swarms stand in one list.

A peer costs 6 or 18 bytes of address, once more if it fetches, 20 of id, 8 of time and a mark: no object of its own,
nothing for the garbage collector to walk. Expiry goes round the list of swarms in small steps and needs no
index of ages: a step looks at a peer in some 20 nanoseconds.
"""

from __future__ import annotations

import sys
from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from p2p.codec.announce import ScrapeEntry
from p2p.errors import TrackerError
from tracker.store import FORGETTING, OWED, Answer, Family, Role, SwarmRecord, Totals
from tracker.swarm import DETAIL, GIVEN, ID_SIZE, LIST, ROLE, Swarm

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

FULL_RETRY: Final = 600.0
"""Seconds a refused newcomer is asked to wait: a few sweeps, in which expired peers make room."""

LOOKED_AT: Final = 256
"""Peers looked at before the old ones among them are forgotten: so that the step has time left for that."""

_NOBODY = Answer(0, 0, 0, b"")
_UNKNOWN_ID = bytes(ID_SIZE)

_new = tuple.__new__  # half the price of a named tuple's own


class MemoryStore:
    """A `Store`. `max_torrents` and `max_peers` count both families together.

    `on_change` hears of each peer (info-hash, compact) that has entered, gone, finished, or has another role or id; not
    of one that is merely renewed, nor of what `put`, `restore` and `drop` do. Peers expire only in the swarms of
    torrents that `expires` says so of.
    """

    __slots__ = (
        "_at_peer",
        "_at_swarm",
        "_empty",
        "_expires",
        "_max_peers",
        "_max_torrents",
        "_on_change",
        "_order",
        "_peers",
        "_seeders",
        "_swarms4",
        "_swarms6",
    )

    def __init__(
        self,
        *,
        max_torrents: int,
        max_peers: int,
        on_change: Callable[[bytes, bytes], None] | None = None,
        expires: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._on_change = on_change
        self._expires = expires
        self._max_torrents = max_torrents
        self._max_peers = max_peers
        self._swarms4: dict[bytes, Swarm] = {}
        self._swarms6: dict[bytes, Swarm] = {}
        self._order: list[Swarm] = []
        """All swarms; each knows its number here."""
        # Swarms without peers, kept for their count of completions until their room is needed.
        self._empty: OrderedDict[tuple[bytes, Family], Swarm] = OrderedDict()
        self._peers = 0
        self._seeders = 0
        # Expiry goes down the order, and down each swarm: what fills a hole comes from where it has been already.
        self._at_swarm = sys.maxsize
        self._at_peer = 0

    def announce(
        self,
        info_hash: bytes,
        peer: bytes,
        peer_id: bytes,
        role: Role,
        want: int,
        now: float,
        rng: random.Random,
        min_interval: float = 0.0,
        lists: int = 1,
    ) -> Answer:
        swarm = (self._swarms4 if len(peer) == 6 else self._swarms6).get(info_hash)
        if swarm is None:
            return self._welcome(info_hash, peer, peer_id, role, want, now, rng)
        line = swarm.peers
        if line.index is None:  # Line.find, without the price of a call
            peers = line.peers
            place = peers.find(peer)
            if place > 0:
                size = len(peer)
                while place % size and place > 0:
                    place = peers.find(peer, place + 1)
                place //= size
        else:
            place = line.index.get(peer, -1)
        if place < 0:
            return self._welcome(info_hash, peer, peer_id, role, want, now, rng)
        details = swarm.details
        at = place * DETAIL
        at_mark = at + ID_SIZE
        mark = details[at_mark]
        seen = swarm.seen
        wait = seen[place] + min_interval - now
        if details[at:at_mark] != peer_id:
            if len(peer_id) != ID_SIZE:
                raise ValueError("a peer id has 20 bytes")
            details[at:at_mark] = peer_id
            wait = 0.0
            if self._on_change is not None:
                self._on_change(info_hash, peer)
        if wait <= 0.0:
            wait = 0.0
            seen[place] = now
            renewed = role | LIST if want > 0 else role
        else:
            given = mark & GIVEN
            if given >= lists * LIST:
                want = 0
            else:
                wait = 0.0
                if want > 0:
                    given += LIST
            renewed = role | given
        renewed |= mark & OWED if role == 2 else OWED
        if renewed != mark:
            if (mark ^ renewed) & ROLE:
                self._change_role(swarm, place, peer, renewed, rng)
            else:
                details[at_mark] = renewed
                if (mark ^ renewed) & OWED and self._on_change is not None:
                    self._on_change(info_hash, peer)
        given_peers = swarm.fetching.draw(want, rng) if role else line.draw_for(place, want, rng)
        seeders = swarm.seeders
        return _new(Answer, (seeders, len(seen) - seeders, swarm.completed, given_peers, wait))

    def _welcome(
        self, info_hash: bytes, peer: bytes, peer_id: bytes, role: Role, want: int, now: float, rng: random.Random
    ) -> Answer:
        """The announce of a peer that is not here."""
        if self._peers >= self._max_peers:
            raise TrackerError("the tracker is full", retry_in=FULL_RETRY)
        if len(peer_id) != ID_SIZE:
            raise ValueError("a peer id has 20 bytes")
        swarm = self._swarm_for_newcomer(info_hash, Family(len(peer)))
        mark = role | (LIST if want > 0 else 0) | (OWED if role != Role.SEEDER else 0)
        place = swarm.enter(peer, peer_id, mark, now, rng)
        self._peers += 1
        self._seeders += role == Role.SEEDER
        if self._on_change is not None:
            self._on_change(info_hash, peer)
        peers = swarm.fetching.draw(want, rng) if role else swarm.peers.draw_for(place, want, rng)
        return Answer(swarm.seeders, len(swarm.seen) - swarm.seeders, swarm.completed, peers)

    def complete(self, info_hash: bytes, peer: bytes) -> bool:
        swarm = self._swarms(len(peer)).get(info_hash)
        place = -1 if swarm is None else swarm.peers.find(peer)
        if swarm is None or place < 0:
            return False
        at = place * DETAIL + ID_SIZE
        if not swarm.details[at] & OWED:
            return False
        swarm.details[at] &= ~OWED
        swarm.completed += 1
        if self._on_change is not None:
            self._on_change(info_hash, peer)
        return True

    def remove(self, info_hash: bytes, peer: bytes) -> Answer:
        swarm = self._swarms(len(peer)).get(info_hash)
        if swarm is None:
            return _NOBODY
        place = swarm.peers.find(peer)
        if place >= 0:
            self._forget(swarm, place)
            if self._on_change is not None:
                self._on_change(info_hash, peer)
        return Answer(swarm.seeders, len(swarm.seen) - swarm.seeders, swarm.completed, b"")

    def counts(self, info_hash: bytes, family: Family) -> ScrapeEntry:
        swarm = self._swarms(family).get(info_hash)
        if swarm is None:
            return ScrapeEntry(0, 0, 0, 0)
        return ScrapeEntry(swarm.seeders, swarm.completed, len(swarm.seen) - swarm.seeders, swarm.downloaders)

    def peer_ids(self, info_hash: bytes, peers: bytes | bytearray, family: Family) -> list[bytes]:
        swarm = self._swarms(family).get(info_hash)
        found: list[bytes] = []
        for at in range(0, len(peers), family):
            place = -1 if swarm is None else swarm.peers.find(bytes(peers[at : at + family]))
            if swarm is None or place < 0:
                found.append(_UNKNOWN_ID)
            else:
                found.append(bytes(swarm.details[place * DETAIL : place * DETAIL + ID_SIZE]))
        return found

    def info_hashes(self, family: Family, limit: int) -> list[bytes]:
        found: list[bytes] = []
        for info_hash in self._swarms(family):
            if len(found) >= limit:
                break
            found.append(info_hash)
        return found

    def expire(self, before: float, limit: int) -> bool:
        order = self._order
        while limit > 0:
            if self._at_peer == 0:
                self._at_swarm = min(self._at_swarm, len(order)) - 1
                if self._at_swarm < 0:
                    self._at_swarm = sys.maxsize
                    return True
                limit -= FORGETTING  # a step to the next swarm, which may have no more than one peer
            swarm = order[self._at_swarm] if self._at_swarm < len(order) else None
            if swarm is None or not (self._expires is None or self._expires(swarm.info_hash)):
                self._at_peer = 0  # if it has gone, what came in its place is looked at later
                continue
            end = min(self._at_peer, len(swarm.seen)) or len(swarm.seen)
            begin = max(0, end - min(max(limit, FORGETTING), LOOKED_AT))
            limit -= end - begin
            old = [place for place, seen in enumerate(swarm.seen[begin:end], begin) if seen < before]
            while old and limit > -FORGETTING:
                self._expire_one(swarm, old.pop())
                limit -= FORGETTING
            # What could not be forgotten any more is looked at again.
            self._at_peer = old[-1] + 1 if old else begin
        return False

    def find(self, info_hash: bytes, peer: bytes) -> tuple[bytes, float] | None:
        """What is known of a peer, as its record has it: id and mark in 21 bytes, and when it last announced."""
        swarm = self._swarms(len(peer)).get(info_hash)
        place = -1 if swarm is None else swarm.peers.find(peer)
        if swarm is None or place < 0:
            return None
        return bytes(swarm.details[place * DETAIL : place * DETAIL + DETAIL]), swarm.seen[place]

    def put(self, info_hash: bytes, peer: bytes, detail: bytes | None, seen: float, rng: random.Random) -> None:
        """Have a peer as `find` gives it, whatever was known of it, or not at all; what has no room is left out."""
        swarm = self._swarms(len(peer)).get(info_hash)
        place = -1 if swarm is None else swarm.peers.find(peer)
        if swarm is not None and place >= 0:
            self._forget(swarm, place)
        if detail is not None:
            self.restore(SwarmRecord(info_hash, Family(len(peer)), 0, peer, detail, array("d", [seen])), rng)

    def drop(self, info_hash: bytes, family: Family) -> None:
        """Forget a swarm."""
        swarm = self._swarms(family).get(info_hash)
        if swarm is not None:
            self._peers -= len(swarm)
            self._seeders -= swarm.seeders
            self._empty.pop((info_hash, family), None)
            self._drop(swarm)

    def record(self, info_hash: bytes, family: Family) -> SwarmRecord | None:
        """One of `records`; None where there is no such swarm."""
        swarm = self._swarms(family).get(info_hash)
        return None if swarm is None else swarm.record()

    def swarm_at(self, number: int) -> tuple[bytes, Family]:
        """The torrent and the family of a swarm; there are as many as `totals` says, in an order that changes."""
        swarm = self._order[number]
        return swarm.info_hash, swarm.family

    def totals(self) -> Totals:
        return Totals(torrents=len(self._order), peers=self._peers, seeders=self._seeders)

    def records(self) -> Iterator[SwarmRecord]:
        at = len(self._order)
        while at := min(at, len(self._order)):
            at -= 1
            yield self._order[at].record()

    def restore(self, record: SwarmRecord, rng: random.Random) -> None:
        info_hash, family, completed, peers, details, seen = record
        count = len(seen)
        if (len(info_hash), len(peers), len(details)) != (20, count * family, count * DETAIL):
            raise ValueError("the columns of a swarm do not fit together")
        marks = [mark & (ROLE | OWED) for mark in details[ID_SIZE::DETAIL]]
        if completed < 0 or any(mark & ROLE > 2 for mark in marks):
            raise ValueError("a swarm has counts or roles that cannot be")
        if not count and not completed:
            return
        try:
            swarm = self._swarm_for_newcomer(info_hash, family)
        except TrackerError:
            return
        swarm.completed = max(swarm.completed, completed)
        for n in range(count):
            peer = bytes(peers[n * family : n * family + family])
            place = swarm.peers.find(peer)
            if place >= 0:
                if swarm.seen[place] >= seen[n]:
                    continue
                self._forget(swarm, place)
                swarm = self._swarm_for_newcomer(info_hash, family)
            if self._peers >= self._max_peers:
                break
            swarm.enter(peer, details[n * DETAIL : n * DETAIL + ID_SIZE], marks[n], seen[n], rng)
            self._peers += 1
            self._seeders += marks[n] & ROLE == 2
        self._settle(swarm)

    def _swarms(self, family: int) -> dict[bytes, Swarm]:
        return self._swarms4 if family == 6 else self._swarms6

    def _swarm_for_newcomer(self, info_hash: bytes, family: Family) -> Swarm:
        swarm = self._swarms(family).get(info_hash)
        if swarm is not None:
            self._empty.pop((info_hash, family), None)
            return swarm
        if len(self._order) >= self._max_torrents:
            if not self._empty:
                raise TrackerError("the tracker is full", retry_in=FULL_RETRY)
            self._drop(self._empty.popitem(last=False)[1])
        swarm = self._swarms(family)[info_hash] = Swarm(info_hash, family)
        swarm.number = len(self._order)
        self._order.append(swarm)
        return swarm

    def _change_role(self, swarm: Swarm, place: int, peer: bytes, mark: int, rng: random.Random) -> None:
        before = swarm.seeders
        swarm.change_role(place, peer, mark, rng)
        self._seeders += swarm.seeders - before
        if self._on_change is not None:
            self._on_change(swarm.info_hash, peer)

    def _forget(self, swarm: Swarm, place: int) -> None:
        before = swarm.seeders
        swarm.leave(place)
        self._peers -= 1
        self._seeders += swarm.seeders - before
        if not swarm.seen:
            self._settle(swarm)

    def _expire_one(self, swarm: Swarm, place: int) -> None:
        size = len(swarm.peers.peers) // len(swarm)
        peer = bytes(swarm.peers.peers[place * size : place * size + size])
        self._forget(swarm, place)
        if self._on_change is not None:
            self._on_change(swarm.info_hash, peer)

    def _settle(self, swarm: Swarm) -> None:
        """Drop a swarm without peers, or keep it for its completions alone."""
        if swarm.seen:
            return
        if swarm.completed:
            self._empty[swarm.info_hash, swarm.family] = swarm
        else:
            self._drop(swarm)

    def _drop(self, swarm: Swarm) -> None:
        del self._swarms(swarm.family)[swarm.info_hash]
        last = self._order.pop()
        if last is not swarm:
            self._order[swarm.number] = last
            last.number = swarm.number
