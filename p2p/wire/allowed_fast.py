"""Which pieces a peer may ask for while choked (BEP 6, "Allowed Fast Set Generation").

The set follows from the receiver's /24 and the torrent, so nobody gains a second one by reconnecting.
"""

from __future__ import annotations

import ipaddress
from hashlib import sha1
from struct import Struct
from typing import Final

from p2p.ids import InfoHash, PieceIndex

ALLOWED_FAST_COUNT: Final = 10
"""The k of BEP 6."""

_NUMBERS: Final = Struct(">5I")


def allowed_fast_set(
    host: str, info_hash: InfoHash, piece_count: int, count: int = ALLOWED_FAST_COUNT
) -> list[PieceIndex]:
    """`count` pieces for the peer at `host`, in canonical order; all of them where the torrent has no more.

    Empty for an IPv6 peer, for which BEP 6 defines no set. Raises ValueError for text that is no IP literal.
    """
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        return []
    count = min(count, piece_count)
    pieces: dict[PieceIndex, None] = {}
    digest = address.packed[:3] + b"\0" + info_hash
    while len(pieces) < count:
        digest = sha1(digest).digest()
        for number in _NUMBERS.unpack(digest):
            if len(pieces) < count:
                pieces[PieceIndex(number % piece_count)] = None
    return list(pieces)
