"""The messages that carry the info dictionary from peer to peer (BEP 9): request, data, reject.

The rule: a message is a bencoded dictionary, followed by the bytes of the piece where it is `data`. What breaks that,
or names a piece that no metadata can have, breaks the protocol; a type that nobody knows yet is passed over.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from p2p.codec import bencode
from p2p.errors import BencodeError, LocalProtocolError, RemoteProtocolError

NAME: Final = "ut_metadata"

PIECE_SIZE: Final = 16_384
"""Bytes of a piece of metadata; only the last is shorter (BEP 9, "metadata")."""

MAX_METADATA: Final = bencode.MAX_SIZE
"""Bytes of metadata: more could not be decoded."""

MAX_PIECES: Final = -(-MAX_METADATA // PIECE_SIZE)

MAX_PAYLOAD: Final = PIECE_SIZE + 1_024
"""Bytes of a message: a piece, and twenty times the dictionary that any client in use writes before it."""

_REQUEST, _DATA, _REJECT = range(3)


class MetadataRequest(NamedTuple):
    """Asks for a piece."""

    piece: int


class MetadataPiece(NamedTuple):
    """A piece, unverified. `total_size` is what its sender says all of the metadata has, in bytes; None unsaid."""

    piece: int
    total_size: int | None
    content: bytes


class MetadataReject(NamedTuple):
    """The sender does not have this piece, or does not give it."""

    piece: int


MetadataMessage: TypeAlias = MetadataRequest | MetadataPiece | MetadataReject


def encode(message: MetadataMessage) -> bytes:
    """The payload of an extension message. Raises LocalProtocolError for a piece that is too long or has no size."""
    match message:
        case MetadataRequest(piece):
            return bencode.encode({b"msg_type": _REQUEST, b"piece": piece})
        case MetadataReject(piece):
            return bencode.encode({b"msg_type": _REJECT, b"piece": piece})
        case MetadataPiece(piece, total_size, content):
            if total_size is None or not 0 < len(content) <= PIECE_SIZE:
                raise LocalProtocolError(f"{len(content)} bytes of {total_size} are no piece of metadata")
            return bencode.encode({b"msg_type": _DATA, b"piece": piece, b"total_size": total_size}) + content


def decode(payload: bytes) -> MetadataMessage | None:
    """Read a peer's message; None for a type that is not known (BEP 9 asks to ignore it).

    Raises RemoteProtocolError.
    """
    if len(payload) > MAX_PAYLOAD:
        raise RemoteProtocolError(f"a metadata message of {len(payload)} bytes is too long")
    try:
        fields, end = bencode.decode_prefix(payload)
    except BencodeError as error:
        raise RemoteProtocolError(f"a metadata message is not bencoded: {error}") from error
    if not isinstance(fields, dict):
        raise RemoteProtocolError("a metadata message is not a dictionary")
    kind, piece = fields.get(b"msg_type"), fields.get(b"piece")
    if not isinstance(kind, int):
        raise RemoteProtocolError("a metadata message has no type")
    if kind not in {_REQUEST, _DATA, _REJECT}:
        return None
    if not isinstance(piece, int) or not 0 <= piece < MAX_PIECES:
        raise RemoteProtocolError(f"a metadata message names piece {piece if isinstance(piece, int) else None}")
    if kind == _REQUEST:
        return MetadataRequest(piece)
    if kind == _REJECT:
        return MetadataReject(piece)
    content = payload[end:]
    if not 0 < len(content) <= PIECE_SIZE:
        raise RemoteProtocolError(f"a piece of metadata of {len(content)} bytes")
    total_size = fields.get(b"total_size")
    if total_size is not None and not (isinstance(total_size, int) and 0 < total_size <= MAX_METADATA):
        raise RemoteProtocolError("a piece of metadata of an impossible whole")
    return MetadataPiece(piece, total_size, content)


def piece_of(metadata: bytes, piece: int) -> MetadataPiece | None:
    """The answer to a request for `piece`; None where there is no such piece."""
    content = metadata[piece * PIECE_SIZE : (piece + 1) * PIECE_SIZE]
    return MetadataPiece(piece, len(metadata), content) if content else None
