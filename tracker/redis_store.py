"""The store of a tracker that shares its swarms with others by Redis: all of them in memory, and what others lack.

Every announce is answered from this process's own memory at once. What it changes is noted, by peer, and sent by
tracker.redis_link; what others have changed comes in by `on_change`, `on_total` and `on_page`. The rules:

- Of two words about a peer the one of the later announce holds. Where both come from the same announce, the one said
  later holds: events come in the order in which they were said.
- Who is told something older than it knows says what it knows again, so that mistakes are made good.
- Peers expire in each process by the time of their last announce, which all know; nobody need tell of it.
- Notes are bounded. Past the bound they are dropped, and the whole memory is compared with Redis later.
"""

from __future__ import annotations

from array import array
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.mirrored_store import MirroredStore
from tracker.redis_format import MAX_COMPLETED
from tracker.store import OWED, Family, Role, SwarmRecord

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from tracker.memory_store import MemoryStore
    from tracker.store import Answer

MAX_UNSENT: Final = 100_000
"""Changed peers that wait to be sent: some 15 MB, what an outage of a minute leaves at 1,700 announces a second."""

SAME: Final = 0.5
"""Seconds within which two times are of one announce. Each process knows the Redis clock to within half the way there
and back, and nobody announces twice in this time with something new to say."""

_ID: Final = 20
_ROLE: Final = 3
_TOLD: Final = _ROLE | OWED
"""The bits of a mark that mean something to others."""


class Unsent(NamedTuple):
    """What one batch tells others. A peer's `SwarmRecord.details` and time; without details, when it left."""

    peers: dict[tuple[bytes, bytes], tuple[bytes | None, float]]
    completed: dict[tuple[bytes, Family], tuple[int, int]]
    """For a swarm: completions that all know of, and those that were counted here since."""


