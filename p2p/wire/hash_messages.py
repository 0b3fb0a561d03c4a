"""The bytes of `hash request`, `hashes` and `hash reject`, judged by what any hash tree can have (BEP 52).

Whether a span lies in one of this torrent's trees is for who holds the hashes.
"""

from __future__ import annotations

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.wire.events import HashesReceived
from p2p.wire.messages import HASH_SPAN, HashRequest, encode_hash_span, is_hash_request


def read_hash_request(buffer: bytearray, at: int) -> HashRequest:
    """The span at `at`, where HASH_SPAN's bytes are known to be. RemoteProtocolError if no tree can have it."""
    request = HashRequest(*HASH_SPAN.unpack_from(buffer, at))
    if not is_hash_request(request):
        raise RemoteProtocolError("a span of hashes that no tree can have")
    return request


def read_hashes(buffer: bytearray, at: int, size: int) -> HashesReceived:
    """A span and the hashes behind it, `size` bytes together. RemoteProtocolError for hashes cut short."""
    request = read_hash_request(buffer, at)
    first, stop = at + HASH_SPAN.size, at + size
    if (stop - first) % 32:
        raise RemoteProtocolError("hashes that are not 32 bytes each")
    return HashesReceived(request, tuple(bytes(buffer[one : one + 32]) for one in range(first, stop, 32)))


def encode_hashes(kind: int, request: HashRequest, hashes: bytes = b"") -> bytes:
    """A message of `kind` with a span, and with hashes for `hashes`. LocalProtocolError if no tree can have it."""
    if not is_hash_request(request):
        raise LocalProtocolError(f"{request} is a span that no hash tree can have")
    return encode_hash_span(kind, request, hashes)
