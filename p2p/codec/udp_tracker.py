"""The UDP tracker protocol (BEP 15) with its options (BEP 41): packets and the values they carry, both directions.

The rule: any bytes decode to a value or raise TrackerError. Packets may be longer than what is known of them, as BEP 15
asks, and the tail is ignored. Peers are 6 or 18 bytes by the family of the address a reply came from, never by its
content.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from p2p.codec import compact
from p2p.codec.announce import AnnounceEvent, AnnounceReply, AnnounceRequest, ScrapeEntry, sane_count, sane_interval
from p2p.codec.text import clean_line
from p2p.codec.udp_fast import EVENTS
from p2p.errors import LocalProtocolError, TrackerError
from p2p.ids import InfoHash, PeerId

if TYPE_CHECKING:
    from p2p.ids import Address

PROTOCOL_ID: Final = 0x41727101980
MAX_SCRAPE: Final = 74
"""Info-hashes in one scrape (BEP 15): the reply to more would not fit an unfragmented packet."""

MAX_URL_DATA: Final = 2_048
"""Bytes of path and query a tracker takes (BEP 41): as long as any URL browsers and proxies let through."""

_CONNECT, _ANNOUNCE, _SCRAPE, _ERROR = range(4)
_END_OF_OPTIONS, _NOP, _URL_DATA = range(3)

_REQUEST_HEAD = struct.Struct("!QII")
_ANNOUNCE_REQUEST = struct.Struct("!QII20s20sQQQIIIiH")
_RESPONSE_HEAD = struct.Struct("!II")
_CONNECT_RESPONSE = struct.Struct("!IIQ")
_ANNOUNCE_RESPONSE = struct.Struct("!IIiii")
_SCRAPE_ENTRY = struct.Struct("!iii")

# BEP 15 has no number for `paused` (BEP 21) and trackers in use refuse what they do not know, so it is sent as none.
_EVENT_NUMBERS = {
    AnnounceEvent.NONE: 0,
    AnnounceEvent.COMPLETED: 1,
    AnnounceEvent.STARTED: 2,
    AnnounceEvent.STOPPED: 3,
    AnnounceEvent.PAUSED: 0,
}


class ConnectRequest(NamedTuple):
    transaction_id: int


class UdpAnnounceRequest(NamedTuple):
    connection_id: int
    transaction_id: int
    announce: AnnounceRequest
    url_data: bytes = b""
    """Path and query of the tracker's URL (BEP 41); empty sends no option."""


class UdpScrapeRequest(NamedTuple):
    connection_id: int
    transaction_id: int
    info_hashes: tuple[InfoHash, ...]


class ConnectResponse(NamedTuple):
    transaction_id: int
    connection_id: int


class UdpAnnounceResponse(NamedTuple):
    transaction_id: int
    reply: AnnounceReply


class UdpScrapeResponse(NamedTuple):
    transaction_id: int
    entries: tuple[ScrapeEntry, ...]
    """In the order the hashes were asked."""


class ErrorResponse(NamedTuple):
    transaction_id: int
    message: str


Request: TypeAlias = ConnectRequest | UdpAnnounceRequest | UdpScrapeRequest
Response: TypeAlias = ConnectResponse | UdpAnnounceResponse | UdpScrapeResponse | ErrorResponse


def encode_request(request: Request) -> bytes:
    """The client's packet. Raises LocalProtocolError for a scrape of none or of more than MAX_SCRAPE."""
    match request:
        case ConnectRequest(transaction_id):
            return _REQUEST_HEAD.pack(PROTOCOL_ID, _CONNECT, transaction_id)
        case UdpAnnounceRequest(connection_id, transaction_id, announce, url_data):
            head = _ANNOUNCE_REQUEST.pack(
                connection_id,
                _ANNOUNCE,
                transaction_id,
                announce.info_hash,
                announce.peer_id,
                announce.downloaded,
                announce.left,
                announce.uploaded,
                _EVENT_NUMBERS[announce.event],
                _ip_field(announce.ip),
                announce.key,
                announce.num_want,
                announce.port,
            )
            return head + _url_options(url_data)
        case UdpScrapeRequest(connection_id, transaction_id, info_hashes):
            if not 0 < len(info_hashes) <= MAX_SCRAPE:
                raise LocalProtocolError(f"a UDP scrape asks for 1 to {MAX_SCRAPE} torrents, not {len(info_hashes)}")
            return _REQUEST_HEAD.pack(connection_id, _SCRAPE, transaction_id) + b"".join(info_hashes)


def decode_request(packet: bytes) -> Request:
    """The client's packet as the tracker reads it. The connection id is the caller's to check. Raises TrackerError."""
    if len(packet) < _REQUEST_HEAD.size:
        raise TrackerError(f"a request of {len(packet)} bytes is too short")
    connection_id, action, transaction_id = _REQUEST_HEAD.unpack_from(packet)
    if action == _CONNECT:
        if connection_id != PROTOCOL_ID:
            raise TrackerError("a connect request without the protocol's number")
        return ConnectRequest(transaction_id)
    if action == _ANNOUNCE:
        return _decode_announce_request(packet)
    if action == _SCRAPE:
        hashes = packet[_REQUEST_HEAD.size :]
        if not 20 <= len(hashes) < 20 * (MAX_SCRAPE + 1):
            raise TrackerError(f"a scrape asks for 1 to {MAX_SCRAPE} torrents")
        count = len(hashes) // 20
        return UdpScrapeRequest(
            connection_id, transaction_id, tuple(InfoHash(hashes[20 * i : 20 * i + 20]) for i in range(count))
        )
    raise TrackerError(f"action {action} is unknown")


