"""What searches learn and share: nodes that answered lately, and addresses that did not.

The rule: only what we have met ourselves is here, never what others told. Both lists are short and end by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.dht.nearby import Nearby

if TYPE_CHECKING:
    from p2p.dht.contact import Contact
    from p2p.ids import Address, NodeId

KNOWN_FOR: Final = 600.0
"""Seconds a node that answered is remembered: half of all nodes stay that long."""
MAX_KNOWN: Final = 128
SILENT_FOR: Final = 180.0
"""Seconds an address that let a query fail is asked no more by searches."""
MAX_SILENT: Final = 1_024


class Acquaintances:
    """Of one address family. Times are seconds."""

    def __init__(self) -> None:
        self._known: dict[NodeId, Contact] = {}  # by time of the last answer, oldest first
        self._line = Nearby()
        self._silent: dict[Address, float] = {}

    def on_answer(self, contact: Contact) -> None:
        """It has answered just now."""
        self._silent.pop(contact.address, None)
        self._known.pop(contact.id, None)
        self._known[contact.id] = contact
        self._line.put(contact)
        if len(self._known) > MAX_KNOWN:
            self._forget(next(iter(self._known.values())))

    def on_silence(self, contact: Contact | None, address: Address, until: float) -> None:
        """It lets a query wait, or has let one fail; searches pass it over until then."""
        if contact is not None:
            self._forget(contact)
        self._silent.pop(address, None)
        self._silent[address] = until
        if len(self._silent) > MAX_SILENT:
            del self._silent[next(iter(self._silent))]

    def is_silent(self, address: Address, now: float) -> bool:
        return self._silent.get(address, now) > now

    def nearest(self, target: bytes, count: int, now: float) -> list[Contact]:
        """The nodes nearest to `target` of those that answered lately, in order."""
        since = now - KNOWN_FOR
        found: list[Contact] = []
        for contact in self._line.nearest(int.from_bytes(target, "big")):
            if len(found) == count:
                break
            if contact.last_response > since:
                found.append(contact)
        return found

    def latest(self, passing: Address) -> Contact | None:
        """Who answered last, not at the address `passing`."""
        return next((each for each in reversed(self._known.values()) if each.address != passing), None)

    def _forget(self, contact: Contact) -> None:
        self._known.pop(contact.id, None)
        self._line.discard(contact.long_id)
