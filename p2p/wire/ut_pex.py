"""Peer exchange (BEP 11): who a peer came to know and who it lost, both address families, with flags.

The rule: an address list that is no whole number of addresses breaks the protocol; flags that are missing or too few
count as none, and addresses nobody can have (port 0) are left out. How many are believed is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.codec import bencode, compact
from p2p.errors import BencodeError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from p2p.ids import Address

NAME: Final = "ut_pex"

MAX_PAYLOAD: Final = 16_384
"""Bytes of a message: the 400 entries that BEP 11 allows past the first message, of IPv6, take half of it."""


class PexFlags(IntFlag):
    """What is known of a peer (BEP 11)."""

    NONE = 0
    ENCRYPTS = 0x01
    """Prefers encryption."""
    SEED = 0x02
    """Uploads only."""
    UTP = 0x04
    HOLEPUNCH = 0x08
    REACHABLE = 0x10
    """Whoever tells has connected to it."""


_KNOWN: Final = 0x1F

_BY_VALUE: Final = tuple(map(PexFlags, range(_KNOWN + 1)))
"""Messages carry hundreds, and to make flags of a number each time would cost more than the rest of the message."""


def pex_flags(value: int) -> PexFlags:
    """The flags that a byte names, as far as we know them."""
    return _BY_VALUE[value & _KNOWN]


class PexPeer(NamedTuple):
    """An address where a peer listens, and what is known of it."""

    address: Address
    flags: PexFlags = PexFlags.NONE


@dataclass(frozen=True, slots=True)
class PexMessage:
    """Peers met and peers lost since the last message."""

    added: tuple[PexPeer, ...] = ()
    dropped: tuple[Address, ...] = ()

    def encode(self) -> bytes:
        """The payload of an extension message; the lists of IPv4 are there even where they are empty, as old clients
        expect."""
        fields: dict[bytes, bencode.Encodable] = {}
        for suffix, added, dropped, pack in (
            (b"", *self._family(ipv6=False), compact.encode_peers),
            (b"6", *self._family(ipv6=True), compact.encode_peers6),
        ):
            if suffix and not added and not dropped:
                continue
            fields[b"added" + suffix] = pack([peer.address for peer in added])
            fields[b"added" + suffix + b".f"] = bytes([int(peer.flags) & _KNOWN for peer in added])
            fields[b"dropped" + suffix] = pack(dropped)
        return bencode.encode(fields)

    def _family(self, *, ipv6: bool) -> tuple[list[PexPeer], list[Address]]:
        return (
            [peer for peer in self.added if peer.address.is_ipv6 == ipv6],
            [address for address in self.dropped if address.is_ipv6 == ipv6],
        )

    @classmethod
    def decode(cls, payload: bytes) -> PexMessage:
        """Read a peer's message. Raises RemoteProtocolError."""
        if len(payload) > MAX_PAYLOAD:
            raise RemoteProtocolError(f"a peer exchange of {len(payload)} bytes is too long")
        try:
            fields = bencode.decode_lenient(payload)
        except BencodeError as error:
            raise RemoteProtocolError(f"a peer exchange is not bencoded: {error}") from error
        if not isinstance(fields, dict):
            raise RemoteProtocolError("a peer exchange is not a dictionary")
        return cls(
            added=(
                *_added(fields, b"added", compact.decode_peers),
                *_added(fields, b"added6", compact.decode_peers6),
            ),
            dropped=(
                *_somewhere(_addresses(fields, b"dropped", compact.decode_peers)),
                *_somewhere(_addresses(fields, b"dropped6", compact.decode_peers6)),
            ),
        )


def _added(
    fields: dict[bytes, bencode.Value], key: bytes, unpack: Callable[[bytes], list[Address]]
) -> Iterable[PexPeer]:
    flags = fields.get(key + b".f", b"")
    if not isinstance(flags, bytes):
        flags = b""
    for at, address in enumerate(_addresses(fields, key, unpack)):
        if address.port:
            yield PexPeer(address, pex_flags(flags[at]) if at < len(flags) else PexFlags.NONE)


def _addresses(
    fields: dict[bytes, bencode.Value], key: bytes, unpack: Callable[[bytes], list[Address]]
) -> Sequence[Address]:
    raw = fields.get(key, b"")
    if not isinstance(raw, bytes):
        raise RemoteProtocolError(f"the peer exchange's {key.decode()} is no string")
    return unpack(raw)


def _somewhere(addresses: Iterable[Address]) -> Iterable[Address]:
    return (address for address in addresses if address.port)
