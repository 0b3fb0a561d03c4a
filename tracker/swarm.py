"""A swarm in memory: dense columns, and where each peer stands in them.

Peers that fetch stand first, then those that rest, without gaps: a newcomer takes a random place of its part and who
stood there goes to the part's end; the last of a part fills the hole of one that goes. So the order within a part is
by chance, a run of neighbours from a random start is an even draw, and an answer is one or two slices of one column.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from tracker.store import Family, Role, SwarmRecord

if TYPE_CHECKING:
    import random

ID_SIZE: Final = 20
DETAIL: Final = ID_SIZE + 1
"""Bytes of a peer in `details`: its id and its mark."""

ROLE: Final = 3
"""The bits of a mark that are the role."""

LIST: Final = 8
"""One of the times a peer was given peers in this min interval, as a mark counts them."""

GIVEN: Final = 248
"""The bits of a mark that hold this count, up to 31."""


class Swarm:
    """Peers of one torrent in one family. `index` is the owner's to use."""

    __slots__ = (
        "completed",
        "details",
        "family",
        "fetching",
        "index",
        "info_hash",
        "peers",
        "places",
        "seeders",
        "seen",
        "size",
    )

    def __init__(self, info_hash: bytes, family: Family) -> None:
        self.info_hash = info_hash
        self.family = family
        self.size = int(family)  # arithmetic with a plain int is faster
        self.index = 0
        self.fetching = 0
        """Peers that fetch; they stand before the others."""
        self.seeders = 0
        self.completed = 0
        self.places: dict[bytes, int] = {}
        self.peers = bytearray()
        self.details = bytearray()
        self.seen = array("d")

    def enter(self, peer: bytes, peer_id: bytes | bytearray, mark: int, seen: float, rng: random.Random) -> int:
        """Take in a peer that is not here; its place. Raises ValueError for sizes that are not the swarm's."""
        if len(peer) != self.family or len(peer_id) != ID_SIZE:
            raise ValueError("a peer or its id has the wrong size")
        total = len(self.seen)
        fetching = self.fetching
        role = mark & ROLE
        if role == Role.DOWNLOADER:
            if fetching < total:
                self._append_copy(fetching)
                total = fetching
            place = int(rng.random() * (fetching + 1))
            self.fetching = fetching + 1
        else:
            place = fetching + int(rng.random() * (total - fetching + 1))
            self.seeders += role == Role.SEEDER
        # `total` is the free place at the end of the part by now: past everything, or one whose peer has just gone on.
        if place != total:
            if total < len(self.seen):
                self._copy(place, total)
            else:
                self._append_copy(place)
        if place < len(self.seen):
            self._write(place, peer, peer_id, mark, seen)
        else:
            self.peers += peer
            self.details += peer_id
            self.details.append(mark)
            self.seen.append(seen)
        self.places[peer] = place
        return place

    def leave(self, place: int) -> None:
        """Let the peer at `place` go."""
        size = self.size
        mark = self.details[place * DETAIL + ID_SIZE]
        del self.places[bytes(self.peers[place * size : place * size + size])]
        self.seeders -= mark & ROLE == Role.SEEDER
        last = len(self.seen) - 1
        if place < self.fetching:
            self.fetching -= 1
            if place != self.fetching:
                self._copy(self.fetching, place)
            place = self.fetching
        if place != last:
            self._copy(last, place)
        del self.peers[last * size :]
        del self.details[last * DETAIL :]
        self.seen.pop()

    def change_role(self, peer: bytes, mark: int, rng: random.Random) -> int:
        """Give a peer that is here a mark of another role; its new place."""
        place = self.places[peer]
        peer_id = self.details[place * DETAIL : place * DETAIL + ID_SIZE]
        seen = self.seen[place]
        self.leave(place)
        return self.enter(peer, peer_id, mark, seen, rng)

    def draw(self, want: int, rng: random.Random) -> bytes | bytearray:
        """At most `want` of those that fetch, drawn evenly: what is of use to one that rests."""
        fetching = self.fetching
        size = self.size
        if want >= fetching:
            return self.peers[: fetching * size]
        if want <= 0:
            return b""
        start = int(rng.random() * fetching)
        end = start + want
        if end <= fetching:
            return self.peers[start * size : end * size]
        return self.peers[start * size : fetching * size] + self.peers[: (end - fetching) * size]

    def draw_for(self, own: int, want: int, rng: random.Random) -> bytes | bytearray:
        """At most `want` peers for the one that fetches at place `own`, itself left out, drawn evenly.

        Both parts give as many as their share is, so that no answer is all seeders or none.
        """
        peers = self.peers
        size = self.size
        total = len(self.seen)
        if want >= total - 1:
            return peers[: own * size] + peers[own * size + size :]
        if want <= 0:
            return b""
        fetching = self.fetching
        start = own + 1 + int(rng.random() * (fetching - 1))
        if fetching == total:
            found: bytes | bytearray = b""
        else:
            resting = total - fetching
            of_resting = int(want * resting / (total - 1) + rng.random())
            want -= of_resting
            first = fetching + int(rng.random() * resting)
            last = first + of_resting
            if last <= total:
                found = peers[first * size : last * size]
            else:
                found = peers[first * size :]
                found += peers[fetching * size : (last - resting) * size]
            if not want:
                return found
        # A run in the circle of the others: it begins anywhere but at the own place, and steps over that.
        if start >= fetching:
            start -= fetching
        end = start + want
        if start < own < end:
            found += peers[start * size : own * size]
            start = own + 1
            end += 1
        if end <= fetching:
            return found + peers[start * size : end * size]
        found += peers[start * size : fetching * size]
        end -= fetching
        if end <= own:
            return found + peers[: end * size]
        return found + peers[: own * size] + peers[own * size + size : end * size + size]

    def record(self) -> SwarmRecord:
        """All of it, copied."""
        peers, details = bytes(self.peers), bytes(self.details)
        return SwarmRecord(self.info_hash, self.family, self.completed, peers, details, self.seen[:])

    def _write(self, place: int, peer: bytes, peer_id: bytes | bytearray, mark: int, seen: float) -> None:
        size = self.size
        self.peers[place * size : place * size + size] = peer
        at = place * DETAIL
        self.details[at : at + ID_SIZE] = peer_id
        self.details[at + ID_SIZE] = mark
        self.seen[place] = seen

    def _copy(self, source: int, target: int) -> None:
        size = self.size
        peer = bytes(self.peers[source * size : source * size + size])
        self.peers[target * size : target * size + size] = peer
        self.details[target * DETAIL : target * DETAIL + DETAIL] = self.details[
            source * DETAIL : source * DETAIL + DETAIL
        ]
        self.seen[target] = self.seen[source]
        self.places[peer] = target

    def _append_copy(self, source: int) -> None:
        size = self.size
        peer = bytes(self.peers[source * size : source * size + size])
        self.peers += peer
        self.details += self.details[source * DETAIL : source * DETAIL + DETAIL]
        self.places[peer] = len(self.seen)
        self.seen.append(self.seen[source])
