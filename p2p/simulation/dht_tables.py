"""What a table holds in a network that has been there for long, without the time it takes to fill it.

The rule: for each range of ids that a table has a bucket for, as many entries as its bucket takes, drawn from all that
are in the range; and everybody in the range nearest to the owner. The entries of nodes that have gone are drawn as the
others are. Ids, addresses and what follows from them are one object for all tables; how an entry has behaved is its
table's own.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from p2p.dht.contact import FRESH_FOR
from p2p.dht.node_id import NODE_ID_BITS
from p2p.dht.routing_table import WIDTHS, K

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from p2p.dht.contact import Contact


class Census:
    """All that tables may name: `entries` in any order, the nodes that are there and some that have gone."""

    def __init__(self, entries: Sequence[Contact]) -> None:
        self._entries = sorted(entries, key=_long_id)
        self._ids = [entry.long_id for entry in self._entries]

    def table_of(self, own: int, rng: random.Random) -> list[Contact]:
        """The entries that the table of the node with this id has, the farthest first."""
        ids, entries = self._ids, self._entries
        low, high = 0, len(ids)
        chosen: list[Contact] = []
        depth = 0
        while high - low > K and depth < NODE_ID_BITS:
            bit = NODE_ID_BITS - 1 - depth
            middle = bisect_left(ids, (own >> bit | 1) << bit, low, high)
            here = own >> bit & 1
            far_low, far_high = (low, middle) if here else (middle, high)
            low, high = (middle, high) if here else (low, middle)
            width = WIDTHS[depth] if depth < len(WIDTHS) else K
            count = far_high - far_low
            drawn = range(count) if count <= width else rng.sample(range(count), width)
            chosen += [entries[far_low + each] for each in drawn]
            depth += 1
        chosen += [entry for entry in entries[low:high] if entry.long_id != own]
        return chosen

    def contacts_of(
        self, own: int, now: float, rng: random.Random, rtt_to: Callable[[Contact], float]
    ) -> list[Contact]:
        """The table's contacts as they are in the midst of life: each has answered at some time in the last quarter of
        an hour, for which BEP 5 holds it good.
        """
        made = []
        for entry in self.table_of(own, rng):
            contact = entry.anew()
            contact.last_response = now - FRESH_FOR * rng.random()
            contact.rtt = rtt_to(entry)
            made.append(contact)
        return made


def _long_id(contact: Contact) -> int:
    return contact.long_id
