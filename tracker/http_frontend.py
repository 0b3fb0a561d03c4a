"""The HTTP frontend (BEP 3, 48): requests in, answers out, on the network port's streams, by callbacks and no tasks.

The rules: a refusal is a bencoded `failure reason` under status 200, which is what clients show; whatever is no proper
small GET is answered with its status and cut off. A connection costs at most one read and one answer of memory, and
has a fixed time for each exchange that trickled bytes do not extend.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final, NamedTuple

import httptools

from p2p.codec import compact, http_tracker
from p2p.codec.announce import AnnounceReply
from p2p.errors import NetworkError, TrackerError
from p2p.ids import Address, PeerId
from tracker.figures import Traffic
from tracker.gated_logic import passkey_of
from tracker.logic import HTTP_LISTS
from tracker.page_server import is_page
from tracker.store import Family

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.codec.announce import AnnounceRequest
    from p2p.net.network import Listener, Network, Stream
    from tracker.gated_logic import GatedLogic
    from tracker.logic import TrackerLogic
    from tracker.store import Answer

MAX_REQUEST: Final = 8_192
"""Bytes of a request with its headers, the usual bound of HTTP servers; an announce has some 400."""

MAX_PIPELINED: Final = 8
"""Requests taken from one read. No client in use sends two; more would make one stranger's work delay everyone's."""

_OK = b"200 OK"
_BAD_REQUEST = b"400 Bad Request"
_NOT_FOUND = b"404 Not Found"
_WRONG_METHOD = b"405 Method Not Allowed"
_TOO_LARGE = b"431 Request Header Fields Too Large"
_KEEP = b"keep-alive"
_CLOSE = b"close"


class _Request(NamedTuple):
    method: bytes
    target: bytes
    keep_alive: bool
    user_agent: str | None


class HttpFrontend:
    """Serves `/announce`, `/scrape` and a bare `/stats` at any number of addresses.

    `exchange_time` is how many seconds a request may take to arrive, or an answer to leave; a connection that is quiet
    as long is closed. Connections past `max_connections` are dropped at once. One whose next request is for a page
    (`is_page`) is given to `on_page`, with what was read of it, and is none of this frontend's any more. `gated` is a
    private tracker's logic, in whose place `logic` then never hears of an announce or a scrape.
    """

    __slots__ = (
        "_accepted",
        "_announces",
        "_connections",
        "_exchange_time",
        "_gated",
        "_listeners",
        "_logic",
        "_max_connections",
        "_on_page",
        "_refusals",
        "_room",
        "_scrapes",
    )

    def __init__(
        self,
        logic: TrackerLogic,
        *,
        exchange_time: float,
        max_connections: int,
        on_page: Callable[[Stream, bytes], None] | None = None,
        gated: GatedLogic | None = None,
    ) -> None:
        self._logic = logic
        self._gated = gated
        self._on_page = on_page
        self._exchange_time = exchange_time
        self._max_connections = max_connections
        self._listeners: list[Listener] = []
        self._accepted = self._announces = self._scrapes = self._refusals = 0
        self._connections: dict[_Connection, None] = {}
        self._room = memoryview(bytearray(MAX_REQUEST))  # shared: what a read brings is parsed before the next read

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(listener.local for listener in self._listeners)

    @property
    def traffic(self) -> Traffic:
        """What was answered since the start, the part that came by HTTP, and the connections that are open."""
        return Traffic(
            http_announces=self._announces,
            http_scrapes=self._scrapes,
            http_refusals=self._refusals,
            http_connections=self._accepted,
            http_open=len(self._connections),
        )

    async def open(self, network: Network, local: Address) -> None:
        """Listen at one more address. Raises NetworkError."""
        self._listeners.append(await network.listen(local, self._on_stream))

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in list(self._connections):
            connection.end()

    def _on_stream(self, stream: Stream) -> None:
        if len(self._connections) >= self._max_connections:
            stream.abort()
            return
        self._accepted += 1
        kind = _Connection if self._gated is None else _MemberConnection
        connection = kind(stream, self._room, self._exchange_time, self._answer, self._on_end, self._on_page)
        self._connections[connection] = None
        connection.begin()

    def _on_end(self, connection: _Connection) -> None:
        del self._connections[connection]

    def _answer(self, request: _Request, source: Address) -> tuple[bytes, bytes]:
        """Status and body."""
        path, _, query = request.target.partition(b"?")
        kind = _kind_of(path) if self._gated is not None else path
        try:
            if kind == b"/announce":
                self._announces += 1
                asked = http_tracker.parse_announce(query)
                if self._gated is None:
                    return _OK, self._announce(asked, source)
                return _OK, self._announce_gated(self._gated, asked, passkey_of(path), source, request.user_agent)
            if kind == b"/scrape":
                self._scrapes += 1
                hashes = http_tracker.parse_scrape(query)
                family = Family.IPV6 if source.is_ipv6 else Family.IPV4
                if self._gated is None:
                    return _OK, http_tracker.encode_scrape(self._logic.scrape(hashes, family))
                return _OK, http_tracker.encode_scrape(self._gated.scrape(hashes, passkey_of(path), source, family))
        except TrackerError as error:
            self._refusals += 1
            return _OK, http_tracker.encode_failure(str(error), retry_in=error.retry_in)
        if path == b"/stats":
            return _OK, self._stats()
        return _NOT_FOUND, b"not found\n"

    def _announce(self, request: AnnounceRequest, source: Address) -> bytes:
        peer = compact.pack(Address(source.host, request.port))
        interval, answer = self._logic.announce(
            request.info_hash, peer, request.peer_id, request.left, request.event, request.num_want, HTTP_LISTS
        )
        return self._encode(request, source, interval, answer, None)

    def _announce_gated(
        self, gated: GatedLogic, request: AnnounceRequest, passkey: str | None, source: Address, user_agent: str | None
    ) -> bytes:
        interval, answer, warning = gated.announce(request, passkey, source, user_agent, HTTP_LISTS)
        return self._encode(request, source, interval, answer, warning)

    def _encode(
        self, request: AnnounceRequest, source: Address, interval: int, answer: Answer, warning: str | None
    ) -> bytes:
        peers = compact.decode_peers6(answer.peers) if source.is_ipv6 else compact.decode_peers(answer.peers)
        ids: list[bytes] = []
        if not (request.compact or request.no_peer_id):
            family = Family.IPV6 if source.is_ipv6 else Family.IPV4
            ids = self._logic.peer_ids(request.info_hash, answer.peers, family)
        reply = AnnounceReply(
            interval=interval,
            min_interval=self._logic.min_interval,
            seeders=answer.seeders,
            leechers=answer.leechers,
            completed=answer.completed,
            peers=tuple(peers),
            peer_ids=tuple([PeerId(each) for each in ids]),
            warning=warning,
            external_ip=source.host,
        )
        if request.compact:
            return http_tracker.encode_announce_compact(reply)
        return http_tracker.encode_announce_dicts(reply)

    def _stats(self) -> bytes:
        totals = self._logic.totals()
        counts = {**totals._asdict(), "leechers": totals.peers - totals.seeders, "connections": len(self._connections)}
        return json.dumps(counts).encode() + b"\n"


def _kind_of(path: bytes) -> bytes:
    """`/announce` or `/scrape` for the paths of members, whose passkey stands before or after it; else the path."""
    parts = path.split(b"/")
    for word in (b"announce", b"scrape"):
        if word in parts[1:3] and len(parts) <= 3:
            return b"/" + word
    return path


class _Connection:
    """One client. While an answer is on its way out nothing is read, so the two never pile up."""

    __slots__ = (
        "_answer",
        "_closing",
        "_deadline",
        "_exchange_time",
        "_loop",
        "_on_end",
        "_on_page",
        "_parser",
        "_requests",
        "_room",
        "_size",
        "_stream",
        "_target",
        "_timer",
        "_unsent",
        "_user_agent",
    )

    def __init__(
        self,
        stream: Stream,
        room: memoryview,
        exchange_time: float,
        answer: Callable[[_Request, Address], tuple[bytes, bytes]],
        on_end: Callable[[_Connection], None],
        on_page: Callable[[Stream, bytes], None] | None,
    ) -> None:
        self._stream = stream
        self._room = room
        self._exchange_time = exchange_time
        self._answer = answer
        self._on_end = on_end
        self._on_page = on_page
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._user_agent: str | None = None
        self._size = 0
        self._requests: list[_Request] = []
        self._unsent: memoryview | None = None
        self._closing = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._deadline = self._loop.time() + self._exchange_time
        self._timer = self._loop.call_at(self._deadline, self._on_timer)
        self._stream.on_readable(self._on_readable)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._stream.close()
            self._on_end(self)

    def on_url(self, part: bytes) -> None:
        """Called by the parser, as are the methods below it that are named so by httptools."""
        self._target += part

    def on_message_complete(self) -> None:
        keep_alive = self._parser.should_keep_alive()
        self._requests.append(_Request(self._parser.get_method(), self._target, keep_alive, self._user_agent))
        self._target = b""
        self._user_agent = None
        self._size = 0

    def _on_timer(self) -> None:
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._on_timer)
        else:
            self._stream.abort()  # what is unsent by now has no reader
            self.end()

    def _on_readable(self) -> None:
        try:
            count = self._stream.receive_into([self._room[: MAX_REQUEST - self._size]])
        except NetworkError:
            self.end()
            return
        if count is None:
            return
        if count == 0:
            self.end()
            return
        if self._on_page is not None and not self._size and is_page(received := bytes(self._room[:count])):
            self._hand_over(self._on_page, received)
            return
        self._size += count
        try:
            self._parser.feed_data(self._room[:count])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(_BAD_REQUEST)
            return
        if len(self._requests) > MAX_PIPELINED:
            self._refuse(_BAD_REQUEST)
        elif self._size >= MAX_REQUEST:
            self._refuse(_TOO_LARGE)
        else:
            self._serve()

    def _hand_over(self, on_page: Callable[[Stream, bytes], None], received: bytes) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._on_end(self)
        on_page(self._stream, received)

    def _serve(self) -> None:
        while self._requests and self._unsent is None and self._timer is not None:
            request = self._requests.pop(0)
            if request.method == b"GET":
                status, body = self._answer(request, self._stream.remote)
            else:
                status, body = _WRONG_METHOD, b""
            self._write(status, body, _KEEP if request.keep_alive else _CLOSE)

    def _refuse(self, status: bytes) -> None:
        self._requests.clear()
        self._write(status, b"", _CLOSE)

    def _write(self, status: bytes, body: bytes, connection: bytes) -> None:
        self._deadline = self._loop.time() + self._exchange_time
        if connection is _CLOSE:
            self._requests.clear()
            self._closing = True
        head = b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %b\r\n\r\n"
        self._unsent = memoryview(head % (status, len(body), connection) + body)
        self._send()
        if self._unsent is not None:
            self._stream.on_readable(None)
            self._stream.on_writable(self._on_writable)

    def _on_writable(self) -> None:
        self._send()
        if self._unsent is None and self._timer is not None:
            self._stream.on_writable(None)
            self._stream.on_readable(self._on_readable)
            self._serve()

    def _send(self) -> None:
        if self._unsent is None:
            return
        try:
            sent = self._stream.send([self._unsent])
        except NetworkError:
            self._unsent = None
            self.end()
            return
        self._unsent = self._unsent[sent:] if sent < len(self._unsent) else None
        if self._unsent is None and self._closing:
            self.end()


class _MemberConnection(_Connection):
    """One that tells of its client's program too, which a private tracker has rules for."""

    __slots__ = ()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"user-agent":
            self._user_agent = value.decode("latin-1")
