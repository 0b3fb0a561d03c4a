"""The HTTP tracker protocol: URLs, queries and bodies, both directions, so that client and tracker cannot disagree.

BEP 3 with compact peers (BEP 23), IPv6 (BEP 7), external IP (BEP 24), partial seeds (BEP 21), retry times (BEP 31) and
scrape (BEP 48). The rules: what a tracker wrote in its URL goes back to it byte for byte, because passkeys live there;
and any bytes decode to a value or raise TrackerError.
"""

from __future__ import annotations

import math
import re
import zlib
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from p2p.codec import bencode, compact
from p2p.codec.announce import (
    ANY_NUMBER,
    DEFAULT_INTERVAL,
    AnnounceEvent,
    AnnounceReply,
    AnnounceRequest,
    ScrapeEntry,
    sane_count,
    sane_interval,
)
from p2p.codec.text import clean_line
from p2p.errors import BencodeError, RemoteProtocolError, TrackerError
from p2p.ids import Address, InfoHash, PeerId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BODY: Final = 2 * 1024 * 1024
"""Bytes of a reply. A thousand peers in the dictionary form need some 90 KB, a scrape some 100 bytes a torrent."""

MAX_PEERS: Final = 1_000
"""Peers kept of one list: five times what trackers in use hand out at most."""

MAX_QUERY: Final = 8_192
"""Bytes of a query, the usual bound of HTTP servers on a whole request line."""

MAX_TRACKER_ID: Final = 256
"""Bytes. It travels in every later query."""

MAX_NUMBER: Final = 2**64 - 1
"""The widest counter that also fits BEP 15; clients that do not know `left` yet send it."""

MAX_RETRY: Final = 525_600
"""Minutes in a year: a longer `retry in` would outlive any client and says never only by accident."""

_EVENTS = {event.value.encode(): event for event in AnnounceEvent}
_NUMBER = re.compile(rb"[0-9]{1,20}")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_HEX_KEY = re.compile(rb"[0-9A-Fa-f]{1,8}")
_ANNOUNCE_FIELDS = frozenset(
    b"info_hash peer_id port uploaded downloaded left event key numwant ip compact no_peer_id trackerid".split()
)


def announce_url(base: str, request: AnnounceRequest) -> str:
    """`base` with the announce appended to whatever query it already has."""
    query = (
        f"info_hash={quote_from_bytes(request.info_hash, safe='')}&peer_id={quote_from_bytes(request.peer_id, safe='')}"
        f"&port={request.port}&uploaded={request.uploaded}&downloaded={request.downloaded}&left={request.left}"
        f"&compact={request.compact:d}&key={request.key:08X}"
    )
    if request.event is not AnnounceEvent.NONE:
        query += f"&event={request.event.value}"
    if request.num_want != ANY_NUMBER:
        query += f"&numwant={request.num_want}"
    if request.no_peer_id:
        query += "&no_peer_id=1"
    if request.ip is not None:
        query += f"&ip={quote_from_bytes(request.ip.encode(), safe='')}"
    if request.tracker_id is not None:
        query += f"&trackerid={quote_from_bytes(request.tracker_id, safe='')}"
    return _append_query(base, query)


def scrape_url(base: str, info_hashes: Sequence[InfoHash]) -> str | None:
    """The scrape URL that belongs to an announce URL, or None where the tracker's URL promises none (BEP 48).

    The last part of the path must begin with `announce`; the rest of the URL is kept.
    """
    path, mark, query = base.partition("#")[0].partition("?")
    folder, slash, page = path.rpartition("/")
    if not slash or not page.startswith("announce"):
        return None
    scrape = f"{folder}/scrape{page.removeprefix('announce')}{mark}{query}"
    return _append_query(scrape, "&".join(f"info_hash={quote_from_bytes(each, safe='')}" for each in info_hashes))


