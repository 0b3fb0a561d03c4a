"""What keeps a table fit without being asked (BEP 5): joining, verifying who is new, challenging who is doubtful,
refreshing buckets.

The rule: little at a time. A few refreshes run at once, some pings go in each turn, and everything that fails waits
longer before it is tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.dht.acquaintances import SILENT_FOR
from p2p.dht.contact import FRESH_FOR, Standing
from p2p.dht.krpc import Ping
from p2p.dht.routing_table import K, random_id_in
from p2p.dht.searches import Purpose, Search
from p2p.dht.transactions import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

    from p2p.dht.contact import Contact
    from p2p.dht.family import Family
    from p2p.dht.line import Line
    from p2p.dht.searches import Searches
    from p2p.dht.transactions import Waiting
    from p2p.ids import Address

TURN: Final = 2.0
"""Seconds between turns. In each, one questionable contact is pinged: a table of 400 is gone through in FRESH_FOR."""
MAX_VERIFYING: Final = 32
"""Addresses pinged in one turn: a table fills in a minute, and who sends from many addresses gains little by it."""
MAX_REFRESHING: Final = 3
WITNESSES: Final = 3
"""Contacts from anywhere that a refresh asks too: the nearest that we know may all know nobody nearer."""
MAX_SEEDS: Final = 64
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 300.0
"""Seconds between attempts to join, doubled each time."""
MAX_UNJUDGED: Final = 64
CUT_OFF: Final = 3 * TIMEOUT
"""Seconds without any answer after which the fault was ours."""
REJOIN: Final = 1_800.0
"""Seconds after which we search for ourselves again. One seed is asked then too, so that two halves of a network that
were cut apart for long find each other."""
THIN: Final = K // 2
"""Contacts below which we go on trying to join."""


class Upkeep:
    """See the module's head."""

    def __init__(
        self, families: Mapping[bool, Family], line: Line, searches: Searches, rng: Random, now: float
    ) -> None:
        self._families = families
        self._line = line
        self._searches = searches
        self._rng = rng
        self._seeds: dict[Address, None] = {}
        self._verified: dict[Address, None] = {}
        """Addresses pinged in this turn."""
        self.next_timer = now + TURN

    def add_seeds(self, addresses: Iterable[Address]) -> None:
        """Remember addresses to join by; the latest MAX_SEEDS of them."""
        for address in addresses:
            if address.is_ipv6 in self._families and address.port:
                self._seeds.pop(address, None)
                self._seeds[address] = None
        for address in list(self._seeds)[: max(len(self._seeds) - MAX_SEEDS, 0)]:
            del self._seeds[address]

    def join(self, family: Family, now: float) -> None:
        """Search for ourselves, now: from the table, and from all seeds, or one by chance if the table is fit."""
        family.join_pause = min(max(2 * family.join_pause, FIRST_PAUSE), LONGEST_PAUSE)
        family.join_at = now + family.join_pause
        seeds = [
            address for address in self._seeds if address.is_ipv6 == family.ipv6 and address not in family.own_addresses
        ]
        if seeds and _is_fit(family, now):
            seeds = [self._rng.choice(seeds)]
        self._searches.join(family, seeds, now)

    def verify(self, family: Family, address: Address, contact: Contact | None, now: float) -> None:
        """Ping an address, once a turn at most; who answers enters the table by the usual rules."""
        if address in self._verified or len(self._verified) >= MAX_VERIFYING or address in family.own_addresses:
            return
        if contact is None and family.known.is_silent(address, now):
            return
        self._verified[address] = None
        self._line.ask(Ping(), address, now, contact=contact)

    def on_answer(self, family: Family, contact: Contact, now: float) -> None:
        """If others wait for a place in its bucket, the next of doubtful standing there is asked (BEP 5)."""
        doubtful = family.table.challenged(contact.id, now)
        if doubtful is not None:
            self.verify(family, doubtful.address, doubtful, now)
        if family.unjudged:
            judged, family.unjudged = family.unjudged, []
            for waiting in judged:
                if now - waiting.sent < CUT_OFF:
                    self.on_silence(family, waiting, now)

    def on_silence(self, family: Family, waiting: Waiting, now: float) -> None:
        """A node has not answered while others did. One in the table is asked once more before it is bad (BEP 5)."""
        family.known.on_silence(waiting.contact, waiting.address, now + SILENT_FOR)
        if waiting.contact is None:
            return
        family.table.on_silence(waiting.contact.id, waiting.address)
        held = family.table.get(waiting.contact.id)
        if held is not None and held.address == waiting.address and held.standing(now) is Standing.QUESTIONABLE:
            self.verify(family, held.address, held, now)

    def on_quiet(self, family: Family, waiting: Waiting, now: float) -> None:
        """A node has not answered, nor has anybody else since. Ask the one most likely to: are we cut off?"""
        if len(family.unjudged) < MAX_UNJUDGED:
            family.unjudged.append(waiting)
        likely = family.known.latest(waiting.address)
        if likely is None:
            others = [each for each in family.table.contacts() if each.address != waiting.address]
            likely = max(others, key=lambda each: each.last_response, default=None)
        if likely is not None:
            self.verify(family, likely.address, likely, now)

    def run(self, now: float) -> None:
        """One turn."""
        self.next_timer = now + TURN
        self._verified.clear()
        for family in self._families.values():
            family.store.expire(now)
            contacts = family.table.size
            if family.last_heard > now - TURN:
                family.table.drop_bad()
            if _is_fit(family, now):
                family.join_pause = 0.0
                if family.joining is None and family.join_at + REJOIN <= now:
                    self.join(family, now)
            elif family.joining is None and family.join_at <= now and (contacts or self._has_seeds(family)):
                self.join(family, now)
            doubtful = family.table.most_questionable(now, self._verified)
            if doubtful is not None:
                self.verify(family, doubtful.address, doubtful, now)
            self._meet(family, now)
            self._refresh(family, now)

    def _has_seeds(self, family: Family) -> bool:
        return any(address.is_ipv6 == family.ipv6 for address in self._seeds)

    def _meet(self, family: Family, now: float) -> None:
        """Ping nodes that we were told of and that have a place in the table."""
        heard_of, family.heard_of = family.heard_of, {}
        for contact in heard_of.values():
            if family.table.has_room_for(contact):
                self.verify(family, contact.address, None, now)

    def _refresh(self, family: Family, now: float) -> None:
        """Search in buckets in which nothing has changed for long (BEP 5), and in those with few contacts."""
        if family.joining is not None or not family.table.size:
            return
        due = family.table.lonely_buckets(now)
        for bucket in due[: max(MAX_REFRESHING - self._searches.refreshing, 0)]:
            bucket.refreshed(now)
            search = Search(0, Purpose.REFRESH, random_id_in(bucket, self._rng), now)
            contacts = family.table.contacts()
            search.witnesses = self._rng.sample(contacts, min(WITNESSES, len(contacts)))
            self._searches.start(search, [family], now)


def _is_fit(family: Family, now: float) -> bool:
    """Whether the table will do: not thin, and somebody in it answers."""
    return family.table.size >= THIN and now - family.last_heard < FRESH_FOR
