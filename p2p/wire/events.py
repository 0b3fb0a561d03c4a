"""What a peer said, one value an event, as `Connection.receive_data` reports it. `match` on the classes.

Those that come by the ten thousand a second are named tuples, which cost a third of a frozen dataclass to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from p2p.ids import BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from p2p.ids import Block, PieceIndex
    from p2p.wire.arena import Arena
    from p2p.wire.extension import ExtensionHandshake
    from p2p.wire.messages import HashRequest


class BlockReceived(NamedTuple):
    """A block, where it landed. Within its piece; whether it was asked for is the request queue's to judge.

    `view` aliases `arena` from its byte `at` on. The arena is pinned once for this event: call `arena.unpin()` when
    done with the view.
    """

    piece: PieceIndex
    begin: int
    length: int
    view: memoryview
    arena: Arena
    at: int


class BlocksReceived(NamedTuple):
    """Several full blocks of one piece, each behind the one before, in the torrent and where they landed.

    What is true of a BlockReceived is true of each; the arena is pinned once for each.
    """

    piece: PieceIndex
    begin: int
    blocks: int
    view: memoryview
    arena: Arena
    at: int

    def each(self) -> Iterator[BlockReceived]:
        """The blocks one by one, with their pins."""
        for start in range(0, len(self.view), BLOCK_SIZE):
            view = self.view[start : start + BLOCK_SIZE]
            yield BlockReceived(self.piece, self.begin + start, BLOCK_SIZE, view, self.arena, self.at + start)


class RequestReceived(NamedTuple):
    """The peer asks for a block inside a piece, of 1 to 16,384 bytes. It stays in `Connection.unanswered`."""

    block: Block


class HaveReceived(NamedTuple):
    """The peer has this piece."""

    piece: PieceIndex


@dataclass(frozen=True, slots=True)
class Choked:
    """The peer no longer answers requests. Without the fast extension it has dropped those it had.

    This and the next three are told when they change something, not each time the peer says so.
    """


@dataclass(frozen=True, slots=True)
class Unchoked:
    """The peer takes requests."""


@dataclass(frozen=True, slots=True)
class Interested:
    """The peer would ask if it were unchoked."""


@dataclass(frozen=True, slots=True)
class NotInterested:
    """The peer would not ask."""


@dataclass(frozen=True, slots=True)
class BitfieldReceived:
    """All pieces the peer has, first piece in the high bit of the first byte; spare bits are zero.

    A later one, as aria2 sends it, takes the place of what was known before.
    """

    data: bytes


@dataclass(frozen=True, slots=True)
class HaveAll:
    """The peer has every piece (BEP 6)."""


@dataclass(frozen=True, slots=True)
class HaveNone:
    """The peer has no piece (BEP 6)."""


@dataclass(frozen=True, slots=True)
class CancelReceived:
    """The peer takes back a request that has no answer yet. With the fast extension it still wants one (BEP 6)."""

    block: Block


@dataclass(frozen=True, slots=True)
class RejectReceived:
    """The peer will not answer this request (BEP 6)."""

    block: Block


@dataclass(frozen=True, slots=True)
class AllowedFast:
    """The peer answers requests for this piece even while it chokes (BEP 6)."""

    piece: PieceIndex


@dataclass(frozen=True, slots=True)
class Suggested:
    """The peer would like this piece asked for (BEP 6)."""

    piece: PieceIndex


@dataclass(frozen=True, slots=True)
class PortReceived:
    """The UDP port of the peer's DHT node, 1 to 65535 (BEP 5)."""

    port: int


@dataclass(frozen=True, slots=True)
class ExtensionHandshakeReceived:
    """What the peer offers, merged with what it said before (BEP 10)."""

    handshake: ExtensionHandshake


@dataclass(frozen=True, slots=True)
class ExtensionMessage:
    """A message of an extension that we offered under this name (BEP 10)."""

    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class HashRequestReceived:
    """The peer asks for hashes (BEP 52)."""

    request: HashRequest


@dataclass(frozen=True, slots=True)
class HashesReceived:
    """Hashes: those of the base layer first, the uncle nearest the root last (BEP 52). Unverified."""

    request: HashRequest
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class HashRejectReceived:
    """The peer will not answer this hash request (BEP 52)."""

    request: HashRequest


Event: TypeAlias = (
    BlockReceived
    | BlocksReceived
    | RequestReceived
    | HaveReceived
    | Choked
    | Unchoked
    | Interested
    | NotInterested
    | BitfieldReceived
    | HaveAll
    | HaveNone
    | CancelReceived
    | RejectReceived
    | AllowedFast
    | Suggested
    | PortReceived
    | ExtensionHandshakeReceived
    | ExtensionMessage
    | HashRequestReceived
    | HashesReceived
    | HashRejectReceived
)
