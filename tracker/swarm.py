"""A swarm in memory: dense columns of bytes, and where each peer stands in them.

Peers stand without gaps in an order of chance: a newcomer takes a random place and who stood there goes to the end; the
last fills the hole of one that goes. So a run of neighbours from a random start is an even draw, and an answer is one
slice or two. Those that fetch stand once more in a line of their own, because who rests is given no others.

A peer of a small swarm is found by a search through its bytes, which are about to be read anyway: that is faster than a
dict that is not in the processor's cache, and saves a hundred bytes a peer. Larger swarms have dicts.
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

INDEX_FROM: Final = 128
"""Peers in a line from which it has an index. A search through as many takes half a microsecond."""

INDEX_UNTIL: Final = 64
"""Peers at which it loses the index again."""


class Line:
    """Compact peers of one size in an order of chance, one after another; `index`, if there is one, has the places."""

    __slots__ = ("index", "peers", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.peers = bytearray()
        self.index: dict[bytes, int] | None = None

    def find(self, peer: bytes) -> int:
        """The place of a peer, -1 if it is not here."""
        if self.index is not None:
            return self.index.get(peer, -1)
        size = self.size
        peers = self.peers
        at = peers.find(peer)
        while at > 0 and at % size:  # these bytes are also the end of one peer and the beginning of the next
            at = peers.find(peer, at + 1)
        return at // size if at >= 0 else -1

    def enter(self, peer: bytes, place: int) -> None:
        """Put a peer at a place, or at the end; who stood there goes to the end."""
        size = self.size
        peers = self.peers
        at = place * size
        if at < len(peers):
            displaced = bytes(peers[at : at + size])
            if self.index is not None:
                self.index[displaced] = len(peers) // size
            peers += displaced
            peers[at : at + size] = peer
        else:
            peers += peer
        if self.index is not None:
            self.index[peer] = place
        elif len(peers) >= INDEX_FROM * size:
            starts = range(0, len(peers), size)
            self.index = {bytes(peers[start : start + size]): n for n, start in enumerate(starts)}

    def leave(self, place: int) -> None:
        """Take out the peer at a place; the last takes it."""
        size = self.size
        peers = self.peers
        at = place * size
        end = len(peers) - size
        if self.index is not None:
            del self.index[bytes(peers[at : at + size])]
            if at < end:
                self.index[bytes(peers[end:])] = place
            if end <= INDEX_UNTIL * size:
                self.index = None
        if at < end:
            peers[at : at + size] = peers[end:]
        del peers[end:]

    def draw(self, want: int, rng: random.Random) -> bytes | bytearray:
        """At most `want` of all, drawn evenly."""
        peers = self.peers
        size = self.size
        total = len(peers) // size
        if want >= total:
            return peers[:]
        if want <= 0:
            return b""
        start = int(rng.random() * total)
        end = start + want
        if end <= total:
            return peers[start * size : end * size]
        return peers[start * size :] + peers[: (end - total) * size]

    def draw_for(self, own: int, want: int, rng: random.Random) -> bytes | bytearray:
        """At most `want` of all but the one at place `own`, drawn evenly."""
        peers = self.peers
        size = self.size
        total = len(peers) // size
        if want >= total - 1:
            return peers[: own * size] + peers[own * size + size :]
        if want <= 0:
            return b""
        # A run in the circle of the others: it begins anywhere but at the own place, and steps over that.
        start = own + 1 + int(rng.random() * (total - 1))
        if start >= total:
            start -= total
        end = start + want
        if start > own:
            if end <= total:
                return peers[start * size : end * size]
            end -= total
            if end <= own:
                return peers[start * size :] + peers[: end * size]
            return peers[start * size :] + peers[: own * size] + peers[own * size + size : end * size + size]
        if end <= own:
            return peers[start * size : end * size]
        before = peers[start * size : own * size]
        if end < total:
            return before + peers[own * size + size : end * size + size]
        return before + peers[own * size + size :] + peers[: (end + 1 - total) * size]


class Swarm:
    """Peers of one torrent in one family. `place` is one in `peers`, `details` and `seen`; `number` is the owner's."""

    __slots__ = ("completed", "details", "family", "fetching", "info_hash", "number", "peers", "seeders", "seen")

    def __init__(self, info_hash: bytes, family: Family) -> None:
        self.info_hash = info_hash
        self.family = family
        self.number = 0
        self.seeders = 0
        self.completed = 0
        self.peers = Line(int(family))
        self.fetching = Line(int(family))
        """Those that fetch, once more."""
        self.details = bytearray()
        self.seen = array("d")

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def downloaders(self) -> int:
        return len(self.fetching.peers) // self.fetching.size

    def enter(self, peer: bytes, peer_id: bytes, mark: int, seen: float, rng: random.Random) -> int:
        """Take in a peer that is not here; its place. Raises ValueError for sizes that are not the swarm's."""
        if len(peer) != self.family or len(peer_id) != ID_SIZE:
            raise ValueError("a peer or its id has the wrong size")
        place = int(rng.random() * (len(self.seen) + 1))
        self.peers.enter(peer, place)
        at = place * DETAIL
        details = self.details
        details += details[at : at + DETAIL] or b"%b%c" % (peer_id, mark)
        details[at : at + DETAIL] = b"%b%c" % (peer_id, mark)
        self.seen.append(seen)
        self.seen[place], self.seen[-1] = seen, self.seen[place]
        self._take_role(peer, mark & ROLE, rng)
        return place

    def leave(self, place: int) -> None:
        """Let the peer at `place` go."""
        size = self.peers.size
        mark = self.details[place * DETAIL + ID_SIZE]
        self._drop_role(bytes(self.peers.peers[place * size : place * size + size]), mark & ROLE)
        self.peers.leave(place)
        last = self.details[-DETAIL:]
        del self.details[-DETAIL:]
        seen = self.seen.pop()
        if place < len(self.seen):
            self.details[place * DETAIL : place * DETAIL + DETAIL] = last
            self.seen[place] = seen

    def change_role(self, place: int, peer: bytes, mark: int, rng: random.Random) -> None:
        """Give the peer at `place` a mark of another role."""
        at = place * DETAIL + ID_SIZE
        self._drop_role(peer, self.details[at] & ROLE)
        self.details[at] = mark
        self._take_role(peer, mark & ROLE, rng)

    def record(self) -> SwarmRecord:
        """All of it, copied."""
        peers, details = bytes(self.peers.peers), bytes(self.details)
        return SwarmRecord(self.info_hash, self.family, self.completed, peers, details, self.seen[:])

    def _take_role(self, peer: bytes, role: int, rng: random.Random) -> None:
        if role == Role.DOWNLOADER:
            self.fetching.enter(peer, int(rng.random() * (self.downloaders + 1)))
        elif role == Role.SEEDER:
            self.seeders += 1

    def _drop_role(self, peer: bytes, role: int) -> None:
        if role == Role.DOWNLOADER:
            self.fetching.leave(self.fetching.find(peer))
        elif role == Role.SEEDER:
            self.seeders -= 1
