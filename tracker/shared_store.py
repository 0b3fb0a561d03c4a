"""The swarms that several processes of one tracker serve: each has all of them, and tells the others what changes.

So every process answers every announce and scrape at once, from its own memory, and one that dies takes no swarm along.
Each torrent has one process as its owner, by the first byte of its info-hash, and the kernel brings UDP announces to it
(p2p.net.shared_ports). The rules:

- Who has entered, gone, finished, or changed role or id is told to all, some milliseconds later, many in one message.
- A renewal changes nothing that an answer shows, so it is told to the owner alone, and at the owner to nobody. That is
  what lets processes add up: of the announces of a tracker most are renewals.
- Only the owner lets a peer expire, as only the owner knows when it was last seen.
- The owner goes round its swarms and tells how many peers they have; who has counted otherwise twice asks for that
  swarm anew. The others tell the owner which of its swarms they have, and drop those that it has not. So a message
  that was lost, or two that crossed, are made good.
- Who takes another's place asks the others in turn for everything, and judges nobody's count before it has been told.

No loop, no socket: `messages` says what to send, `receive` takes what has come. Messages go between processes of one
program and one user, so they are believed, but one that cannot be read is dropped.
"""

from __future__ import annotations

import marshal
import math
from array import array
from collections import deque
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from tracker.figures import Traffic
from tracker.memory_store import MemoryStore
from tracker.mirrored_store import MirroredStore
from tracker.store import Family, SwarmRecord
from tracker.swarm import DETAIL

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Iterator

    from tracker.store import Answer, Role

ENTRIES: Final = 500
"""Peers in one message: some 40 KB, within what a Unix datagram may have everywhere."""

COUNTED: Final = 4
"""Swarms whose peers the owner tells of with each round of messages: some 200 a second."""

ROUND_TIME: Final = 1.0
"""Seconds between two counts of a swarm at least: long enough for what was on its way to have arrived."""

ASK_PERIOD: Final = 1.0
"""Seconds after which a process that knows nothing asks the next one, if the one before says nothing."""

PORTIONS: Final = 8
"""Of the swarms that a process is told, which has taken another's place, with each round: a millisecond of work."""

_Part: TypeAlias = tuple[bytes, int, int, bytes, bytes, bytes]
"""Of a `SwarmRecord`, with the times as bytes."""

OTHERS: Final = None
"""As the receiver of a message: every other process."""


class Kind(IntEnum):
    """What a message is."""

    CHANGES = 0
    RENEWALS = 1
    HELLO = 2
    SWARMS = 3
    COUNTS = 4
    WANTED = 5
    DROP = 6
    HELD = 7
    ALL_TOLD = 8
    TRAFFIC = 9


class Knowledge(Enum):
    """What a process knows of the swarms when it starts."""

    ALL = "all"
    """No other has more: it is the first of a tracker that starts."""
    NOTHING = "nothing"


class Message(NamedTuple):
    to: int | None
    """A process, or OTHERS."""
    content: bytes