class RedisStore(MirroredStore):
    """A `Store` over `memory`, which belongs to it. `clock` is that of the announces; `max_unsent` bounds its notes."""

    def __init__(
        self,
        memory: MemoryStore,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        max_unsent: int = MAX_UNSENT,
    ) -> None:
        super().__init__(memory)
        self._clock = clock
        self._rng = rng
        self._max_unsent = max_unsent
        self._changed: dict[tuple[bytes, bytes], float | None] = {}
        """Peers that others are to be told of; when they left, None for those that are here."""
        self._untold: dict[tuple[bytes, bytes], float | None] | None = None
        """The same for processes beside this one, while Redis tells them nothing."""
        self._completed: dict[tuple[bytes, Family], int] = {}
        self._dropped = False

    # -- what a store does

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
        answer = self._memory.announce(info_hash, peer, peer_id, role, want, now, rng, min_interval, lists)
        self._note(info_hash, peer, None)
        return answer

    def complete(self, info_hash: bytes, peer: bytes) -> bool:
        counted = self._memory.complete(info_hash, peer)
        if counted:
            self._note(info_hash, peer, None)
            swarm = info_hash, Family(len(peer))
            if swarm in self._completed or len(self._completed) < self._max_unsent:
                self._completed[swarm] = self._completed.get(swarm, 0) + 1
        return counted

    def remove(self, info_hash: bytes, peer: bytes) -> Answer:
        # Told also if it is unknown here: it may be known where this process has not looked yet.
        self._note(info_hash, peer, self._clock())
        return self._memory.remove(info_hash, peer)

    # -- what others are told

    @property
    def unsent(self) -> int:
        """Changes that wait."""
        return len(self._changed) + len(self._completed)

    @property
    def is_crowded(self) -> bool:
        """Whether who looks for more to tell had better wait."""
        return self.unsent > self._max_unsent // 20

    @property
    def dropped(self) -> bool:
        """Whether changes found no room, so that others lack something that is noted nowhere."""
        return self._dropped

    def forgive_dropped(self) -> None:
        """From now on the whole memory is being compared."""
        self._dropped = False

    def take_unsent(self, limit: int) -> Unsent:
        """At most `limit` changed peers, the first noted first, and completions; they are no longer noted."""
        peers = self._take(self._changed, limit)
        completed = {}
        for swarm in list(islice(self._completed, limit)):
            new = self._completed.pop(swarm)
            completed[swarm] = max(0, self._memory.counts(*swarm).completed - new), new
        return Unsent(peers, completed)

    def tell_beside(self) -> None:
        """From now on note what processes beside this one are to be told, beginning with what Redis was not."""
        self._untold = dict(self._changed)

    def leave_it_to_redis(self) -> None:
        """Note nothing for others any more but what Redis is told."""
        self._untold = None

    def take_untold(self, limit: int) -> dict[tuple[bytes, bytes], tuple[bytes | None, float]]:
        """At most `limit` peers as in `Unsent`, which are then no longer noted for processes beside this one."""
        return {} if self._untold is None else self._take(self._untold, limit)

    def give_back(self, unsent: Unsent) -> None:
        """Note again what could not be sent, but for completions: whether they were counted nobody knows, and twice
        would be wrong for good."""
        for key, (detail, time) in unsent.peers.items():
            if key not in self._changed:
                self._note(*key, time if detail is None else None)

    # -- what others tell

    def on_change(self, info_hash: bytes, peer: bytes, detail: bytes | None, seen: float) -> None:
        """The stream says so. `detail` is as in a `SwarmRecord`, None for a peer that left at `seen`.

        What this process has said itself comes back by it too, between the words of others: so all hear one order.
        """
        found = self._find(info_hash, peer)
        if detail is None:
            if found is None:
                return
            if found[1] > seen:
                self._note(info_hash, peer, None)
            else:
                self._memory.remove(info_hash, peer)
            return
        if found is not None and found[0] == detail and abs(found[1] - seen) <= SAME:
            return
        if self._knows_better(info_hash, peer, found, seen):
            return
        self._enter(info_hash, peer, found, detail, seen)

    def on_page(self, info_hash: bytes, peers: Mapping[bytes, tuple[bytes, float]]) -> None:
        """A part of the swarm as Redis has it; what is known better here is noted to be sent."""
        for peer, (detail, seen) in peers.items():
            found = self._find(info_hash, peer)
            if self._knows_better(info_hash, peer, found, seen):
                continue
            if found is not None and found[1] <= seen + SAME and found[1] >= seen - SAME:
                if found[0] == detail:
                    continue
                if found[0][_ID] & _ROLE > detail[_ID] & _ROLE:
                    # One of them missed a word about this announce, and peers rather finish than begin again.
                    self._note(info_hash, peer, None)
                    continue
            self._enter(info_hash, peer, found, detail, seen)

    def on_total(self, info_hash: bytes, family: Family, completed: int) -> None:
        """So many have finished by the count of all. Fewer than are known here change nothing."""
        self._memory.restore(
            SwarmRecord(info_hash, family, min(completed, MAX_COMPLETED), b"", b"", array("d")), self._rng
        )

    def on_missing(self, info_hash: bytes, peer: bytes) -> None:
        """Redis does not have this peer, which is here."""
        self._note(info_hash, peer, None)

    def on_count_missing(self, info_hash: bytes, family: Family) -> None:
        """Redis knows of fewer completions than are known here."""
        if len(self._completed) < self._max_unsent:
            self._completed.setdefault((info_hash, family), 0)

    def record(self, info_hash: bytes, family: Family) -> SwarmRecord | None:
        """One of `records`, None where there is no such swarm."""
        return self._memory.record(info_hash, family)

    def _knows_better(self, info_hash: bytes, peer: bytes, found: tuple[bytes, float] | None, seen: float) -> bool:
        """Whether something later is known here, which is, or will be, said again."""
        key = info_hash, peer
        if found is None:
            left = self._changed.get(key)
            return left is not None and seen <= left
        if found[1] > seen + SAME:
            self._note(info_hash, peer, None)
            return True
        return key in self._changed and found[1] >= seen - SAME

    def _enter(
        self, info_hash: bytes, peer: bytes, found: tuple[bytes, float] | None, detail: bytes, seen: float
    ) -> None:
        self._changed.pop((info_hash, peer), None)
        if found is not None:
            seen = max(seen, found[1])
            mark = detail[_ID]
            if mark & _ROLE != Role.SEEDER or (found[0][_ID] ^ mark) & OWED == 0:
                # As an announce it costs half of what `put` costs, and leaves the same.
                self._memory.announce(info_hash, peer, detail[:_ID], Role(mark & _ROLE), 0, seen, self._rng)
                return
        self._memory.put(info_hash, peer, detail, seen, self._rng)

    def _find(self, info_hash: bytes, peer: bytes) -> tuple[bytes, float] | None:
        """The 21 bytes of a peer as others are told of it, and when it was seen last."""
        found = self._memory.find(info_hash, peer)
        if found is None:
            return None
        detail, seen = found
        return b"%b%c" % (detail[:_ID], detail[_ID] & _TOLD), seen

    def _take(
        self, noted: dict[tuple[bytes, bytes], float | None], limit: int
    ) -> dict[tuple[bytes, bytes], tuple[bytes | None, float]]:
        peers: dict[tuple[bytes, bytes], tuple[bytes | None, float]] = {}
        for key in list(islice(noted, limit)):
            left = noted.pop(key)
            found = self._find(*key) if left is None else None
            if left is not None:
                peers[key] = None, left
            elif found is not None:  # who has expired meanwhile is not worth a word
                peers[key] = found
        return peers

    def _note(self, info_hash: bytes, peer: bytes, left: float | None) -> None:
        changed = self._changed
        if len(changed) >= self._max_unsent:
            changed.clear()
            self._dropped = True
        changed[info_hash, peer] = left
        if self._untold is not None:
            self._untold[info_hash, peer] = left
