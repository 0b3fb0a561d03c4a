"""The UDP frontend (BEP 15): datagrams in, datagrams out, and nothing remembered of who connected.

A connection id is a keyed hash of the asker's address and the time, so only who can receive at an address can announce
from it, and nothing is stored. What carries no valid id is not answered at all: an answer to a forged source would be
noise sent to a stranger.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from p2p.codec import compact
from p2p.codec.announce import AnnounceReply
from p2p.codec.compact import PEER6_SIZE
from p2p.codec.udp_tracker import (
    PROTOCOL_ID,
    ConnectRequest,
    ConnectResponse,
    ErrorResponse,
    UdpAnnounceRequest,
    UdpAnnounceResponse,
    UdpScrapeRequest,
    UdpScrapeResponse,
    decode_request,
    encode_response,
)
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker.logic import UDP_LISTS
from tracker.store import Family

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.codec.udp_tracker import Request, Response
    from p2p.net.network import Datagrams, Network
    from tracker.logic import TrackerLogic

WINDOW: Final = 60.0
"""Seconds a connection id is made from. One is good in its own window and the two after it: two minutes at the least,
as BEP 15 asks, three at the most."""

WINDOWS: Final = 3

MAX_PEERS6: Final = (1_232 - 20) // PEER6_SIZE
"""Peers in an IPv6 answer that stays within the 1,280 bytes every IPv6 path carries whole; 200 IPv4 peers do too."""


class UdpFrontend:
    """Answers datagrams at any number of addresses. `secret` keys the connection ids; 16 to 64 bytes."""

    __slots__ = ("_clock", "_logic", "_places", "_secret")

    def __init__(self, logic: TrackerLogic, *, secret: bytes, clock: Callable[[], float]) -> None:
        self._logic = logic
        self._secret = secret
        self._clock = clock
        self._places: list[Datagrams] = []

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(place.local for place in self._places)

    async def open(self, network: Network, local: Address) -> None:
        """Bind one more address. Raises NetworkError."""
        place: Datagrams | None = None

        def on_datagram(packet: bytes, source: Address) -> None:
            answer = self.answer(packet, source)
            if answer is not None and place is not None:
                place.send(answer, source)

        place = await network.open_datagrams(local, on_datagram)
        self._places.append(place)

    def close(self) -> None:
        for place in self._places:
            place.close()
        self._places.clear()

    def answer(self, packet: bytes, source: Address) -> bytes | None:
        """The datagram to send back to `source`, or None where silence is the answer."""
        if len(packet) < 16:
            return None
        connection_id = int.from_bytes(packet[:8], "big")
        if connection_id != PROTOCOL_ID and not self._is_current(connection_id, source):
            return None
        transaction_id = int.from_bytes(packet[12:16], "big")
        try:
            request = decode_request(packet)
            if connection_id == PROTOCOL_ID and not isinstance(request, ConnectRequest):
                return None
            response = self._respond(request, source)
        except TrackerError as error:
            if connection_id == PROTOCOL_ID:
                return None
            response = ErrorResponse(transaction_id, str(error))
        return encode_response(response)

    def _respond(self, request: Request, source: Address) -> Response:
        match request:
            case ConnectRequest(transaction_id):
                return ConnectResponse(transaction_id, self._connection_id(source, int(self._clock() // WINDOW)))
            case UdpAnnounceRequest(_, transaction_id, announce):
                peer = compact.pack(Address(source.host, announce.port))
                want = announce.num_want
                if source.is_ipv6:
                    want = min(want, MAX_PEERS6)
                interval, answer = self._logic.announce(
                    announce.info_hash, peer, announce.peer_id, announce.left, announce.event, want, UDP_LISTS
                )
                decode = compact.decode_peers6 if source.is_ipv6 else compact.decode_peers
                reply = AnnounceReply(
                    interval=interval,
                    seeders=answer.seeders,
                    leechers=answer.leechers,
                    peers=tuple(decode(answer.peers)[:MAX_PEERS6] if source.is_ipv6 else decode(answer.peers)),
                )
                return UdpAnnounceResponse(transaction_id, reply)
            case UdpScrapeRequest(_, transaction_id, info_hashes):
                family = Family.IPV6 if source.is_ipv6 else Family.IPV4
                found = self._logic.scrape(info_hashes, family)
                return UdpScrapeResponse(transaction_id, tuple(found[each] for each in info_hashes))

    def _is_current(self, connection_id: int, source: Address) -> bool:
        window = int(self._clock() // WINDOW)
        given = connection_id.to_bytes(8, "big")
        return any(
            hmac.compare_digest(given, self._connection_id(source, window - age).to_bytes(8, "big"))
            for age in range(WINDOWS)
        )

    def _connection_id(self, source: Address, window: int) -> int:
        # Not over the port: a translator on the way may change it between two packets, and it proves nothing more.
        mark = f"{window} {source.host}".encode()
        return int.from_bytes(hashlib.blake2b(mark, digest_size=8, key=self._secret).digest(), "big")
