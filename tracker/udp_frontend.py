"""The UDP frontend (BEP 15, 41): datagrams in, datagrams out, and nothing remembered of who connected.

What carries no valid connection id is not answered at all: an answer to a forged source would be noise sent to a
stranger. An announce at an open tracker is answered within one function, because at a hundred thousand a second every
call counts; everything else takes the way of values. The path in an announce's options (BEP 41) is where a private
tracker's passkey is; an open tracker answers whatever path it is asked at, as most trackers do.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from p2p.codec.announce import ScrapeEntry
from p2p.codec.compact import PEER6_SIZE, PEER_SIZE
from p2p.codec.udp_fast import (
    ANNOUNCE,
    ANNOUNCE_ANSWER,
    ANNOUNCE_REQUEST,
    CONNECT,
    CONNECT_ANSWER,
    CONNECT_REQUEST,
    EVENTS,
)
from p2p.codec.udp_tracker import (
    PROTOCOL_ID,
    ErrorResponse,
    UdpAnnounceRequest,
    UdpScrapeRequest,
    UdpScrapeResponse,
    decode_request,
    encode_response,
)
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker.connection_ids import ConnectionIds
from tracker.figures import Traffic
from tracker.gated_logic import passkey_of
from tracker.logic import UDP_LISTS
from tracker.store import Family

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.codec.udp_tracker import Request
    from p2p.net.network import Datagrams, Network, Source
    from tracker.gated_logic import GatedLogic
    from tracker.logic import TrackerLogic

MAX_PEERS6: Final = (1_232 - 20) // PEER6_SIZE
"""Peers in an IPv6 answer that stays within the 1,280 bytes every IPv6 path carries whole."""

MAX_PEERS4: Final = (1_472 - 20) // PEER_SIZE
"""Peers in an IPv4 answer that an Ethernet frame carries whole."""

_SILENCE: Final = b""
_ANNOUNCE_SIZE: Final = ANNOUNCE_REQUEST.size


class UdpFrontend:
    """Answers datagrams at any number of addresses. `secret` keys the connection ids; 16 to 64 bytes.

    `gated` is a private tracker's logic, in whose place `logic` then never hears of an announce or a scrape.
    `on_malformed` hears of announces that cannot be read: the host that asks, and why.
    """

    __slots__ = (
        "_clock",
        "_connects",
        "_dropped",
        "_gated",
        "_ids",
        "_logic",
        "_on_malformed",
        "_places",
        "_received",
        "_refusals",
        "_scrapes",
    )

    def __init__(
        self,
        logic: TrackerLogic,
        *,
        secret: bytes,
        clock: Callable[[], float],
        gated: GatedLogic | None = None,
        on_malformed: Callable[[str, TrackerError], None] | None = None,
    ) -> None:
        self._on_malformed = on_malformed
        self._logic = logic
        self._gated = gated
        self._ids = ConnectionIds(secret)
        self._clock = clock
        self._places: list[Datagrams] = []
        # Announces are what is left of all: so the hot way counts once a batch.
        self._received = self._connects = self._scrapes = self._refusals = self._dropped = 0

    @property
    def traffic(self) -> Traffic:
        """What was answered since the start, the part that came by UDP."""
        return Traffic(
            udp_connects=self._connects,
            udp_announces=self._received - self._connects - self._scrapes - self._dropped,
            udp_scrapes=self._scrapes,
            udp_refusals=self._refusals,
            udp_dropped=self._dropped,
        )

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(place.local for place in self._places)

    async def open(self, network: Network, local: Address) -> None:
        """Bind one more address. Raises NetworkError."""
        self._places.append(await network.open_answering(local, self.answer))

    def close(self) -> None:
        for place in self._places:
            place.close()
        self._places.clear()

    def answer(self, packets: list[bytes], sources: list[Source]) -> list[bytes]:
        """The datagram to send back for each, empty where silence is the answer."""
        self._received += len(packets)
        now = self._clock()
        keys = self._ids.keys(now)
        announce = self._logic.announce
        unpack = ANNOUNCE_REQUEST.unpack_from
        pack = ANNOUNCE_ANSWER.pack
        is_open = self._gated is None
        most = MAX_PEERS4 if sources and len(sources[0][1]) == 4 else MAX_PEERS6
        answers: list[bytes] = []
        for packet, source in zip(packets, sources, strict=True):
            if len(packet) < _ANNOUNCE_SIZE or packet[11] != ANNOUNCE or not is_open:
                answers.append(self._answer_other(packet, source, now))
                continue
            mark, last, action, transaction_id, info_hash, peer_id, left, event, want, port = unpack(packet)
            host = source[1]
            key = keys.get(last)
            if key is None:
                self._dropped += 1
                answers.append(_SILENCE)
                continue
            key = key.copy()
            key.update(host)
            if not compare_digest(key.digest(), mark):
                self._dropped += 1
                answers.append(_SILENCE)
                continue
            if action != ANNOUNCE or event >= len(EVENTS):
                answers.append(self._answer_other(packet, source, now))
                continue
            try:
                want = want if want < most else most  # noqa: FURB136 - `min` costs three times as much
                interval, answer = announce(info_hash, host + port, peer_id, left, EVENTS[event], want, UDP_LISTS)
            except TrackerError as error:
                self._refusals += 1
                answers.append(_refusal(transaction_id, error))
                continue
            seeders, leechers, _, peers, _ = answer
            if len(peers) > most * PEER_SIZE:
                peers = _fitting(peers, host)
            answers.append(pack(ANNOUNCE, transaction_id, interval, leechers, seeders) + peers)
        return answers

    def _answer_other(self, packet: bytes, source: Source, now: float) -> bytes:
        if len(packet) < CONNECT_REQUEST.size:
            self._dropped += 1
            return _SILENCE
        host = source[1]
        protocol, action, transaction_id = CONNECT_REQUEST.unpack_from(packet)
        if action == CONNECT and protocol == PROTOCOL_ID:
            self._connects += 1
            return CONNECT_ANSWER.pack(CONNECT, transaction_id, *self._ids.make(host, now))
        if not self._ids.is_good(packet[:7], packet[7], host, now):
            self._dropped += 1
            return _SILENCE
        request = None
        try:
            request = decode_request(packet)
            return self._respond(request, transaction_id, source)
        except TrackerError as error:
            self._refusals += 1
            if request is None and action == ANNOUNCE and self._on_malformed is not None:
                self._on_malformed(_host(host), error)
            return _refusal(transaction_id, error)

    def _respond(self, request: Request, transaction_id: bytes, source: Source) -> bytes:
        port, host = source
        address = Address(_host(host), port)
        family = Family(len(host) + 2)
        if isinstance(request, UdpScrapeRequest):
            self._scrapes += 1
            if self._gated is None:
                found = self._logic.scrape(request.info_hashes, family)
            else:
                # Options follow announces only (BEP 41), so there is no passkey; the gate says what that means.
                found = self._gated.scrape(request.info_hashes, None, address, family)
            nothing = ScrapeEntry(0, 0, 0)
            entries = tuple([found.get(each, nothing) for each in request.info_hashes])
            return encode_response(UdpScrapeResponse(request.transaction_id, entries))
        if self._gated is None or not isinstance(request, UdpAnnounceRequest):
            raise TrackerError("a connect request without the protocol's number")
        asked = request.announce
        most = MAX_PEERS4 if len(host) == 4 else MAX_PEERS6
        told = self._gated.announce(
            replace(asked, num_want=min(asked.num_want, most)), passkey_of(request.url_data), address, None, UDP_LISTS
        )
        seeders, leechers, _, peers, _ = told.answer
        head = ANNOUNCE_ANSWER.pack(ANNOUNCE, transaction_id, told.interval, leechers, seeders)
        return head + _fitting(peers, host)


def _host(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _fitting(peers: bytes | bytearray, host: bytes) -> bytes | bytearray:
    """As many of the peers as fit an answer, evenly spread: a default or a gate may want more than a packet carries."""
    size = len(host) + 2
    count = len(peers) // size
    most = MAX_PEERS4 if size == Family.IPV4 else MAX_PEERS6
    if count <= most:
        return peers
    return b"".join([peers[n * count // most * size : n * count // most * size + size] for n in range(most)])


def _refusal(transaction_id: bytes, error: TrackerError) -> bytes:
    """BEP 15 has no room for `retry in`."""
    return encode_response(ErrorResponse(int.from_bytes(transaction_id, "big"), str(error)))