def decode_announce(body: bytes) -> AnnounceReply:
    """The reply in `body`. Raises TrackerError for a failure (with its `retry_in`) and for anything that is no reply.

    Peers come from all three forms (dictionaries, compact, `peers6`); host names and port 0 are left out, counts and
    intervals are clamped, texts are made fit for one line.
    """
    answer = _decode_answer(body)
    interval = _optional_int(answer, b"interval")
    min_interval = _optional_int(answer, b"min interval")
    seeders = _optional_int(answer, b"complete")
    leechers = _optional_int(answer, b"incomplete")
    completed = _optional_int(answer, b"downloaded")
    peers, peer_ids = _decode_peers(answer)
    warning = _optional_bytes(answer, b"warning message")
    tracker_id = _optional_bytes(answer, b"tracker id")
    return AnnounceReply(
        interval=DEFAULT_INTERVAL if interval is None else sane_interval(interval),
        min_interval=None if min_interval is None or min_interval <= 0 else sane_interval(min_interval),
        seeders=None if seeders is None else sane_count(seeders),
        leechers=None if leechers is None else sane_count(leechers),
        completed=None if completed is None else sane_count(completed),
        peers=peers,
        peer_ids=peer_ids,
        tracker_id=tracker_id if tracker_id and len(tracker_id) <= MAX_TRACKER_ID else None,
        warning=clean_line(warning) or None if warning else None,
        external_ip=_decode_ip(_optional_bytes(answer, b"external ip")),
    )


def decode_scrape(body: bytes) -> dict[InfoHash, ScrapeEntry]:
    """The swarms in a scrape's `body` (BEP 48). Raises TrackerError for a failure and for anything that is no reply."""
    files = _decode_answer(body).get(b"files")
    if not isinstance(files, dict):
        raise TrackerError("the tracker's scrape has no files")
    entries: dict[InfoHash, ScrapeEntry] = {}
    for info_hash, entry in files.items():
        if len(info_hash) != 20 or not isinstance(entry, dict):
            raise TrackerError("the tracker's scrape has an entry that is no torrent")
        downloaders = _optional_int(entry, b"downloaders")
        entries[InfoHash(info_hash)] = ScrapeEntry(
            seeders=sane_count(_optional_int(entry, b"complete") or 0),
            completed=sane_count(_optional_int(entry, b"downloaded") or 0),
            leechers=sane_count(_optional_int(entry, b"incomplete") or 0),
            downloaders=None if downloaders is None else sane_count(downloaders),
        )
    return entries


def parse_announce(query: bytes) -> AnnounceRequest:
    """The announce in the part of a request's target after `?`. Raises TrackerError, worded for the client's user.

    A field of ours that is missing, repeated, malformed or out of range is refused; unknown fields are ignored. An
    `ip` that is no IP literal counts as none, as the field is only a hint.
    """
    fields: dict[bytes, bytes] = {}
    for name, value in _split_query(query):
        if name in _ANNOUNCE_FIELDS:
            if name in fields:
                raise TrackerError(f"{name.decode()} is given twice")
            fields[name] = value
    event = _EVENTS.get(fields.get(b"event", b""))
    if event is None:
        raise TrackerError("event is unknown")
    key = fields.get(b"key", b"")
    tracker_id = fields.get(b"trackerid")
    if tracker_id is not None and len(tracker_id) > MAX_TRACKER_ID:
        raise TrackerError("trackerid is too long")
    want = fields.get(b"numwant")
    return AnnounceRequest(
        info_hash=InfoHash(_twenty_bytes(b"info_hash", fields.get(b"info_hash"))),
        peer_id=PeerId(_twenty_bytes(b"peer_id", fields.get(b"peer_id"))),
        port=_number(fields, b"port", 65_535),
        uploaded=_number(fields, b"uploaded", MAX_NUMBER),
        downloaded=_number(fields, b"downloaded", MAX_NUMBER),
        left=_number(fields, b"left", MAX_NUMBER),
        event=event,
        # Only ever compared with itself, so a key that is not our kind of number may become any.
        key=int(key or b"0", 16) if not key or _HEX_KEY.fullmatch(key) else zlib.crc32(key),
        num_want=ANY_NUMBER if want in (None, b"", b"-1") else _number(fields, b"numwant", 2**31 - 1),
        ip=_ip_literal(fields.get(b"ip")),
        compact=fields.get(b"compact", b"1") != b"0",
        no_peer_id=fields.get(b"no_peer_id", b"0") == b"1",
        tracker_id=tracker_id,
    )


def parse_scrape(query: bytes) -> tuple[InfoHash, ...]:
    """The torrents a scrape asks for, each once, in order; none stands for all (BEP 48). Raises TrackerError."""
    hashes = [_twenty_bytes(name, value) for name, value in _split_query(query) if name == b"info_hash"]
    return tuple(InfoHash(each) for each in dict.fromkeys(hashes))


