"""Compact peers: an address and a port in 6 bytes (IPv4, BEP 23) or 18 (IPv6, BEP 7), as trackers, PEX and DHT send;
and compact nodes, a node id before either, in 26 bytes (BEP 5) or 38 (BEP 32).

The rule: a list whose length is no multiple of its stride is refused whole, because nothing says where it went wrong.
Entries keep their order and number, so lists that run beside them (the flags of BEP 11) stay aligned.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, NamedTuple, overload

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import Address, NodeId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PEER_SIZE: Final = 6
PEER6_SIZE: Final = 18
NODE_ID_SIZE: Final = 20
NODE_SIZE: Final = NODE_ID_SIZE + PEER_SIZE
NODE6_SIZE: Final = NODE_ID_SIZE + PEER6_SIZE

_PEER = struct.Struct("!4BH")
_PEER6 = struct.Struct("!16sH")
_NODE = struct.Struct("!20s4BH")
_NODE6 = struct.Struct("!20s16sH")
_MAPPED_PREFIX = bytes(10) + b"\xff\xff"


class CompactNode(NamedTuple):
    """A DHT node as others tell of it: 20 bytes of id, and where it is said to be."""

    id: NodeId
    address: Address


class CompactNodes(Sequence[CompactNode]):
    """Nodes as they came, each in its `entries` of 26 or 38 bytes, and decoded only where they are looked at.

    The nodes nearest to a target all tell of the same few, so who takes them in knows most entries already. Raises
    RemoteProtocolError for a length that is no multiple of a node's.
    """

    __slots__ = ("entries",)

    def __init__(self, raw: bytes, size: int) -> None:
        if len(raw) % size:
            raise RemoteProtocolError(f"{len(raw)} bytes are no list of {size}-byte nodes")
        self.entries = [raw[at : at + size] for at in range(0, len(raw), size)]

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> CompactNode: ...

    @overload
    def __getitem__(self, index: slice) -> list[CompactNode]: ...

    def __getitem__(self, index: int | slice) -> CompactNode | list[CompactNode]:
        if isinstance(index, slice):
            return [unpack_node(entry) for entry in self.entries[index]]
        return unpack_node(self.entries[index])

    def __iter__(self) -> Iterator[CompactNode]:
        return map(unpack_node, self.entries)


def pack(address: Address) -> bytes:
    """6 bytes for an IPv4 address, 18 for an IPv6 one. Raises LocalProtocolError for anything else."""
    host, port = address
    try:
        if ":" in host:
            return _PEER6.pack(IPv6Address(host).packed, port)
        return _PEER.pack(*map(int, host.split(".")), port)  # a third of the time of IPv4Address, 200 times a reply
    except (ValueError, struct.error) as error:
        raise LocalProtocolError(f"{host!r} port {port} has no compact form") from error


def encode_peers(addresses: Iterable[Address]) -> bytes:
    """IPv4 addresses, 6 bytes each (BEP 23). Raises LocalProtocolError for an address of the other family."""
    return _encode(addresses, PEER_SIZE)


def encode_peers6(addresses: Iterable[Address]) -> bytes:
    """IPv6 addresses, 18 bytes each (BEP 7). Raises LocalProtocolError for an address of the other family."""
    return _encode(addresses, PEER6_SIZE)


def decode_peers(raw: bytes | bytearray | memoryview) -> list[Address]:
    """The addresses of BEP 23's list, 6 bytes each. Raises RemoteProtocolError for a length that is no multiple."""
    if len(raw) % PEER_SIZE:
        raise RemoteProtocolError(f"{len(raw)} bytes are no list of 6-byte peers")
    return [Address(f"{a}.{b}.{c}.{d}", port) for a, b, c, d, port in _PEER.iter_unpack(raw)]


def decode_peers6(raw: bytes | bytearray | memoryview) -> list[Address]:
    """The addresses of BEP 7's list, 18 bytes each; IPv4 inside IPv6 comes out as IPv4.

    Raises RemoteProtocolError for a length that is no multiple.
    """
    if len(raw) % PEER6_SIZE:
        raise RemoteProtocolError(f"{len(raw)} bytes are no list of 18-byte peers")
    return [Address(_host6(packed), port) for packed, port in _PEER6.iter_unpack(raw)]


def unpack(raw: bytes) -> Address:
    """The address in 6 or 18 bytes, as BEP 5 lists them in `values`. Raises RemoteProtocolError for another length."""
    if len(raw) == PEER_SIZE:
        a, b, c, d, port = _PEER.unpack(raw)
        return Address(f"{a}.{b}.{c}.{d}", port)
    if len(raw) == PEER6_SIZE:
        packed, port = _PEER6.unpack(raw)
        return Address(_host6(packed), port)
    raise RemoteProtocolError(f"{len(raw)} bytes are no compact peer")


def unpack_node(raw: bytes) -> CompactNode:
    """The node in 26 or 38 bytes. Raises RemoteProtocolError for another length."""
    return CompactNode(NodeId(raw[:NODE_ID_SIZE]), unpack(raw[NODE_ID_SIZE:]))


def decode_nodes(raw: bytes) -> list[CompactNode]:
    """The nodes of BEP 5's `nodes`, 26 bytes each. Raises RemoteProtocolError for a length that is no multiple."""
    if len(raw) % NODE_SIZE:
        raise RemoteProtocolError(f"{len(raw)} bytes are no list of 26-byte nodes")
    return [
        CompactNode(NodeId(node_id), Address(f"{a}.{b}.{c}.{d}", port))
        for node_id, a, b, c, d, port in _NODE.iter_unpack(raw)
    ]


def decode_nodes6(raw: bytes) -> list[CompactNode]:
    """The nodes of BEP 32's `nodes6`, 38 bytes each; IPv4 inside IPv6 comes out as IPv4.

    Raises RemoteProtocolError for a length that is no multiple.
    """
    if len(raw) % NODE6_SIZE:
        raise RemoteProtocolError(f"{len(raw)} bytes are no list of 38-byte nodes")
    return [
        CompactNode(NodeId(node_id), Address(_host6(packed), port)) for node_id, packed, port in _NODE6.iter_unpack(raw)
    ]


def _encode(addresses: Iterable[Address], size: int) -> bytes:
    entries = [pack(address) for address in addresses]
    if any(len(entry) != size for entry in entries):
        raise LocalProtocolError("IPv4 and IPv6 peers cannot share a compact list")
    return b"".join(entries)


def _host6(packed: bytes) -> str:
    if packed.startswith(_MAPPED_PREFIX):
        return str(IPv4Address(packed[12:]))
    return str(IPv6Address(packed))
