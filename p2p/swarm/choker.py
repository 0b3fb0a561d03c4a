"""Who may download from us: tit for tat while we leech, turns while we seed (BEP 3; Cohen 2003).

Every ten seconds a round gives the regular slots to the interested peers that give us most. A peer that snubs us, or
has given nothing, holds none of those. The slots merit leaves empty, and one more, are optimistic: each goes for thirty
seconds to someone drawn from an urn, newcomers three times as likely as others, and nobody is drawn twice before all
who wait were drawn once. So a swarm in which nobody has anything to give yet starts by itself, a snubbed downloader
looks for new partners on several slots at once (anti-snubbing), and a free rider gets its turn in the urn and no more.

A seed gets nothing, so it gives turns: a peer holds its slot until it had its quota and its minute, then whoever has
waited longest since its last turn follows. Copies spread over many peers, and taking fast wins nothing. A peer that
sits on what nobody else has loses its turn to those who pass on: with one seed, that is what all wait for.

The slots follow the upload: a limit gives their number; without one another slot is tried now and then and kept while
it makes the total faster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

ROUND_INTERVAL: Final = 10.0
OPTIMISTIC_INTERVAL: Final = 30.0
NEWCOMER_AGE: Final = 60.0
"""Seconds since it joined during which a peer counts as new; BEP 3 has new connections start three times as likely."""
NEWCOMER_WEIGHT: Final = 3

MIN_SLOTS: Final = 4
MAX_SLOTS: Final = 64
"""Slots that upload rate alone can earn; past it each one gets too little to finish a piece soon."""

TURN_QUOTA: Final = 4 * 1024 * 1024
"""Bytes a seed gives in a turn before others go first: a piece or more at any usual piece length."""
TURN_SHORT: Final = 30.0
"""Seconds after which a peer that takes nothing loses its turn."""
TURN_USUAL: Final = 60.0
"""Seconds a turn lasts at least, so that connections have time to come up to speed."""
TURN_LONG: Final = 180.0
"""Seconds after which a turn ends even below the quota, or slow peers would hold the slots for ever."""
HOARD: Final = 4
"""Pieces that a peer may be the only one to have of us: one a peer that it serves at a time. Past it others do more for
the swarm with what we send them, be it slow or a free rider."""
_IDLE_RATE: Final = 256.0

_PROBE_TIME: Final = 20.0
"""Seconds a tried slot has to show in the total: two rounds, the smoothing of the rate included."""
_PROBE_PAUSE: Final = 60.0
_PROBE_PAUSE_MAX: Final = 600.0
_SLOT_FLOOR: Final = 2 * 1024
"""Bytes a second a slot should carry; below it a block takes eight seconds, and fewer slots serve everyone better."""


@dataclass(frozen=True, slots=True)
class ChokePeer:
    """What the choker knows of a connected peer. Rates are bytes a second, times are seconds on the caller's clock."""

    key: int
    interested: bool
    """It wants what we have."""
    choked: bool
    """We are choking it."""
    snubbed: bool
    """It has left our requests unanswered for too long."""
    rate_from: float
    rate_to: float
    joined: float
    unchoked_at: float | None = None
    """When we last unchoked it, also if we have choked it since; None if never."""
    sent_since_unchoke: int = 0
    """Payload bytes sent since then."""
    alone: int = 0
    """While we seed: pieces that it has and no other leecher."""

    @property
    def hoards(self) -> bool:
        """It has more of us that nobody else has than it passes on."""
        return self.alone > HOARD


@dataclass(frozen=True, slots=True)
class ChokeRound:
    """The changes a round asks for, in order; peers not named stay as they are."""

    unchoke: tuple[int, ...]
    choke: tuple[int, ...]
    optimistic: int | None
    """The key that was unchoked on trust most recently."""
    slots: int
    """Regular slots; the optimistic one comes on top."""


@dataclass(frozen=True, slots=True)
class ChokerSnapshot:
    """The choker's state for a user's eyes. Times are seconds on the caller's clock; None where nothing is due."""

    slots: int
    optimistic: int | None
    next_round: float
    next_optimistic: float | None


