"""What a node keeps over a restart: its ids and its contacts, in bencode with a checksum.

The rule: what was cut or changed anywhere is refused whole, with a DhtError; then the node starts as a new one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from p2p.codec import bencode
from p2p.codec.compact import NODE_ID_SIZE, CompactNode, decode_nodes, decode_nodes6
from p2p.dht.contact import Contact, Standing
from p2p.dht.node_id import Reach, is_credible
from p2p.errors import BencodeError, DhtError, RemoteProtocolError
from p2p.ids import NodeId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.codec.bencode import Encodable
    from p2p.dht.family import Family

MAX_CONTACTS: Final = 500
"""Contacts kept of a family; tables have some 200."""
MAX_STATE: Final = 65_536
"""Bytes of a state: 500 contacts of each family take half of it."""

_FORMAT: Final = b"starling dht"
_CHECKSUM: Final = hashlib.sha256().digest_size
_KEYS: Final = {False: (b"id", b"nodes"), True: (b"id6", b"nodes6")}


@dataclass(frozen=True, slots=True)
class SavedTable:
    """Ids and contacts, by whether they are IPv6."""

    ids: Mapping[bool, NodeId] = field(default_factory=dict)
    nodes: Mapping[bool, Sequence[CompactNode]] = field(default_factory=dict)

    @classmethod
    def of(cls, families: Mapping[bool, Family], now: float) -> SavedTable:
        """What these families hold that is not bad, the good first."""
        nodes: dict[bool, list[CompactNode]] = {}
        for ipv6, family in families.items():
            standing = [(each.standing(now), each) for each in family.table.contacts()]
            kept = [
                each for wanted in (Standing.GOOD, Standing.QUESTIONABLE) for found, each in standing if found is wanted
            ]
            nodes[ipv6] = [CompactNode(each.id, each.address) for each in kept[:MAX_CONTACTS]]
        return cls({ipv6: family.own_id for ipv6, family in families.items()}, nodes)

    def contacts(self, *, ipv6: bool) -> list[Contact]:
        """The contacts of a family, as they are before anybody has answered."""
        return [Contact(node_id, address) for node_id, address in self.nodes.get(ipv6, ())]

    def encode(self) -> bytes:
        """The bytes of a state file."""
        fields: dict[bytes, Encodable] = {b"format": _FORMAT}
        for ipv6, node_id in self.ids.items():
            id_key, nodes_key = _KEYS[ipv6]
            fields[id_key] = node_id
            fields[nodes_key] = b"".join(each.compact for each in self.contacts(ipv6=ipv6))
        body = bencode.encode(fields)
        return body + hashlib.sha256(body).digest()

    @classmethod
    def decode(cls, data: bytes) -> SavedTable:
        """The state in the bytes of a state file. Raises DhtError for anything that `encode` does not write."""
        body = data[:-_CHECKSUM]
        if len(data) > MAX_STATE or hashlib.sha256(body).digest() != data[-_CHECKSUM:]:
            raise DhtError("the saved DHT table is cut short or damaged")
        try:
            fields = bencode.decode(body)
        except BencodeError as error:
            raise DhtError(f"the saved DHT table cannot be read: {error}") from error
        if not isinstance(fields, dict) or fields.get(b"format") != _FORMAT:
            raise DhtError("the saved DHT table is of a format that this version does not know")
        ids: dict[bool, NodeId] = {}
        nodes: dict[bool, list[CompactNode]] = {}
        for ipv6, (id_key, nodes_key) in _KEYS.items():
            if id_key not in fields:
                continue
            node_id, raw = fields[id_key], fields.get(nodes_key)
            if not isinstance(node_id, bytes) or len(node_id) != NODE_ID_SIZE or not isinstance(raw, bytes):
                raise DhtError("the saved DHT table has an id or a list of nodes that is none")
            try:
                told = decode_nodes6(raw) if ipv6 else decode_nodes(raw)
            except RemoteProtocolError as error:
                raise DhtError(f"the saved DHT table cannot be read: {error}") from error
            ids[ipv6] = NodeId(node_id)
            nodes[ipv6] = [each for each in told if is_credible(each.address, Reach.LOOPBACK)]
        return cls(ids, nodes)