def encode_announce_compact(reply: AnnounceReply) -> bytes:
    """The body with IPv4 peers under `peers` (BEP 23) and IPv6 ones, if any, under `peers6` (BEP 7)."""
    answer = _encode_head(reply)
    answer[b"peers"] = compact.encode_peers(peer for peer in reply.peers if not peer.is_ipv6)
    peers6 = compact.encode_peers6(peer for peer in reply.peers if peer.is_ipv6)
    if peers6:
        answer[b"peers6"] = peers6
    return bencode.encode(answer)


def encode_announce_dicts(reply: AnnounceReply) -> bytes:
    """The body with each peer a dictionary of `ip`, `port` and, where `reply.peer_ids` has it, `peer id` (BEP 3)."""
    peers: list[dict[bytes, bytes | int]] = [
        {b"ip": peer.host.encode("ascii"), b"port": peer.port} for peer in reply.peers
    ]
    for entry, peer_id in zip(peers, reply.peer_ids, strict=False):
        entry[b"peer id"] = peer_id
    return bencode.encode({**_encode_head(reply), b"peers": peers})


def encode_failure(text: str, *, retry_in: float | None = None) -> bytes:
    """The body that refuses. `retry_in` is seconds, sent as whole minutes, `math.inf` as `never` (BEP 31)."""
    failure: dict[bytes, bytes | int] = {b"failure reason": text.encode()}
    if retry_in is not None:
        failure[b"retry in"] = b"never" if math.isinf(retry_in) else max(1, math.ceil(retry_in / 60))
    return bencode.encode(failure)


def encode_scrape(entries: Mapping[InfoHash, ScrapeEntry]) -> bytes:
    """The body of a scrape's reply (BEP 48).

    Written as text rather than as values, at a tenth of the time: one scrape may ask for all torrents.
    """
    files = [
        b"20:%bd8:completei%de10:downloadedi%de10:incompletei%dee" % (info_hash, seeders, completed, leechers)
        if downloaders is None
        else b"20:%bd8:completei%de10:downloadedi%de11:downloadersi%de10:incompletei%dee"
        % (info_hash, seeders, completed, downloaders, leechers)
        for info_hash, (seeders, completed, leechers, downloaders) in sorted(entries.items())
    ]
    return b"d5:filesd%bee" % b"".join(files)


def _append_query(base: str, query: str) -> str:
    url = base.partition("#")[0]
    if not query:
        return url
    if "?" not in url:
        return f"{url}?{query}"
    return f"{url}{query}" if url.endswith(("?", "&")) else f"{url}&{query}"


def _decode_answer(body: bytes) -> dict[bytes, bencode.Value]:
    if len(body) > MAX_BODY:
        raise TrackerError(f"the tracker's answer of {len(body)} bytes is too long")
    try:
        answer = bencode.decode_lenient(body)
    except BencodeError as error:
        raise TrackerError(f"the tracker's answer is no bencode: {error}") from error
    if not isinstance(answer, dict):
        raise TrackerError("the tracker's answer is no dictionary")
    # BEP 48 spells it with an underscore.
    reason = answer.get(b"failure reason", answer.get(b"failure_reason"))
    if reason is not None:
        text = clean_line(reason) if isinstance(reason, bytes) else ""
        raise TrackerError(text or "the tracker refused without a reason", retry_in=_retry_in(answer.get(b"retry in")))
    return answer


def _retry_in(value: bencode.Value | None) -> float | None:
    if value == b"never":
        return math.inf
    if isinstance(value, bytes) and _NUMBER.fullmatch(value):  # BEP 31's own example writes the number as a string
        value = int(value)
    if isinstance(value, int) and value > 0:
        return 60.0 * min(value, MAX_RETRY)
    return None


