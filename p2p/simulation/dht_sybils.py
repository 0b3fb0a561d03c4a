"""Attackers of a DHT: nodes whose ids lie nearer to a key than all others', so that what is announced ends with them.

The rule: what an attacker can have. Each is at an address of its own, but an id right beside a given key is for no
address of theirs (BEP 42), as an attacker would need to hold some two million addresses to have eight that are. They
are in the tables of those near the key, and answer as their kind does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from p2p.codec.compact import pack
from p2p.dht import krpc
from p2p.dht.krpc import AnnouncePeer, FindNode, GetPeers, Ping, Query
from p2p.errors import DhtError
from p2p.ids import Address, NodeId
from p2p.simulation.dht_plan import Refusal

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from p2p.dht.contact import Contact
    from p2p.dht.events import Event

NEAR_BITS: Final = 40
"""Bits of a key that attackers' ids share with it: the nearest of a million honest nodes shares some 20."""
TOKEN: Final = b"sybil!!!"


def id_beside(key: bytes, rng: random.Random) -> NodeId:
    """An id next to a key."""
    return NodeId(key[: NEAR_BITS // 8] + rng.randbytes(20 - NEAR_BITS // 8))


class Sybil:
    """One attacker. `crowd` are those that it tells of."""

    def __init__(self, node_id: NodeId, refusal: Refusal, crowd: Sequence[Contact]) -> None:
        self._id = node_id
        self._refusal = refusal
        self._crowd = crowd
        self._outgoing: list[tuple[bytes, Address]] = []

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:  # noqa: ARG002 - a node's shape
        """Answer a query, or do not."""
        try:
            message = krpc.decode(data)
        except DhtError:
            return
        if not isinstance(message, Query):
            return
        reply = self._answer(message, address)
        if reply is not None:
            self._outgoing.append((reply, address))

    def _answer(self, query: Query, address: Address) -> bytes | None:
        ip = pack(address)
        match query.ask:
            case Ping():
                return krpc.encode_reply(query.transaction, self._id, ip=ip)
            case _ if self._refusal is Refusal.SILENCE:
                return None
            case FindNode():
                return krpc.encode_reply(query.transaction, self._id, ip=ip, nodes=self._nodes())
            case GetPeers():
                return krpc.encode_reply(query.transaction, self._id, ip=ip, nodes=self._nodes(), token=TOKEN)
            case AnnouncePeer():
                return krpc.encode_reply(query.transaction, self._id, ip=ip)

    def _nodes(self) -> bytes:
        return b"".join(each.compact for each in self._crowd[:8])

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Its answers."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_event(self) -> Event | None:
        """It tells nobody of anything."""
        return None

    def next_timer(self) -> float:
        """It does nothing by itself."""
        return math.inf

    def on_timer(self, now: float) -> None:
        """Never called."""
