"""Putting together the info dictionary of a magnet link from what several peers send at once (BEP 9).

The rule: only the hash decides. Peers may lie about the size, so each size that is claimed is tried on its own, those
that most peers claim and that failed least first, and so few at a time that memory stays bounded. Pieces of one size
come from all who claim it; if the whole does not match the hash, nobody knows who lied, and from then on each peer
sends all of it alone: what does not match convicts its sender, and what does convicts whoever sent something else.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from p2p.codec.bencode import MAX_SIZE
from p2p.ids import BLOCK_SIZE

MAX_METADATA: Final = MAX_SIZE
"""Bytes: more could not be decoded."""

PIECE_SIZE: Final = BLOCK_SIZE
"""Bytes of a piece of metadata (BEP 9)."""

MAX_COPIES: Final = 2
"""Copies in the making at once, of different sizes or senders: twice MAX_METADATA bounds the memory."""

PIPELINE: Final = 4
"""Requests a peer has at once: clients in use answer at least so many, and some refuse a queue of many more."""

REQUEST_TIMEOUT: Final = 10.0
"""Seconds until a request is made again elsewhere. A peer that answers later is still heard."""

TAKEOVER: Final = 2.0
"""Seconds after which an unanswered request is also made to a peer that has nothing else to do."""

REST: Final = 20.0
"""Seconds a peer is left alone after it rejected a request or let one time out; doubled each time."""
REST_MAX: Final = 300.0

PATIENCE: Final = 30.0
"""Seconds a copy may take while others wait for its place; doubled each time it has had one."""

MAX_UNASKED: Final = 16
"""Pieces that a peer may send unasked before that is an offence: late answers are none."""


class Verdict(Enum):
    """What a whole of bytes is."""

    WRONG = "wrong"
    RIGHT = "right"
    CONTRADICTION = "contradiction"
    """One of the link's two info-hashes fits and the other does not: the link names two torrents."""


def judge_info(info: bytes, *, hash_v1: bytes | None, hash_v2: bytes | None) -> Verdict:
    """Compare with the info-hashes of a magnet link, 20 and 32 bytes, at least one given."""
    fits = [
        *([] if hash_v1 is None else [hashlib.sha1(info).digest() == hash_v1]),
        *([] if hash_v2 is None else [hashlib.sha256(info).digest() == hash_v2]),
    ]
    if all(fits):
        return Verdict.RIGHT
    return Verdict.CONTRADICTION if any(fits) else Verdict.WRONG


class Outcome(NamedTuple):
    """What an input brought: the whole, and who is convicted of having sent what does not belong to it."""

    info: bytes | None = None
    liars: tuple[int, ...] = ()
    contradiction: bool = False
    """The link names two torrents; nothing can be fetched for it."""


_NOTHING: Final = Outcome()


@dataclass(slots=True)
class _Peer:
    key: int
    size: int
    asked: dict[int, float] = field(default_factory=dict)
    """When which piece was asked for."""
    late: dict[int, None] = field(default_factory=dict)
    """Pieces asked for and given up."""
    rest_until: float = -math.inf
    setbacks: int = 0
    unasked: int = 0
    turns: int = 0
    """How often it had a copy of its own."""

    def rest(self, now: float) -> None:
        self.rest_until = now + min(REST * 2.0 ** min(self.setbacks, 8), REST_MAX)
        self.setbacks += 1