class _SlotCount:
    """How many regular slots the upload can feed.

    Without a limit it climbs: try some more, look after two rounds, keep them if the total grew by at least half of
    what the old slots carried each, else give them up and wait longer before the next try.
    """

    __slots__ = ("_before", "_decide_at", "_pause", "_tried", "count")

    def __init__(self) -> None:
        self.count = MIN_SLOTS
        self._before = 0.0
        self._tried = 0
        self._decide_at = -math.inf
        self._pause = _PROBE_PAUSE

    def from_limit(self, limit: float) -> None:
        """Mainline's rule: slots grow with the square root of the limit, so each one grows faster too."""
        self.count = max(MIN_SLOTS, math.isqrt(int(limit / 1024 * 0.6)))
        self._tried = 0

    def on_rate(self, rate: float, now: float) -> None:
        """The upload ran at `rate` while somebody had to wait for a slot."""
        if now < self._decide_at:
            return
        if self._tried:
            kept = self.count - self._tried
            if rate < self._before * (1 + self._tried / (2 * kept)):
                self.count = kept if rate >= kept * _SLOT_FLOOR else max(MIN_SLOTS, kept * 3 // 4)
                self._tried = 0
                self._decide_at = now + self._pause
                self._pause = min(2 * self._pause, _PROBE_PAUSE_MAX)
                return
            self._pause = _PROBE_PAUSE
        self._before = rate
        self._tried = min(max(1, self.count // 4), MAX_SLOTS - self.count)
        self.count += self._tried
        self._decide_at = now + _PROBE_TIME


class Choker:
    """Decides who is unchoked in one torrent. Only its rounds and fills unchoke anybody."""

    def __init__(self, *, slots: int | None) -> None:
        """`slots` fixes the number of regular slots; None lets it follow the upload."""
        self._fixed = slots
        self._count = _SlotCount()
        self._most: int | None = None
        self._next_round = -math.inf
        self._granted: dict[int, float] = {}  # optimistic slots: key -> since when; insertion is the order of grants
        self._drawn: dict[int, None] = {}  # whom the urn has let out since it was last full
        self._served: dict[int, int] = {}  # number of the last turn each got as we seeded
        self._turn = 0

    @property
    def slots(self) -> int:
        """Regular slots; one optimistic slot comes on top."""
        slots = self._count.count if self._fixed is None else self._fixed
        return slots if self._most is None else min(slots, self._most)

    def hold(self, most: int | None) -> None:
        """Use `most` regular slots at most, whatever the upload carries, until told otherwise; None for any number."""
        self._most = most

    def set_slots(self, slots: int | None) -> None:
        """Fix the number of regular slots, or let it follow the upload again; takes effect with the next round."""
        self._fixed = slots

    @property
    def next_round(self) -> float:
        """When the next round is due; minus infinity if there has been none."""
        return self._next_round

    def round(
        self,
        peers: Sequence[ChokePeer],
        now: float,
        rng: Random,
        *,
        seeding: bool,
        upload_rate: float,
        upload_limit: float | None,
    ) -> ChokeRound:
        """The regular decision, due every ROUND_INTERVAL seconds. `peers` are all connected ones, keys distinct.

        `upload_rate` and `upload_limit` are the torrent's, in bytes a second. At most `slots` + 1 peers are unchoked
        afterwards.
        """
        self._next_round = now + ROUND_INTERVAL
        wanting = [peer for peer in peers if peer.interested]
        if upload_limit is not None:
            self._count.from_limit(upload_limit)
        elif self._most is None and len(wanting) > self.slots + 1:
            self._count.on_rate(upload_rate, now)
        self._forget_absent(peers)
        chosen = (self.seeding if seeding else self.leeching)(wanting, now, rng)
        return ChokeRound(
            unchoke=tuple(peer.key for peer in chosen.values() if peer.choked),
            choke=tuple(peer.key for peer in peers if not peer.choked and peer.key not in chosen),
            optimistic=next(reversed(self._granted), None),
            slots=self.slots,
        )

    def fill(self, peers: Sequence[ChokePeer], now: float, rng: Random, *, seeding: bool) -> ChokeRound:
        """Between rounds: give slots that nobody makes use of to interested peers at once.

        Whoever holds one and wants nothing loses it to them, and while we seed whoever hoards; nobody else is choked.
        """
        self._forget_absent(peers)
        held = [peer for peer in peers if not peer.choked]
        waiting = [peer for peer in peers if peer.interested and peer.choked]
        idle = sorted((peer for peer in held if not peer.interested), key=_least_giving)
        if seeding and any(not peer.hoards for peer in waiting):
            waiting = [peer for peer in waiting if not peer.hoards]
            idle += [peer for peer in held if peer.interested and peer.hoards]
        room = max(0, self.slots + 1 - (len(held) - len(idle)))
        choose = self.next_seeding if seeding else self.next_leeching
        chosen = choose(waiting, room, now, rng)
        surplus = len(chosen) + len(idle) - room
        return ChokeRound(
            unchoke=tuple(peer.key for peer in chosen),
            choke=tuple(peer.key for peer in idle[: max(surplus, 0)]) if chosen else (),
            optimistic=next(reversed(self._granted), None),
            slots=self.slots,
        )

    def snapshot(self) -> ChokerSnapshot:
        """The state now."""
        oldest = min(self._granted.values(), default=None)
        return ChokerSnapshot(
            slots=self.slots,
            optimistic=next(reversed(self._granted), None),
            next_round=self._next_round,
            next_optimistic=None if oldest is None else oldest + OPTIMISTIC_INTERVAL,
        )

    # What a policy decides; others than this one override some of it.

    def leeching(self, wanting: list[ChokePeer], now: float, rng: Random) -> dict[int, ChokePeer]:
        """Who of the interested ones is unchoked from this round on: the best givers, and the urn's."""
        return self.by_merit(givers(wanting), wanting, now, rng)

    def seeding(self, wanting: list[ChokePeer], now: float, rng: Random) -> dict[int, ChokePeer]:  # noqa: ARG002
        """The same while we seed: by turns."""
        return self._by_turns(wanting, now)

    def next_leeching(self, waiting: list[ChokePeer], room: int, now: float, rng: Random) -> list[ChokePeer]:
        """Up to `room` of those who wait, between rounds: the best givers, and the urn's."""
        chosen = givers(waiting)[:room]
        rest = [peer for peer in waiting if peer not in chosen]
        return chosen + self.draw(rest, room - len(chosen), now, rng)

    def next_seeding(self, waiting: list[ChokePeer], room: int, now: float, rng: Random) -> list[ChokePeer]:  # noqa: ARG002
        """The same while we seed: whoever has waited longest."""
        chosen = sorted(waiting, key=self._waited)[:room]
        for peer in chosen:
            self._serve(peer)
        return chosen

    def by_merit(
        self, deserving: Sequence[ChokePeer], wanting: Sequence[ChokePeer], now: float, rng: Random
    ) -> dict[int, ChokePeer]:
        """The first of the deserving ones, then the optimistic ones whose time is not up, then the urn."""
        chosen = {peer.key: peer for peer in deserving[: self.slots]}
        by_key = {peer.key: peer for peer in wanting}
        held = self._granted
        self._granted = {}
        # A round that comes a little early must not stretch thirty seconds to forty.
        expires = now - OPTIMISTIC_INTERVAL + ROUND_INTERVAL / 2
        room = self.slots + 1 - len(chosen)
        for key, since in held.items():
            if room > 0 and since > expires and key in by_key and key not in chosen and not by_key[key].choked:
                self._granted[key] = since
                chosen[key] = by_key[key]
                room -= 1
        waiting = [peer for peer in wanting if peer.key not in chosen]
        chosen.update((peer.key, peer) for peer in self.draw(waiting, room, now, rng))
        return chosen

    def _by_turns(self, wanting: list[ChokePeer], now: float) -> dict[int, ChokePeer]:
        """Seeding: running turns, then those who wait (never served, longest since served), then ended turns."""
        self._granted.clear()
        self._drawn.clear()

        def order(peer: ChokePeer) -> tuple[bool, int, int, float, float, int]:
            served = self._served.get(peer.key, -1)
            began = -math.inf if peer.unchoked_at is None else peer.unchoked_at
            if _turn_runs(peer, now):
                return False, 0, served, began, peer.joined, peer.key
            if peer.choked:
                return peer.hoards, 1, served, began, peer.joined, peer.key
            return peer.hoards, 2, -served, -began, peer.joined, peer.key

        chosen = sorted(wanting, key=order)[: self.slots + 1]
        for peer in chosen:
            if peer.choked:
                self._serve(peer)
        return {peer.key: peer for peer in chosen}

    def _waited(self, peer: ChokePeer) -> tuple[bool, int, float, int]:
        """Sorts those who wait for a turn of a seed: never served, then longest since served; who hoards is last."""
        return peer.hoards, self._served.get(peer.key, -1), peer.joined, peer.key

    def _serve(self, peer: ChokePeer) -> None:
        self._turn += 1
        self._served[peer.key] = self._turn

    def draw(self, waiting: list[ChokePeer], room: int, now: float, rng: Random) -> list[ChokePeer]:
        """Up to `room` peers out of the urn, refilled when it is empty; they hold optimistic slots from now."""
        if room <= 0 or not waiting:
            return []
        drawn: list[ChokePeer] = []
        fresh = [peer for peer in waiting if peer.key not in self._drawn]
        again = [peer for peer in waiting if peer.key in self._drawn]
        for _ in range(min(room, len(waiting))):
            if not fresh:
                fresh, again = again, []
                self._drawn.clear()
            weights = [NEWCOMER_WEIGHT if now - peer.joined < NEWCOMER_AGE else 1 for peer in fresh]
            (index,) = rng.choices(range(len(fresh)), weights)
            peer = fresh.pop(index)
            drawn.append(peer)
            self._drawn[peer.key] = None
            self._granted[peer.key] = now
        return drawn

    def _forget_absent(self, peers: Sequence[ChokePeer]) -> None:
        present = {peer.key for peer in peers}
        self._granted = {key: since for key, since in self._granted.items() if key in present}
        self._drawn = {key: None for key in self._drawn if key in present}
        self._served = {key: turn for key, turn in self._served.items() if key in present}


def _least_giving(peer: ChokePeer) -> tuple[float, float, int]:
    return peer.rate_from, -peer.joined, -peer.key


def givers(peers: Sequence[ChokePeer]) -> list[ChokePeer]:
    """Those who give us something, the best first."""
    givers = [peer for peer in peers if peer.rate_from > 0 and not peer.snubbed]
    return sorted(givers, key=lambda peer: (-peer.rate_from, peer.choked, peer.joined, peer.key))


def _turn_runs(peer: ChokePeer, now: float) -> bool:
    if peer.choked or peer.unchoked_at is None or peer.hoards:
        return False
    held = now - peer.unchoked_at
    if peer.rate_to < _IDLE_RATE:
        return held < TURN_SHORT
    return held < TURN_USUAL or (held < TURN_LONG and peer.sent_since_unchoke < TURN_QUOTA)
