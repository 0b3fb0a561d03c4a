"""The store in memory: swarms as dense lists, ages as one ordered index.

Peers of a swarm stand in two lists without gaps, those that fetch and those that do not. A peer knows its place, and
the last of its list takes the place of one that goes, so adding, removing and drawing at random never walk a swarm. All
peers of the store stand in one index in order of their last announce, so expiry only ever looks at the front.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from p2p.codec.announce import ScrapeEntry
from p2p.errors import TrackerError
from tracker.store import PickedPeer, Role, Totals

if TYPE_CHECKING:
    import random

    from p2p.ids import Address, InfoHash, PeerId

FULL_RETRY = 600.0
"""Seconds a refused newcomer is asked to wait: a few sweeps, in which expired peers make room."""


class _Swarm:
    __slots__ = ("completed", "fetching", "key", "resting", "seeders")

    def __init__(self, key: tuple[InfoHash, bool]) -> None:
        self.key = key
        self.fetching: list[_Peer] = []
        self.resting: list[_Peer] = []
        self.seeders = 0
        self.completed = 0


class _Peer:
    __slots__ = ("owed_completion", "picked", "place", "role", "seen", "swarm")

    def __init__(self, swarm: _Swarm, picked: PickedPeer, role: Role, seen: float) -> None:
        self.swarm = swarm
        self.picked = picked
        self.role = role
        self.seen = seen
        self.place = 0
        self.owed_completion = False
        """Was here with something left and has not been counted as finished."""


class MemoryStore:
    """A `Store`. `max_torrents` and `max_peers` count both families together."""

    __slots__ = ("_by_age", "_empty", "_max_peers", "_max_torrents", "_seeders", "_swarms")

    def __init__(self, *, max_torrents: int, max_peers: int) -> None:
        self._max_torrents = max_torrents
        self._max_peers = max_peers
        self._swarms: dict[tuple[InfoHash, bool], _Swarm] = {}
        # Swarms without peers, kept for their count of completions until their room is needed.
        self._empty: OrderedDict[tuple[InfoHash, bool], _Swarm] = OrderedDict()
        # A plain dict would walk over the gaps its removed first entries leave.
        self._by_age: OrderedDict[tuple[InfoHash, Address], _Peer] = OrderedDict()
        self._seeders = 0

    def put(self, info_hash: InfoHash, address: Address, peer_id: PeerId, role: Role, now: float) -> None:
        key = (info_hash, address)
        peer = self._by_age.get(key)
        if peer is None:
            if len(self._by_age) >= self._max_peers:
                raise TrackerError("the tracker is full", retry_in=FULL_RETRY)
            peer = _Peer(self._swarm(info_hash, address), PickedPeer(address, peer_id), role, now)
            self._by_age[key] = peer
            self._enter(peer)
        else:
            self._by_age.move_to_end(key)
            if peer.role is not role:
                self._leave(peer)
                peer.role = role
                self._enter(peer)
            peer.seen = now
            peer.picked = PickedPeer(address, peer_id)
        if role is not Role.SEEDER:
            peer.owed_completion = True

    def complete(self, info_hash: InfoHash, address: Address) -> None:
        peer = self._by_age.get((info_hash, address))
        if peer is not None and peer.owed_completion:
            peer.owed_completion = False
            peer.swarm.completed += 1

    def remove(self, info_hash: InfoHash, address: Address) -> None:
        peer = self._by_age.pop((info_hash, address), None)
        if peer is not None:
            self._forget(peer)

    def pick(self, info_hash: InfoHash, asker: Address, role: Role, count: int, rng: random.Random) -> list[PickedPeer]:
        swarm = self._swarms.get((info_hash, asker.is_ipv6))
        if swarm is None or count <= 0:
            return []
        fetching = swarm.fetching
        resting = swarm.resting if role is Role.DOWNLOADER else []
        first_resting = len(fetching)
        total = first_resting + len(resting)
        # One more than asked, in case the asker is drawn.
        drawn = rng.sample(range(total), min(count + 1, total))
        picked = [(fetching[i] if i < first_resting else resting[i - first_resting]).picked for i in drawn]
        return [each for each in picked if each.address != asker][:count]

    def counts(self, info_hash: InfoHash, asker: Address) -> ScrapeEntry:
        swarm = self._swarms.get((info_hash, asker.is_ipv6))
        if swarm is None:
            return ScrapeEntry(0, 0, 0, 0)
        downloaders = len(swarm.fetching)
        leechers = downloaders + len(swarm.resting) - swarm.seeders
        return ScrapeEntry(swarm.seeders, swarm.completed, leechers, downloaders)

    def info_hashes(self, asker: Address, limit: int) -> list[InfoHash]:
        family = asker.is_ipv6
        found: list[InfoHash] = []
        for info_hash, ipv6 in self._swarms:
            if ipv6 is family:
                found.append(info_hash)
                if len(found) >= limit:
                    break
        return found

    def expire(self, before: float, limit: int) -> int:
        by_age = self._by_age
        for count in range(limit):
            key = next(iter(by_age), None)
            if key is None or by_age[key].seen >= before:
                return count
            self._forget(by_age.pop(key))
        return limit

    def totals(self) -> Totals:
        return Totals(torrents=len(self._swarms), peers=len(self._by_age), seeders=self._seeders)

    def _swarm(self, info_hash: InfoHash, address: Address) -> _Swarm:
        key = (info_hash, address.is_ipv6)
        swarm = self._swarms.get(key)
        if swarm is None:
            if len(self._swarms) >= self._max_torrents:
                if not self._empty:
                    raise TrackerError("the tracker is full", retry_in=FULL_RETRY)
                del self._swarms[self._empty.popitem(last=False)[0]]
            swarm = self._swarms[key] = _Swarm(key)
        else:
            self._empty.pop(key, None)
        return swarm

    def _enter(self, peer: _Peer) -> None:
        swarm = peer.swarm
        if peer.role is Role.SEEDER:
            swarm.seeders += 1
            self._seeders += 1
        places = swarm.fetching if peer.role is Role.DOWNLOADER else swarm.resting
        peer.place = len(places)
        places.append(peer)

    def _leave(self, peer: _Peer) -> None:
        swarm = peer.swarm
        if peer.role is Role.SEEDER:
            swarm.seeders -= 1
            self._seeders -= 1
        places = swarm.fetching if peer.role is Role.DOWNLOADER else swarm.resting
        last = places.pop()
        if last is not peer:
            places[peer.place] = last
            last.place = peer.place

    def _forget(self, peer: _Peer) -> None:
        self._leave(peer)
        swarm = peer.swarm
        if swarm.fetching or swarm.resting:
            return
        if swarm.completed:
            self._empty[swarm.key] = swarm
        else:
            del self._swarms[swarm.key]
