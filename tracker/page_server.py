"""Pages over HTTP: what a browser, Prometheus or an operator asks for, apart from the frontend that answers announces.

A connection comes from a listener of its own, or from the HTTP frontend, which hands over what is no announce and no
scrape. The rules: few connections and small requests, each with a fixed time that trickled bytes do not extend;
strangers do not take the operator's places; every answer forbids the browser to fetch, run or frame anything; a bug in
a page is an answer of status 500 and a line in the log, never the end of anything else.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

import httptools

from p2p.codec import compact
from p2p.errors import NetworkError
from tracker.places import Places
from tracker.proxies import LISTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from p2p.ids import Address
    from p2p.net.network import Listener, Network, Stream
    from tracker.proxies import Proxies

MAX_REQUEST: Final = 16_384
"""Bytes of a request with headers and body: a browser sends some 1 KB, a form of ours some 100 bytes more."""

MAX_FIELDS: Final = 64
"""Header fields; a browser behind two proxies sends some 25."""

MAX_CONNECTIONS: Final = 128
"""At once, and as many again at the operator's addresses, where nobody else can take their place. They serve people and
a scraper or two, and must not take what announces need."""

MAX_PER_ADDRESS: Final = 16
"""Of them from one stranger, unless it is a proxy of ours; a browser opens six."""

EXCHANGE_TIME: Final = 15.0
"""Seconds for a request to arrive, its answer to be made and to leave, or a connection to be quiet."""

PATHS: Final = frozenset((b"/", b"/status.css", b"/login", b"/logout", b"/metrics", b"/stats"))
"""Everything that is answered here at a port that is for announces too."""

_ROOM: Final = 4_096

_SAFETY: Final = (
    b"Content-Security-Policy: default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Referrer-Policy: no-referrer\r\n"
    b"Cross-Origin-Opener-Policy: same-origin\r\n"
)

_log = logging.getLogger(__name__)


class PageRequest(NamedTuple):
    """What was asked. Header names are in small letters; of a field given twice the last counts, if it is no list."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    source: Address
    """Where the connection comes from: a proxy, perhaps."""
    admin: bool
    """Whether it came to an address that is for the operator alone."""


class PageAnswer(NamedTuple):
    """What is said to it."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def is_page(received: bytes) -> bool:
    """Whether a request that begins so, whole up to its path, is for a page."""
    _, _, rest = received[:64].partition(b" ")
    target, _, _ = rest.partition(b" ")
    return is_page_target(target)


def is_page_target(target: bytes) -> bool:
    """Whether what a request asks for is a page, whatever its query."""
    return target.partition(b"?")[0] in PATHS


def plain_answer(status: HTTPStatus, text: str = "") -> PageAnswer:
    """A line of text, by default the status's own."""
    return PageAnswer(status, "text/plain; charset=utf-8", f"{text or status.phrase.lower()}\n".encode())


