"""Contacts in the order of their ids, so that the nearest to a target are found without a look at the others.

The rule: ids that share a prefix stand together, and the longer the prefix that they share with the target, the nearer
they are. So the line is walked outward from the target's place, a group of one prefix length at a time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from p2p.dht.contact import Contact


class Nearby:
    """Contacts by id; one an id."""

    __slots__ = ("_contacts", "_ids")

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._contacts: dict[int, Contact] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, contact: Contact) -> None:
        """Take a contact in, in place of the one of its id."""
        if contact.long_id not in self._contacts:
            insort(self._ids, contact.long_id)
        self._contacts[contact.long_id] = contact

    def discard(self, long_id: int) -> None:
        """Let the contact of this id go, if there is one."""
        if self._contacts.pop(long_id, None) is not None:
            del self._ids[bisect_left(self._ids, long_id)]

    def nearest(self, position: int) -> Iterator[Contact]:
        """All contacts by their distance to `position`, nearest first. Nothing may change while this runs."""
        ids, contacts = self._ids, self._contacts
        low = high = bisect_left(ids, position)
        while low or high < len(ids):
            # Bits from the first that differs, in the nearest neighbour to either side of what was told.
            bits = min(
                (ids[low - 1] ^ position).bit_length() if low else 161,
                (ids[high] ^ position).bit_length() if high < len(ids) else 161,
            )
            first = position >> bits << bits
            group = bisect_left(ids, first, 0, low), bisect_right(ids, first + (1 << bits) - 1, high)
            distances = [each ^ position for each in ids[group[0] : low] + ids[high : group[1]]]
            distances.sort()
            for distance in distances:
                yield contacts[distance ^ position]
            low, high = group
