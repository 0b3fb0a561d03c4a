"""What we answer to the queries of others (BEP 5, 32, 42).

The rule: an answer is made from what we hold now and remembers nothing of who asked; only `announce_peer` leaves
something behind, and only with a token that we gave to the same address a short while ago.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.codec.compact import pack
from p2p.dht.krpc import (
    PROTOCOL_ERROR,
    AnnouncePeer,
    ErrorReply,
    FindNode,
    GetPeers,
    Ping,
    encode,
    encode_reply,
)
from p2p.dht.routing_table import K
from p2p.ids import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.dht.family import Family
    from p2p.dht.krpc import BadQuery, Query
    from p2p.dht.token import Tokens

MAX_SAMPLE: Final = 120
"""Peers drawn for a reply; the datagram's size decides how many go."""


class Answers:
    """Answers for a node of the given families."""

    def __init__(self, families: Mapping[bool, Family], tokens: Tokens) -> None:
        self._families = families
        self._tokens = tokens

    def answer(self, query: Query, address: Address, now: float) -> bytes:
        """The datagram that answers a query from `address`."""
        family = self._families[address.is_ipv6]
        ip = pack(address)
        match query.ask:
            case Ping():
                return encode_reply(query.transaction, family.own_id, ip=ip)
            case FindNode(target, want):
                nodes, nodes6 = self._nodes(target, want, address, now)
                return encode_reply(query.transaction, family.own_id, ip=ip, nodes=nodes, nodes6=nodes6)
            case GetPeers(info_hash, want):
                nodes, nodes6 = self._nodes(info_hash, want, address, now)
                return encode_reply(
                    query.transaction,
                    family.own_id,
                    ip=ip,
                    nodes=nodes,
                    nodes6=nodes6,
                    token=self._tokens.give(address.host, now),
                    values=[pack(peer) for peer in family.store.sample(info_hash, MAX_SAMPLE, now)],
                )
            case AnnouncePeer(info_hash, port, token, implied_port):
                if not self._tokens.accepts(token, address.host, now):
                    return encode(ErrorReply(query.transaction, PROTOCOL_ERROR, "bad token", address))
                peer = address if implied_port else Address(address.host, port)
                family.store.announce(info_hash, peer, now)
                return encode_reply(query.transaction, family.own_id, ip=ip)

    def refuse(self, query: BadQuery, address: Address) -> bytes:
        """The error that a query is owed which is none."""
        return encode(ErrorReply(query.transaction, query.code, query.reason, address))

    def _nodes(
        self, target: bytes, want: tuple[bool, ...], address: Address, now: float
    ) -> tuple[bytes | None, bytes | None]:
        """The nodes nearest to `target` of the families wanted, compact; of the query's own unless it says."""
        found: dict[bool, bytes] = {}
        for ipv6 in want or (address.is_ipv6,):
            family = self._families.get(ipv6)
            contacts = [] if family is None else family.table.closest(target, K, now)
            found[ipv6] = b"".join([contact.compact for contact in contacts])
        return found.get(False), found.get(True)