class PageServer:
    """Serves what `pages` answers, at any number of addresses and on connections that were handed over.

    `proxies` may have as many connections as there are.
    """

    def __init__(self, pages: Callable[[PageRequest], Awaitable[PageAnswer]], proxies: Proxies) -> None:
        self._pages = pages
        self._proxies = proxies
        self._listeners: list[Listener] = []
        self._strangers: dict[_Connection, bytes] = {}
        """And where each is from."""
        self._operators: dict[_Connection, None] = {}
        self._places = Places(MAX_PER_ADDRESS)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses that are for the operator alone."""
        return tuple(listener.local for listener in self._listeners)

    async def open(self, network: Network, local: Address) -> None:
        """Listen at one more address, whose requests are the operator's. Raises NetworkError."""
        self._listeners.append(await network.listen(local, self._begin_operators))

    def adopt(self, stream: Stream, received: bytes) -> None:
        """Take over a connection from which `received` was read and not answered; its callbacks are replaced."""
        host = compact.pack(stream.remote)[:-2]
        has_room = self._places.has_room(host) or stream.remote.host in self._proxies
        if len(self._strangers) >= MAX_CONNECTIONS or not has_room:
            stream.abort()
            return
        self._places.take(host)
        connection = _Connection(stream, self._pages, self._forget, admin=False)
        self._strangers[connection] = host
        connection.begin(received)

    async def close(self) -> None:
        """Stop listening, end every connection, wait for what was being answered."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        tasks = [connection.end() for connection in (*self._strangers, *self._operators)]
        for task in tasks:
            if task is not None:
                await asyncio.wait([task])

    def _begin_operators(self, stream: Stream) -> None:
        if len(self._operators) >= MAX_CONNECTIONS:
            stream.abort()
            return
        connection = _Connection(stream, self._pages, self._forget, admin=True)
        self._operators[connection] = None
        connection.begin(b"")

    def _forget(self, connection: _Connection) -> None:
        host = self._strangers.pop(connection, None)
        if host is not None:
            self._places.leave(host)
        self._operators.pop(connection, None)


class _Connection:
    """One client. It reads, answers and writes in turn, one request at a time; no client in use sends two at once."""

    def __init__(
        self,
        stream: Stream,
        pages: Callable[[PageRequest], Awaitable[PageAnswer]],
        on_end: Callable[[_Connection], None],
        *,
        admin: bool,
    ) -> None:
        self._stream = stream
        self._pages = pages
        self._on_end = on_end
        self._admin = admin
        self._loop = asyncio.get_running_loop()
        self._room = memoryview(bytearray(_ROOM))
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = memoryview(b"")
        self._ended = False
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._fields: dict[str, str] = {}
        self._body = b""
        self._size = 0
        self._whole = False
        self._piled = False
        self._keep = False
        self._method = b""

    def begin(self, received: bytes) -> None:
        self._restart_timer()
        self._stream.on_writable(None)
        self._stream.on_readable(self._on_readable)
        if received:
            self._feed(received)

    def end(self) -> asyncio.Task[None] | None:
        """Close; the task that was making an answer, cancelled, if there is one."""
        if not self._ended:
            self._ended = True
            if self._timer is not None:
                self._timer.cancel()
            self._stream.close()
            if self._task is not None:
                self._task.cancel()
            self._on_end(self)
        return self._task

    # -- called by the parser

    def on_url(self, part: bytes) -> None:
        self._piled = self._piled or self._whole  # a second request that came with the first
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._fields) < MAX_FIELDS:
            field, text = name.decode("latin-1").lower(), value.decode("latin-1")
            before = self._fields.get(field) if field in LISTS else None
            self._fields[field] = text if before is None else f"{before},{text}"

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        self._whole = True
        self._method = self._parser.get_method()
        self._keep = self._parser.should_keep_alive()

    # -- called by the loop

    def _restart_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(EXCHANGE_TIME, self._on_timer)

    def _on_timer(self) -> None:
        self._stream.abort()
        self.end()

    def _on_readable(self) -> None:
        try:
            count = self._stream.receive_into([self._room])
        except NetworkError:
            self.end()
            return
        if count is None:
            return
        if count == 0:
            self.end()
            return
        self._feed(bytes(self._room[:count]))

    def _feed(self, received: bytes) -> None:
        self._size += len(received)
        try:
            self._parser.feed_data(received)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._write(plain_answer(HTTPStatus.BAD_REQUEST), keep=False)
            return
        if self._piled:
            self._write(plain_answer(HTTPStatus.BAD_REQUEST), keep=False)
        elif self._whole:
            self._stream.on_readable(None)
            self._task = self._loop.create_task(self._answer(), name="tracker page")
        elif self._size >= MAX_REQUEST:
            self._write(plain_answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE), keep=False)

    async def _answer(self) -> None:
        path, _, query = self._target.decode("latin-1").partition("?")
        method = self._method.decode("latin-1")
        request = PageRequest(method, path, query, self._fields, self._body, self._stream.remote, self._admin)
        try:
            if method not in ("GET", "HEAD", "POST"):
                answer = plain_answer(HTTPStatus.METHOD_NOT_ALLOWED)
            else:
                answer = await self._pages(request)
        except Exception:  # noqa: BLE001 - a bug in a page is logged, and must not end the server
            _log.exception("a page failed")
            answer = plain_answer(HTTPStatus.INTERNAL_SERVER_ERROR)
        self._task = None
        if not self._ended:
            self._write(answer, keep=self._keep)

    def _write(self, answer: PageAnswer, *, keep: bool) -> None:
        head = (
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n"
            + "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        ).encode("latin-1")
        body = b"" if self._method == b"HEAD" else answer.body
        self._unsent = memoryview(head + _SAFETY + b"\r\n" + body)
        self._keep = keep
        self._stream.on_readable(None)
        self._send()

    def _send(self) -> None:
        try:
            sent = self._stream.send([self._unsent])
        except NetworkError:
            self.end()
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._stream.on_writable(self._send)
        elif self._keep:
            self._stream.on_writable(None)
            self._reset()
            self._restart_timer()
            self._stream.on_readable(self._on_readable)
        else:
            self.end()
