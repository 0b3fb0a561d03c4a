"""The handshake of the peer wire protocol (BEP 3): 68 bytes that name the torrent, the peer and what it can do.

Reserved bits: extension protocol (BEP 10), fast extension (BEP 6), DHT (BEP 5), version 2 of a hybrid (BEP 52).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import InfoHash, PeerId

HANDSHAKE_SIZE: Final = 68
"""Bytes: 1 of length, 19 of protocol name, 8 reserved, 20 of info-hash, 20 of peer id."""

_PREFIX: Final = b"\x13BitTorrent protocol"
_EXTENSION: Final = 0x10
"""In reserved byte 5 (BEP 10)."""
_DHT: Final = 0x01
_FAST: Final = 0x04
_V2: Final = 0x10
"""These three in reserved byte 7 (BEP 5, BEP 6, BEP 52 "Upgrade Path")."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What one side says of itself. `v2` on a version 1 info-hash: this peer would go on with the version 2 one."""

    info_hash: InfoHash
    peer_id: PeerId
    fast: bool
    extension: bool
    dht: bool
    v2: bool

    def encode(self) -> bytes:
        """The 68 bytes. LocalProtocolError when an id is not 20 bytes long."""
        if len(self.info_hash) != 20 or len(self.peer_id) != 20:
            raise LocalProtocolError("info-hash and peer id of a handshake are 20 bytes each")
        reserved = bytearray(8)
        reserved[5] = _EXTENSION * self.extension
        reserved[7] = _DHT * self.dht | _FAST * self.fast | _V2 * self.v2
        return b"".join((_PREFIX, reserved, self.info_hash, self.peer_id))

    @classmethod
    def parse(cls, data: bytes) -> Handshake:
        """Read the 68 bytes; unknown reserved bits are ignored. RemoteProtocolError for another protocol or length."""
        if len(data) != HANDSHAKE_SIZE:
            raise RemoteProtocolError(f"a handshake has {HANDSHAKE_SIZE} bytes, not {len(data)}")
        if data[:20] != _PREFIX:
            raise RemoteProtocolError("the peer speaks another protocol")
        return cls(
            info_hash=InfoHash(bytes(data[28:48])),
            peer_id=PeerId(bytes(data[48:68])),
            fast=bool(data[27] & _FAST),
            extension=bool(data[25] & _EXTENSION),
            dht=bool(data[27] & _DHT),
            v2=bool(data[27] & _V2),
        )
