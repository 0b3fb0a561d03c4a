"""UDP trackers as their client sees them (BEP 15, BEP 41): connection ids, retries and time, without a socket.

One client serves all UDP trackers of a session. A connection id is used for a minute after it came and shared by all
queries to that address; queries that need one wait for a single connect. A packet without an answer is sent again after
15 * 2^n seconds; BEP 15 lets n grow for hours, but a caller with other trackers to try is told of failure after TRIES.
An answer counts only if it comes from the address that was asked and names a transaction that waits; all else is noise.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from p2p.codec.udp_tracker import (
    ConnectRequest,
    ConnectResponse,
    ErrorResponse,
    UdpAnnounceRequest,
    UdpAnnounceResponse,
    UdpScrapeRequest,
    UdpScrapeResponse,
    decode_response,
    encode_request,
)
from p2p.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from p2p.codec.announce import AnnounceReply, AnnounceRequest, ScrapeEntry
    from p2p.codec.udp_tracker import Response
    from p2p.ids import Address, InfoHash

TRIES: Final = 3
"""Packets without an answer before a query fails: silence of 15 + 30 + 60 seconds."""
FIRST_WAIT: Final = 15.0
CONNECTION_LIFE: Final = 60.0
"""Seconds a client may use a connection id (BEP 15)."""
MAX_TRACKERS: Final = 1_000
"""Addresses with a connection id remembered; many times what a session meets in a minute."""


@dataclass(frozen=True, slots=True)
class UdpAnnounceDone:
    job: int
    reply: AnnounceReply


@dataclass(frozen=True, slots=True)
class UdpScrapeDone:
    job: int
    entries: tuple[ScrapeEntry, ...]
    """In the order the hashes were asked."""


@dataclass(frozen=True, slots=True)
class UdpFailed:
    job: int
    error: TrackerError


UdpEvent: TypeAlias = UdpAnnounceDone | UdpScrapeDone | UdpFailed


@dataclass(slots=True, eq=False)
class _Query:
    job: int
    address: Address
    asks: AnnounceRequest | tuple[InfoHash, ...]
    url_data: bytes
    transaction_id: int
    deadline: float
    sent: int = 1
    """Packets sent for it, the connects included."""
    connecting: bool = True
    reconnected: bool = False


@dataclass(slots=True, eq=False)
class _Tracker:
    """An address and our standing with it."""

    connection_id: int | None = None
    good_until: float = 0.0
    connect_id: int | None = None
    """Transaction of the connect under way."""
    connect_sent: float = 0.0
    queries: dict[int, _Query] = field(default_factory=dict)
    """By job."""


class UdpTrackerClient:
    """Call a method, then send `datagrams_to_send`, take each `next_event`, and call `on_timer` at `next_timer`."""

    def __init__(self, rng: Random, *, tries: int = TRIES) -> None:
        self._rng = rng
        self._tries = tries
        self._trackers: dict[Address, _Tracker] = {}
        self._queries: dict[int, _Query] = {}  # by job
        self._outgoing: list[tuple[bytes, Address]] = []
        self._events: deque[UdpEvent] = deque()

    def announce(self, job: int, address: Address, url_data: bytes, request: AnnounceRequest, now: float) -> None:
        """Announce to the tracker at `address`. `url_data` is the path and query of its URL (BEP 41), empty for none.

        `job` is the caller's number for it, not in use by another query.
        """
        self._ask(job, address, request, url_data, now)

    def scrape(self, job: int, address: Address, info_hashes: Sequence[InfoHash], now: float) -> None:
        """Ask the tracker at `address` for the counts of 1 to 74 torrents."""
        self._ask(job, address, tuple(info_hashes), b"", now)

    def cancel(self, job: int) -> None:
        """The caller no longer cares."""
        query = self._queries.pop(job, None)
        if query is not None:
            del self._trackers[query.address].queries[job]

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:
        """A datagram came from `address`."""
        tracker = self._trackers.get(address)
        if tracker is None or len(data) < 8:
            return
        transaction_id = int.from_bytes(data[4:8], "big")
        query = next((each for each in tracker.queries.values() if each.transaction_id == transaction_id), None)
        for_connect = transaction_id == tracker.connect_id
        if not for_connect and (query is None or query.connecting):
            return
        try:
            response = decode_response(data, address)
        except TrackerError as error:
            response = ErrorResponse(transaction_id, str(error))
        if for_connect:
            self._on_connect_response(tracker, response, now)
        elif query is not None:
            self._on_response(tracker, query, response, now)

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """What is to be sent now, and where."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_timer(self) -> float | None:
        """When `on_timer` is to be called; None while nothing waits."""
        return min((query.deadline for query in self._queries.values()), default=None)

    def on_timer(self, now: float) -> None:
        """Send again what got no answer in its time, or fail it."""
        late = [query for query in self._queries.values() if query.deadline <= now]
        for query in late:
            if query.sent >= self._tries:
                self._fail(query, "the tracker did not answer")
            else:
                query.sent += 1
                self._send(self._trackers[query.address], query, now)

    def next_event(self) -> UdpEvent | None:
        """The next thing that happened; None when all have been told."""
        return self._events.popleft() if self._events else None

    def _ask(
        self, job: int, address: Address, asks: AnnounceRequest | tuple[InfoHash, ...], url_data: bytes, now: float
    ) -> None:
        if job in self._queries:
            raise ValueError(f"job {job} is under way")
        tracker = self._trackers.get(address)
        if tracker is None:
            self._forget_idle(now)
            tracker = self._trackers[address] = _Tracker()
        query = _Query(job, address, asks, url_data, self._new_id(tracker), now)
        self._queries[job] = tracker.queries[job] = query
        self._send(tracker, query, now)

    def _send(self, tracker: _Tracker, query: _Query, now: float) -> None:
        """Send the query, or a connect first where no connection id is good. Arms its deadline."""
        query.deadline = now + FIRST_WAIT * 2.0 ** (query.sent - 1)
        if tracker.connection_id is not None and now >= tracker.good_until:
            tracker.connection_id = None
        query.connecting = tracker.connection_id is None
        if tracker.connection_id is not None:
            if isinstance(query.asks, tuple):
                packet = encode_request(UdpScrapeRequest(tracker.connection_id, query.transaction_id, query.asks))
            else:
                packet = encode_request(
                    UdpAnnounceRequest(tracker.connection_id, query.transaction_id, query.asks, query.url_data)
                )
            self._outgoing.append((packet, query.address))
            return
        if tracker.connect_id is None:
            tracker.connect_id = self._new_id(tracker)
        elif now - tracker.connect_sent < FIRST_WAIT:
            return  # another query has just asked, and the answer serves all
        tracker.connect_sent = now
        self._outgoing.append((encode_request(ConnectRequest(tracker.connect_id)), query.address))

    def _on_connect_response(self, tracker: _Tracker, response: Response, now: float) -> None:
        tracker.connect_id = None
        waiting = [query for query in tracker.queries.values() if query.connecting]
        match response:
            case ConnectResponse(_, connection_id):
                tracker.connection_id = connection_id
                tracker.good_until = now + CONNECTION_LIFE
                for query in waiting:
                    self._send(tracker, query, now)
            case ErrorResponse(_, message):
                for query in waiting:
                    self._fail(query, message or "the tracker refused without a reason")
            case _:
                for query in waiting:
                    self._fail(query, "the tracker answered something else than was asked")

    def _on_response(self, tracker: _Tracker, query: _Query, response: Response, now: float) -> None:
        match response:
            case UdpAnnounceResponse(_, reply) if not isinstance(query.asks, tuple):
                self.cancel(query.job)
                self._events.append(UdpAnnounceDone(query.job, reply))
            case UdpScrapeResponse(_, entries) if isinstance(query.asks, tuple):
                if len(entries) < len(query.asks):
                    self._fail(query, "the tracker's scrape is too short")
                    return
                self.cancel(query.job)
                self._events.append(UdpScrapeDone(query.job, entries[: len(query.asks)]))
            case ErrorResponse(_, message) if "connection" in message.lower() and not query.reconnected:
                # The tracker has restarted or counts a shorter minute, and does not know the id any more.
                query.reconnected = True
                tracker.connection_id = None
                self._send(tracker, query, now)
            case ErrorResponse(_, message):
                self._fail(query, message or "the tracker refused without a reason")
            case _:
                self._fail(query, "the tracker answered something else than was asked")

    def _fail(self, query: _Query, reason: str) -> None:
        self.cancel(query.job)
        self._events.append(UdpFailed(query.job, TrackerError(reason)))

    def _new_id(self, tracker: _Tracker) -> int:
        taken = [query.transaction_id for query in tracker.queries.values()]
        while True:
            transaction_id = self._rng.getrandbits(32)
            if transaction_id not in taken and transaction_id != tracker.connect_id:
                return transaction_id

    def _forget_idle(self, now: float) -> None:
        """Room for another address: those with nothing under way and no good connection id go, then the oldest idle."""
        if len(self._trackers) < MAX_TRACKERS:
            return
        idle = [address for address, tracker in self._trackers.items() if not tracker.queries]
        expired = [address for address in idle if self._trackers[address].good_until <= now]
        for address in expired or idle[:1]:
            del self._trackers[address]