def encode_response(response: Response) -> bytes:
    """The tracker's packet. Raises LocalProtocolError for peers of mixed families."""
    match response:
        case ConnectResponse(transaction_id, connection_id):
            return _CONNECT_RESPONSE.pack(_CONNECT, transaction_id, connection_id)
        case UdpAnnounceResponse(transaction_id, reply):
            head = _ANNOUNCE_RESPONSE.pack(
                _ANNOUNCE, transaction_id, round(reply.interval), reply.leechers or 0, reply.seeders or 0
            )
            encode_peers = compact.encode_peers6 if reply.peers and reply.peers[0].is_ipv6 else compact.encode_peers
            return head + encode_peers(reply.peers)
        case UdpScrapeResponse(transaction_id, entries):
            packed = [_SCRAPE_ENTRY.pack(entry.seeders, entry.completed, entry.leechers) for entry in entries]
            return _RESPONSE_HEAD.pack(_SCRAPE, transaction_id) + b"".join(packed)
        case ErrorResponse(transaction_id, message):
            return _RESPONSE_HEAD.pack(_ERROR, transaction_id) + message.encode()


def decode_response(packet: bytes, source: Address) -> Response:
    """The tracker's packet as the client reads it; `source` is where it came from and decides the size of a peer.

    The transaction id is the caller's to check, and an ErrorResponse is a value like any other. Raises TrackerError.
    """
    if len(packet) < _RESPONSE_HEAD.size:
        raise TrackerError(f"a reply of {len(packet)} bytes is too short")
    action, transaction_id = _RESPONSE_HEAD.unpack_from(packet)
    if action == _CONNECT:
        if len(packet) < _CONNECT_RESPONSE.size:
            raise TrackerError("a connect reply is too short")
        return ConnectResponse(transaction_id, _CONNECT_RESPONSE.unpack_from(packet)[2])
    if action == _ANNOUNCE:
        return UdpAnnounceResponse(transaction_id, _decode_announce_reply(packet, source))
    if action == _SCRAPE:
        whole = (len(packet) - _RESPONSE_HEAD.size) // _SCRAPE_ENTRY.size
        end = _RESPONSE_HEAD.size + min(whole, MAX_SCRAPE) * _SCRAPE_ENTRY.size
        counts = _SCRAPE_ENTRY.iter_unpack(packet[_RESPONSE_HEAD.size : end])
        return UdpScrapeResponse(
            transaction_id,
            tuple(ScrapeEntry(sane_count(s), sane_count(completed), sane_count(n)) for s, completed, n in counts),
        )
    if action == _ERROR:
        return ErrorResponse(transaction_id, clean_line(packet[_RESPONSE_HEAD.size :]))
    raise TrackerError(f"a reply with unknown action {action}")


def _decode_announce_request(packet: bytes) -> UdpAnnounceRequest:
    if len(packet) < _ANNOUNCE_REQUEST.size:
        raise TrackerError(f"an announce of {len(packet)} bytes is too short")
    fields = _ANNOUNCE_REQUEST.unpack_from(packet)
    connection_id, _, transaction_id, info_hash, peer_id, downloaded, left, uploaded, event, ip, key, want, port = (
        fields
    )
    if event >= len(EVENTS):
        raise TrackerError(f"event {event} is unknown")
    announce = AnnounceRequest(
        info_hash=InfoHash(info_hash),
        peer_id=PeerId(peer_id),
        port=port,
        uploaded=uploaded,
        downloaded=downloaded,
        left=left,
        event=EVENTS[event],
        key=key,
        num_want=want,
        ip=str(IPv4Address(ip)) if ip else None,
    )
    url_data = _read_url_options(packet, _ANNOUNCE_REQUEST.size) if len(packet) > _ANNOUNCE_REQUEST.size else b""
    return UdpAnnounceRequest(connection_id, transaction_id, announce, url_data)


def _decode_announce_reply(packet: bytes, source: Address) -> AnnounceReply:
    head = _ANNOUNCE_RESPONSE.size
    if len(packet) < head:
        raise TrackerError("an announce reply is too short")
    _, _, interval, leechers, seeders = _ANNOUNCE_RESPONSE.unpack_from(packet)
    size = compact.PEER6_SIZE if source.is_ipv6 else compact.PEER_SIZE
    raw = packet[head : head + (len(packet) - head) // size * size]  # the rest is some extension's
    peers = compact.decode_peers6(raw) if source.is_ipv6 else compact.decode_peers(raw)
    return AnnounceReply(
        interval=sane_interval(interval),
        seeders=sane_count(seeders),
        leechers=sane_count(leechers),
        peers=tuple(peer for peer in peers if peer.port),
    )


def _ip_field(ip: str | None) -> int:
    return 0 if ip is None or ":" in ip else int(IPv4Address(ip))


def _url_options(url_data: bytes) -> bytes:
    if len(url_data) > MAX_URL_DATA:
        raise LocalProtocolError(f"{len(url_data)} bytes of URL do not fit an announce")
    parts = [url_data[at : at + 255] for at in range(0, len(url_data), 255)]
    return b"".join(bytes((_URL_DATA, len(part))) + part for part in parts)


def _read_url_options(packet: bytes, at: int) -> bytes:
    parts: list[bytes] = []
    while at < len(packet) and packet[at] != _END_OF_OPTIONS:
        kind = packet[at]
        at += 1
        if kind == _NOP:
            continue
        # Clients older than BEP 41 append bytes of their own: an option cut short ends the options, not the announce.
        if at >= len(packet) or at + 1 + packet[at] > len(packet):
            break
        length = packet[at]
        at += 1
        if kind == _URL_DATA:
            parts.append(packet[at : at + length])
        at += length
    url_data = b"".join(parts)
    if len(url_data) > MAX_URL_DATA:
        raise TrackerError(f"{len(url_data)} bytes of URL are too many")
    return url_data