class SharedStore(MirroredStore):
    """A `Store` of the process `number` of `count`. `clock` is one that all of them share."""

    def __init__(
        self,
        number: int,
        count: int,
        *,
        max_torrents: int,
        max_peers: int,
        clock: Callable[[], float],
        rng: random.Random,
        knowledge: Knowledge,
    ) -> None:
        super().__init__(
            MemoryStore(
                max_torrents=max_torrents, max_peers=max_peers, on_change=self._on_change, expires=self._is_mine
            )
        )
        self._is_informed = knowledge is Knowledge.ALL or count == 1
        self._asked = 0
        self._ask_at = -math.inf
        self._number = number
        self._count = count
        self._clock = clock
        self._rng = rng
        self._changed: dict[tuple[bytes, bytes], None] = {}
        self._renewed: dict[tuple[bytes, bytes], tuple[bytes, int]] = {}
        self._to_send: list[Message] = []
        self._traffic: dict[int, Traffic] = {}
        self._telling: deque[tuple[int, Kind | None, Iterator[list[_Part]]]] = deque()
        """Whom swarms are told, what is said at the end, and what there is to tell."""
        self._counted = 0
        self._next_round = 0.0
        self._suspects: set[tuple[bytes, Family]] = set()

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
        if info_hash[0] % self._count != self._number:
            self._renewed[info_hash, peer] = peer_id, int(role)
        return answer

    def complete(self, info_hash: bytes, peer: bytes) -> bool:
        return self._memory.complete(info_hash, peer)

    def remove(self, info_hash: bytes, peer: bytes) -> Answer:
        self._renewed.pop((info_hash, peer), None)
        return self._memory.remove(info_hash, peer)

    # -- what the processes tell one another

    @property
    def traffic_elsewhere(self) -> list[Traffic]:
        """What the other processes last said that they have answered."""
        return list(self._traffic.values())

    def on_traffic(self, traffic: Traffic) -> None:
        """Tell the others what this process has answered."""
        self._to_send.append(self._message(OTHERS, Kind.TRAFFIC, tuple(traffic)))

    def messages(self) -> list[Message]:
        """What is to be sent now, in order. To be asked every some milliseconds."""
        self._tell_changes()
        if self._renewed:
            self._tell_renewals()
        if not self._is_informed:
            self._ask()
        elif self._memory.totals().torrents:
            self._tell_counts()
        self._tell_swarms()
        sending, self._to_send = self._to_send, []
        return sending

    def receive(self, content: bytes) -> None:
        """Take in a message of another process."""
        try:
            sender, kind, told = marshal.loads(content)  # noqa: S302 - of our own processes
        except (ValueError, EOFError, TypeError):
            return
        # What has changed here is written down first: what comes now may be older, and must not pass for it.
        self._tell_changes()
        match kind:
            case Kind.CHANGES:
                now = self._clock()
                for info_hash, peer, detail, completed in told:
                    self._memory.put(info_hash, peer, detail, now, self._rng)
                    self._on_completed(info_hash, Family(len(peer)), completed)
            case Kind.RENEWALS:
                now = self._clock()
                for info_hash, peer, peer_id, role in told:
                    self._memory.announce(info_hash, peer, peer_id, role, 0, now, self._rng)
            case Kind.HELLO:
                if self._is_informed:
                    self._telling.append((sender, Kind.ALL_TOLD, _portions(self._memory.records())))
            case Kind.ALL_TOLD:
                self._is_informed = True
            case Kind.SWARMS:
                self._ask_at = self._clock() + ASK_PERIOD
                for part in told:
                    self._on_swarm(*part)
            case Kind.COUNTS:
                self._on_counts(sender, told)
            case Kind.HELD if self._is_informed:
                unknown = [(each, size) for each, size in told if not any(self._memory.counts(each, Family(size)))]
                if unknown:
                    self._to_send.append(self._message(sender, Kind.DROP, unknown))
            case Kind.WANTED:
                self._to_send.append(self._message(sender, Kind.DROP, told))
                found = [self._memory.record(info_hash, Family(size)) for info_hash, size in told]
                self._telling.appendleft((sender, None, _portions([each for each in found if each is not None])))
            case Kind.DROP:
                for info_hash, size in told:
                    self._memory.drop(info_hash, Family(size))
            case Kind.TRAFFIC:
                self._traffic[sender] = Traffic(*told)

    def _on_completed(self, info_hash: bytes, family: Family, completed: int) -> None:
        if completed > self._memory.counts(info_hash, family).completed:
            self._memory.restore(SwarmRecord(info_hash, family, completed, b"", b"", array("d")), self._rng)

    def _on_change(self, info_hash: bytes, peer: bytes) -> None:
        self._changed[info_hash, peer] = None

    def _is_mine(self, info_hash: bytes) -> bool:
        return info_hash[0] % self._count == self._number

    def _message(self, to: int | None, kind: Kind, told: Any) -> Message:
        return Message(to, marshal.dumps((self._number, int(kind), told)))

    def _tell_changes(self) -> None:
        for begin in range(0, len(self._changed), ENTRIES):
            told = []
            for info_hash, peer in list(self._changed)[begin : begin + ENTRIES]:
                completed = self._memory.counts(info_hash, Family(len(peer))).completed
                found = self._memory.find(info_hash, peer)
                told.append((info_hash, peer, found and found[0], completed))
            self._to_send.append(self._message(OTHERS, Kind.CHANGES, told))
        self._changed = {}

    def _tell_renewals(self) -> None:
        by_owner: dict[int, list[tuple[bytes, bytes, bytes, int]]] = {}
        for (info_hash, peer), (peer_id, role) in self._renewed.items():
            by_owner.setdefault(info_hash[0] % self._count, []).append((info_hash, peer, peer_id, role))
        self._renewed = {}
        for owner, renewals in by_owner.items():
            for begin in range(0, len(renewals), ENTRIES):
                self._to_send.append(self._message(owner, Kind.RENEWALS, renewals[begin : begin + ENTRIES]))

    def _tell_counts(self) -> None:
        swarms = self._memory.totals().torrents
        now = self._clock()
        told = []
        held: dict[int, list[tuple[bytes, int]]] = {}
        for _ in range(COUNTED):
            if self._counted >= swarms:
                if now < self._next_round:
                    break
                self._counted, self._next_round = 0, now + ROUND_TIME
            info_hash, family = self._memory.swarm_at(self._counted)
            if self._is_mine(info_hash):
                told.append((info_hash, int(family), tuple(self._memory.counts(info_hash, family))))
            else:
                held.setdefault(info_hash[0] % self._count, []).append((info_hash, int(family)))
            self._counted += 1
        if told:
            self._to_send.append(self._message(OTHERS, Kind.COUNTS, told))
        for owner, keys in held.items():
            self._to_send.append(self._message(owner, Kind.HELD, keys))

    def _on_counts(self, sender: int, told: list[tuple[bytes, int, tuple[int, int, int, int]]]) -> None:
        wanted = []
        for info_hash, size, counts in told:
            key = info_hash, Family(size)
            if tuple(self._memory.counts(*key)) == counts:
                self._suspects.discard(key)
            elif key in self._suspects:
                self._suspects.remove(key)
                wanted.append((info_hash, size))
            else:
                self._suspects.add(key)
        if wanted:
            self._to_send.append(self._message(sender, Kind.WANTED, wanted))

    def _ask(self) -> None:
        """Ask one other after another for everything, until one that knows it answers; until then judge nobody."""
        now = self._clock()
        if now >= self._ask_at:
            if self._asked == 3 * (self._count - 1):
                self._is_informed = True  # all have started anew: what there is is what they are told from now on
                return
            heir = (self._number + 1 + self._asked % (self._count - 1)) % self._count
            self._to_send.append(self._message(heir, Kind.HELLO, None))
            self._asked += 1
            self._ask_at = now + ASK_PERIOD

    def _tell_swarms(self) -> None:
        for _ in range(PORTIONS):
            if not self._telling:
                return
            to, end, portions = self._telling[0]
            portion = next(portions, None)
            if portion is None:
                self._telling.popleft()
                if end is not None:
                    self._to_send.append(self._message(to, end, None))
            else:
                self._to_send.append(self._message(to, Kind.SWARMS, portion))

    def _on_swarm(
        self, info_hash: bytes, size: int, completed: int, peers: bytes, details: bytes, times: bytes
    ) -> None:
        seen = array("d", times)
        if self._is_mine(info_hash):
            # Told by one that is no owner and does not know the last renewals: each peer has a lifetime from now.
            seen = array("d", [self._clock()] * len(seen))
        self._memory.restore(SwarmRecord(info_hash, Family(size), completed, peers, details, seen), self._rng)


def _portions(records: Iterable[SwarmRecord]) -> Iterator[list[_Part]]:
    """Swarms in lists that fit a message each, large ones in parts."""
    portion: list[_Part] = []
    room = ENTRIES
    for info_hash, family, completed, peers, details, seen in records:
        for begin in range(0, max(1, len(seen)), ENTRIES):
            end = begin + ENTRIES
            columns = peers[begin * family : end * family], details[begin * DETAIL : end * DETAIL]
            times = seen[begin:end].tobytes()
            portion.append((info_hash, int(family), completed, *columns, times))
            room -= 1 + len(times) // 8
            if room <= 0:
                yield portion
                portion, room = [], ENTRIES
    if portion:
        yield portion
