"""What a simulated swarm looks like while it runs: who has how much, what moves between whom, how many copies exist.

The rule: looking changes nothing. What is missed is a connection that begins and ends between two looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2p.swarm.availability import Availability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.session.peer_task import Peer
    from p2p.simulation.world import SimPeer


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a swarm. `time` is seconds from the start, rates are payload bytes a second since the last look."""

    time: float
    present: int
    """Leechers that have come and not left."""

    done: int
    """Leechers that have everything, those that left included."""

    pieces: int
    """Pieces that leechers have, in all."""

    distinct: int
    """Different pieces among those."""

    copies: float
    """Whole copies among the leechers: of the rarest piece, plus the share of pieces there are more of."""

    mean_copies: float
    up: dict[str, float]
    """What the peers of each class sent, by the class's name, all of them together."""

    down: dict[str, float]


class Sampler:
    """Looks at peers. `kinds` names the class of each peer; it may grow."""

    def __init__(self, piece_count: int, kinds: Mapping[str, str]) -> None:
        self.samples: list[Sample] = []
        self.traffic: dict[tuple[str, str], int] = {}
        """Payload bytes from the peers of one class to those of another."""

        self.connections: dict[str, int] = {}
        """Of each peer at the last look."""

        self._size = piece_count
        self._kinds = kinds
        self._hosts: dict[str, str] = {}
        self._masks: dict[str, int] = {}
        self._moved: dict[str, tuple[int, int]] = {}
        self._known: dict[str, dict[int, tuple[Peer, int]]] = {}
        """The connections of each peer at the last look, and what it had received over each."""

        self._availability = Availability(piece_count)

    def look(self, now: float, seeders: Sequence[SimPeer], leechers: Sequence[SimPeer]) -> Sample:
        """Note how things stand at `now` seconds."""
        elapsed = now - self.samples[-1].time if self.samples else 0.0
        up = dict.fromkeys(self._kinds.values(), 0.0)
        down = dict(up)
        for peer in (*seeders, *leechers)[len(self._hosts) :]:
            self._hosts[peer.address.host] = self._kinds[peer.name]
        for peer in (*seeders, *leechers):
            kind = self._kinds[peer.name]
            sent, received = self._movement(peer)
            if elapsed > 0:
                up[kind] += sent / elapsed
                down[kind] += received / elapsed
            self._look_at_connections(peer, kind)
        present = done = 0
        for peer in leechers:
            mask = 0
            if peer.torrent.exchange is not None:
                present += 1
                mask = peer.torrent.exchange.picker.have.mask()
            self._count(peer.name, mask)
            done += peer.torrent.completed_at is not None
        counts = self._availability.counts()
        pieces = sum(counts)
        sample = Sample(
            time=now,
            present=present,
            done=done,
            pieces=pieces,
            distinct=sum(count > 0 for count in counts),
            copies=self._availability.copies(0),
            mean_copies=pieces / self._size,
            up=up,
            down=down,
        )
        self.samples.append(sample)
        return sample

    def _movement(self, peer: SimPeer) -> tuple[int, int]:
        """Bytes that the peer has sent and received since the last look."""
        before = self._moved.get(peer.name, (0, 0))
        exchange = peer.torrent.exchange
        after = before if exchange is None else (exchange.uploaded, exchange.downloaded)
        self._moved[peer.name] = after
        return max(0, after[0] - before[0]), max(0, after[1] - before[1])

    def _look_at_connections(self, peer: SimPeer, kind: str) -> None:
        exchange = peer.torrent.exchange
        now = {} if exchange is None else exchange.peers
        self.connections[peer.name] = len(now)
        known = self._known.setdefault(peer.name, {})
        for key, other in now.items():
            if key not in known:
                known[key] = (other, 0)
        for key, (other, before) in list(known.items()):
            received = other.wire.payload_received
            if received != before:
                pair = (self._hosts[other.address.host], kind)
                self.traffic[pair] = self.traffic.get(pair, 0) + received - before
            if key not in now:  # it ended since the last look
                del known[key]
            elif received != before:
                known[key] = (other, received)

    def _count(self, name: str, mask: int) -> None:
        before = self._masks.get(name, 0)
        if mask == before:
            return
        if before & ~mask:  # it lost something, or left
            self._availability.remove(before & ~mask)
        if mask & ~before:
            self._availability.add(mask & ~before)
        self._masks[name] = mask
