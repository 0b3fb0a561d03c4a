"""Message ids, layouts and length bounds of the peer wire protocol (BEP 3, 5, 6, 10, 52). Tables and pure functions.

A message is a four-byte length, one byte of id, and a payload; lengths below count the payload alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final

from p2p.ids import BLOCK_SIZE, Block

if TYPE_CHECKING:
    from collections.abc import Iterable

CHOKE: Final = 0
UNCHOKE: Final = 1
INTERESTED: Final = 2
NOT_INTERESTED: Final = 3
HAVE: Final = 4
BITFIELD: Final = 5
REQUEST: Final = 6
PIECE: Final = 7
CANCEL: Final = 8
PORT: Final = 9
SUGGEST: Final = 13
HAVE_ALL: Final = 14
HAVE_NONE: Final = 15
REJECT: Final = 16
ALLOWED_FAST: Final = 17
EXTENDED: Final = 20
HASH_REQUEST: Final = 21
HASHES: Final = 22
HASH_REJECT: Final = 23

LENGTH: Final = Struct(">I")
NUMBER: Final = Struct(">I")
PORT_NUMBER: Final = Struct(">H")
SPAN: Final = Struct(">III")
"""Piece, begin, length: the payload of `request`, `cancel` and `reject`."""
HASH_SPAN: Final = Struct(">32sIIII")
"""Pieces root, base layer, index, length, proof layers (BEP 52)."""

BLOCK_HEADER: Final = Struct(">IBII")
"""Length, id, piece, begin: all of a `piece` message before its block."""
_EMPTY: Final = Struct(">IB")
_INDEXED: Final = Struct(">IBI")
_SPANNED: Final = Struct(">IBIII")
_PORTED: Final = Struct(">IBH")
_EXTENDED: Final = Struct(">IBB")

MAX_EXTENDED: Final = 262_144
"""Sixteen times the largest extended message of any BEP (a 16 KiB piece of metadata), and little enough that some
hundred peers stalling inside one hold no memory worth naming."""

MAX_UNKNOWN: Final = 16_384
"""Messages of ids we do not know are skipped up to the size of a block; no BEP has needed more."""

MAX_HASHES: Final = 512
"""Hashes of a base layer in one message: BEP 52 says not to ask for more."""

MAX_LAYERS: Final = 64
"""Layers of a hash tree: more leaves than 2**64 do not exist."""

PAYLOAD_BOUNDS: Final[dict[int, tuple[int, int]]] = {
    CHOKE: (0, 0),
    UNCHOKE: (0, 0),
    INTERESTED: (0, 0),
    NOT_INTERESTED: (0, 0),
    HAVE: (4, 4),
    REQUEST: (12, 12),
    PIECE: (8 + 1, 8 + BLOCK_SIZE),  # no request asks for nothing or for more than a block
    CANCEL: (12, 12),
    PORT: (2, 2),
    SUGGEST: (4, 4),
    HAVE_ALL: (0, 0),
    HAVE_NONE: (0, 0),
    REJECT: (12, 12),
    ALLOWED_FAST: (4, 4),
    EXTENDED: (1, MAX_EXTENDED),
    HASH_REQUEST: (48, 48),
    HASHES: (48 + 32, 48 + 32 * (MAX_HASHES + MAX_LAYERS)),
    HASH_REJECT: (48, 48),
}
"""Least and greatest payload of each id. `bitfield` is missing: its length follows from the torrent."""

FAST_ONLY: Final = frozenset({SUGGEST, HAVE_ALL, HAVE_NONE, REJECT, ALLOWED_FAST})
"""Received without the fast extension, these end the connection (BEP 6)."""

KEEP_ALIVE: Final = bytes(4)


@dataclass(frozen=True, slots=True)
class HashRequest:
    """A span of a file's hash tree as `hash request`, `hashes` and `hash reject` name it (BEP 52).

    `base_layer` counts layers above the leaves, `index` and `length` count hashes in that layer, `proof_layers` the
    ancestor layers for which uncle hashes are asked.
    """

    pieces_root: bytes
    base_layer: int
    index: int
    length: int
    proof_layers: int


def encode_empty(kind: int) -> bytes:
    return _EMPTY.pack(1, kind)


def encode_indexed(kind: int, piece: int) -> bytes:
    return _INDEXED.pack(5, kind, piece)


def encode_span(kind: int, block: Block) -> bytes:
    return _SPANNED.pack(13, kind, *block)


def encode_requests(blocks: Iterable[Block]) -> bytes:
    pack = _SPANNED.pack
    return b"".join([pack(13, REQUEST, piece, begin, length) for piece, begin, length in blocks])


def encode_block_header(block: Block) -> bytes:
    return BLOCK_HEADER.pack(9 + block.length, PIECE, block.piece, block.begin)


def encode_port(port: int) -> bytes:
    return _PORTED.pack(3, PORT, port)


def encode_bitfield(data: bytes) -> bytes:
    return _EMPTY.pack(1 + len(data), BITFIELD) + data


def encode_extended(extended_id: int, payload: bytes) -> bytes:
    return _EXTENDED.pack(2 + len(payload), EXTENDED, extended_id) + payload


def encode_hash_span(kind: int, request: HashRequest, hashes: bytes = b"") -> bytes:
    span = HASH_SPAN.pack(request.pieces_root, request.base_layer, request.index, request.length, request.proof_layers)
    return _EMPTY.pack(1 + len(span) + len(hashes), kind) + span + hashes


def is_bitfield(data: bytes, piece_count: int) -> bool:
    """Whether `data` is as long as the torrent asks and its spare bits are zero (BEP 3)."""
    if len(data) != (piece_count + 7) // 8:
        return False
    spare = -piece_count % 8
    return not spare or not data[-1] & ((1 << spare) - 1)


def is_hash_request(request: HashRequest) -> bool:
    """Whether such a span can exist in any tree. Whether it does in this torrent's is for who holds the hashes."""
    return (
        len(request.pieces_root) == 32
        and 0 <= request.base_layer <= MAX_LAYERS
        and 0 <= request.proof_layers <= MAX_LAYERS
        and 0 <= request.index < 2**32
        and 0 < request.length < 2**32
    )
