"""What goes out: queries, each registered until its answer, and replies. And when a query has taken too long.

A query passes two points on its way to failing: it stalls after what answers nearly always take (`round_trips`), and is
given up after GIVE_UP times that. Searches go by these; only `transactions.TIMEOUT` counts against a node.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.dht.krpc import Ask, Query, encode
from p2p.dht.transactions import TIMEOUT, Transactions, Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.dht.contact import Contact
    from p2p.dht.events import Traffic
    from p2p.dht.family import Family
    from p2p.dht.searches import Run
    from p2p.ids import Address

GIVE_UP: Final = 4.0
MIN_GIVE_UP: Final = 0.5
"""Seconds that a query is waited for at least, while nobody else is left to ask: a busy machine may take that long."""


class Late(NamedTuple):
    """A query of a search that has stalled, or that is given up."""

    waiting: Waiting
    given_up: bool


class Line:
    """The queries of one node."""

    def __init__(self, families: Mapping[bool, Family], secret: bytes, traffic: Traffic, *, read_only: bool) -> None:
        self._families = families
        self._read_only = read_only
        self._traffic = traffic
        self._outgoing: list[tuple[bytes, Address]] = []
        self._stalls: list[tuple[float, int, Waiting, bool]] = []
        self._sequence = 0
        self.transactions = Transactions(secret)

    def ask(
        self,
        what: Ask,
        address: Address,
        now: float,
        *,
        contact: Contact | None = None,
        run: Run | None = None,
        announces: bool = False,
        ping: int = 0,
    ) -> None:
        """Send a query. `run` is told when it stalls."""
        family = self._families[address.is_ipv6]
        waiting = Waiting(address, contact, now, run, announces, ping)
        transaction = self.transactions.add(waiting)
        self._traffic.queries_sent += 1
        self.send(encode(Query(transaction, family.own_id, what, self._read_only)), address)
        if run is not None:
            self._watch(now + family.round_trips.stall_after, waiting, given_up=False)

    def send(self, datagram: bytes, address: Address) -> None:
        """Send a datagram as it is."""
        self._traffic.sent += 1
        self._traffic.bytes_sent += len(datagram)
        self._outgoing.append((datagram, address))

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_late(self, now: float) -> Late | None:
        """A query that is late by now; None when all have been told."""
        stalls = self._stalls
        while stalls and stalls[0][0] <= now:
            when, _, waiting, given_up = heappop(stalls)
            if not waiting.over:
                if not given_up:
                    stall = when - waiting.sent
                    self._watch(waiting.sent + min(max(GIVE_UP * stall, MIN_GIVE_UP), TIMEOUT), waiting, given_up=True)
                return Late(waiting, given_up)
        return None

    @property
    def next_timer(self) -> float | None:
        """When the next query is late or fails; None while nothing waits."""
        stalls = self._stalls
        while stalls and stalls[0][2].over:
            heappop(stalls)
        fails = self.transactions.next_timer
        if not stalls:
            return fails
        return stalls[0][0] if fails is None else min(fails, stalls[0][0])

    def _watch(self, when: float, waiting: Waiting, *, given_up: bool) -> None:
        self._sequence += 1
        heappush(self._stalls, (when, self._sequence, waiting, given_up))
