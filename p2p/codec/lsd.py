"""Local service discovery (BEP 14): one datagram in the shape of an HTTP request, which says who shares what nearby.

The rule: what is no announce, or names nothing of use, is refused whole; headers nobody knows are passed over.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import Address, InfoHash

PORT: Final = 6771
GROUP: Final = Address("239.192.152.143", PORT)
GROUP6: Final = Address("ff15::efc0:988f", PORT)

MAX_DATAGRAM: Final = 1_400
"""Bytes of an announce, so that no network has to fragment it (BEP 14)."""

MAX_HEARD: Final = 2_048
"""Bytes of an announce of others that are read: more would not fit one frame of a local network."""

MAX_INFO_HASHES: Final = 24
"""Info-hashes of an announce: as many as MAX_DATAGRAM has room for."""

MAX_COOKIE: Final = 64
"""Bytes of a cookie; ours have 16, those of others no more than 20."""

_FIRST_LINE: Final = b"BT-SEARCH * HTTP/1.1"
_NUMBER = re.compile(rb"[0-9]{1,5}")
_HASH = re.compile(rb"[0-9A-Fa-f]{40}")


class LocalAnnounce(NamedTuple):
    """Somebody who listens at `port` shares these torrents. `cookie` tells its sender's own from others'."""

    port: int
    info_hashes: tuple[InfoHash, ...]
    cookie: bytes | None = None


def encode(group: Address, announce: LocalAnnounce) -> bytes:
    """The datagram for a multicast group. Raises LocalProtocolError for none or more than MAX_INFO_HASHES of hashes."""
    if not 0 < len(announce.info_hashes) <= MAX_INFO_HASHES or not 0 < announce.port <= 65_535:
        raise LocalProtocolError("a local announce has a port and 1 to 24 info-hashes")
    lines = [_FIRST_LINE, b"Host: %b" % str(group).encode(), b"Port: %d" % announce.port]
    lines += [b"Infohash: %b" % info_hash.hex().encode() for info_hash in announce.info_hashes]
    if announce.cookie is not None:
        lines.append(b"cookie: %b" % announce.cookie)
    return b"\r\n".join((*lines, b"", b"", b""))


def decode(datagram: bytes) -> LocalAnnounce:
    """What a neighbour says; the address is that of the datagram. Raises RemoteProtocolError."""
    if len(datagram) > MAX_HEARD:
        raise RemoteProtocolError(f"a local announce of {len(datagram)} bytes is too long")
    first, *headers = datagram.split(b"\r\n")
    if first != _FIRST_LINE:
        raise RemoteProtocolError("no local announce")
    values: dict[bytes, bytes] = {}
    info_hashes: dict[InfoHash, None] = {}
    for line in headers:
        name, _, raw = line.partition(b":")
        key, value = name.strip().lower(), raw.strip()
        if key == b"infohash":
            if _HASH.fullmatch(value):
                info_hashes[InfoHash(bytes.fromhex(value.decode("ascii")))] = None
        else:
            values.setdefault(key, value)
    port = values.get(b"port", b"")
    if not _NUMBER.fullmatch(port) or not 0 < int(port) <= 65_535:
        raise RemoteProtocolError("a local announce without a port")
    if not info_hashes:
        raise RemoteProtocolError("a local announce of no torrent")
    cookie = values.get(b"cookie")
    if cookie is not None and len(cookie) > MAX_COOKIE:
        cookie = None
    return LocalAnnounce(int(port), tuple(info_hashes), cookie)