@dataclass(slots=True)
class _Copy:
    """Metadata in the making. `owner` is the only sender, None where all may send."""

    size: int
    owner: int | None
    until: float
    pieces: dict[int, bytes] = field(default_factory=dict)
    senders: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return -(-self.size // PIECE_SIZE)

    def length_of(self, piece: int) -> int:
        return min(PIECE_SIZE, self.size - piece * PIECE_SIZE)


@dataclass(slots=True)
class _Size:
    """What is known of a size that peers claim."""

    failures: int = 0
    turns: int = 0
    alone: bool = False
    """A copy of several senders did not match, so peers send alone."""
    suspects: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Sender, piece and digest of what was in that copy."""


class MetadataAssembly:
    """See the module's head. Peers are keys of the caller's; times its `now`, in seconds."""

    def __init__(self, *, hash_v1: bytes | None, hash_v2: bytes | None) -> None:
        """The info-hashes of the link: 20 and 32 bytes, at least one given."""
        self._hash_v1 = hash_v1
        self._hash_v2 = hash_v2
        self._peers: dict[int, _Peer] = {}
        self._sizes: dict[int, _Size] = {}
        self._copies: list[_Copy] = []
        self._convicted: dict[int, None] = {}
        self._done = False

    @property
    def progress(self) -> float:
        """Part of the copy that has come furthest, 0.0 to 1.0."""
        return max((len(copy.pieces) / copy.count for copy in self._copies), default=0.0)

    def on_offer(self, key: int, size: int) -> bool:
        """The peer says that it has metadata of `size` bytes. False: it says another size than before, and so lies."""
        if not 0 < size <= MAX_METADATA:
            return True  # as good as no offer
        known = self._peers.get(key)
        if known is not None:
            return known.size == size
        self._peers[key] = _Peer(key, size)
        self._sizes.setdefault(size, _Size())
        return True

    def on_left(self, key: int) -> None:
        """The peer is gone. What it sent stays, and what it was asked is asked of others."""
        if self._peers.pop(key, None) is None:
            return
        self._copies = [copy for copy in self._copies if copy.owner != key]
        self._forget_sizes()

    def on_reject(self, key: int, piece: int, now: float) -> None:
        """The peer does not give a piece, and so rests."""
        peer = self._peers.get(key)
        if peer is not None and peer.asked.pop(piece, None) is not None:
            peer.rest(now)

    def on_piece(self, key: int, piece: int, total_size: int | None, content: bytes, now: float) -> Outcome:
        """The peer sends a piece, `total_size` as it says it itself."""
        del now
        peer = self._peers.get(key)
        if peer is None or self._done:
            return _NOTHING
        asked = peer.asked.pop(piece, None) is not None
        if not asked and piece not in peer.late:
            peer.unasked += 1
            return self._convict([key]) if peer.unasked > MAX_UNASKED else _NOTHING
        peer.late.pop(piece, None)
        copy = next((copy for copy in self._copies if copy.size == peer.size and copy.owner in (None, key)), None)
        if total_size not in (None, peer.size):
            return self._convict([key])
        if copy is None:
            return _NOTHING
        if piece >= copy.count or len(content) != copy.length_of(piece):
            return self._convict([key])
        peer.setbacks = 0
        if piece in copy.pieces:
            return _NOTHING
        copy.pieces[piece] = content
        copy.senders[piece] = key
        return self._judge(copy) if len(copy.pieces) == copy.count else _NOTHING

    def next_requests(self, now: float) -> list[tuple[int, int]]:
        """Peer and piece of the requests to make now."""
        if self._done:
            return []
        for peer in self._peers.values():
            overdue = [piece for piece, at in peer.asked.items() if now - at >= REQUEST_TIMEOUT]
            for piece in overdue:
                del peer.asked[piece]
                peer.late[piece] = None
            if overdue:
                peer.rest(now)
        self._choose_copies(now)
        requests: list[tuple[int, int]] = []
        for copy in self._copies:
            requests += self._requests_for(copy, now)
        return requests

    def next_timer(self, now: float) -> float | None:
        """When `next_requests` should be asked again at the latest; None if only news can change its answer."""
        if self._done or not self._peers:
            return None
        times = [copy.until for copy in self._copies if copy.until > now]
        for peer in self._peers.values():
            if peer.rest_until > now:
                times.append(peer.rest_until)
            for at in peer.asked.values():
                times.append(at + REQUEST_TIMEOUT)
                if at + TAKEOVER > now:
                    times.append(at + TAKEOVER)
        return max(min(times), now) if times else None

    # Which copies are in the making

    def _choose_copies(self, now: float) -> None:
        """Fill free places; a copy that has taken its time makes room if another waits and would move."""
        while True:
            waiting = self._next_copy(now)
            if waiting is None:
                return
            if len(self._copies) >= MAX_COPIES:
                going = next((copy for copy in self._copies if self._may_go(copy, now)), None)
                if going is None:
                    return
                self._copies.remove(going)
            self._copies.append(waiting)
            self._sizes[waiting.size].turns += 1
            if waiting.owner is not None:
                self._peers[waiting.owner].turns += 1

    def _next_copy(self, now: float) -> _Copy | None:
        """The best copy that is not in the making and has somebody to come from; those that had fewest turns first."""
        best: tuple[tuple[int, int, int, int], _Copy] | None = None
        claims: dict[int, int] = {}
        for peer in self._peers.values():
            claims[peer.size] = claims.get(peer.size, 0) + 1
        for peer in self._peers.values():
            if peer.rest_until > now:
                continue
            size = self._sizes[peer.size]
            sender = peer.key if size.alone else None
            if any(copy.size == peer.size and copy.owner == sender for copy in self._copies):
                continue
            turns = peer.turns if size.alone else size.turns
            order = (turns, size.failures, -claims[peer.size], peer.size)
            if best is None or order < best[0]:
                best = order, _Copy(peer.size, sender, now + PATIENCE * 2.0 ** min(turns, 10))
        return None if best is None else best[1]

    def _may_go(self, copy: _Copy, now: float) -> bool:
        """Its time is over, or everybody it could come from rests."""
        return copy.until <= now or all(peer.rest_until > now for peer in self._sources(copy))

    def _sources(self, copy: _Copy) -> list[_Peer]:
        return [peer for peer in self._peers.values() if peer.size == copy.size and copy.owner in (None, peer.key)]

    # Who is asked for what

    def _requests_for(self, copy: _Copy, now: float) -> list[tuple[int, int]]:
        peers = self._sources(copy)
        asked: dict[int, float] = {}
        for peer in peers:
            for piece, at in peer.asked.items():
                asked[piece] = max(at, asked.get(piece, at))
        ready = [peer for peer in peers if peer.rest_until <= now and len(peer.asked) < PIPELINE]
        ready.sort(key=lambda peer: (peer.setbacks, len(peer.asked)))
        missing = iter([piece for piece in range(copy.count) if piece not in copy.pieces and piece not in asked])
        requests: list[tuple[int, int]] = []
        idle: list[_Peer] = []
        while ready:
            peer = ready.pop(0)
            free = next(missing, None)
            if free is None:
                idle = [other for other in (peer, *ready) if not other.asked]
                break
            peer.asked[free] = now
            requests.append((peer.key, free))
            if len(peer.asked) < PIPELINE:
                ready.append(peer)
        overdue = [piece for piece, at in asked.items() if piece not in copy.pieces and now - at >= TAKEOVER]
        for peer, piece in zip(idle, sorted(overdue, key=lambda piece: (asked[piece], piece)), strict=False):
            peer.asked[piece] = now
            requests.append((peer.key, piece))
        return requests

    # What came of a copy

    def _judge(self, copy: _Copy) -> Outcome:
        self._copies.remove(copy)
        info = b"".join(copy.pieces[piece] for piece in range(copy.count))
        verdict = judge_info(info, hash_v1=self._hash_v1, hash_v2=self._hash_v2)
        if verdict is not Verdict.WRONG:
            self._done = True
            self._copies.clear()
            if verdict is Verdict.CONTRADICTION:
                return Outcome(contradiction=True)
            return Outcome(info, tuple(self._liars(copy)))
        size = self._sizes[copy.size]
        size.failures += 1
        senders = dict.fromkeys(copy.senders.values())
        if len(senders) == 1:
            return self._convict(list(senders))
        size.alone = True
        size.suspects = [
            (sender, piece, hashlib.sha256(copy.pieces[piece]).digest()) for piece, sender in copy.senders.items()
        ]
        return _NOTHING

    def _liars(self, good: _Copy) -> list[int]:
        """Who sent other bytes to the copy that failed, or claimed another size than the right one."""
        liars = dict.fromkeys(
            sender
            for sender, piece, digest in self._sizes[good.size].suspects
            if hashlib.sha256(good.pieces[piece]).digest() != digest
        )
        liars |= dict.fromkeys(peer.key for peer in self._peers.values() if peer.size != good.size)
        return [key for key in liars if key not in self._convicted]

    def _convict(self, keys: list[int]) -> Outcome:
        for key in keys:
            self._convicted[key] = None
            self.on_left(key)
        return Outcome(liars=tuple(keys))

    def _forget_sizes(self) -> None:
        """A size that nobody claims any more is none."""
        claimed = dict.fromkeys(peer.size for peer in self._peers.values())
        self._sizes = {size: known for size, known in self._sizes.items() if size in claimed}
        self._copies = [copy for copy in self._copies if copy.size in claimed]