def _decode_peers(answer: dict[bytes, bencode.Value]) -> tuple[tuple[Address, ...], tuple[PeerId, ...]]:
    peers = answer.get(b"peers", b"")
    peers6 = answer.get(b"peers6", b"")
    if not isinstance(peers6, bytes):
        raise TrackerError("the tracker's peers6 are no string")
    addresses: list[Address] = []
    peer_ids: list[PeerId] = []
    if isinstance(peers, list):
        for entry in peers[:MAX_PEERS]:
            address, peer_id = _decode_peer(entry)
            if address is not None:
                addresses.append(address)
                peer_ids.append(peer_id)
    elif not isinstance(peers, bytes):
        raise TrackerError("the tracker's peers are neither a list nor a string")
    try:
        if isinstance(peers, bytes):
            addresses += compact.decode_peers(peers)[:MAX_PEERS]
        addresses += compact.decode_peers6(peers6)[:MAX_PEERS]
    except RemoteProtocolError as error:
        raise TrackerError(f"the tracker's peers are broken: {error}") from error
    if len(peer_ids) != len(addresses) or not all(peer_ids):
        return tuple(peer for peer in addresses if peer.port), ()
    return tuple(addresses), tuple(peer_ids)


def _decode_peer(entry: bencode.Value) -> tuple[Address | None, PeerId]:
    if not isinstance(entry, dict):
        raise TrackerError("a peer in the tracker's list is no dictionary")
    ip, port, peer_id = entry.get(b"ip"), entry.get(b"port"), entry.get(b"peer id", b"")
    if not (isinstance(ip, bytes) and isinstance(port, int) and isinstance(peer_id, bytes)):
        raise TrackerError("a peer in the tracker's list lacks ip or port")
    if len(peer_id) not in (0, 20):
        peer_id = b""
    literal = _ip_literal(ip)
    if literal is None or not 0 < port <= 65_535:  # a host name would make a stranger choose what we look up
        return None, PeerId(b"")
    return Address(literal, port), PeerId(peer_id)


def _ip_literal(raw: bytes | None) -> str | None:
    """The canonical text of an IP literal, IPv4 inside IPv6 as IPv4; None for anything else."""
    if raw is None or len(raw) > 64:  # the longest literal has 45 characters
        return None
    try:
        return Address.parse(raw.decode("ascii"), 0).host
    except ValueError:
        return None


def _decode_ip(raw: bytes | None) -> str | None:
    if raw is None or len(raw) not in (4, 16):
        return None
    return Address.parse(str(ip_address(raw)), 0).host


def _encode_head(reply: AnnounceReply) -> dict[bytes, bencode.Encodable]:
    head: dict[bytes, bencode.Encodable] = {b"interval": round(reply.interval)}
    if reply.min_interval is not None:
        head[b"min interval"] = round(reply.min_interval)
    if reply.seeders is not None:
        head[b"complete"] = reply.seeders
    if reply.leechers is not None:
        head[b"incomplete"] = reply.leechers
    if reply.completed is not None:
        head[b"downloaded"] = reply.completed
    if reply.tracker_id is not None:
        head[b"tracker id"] = reply.tracker_id
    if reply.warning is not None:
        head[b"warning message"] = reply.warning.encode()
    if reply.external_ip is not None:
        head[b"external ip"] = ip_address(reply.external_ip).packed
    return head


def _optional_int(answer: dict[bytes, bencode.Value], key: bytes) -> int | None:
    value = answer.get(key)
    if value is None or isinstance(value, int):
        return value
    raise TrackerError(f"the tracker's {key.decode()} is no number")


def _optional_bytes(answer: dict[bytes, bencode.Value], key: bytes) -> bytes | None:
    value = answer.get(key)
    if value is None or isinstance(value, bytes):
        return value
    raise TrackerError(f"the tracker's {key.decode()} is no string")


def _split_query(query: bytes) -> list[tuple[bytes, bytes]]:
    if len(query) > MAX_QUERY:
        raise TrackerError("the request is too long")
    if _BAD_ESCAPE.search(query):
        raise TrackerError("the request has a broken percent-encoding")
    fields = [part.partition(b"=") for part in query.split(b"&")]
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in fields]


def _twenty_bytes(name: bytes, value: bytes | None) -> bytes:
    if value is None:
        raise TrackerError(f"{name.decode()} is missing")
    if len(value) != 20:
        raise TrackerError(f"{name.decode()} has {len(value)} bytes instead of 20")
    return value


def _number(fields: dict[bytes, bytes], name: bytes, limit: int) -> int:
    text = fields.get(name)
    if text is None:
        raise TrackerError(f"{name.decode()} is missing")
    if not _NUMBER.fullmatch(text):
        raise TrackerError(f"{name.decode()} is not a number from 0 up")
    number = int(text)
    if number > limit:
        raise TrackerError(f"{name.decode()} is more than {limit}")
    return number
