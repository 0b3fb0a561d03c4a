"""A connection over HTTP that is kept: for who asks again, is slow, or asks in a way that needs a real parser.

The rules: while an answer is on its way out nothing is read, so the two never pile up; a connection costs at most one
read and one answer of memory; whatever is no proper small GET is answered with its status and cut off. How long it may
take is its owner's to say (`on_exchange`), who is told whenever an answer begins and not when bytes trickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import httptools

from p2p.codec import compact
from p2p.codec.http_fast import stays, usual_request
from p2p.errors import NetworkError
from tracker.http_answers import BAD_REQUEST, CLOSE, CLOSING, HEAD, KEEP, KEEPING, TOO_LARGE, Request
from tracker.page_server import is_page, is_page_target

if TYPE_CHECKING:
    import re

    from p2p.codec.http_fast import UsualAnnounce
    from p2p.ids import Address
    from p2p.net.network import Source, Stream
    from tracker.http_answers import OnTold

MAX_REQUEST: Final = 8_192
"""Bytes of a request with its headers, the usual bound of HTTP servers; an announce has some 400."""

MAX_PIPELINED: Final = 8
"""Requests taken from one read. No client in use sends two; more would make one stranger's work delay everyone's."""

_LISTS: Final = {b"x-forwarded-for": "forwarded_for", b"forwarded": "forwarded"}


class House(Protocol):
    """Who has connections and answers them."""

    @property
    def room(self) -> memoryview:
        """MAX_REQUEST bytes that all reads share: what one brings is parsed before the next."""

    @property
    def has_pages(self) -> bool:
        """Whether connections that ask for a page are to be given to `on_page`."""

    def read_announce(self, received: bytes) -> UsualAnnounce | None:
        """The announce that a whole request makes, if it is in the usual form and may be answered by that alone."""

    def reply_announce(self, announce: UsualAnnounce, source: Source, head: bytes) -> bytes:
        """All that goes back for it; `head` is KEEPING or CLOSING."""

    def reply(self, request: re.Match[bytes], source: Source, *, keep_alive: bool) -> bytes | None:
        """All that goes back for a `usual_request`; None for one that asks for something else."""

    def answer(self, request: Request, source: Address, on_told: OnTold) -> tuple[bytes, bytes] | None:
        """Status and body; None where `on_told` will be told of them, in a later turn."""

    def on_page(self, connection: Connection, stream: Stream, received: bytes) -> None:
        """The connection asks for a page and lets go of its stream."""

    def on_exchange(self, connection: Connection) -> None:
        """An answer begins: the time for it and the next request runs from now."""

    def on_end(self, connection: Connection) -> None:
        """The stream is closed."""


class Connection:
    """One client."""

    __slots__ = (
        "_closing",
        "_fields",
        "_house",
        "_is_within",
        "_parser",
        "_read",
        "_requests",
        "_size",
        "_stream",
        "_target",
        "_unsent",
        "deadline",
        "has_ended",
        "source",
    )

    def __init__(self, stream: Stream, house: House) -> None:
        remote = stream.remote
        self.source: Source = (remote.port, compact.pack(remote)[:-2])
        self.deadline = 0.0
        """Seconds of the loop's clock, for the owner."""
        self.has_ended = False
        self._stream = stream
        self._house = house
        self._parser: httptools.HttpRequestParser | None = None
        self._is_within = False
        """Whether the parser is within a request."""
        self._size = 0
        self._read = b""
        """What the parser was given since it last was between two requests: a page's server begins with it."""
        self._target = b""
        self._fields: dict[str, str] = {}
        self._requests: list[Request] = []
        self._unsent: memoryview | None = None
        self._closing = False

    def begin(self, received: bytes, reply: bytes | None) -> None:
        """Take up what was read, or send what is the answer to it and end."""
        self._stream.on_readable(self._on_readable)
        if reply is not None:
            self._closing = True
            self._write(reply)
        elif received:
            self._feed(received)

    def end(self) -> None:
        """Close it, after what was sent. Idempotent."""
        if not self.has_ended:
            self.has_ended = True
            self._stream.close()
            self._house.on_end(self)

    def abort(self) -> None:
        """End it and drop what is unsent, which by now has no reader."""
        self._stream.abort()
        self.end()

    # -- called by the parser

    def on_message_begin(self) -> None:
        self._is_within = True

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"user-agent":
            self._fields["user_agent"] = value.decode("latin-1")
        elif name in _LISTS:
            before = self._fields.get(_LISTS[name])
            text = value.decode("latin-1")
            self._fields[_LISTS[name]] = text if before is None else f"{before},{text}"

    def on_message_complete(self) -> None:
        if self._parser is None:
            return
        method, keep_alive = self._parser.get_method(), self._parser.should_keep_alive()
        self._requests.append(Request(method, self._target, keep_alive, **self._fields))
        self._target = b""
        self._fields = {}
        self._size = 0
        self._is_within = False

    # -- called by the loop

    def _on_readable(self) -> None:
        room = self._house.room
        try:
            count = self._stream.receive_into([room[: MAX_REQUEST - self._size]])
        except NetworkError:
            self.end()
            return
        if count is None:
            return
        if count == 0:
            self.end()
            return
        self._feed(bytes(room[:count]))

    def _feed(self, received: bytes) -> None:
        if not self._is_within:
            announce = self._house.read_announce(received)
            if announce is not None:
                self._closing = not announce.stays
                self._write(self._house.reply_announce(announce, self.source, CLOSING if self._closing else KEEPING))
                return
            usual = usual_request(received)
            if usual is not None:
                keep_alive = stays(usual)
                reply = self._house.reply(usual, self.source, keep_alive=keep_alive)
                if reply is not None:
                    self._closing = not keep_alive
                    self._write(reply)
                    return
            if self._house.has_pages and is_page(received):
                self._give_away(received)
                return
            self._read = b""
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        self._size += len(received)
        self._read += received
        try:
            self._parser.feed_data(received)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(BAD_REQUEST)
            return
        if len(self._requests) > MAX_PIPELINED:
            self._refuse(BAD_REQUEST)
        elif self._size >= MAX_REQUEST:
            self._refuse(TOO_LARGE)
        elif self._house.has_pages and self._is_one_page():
            self._give_away(self._read)
        else:
            self._serve()

    def _is_one_page(self) -> bool:
        """Whether a request for a page has come, in pieces, and nothing else."""
        return len(self._requests) == 1 and not self._is_within and is_page_target(self._requests[0].target)

    def _give_away(self, received: bytes) -> None:
        self.has_ended = True
        self._house.on_page(self, self._stream, received)

    def _serve(self) -> None:
        while self._requests and self._unsent is None and not self.has_ended:
            request = self._requests.pop(0)
            self._closing = not request.keep_alive
            told = self._house.answer(request, self._stream.remote, self._on_told)
            if told is None:
                self._stream.on_readable(None)
                return
            self._say(*told)

    def _on_told(self, status: bytes, body: bytes) -> None:
        if self.has_ended:
            return
        self._say(status, body)
        if self._unsent is None and not self.has_ended:
            self._stream.on_readable(self._on_readable)
            self._serve()

    def _say(self, status: bytes, body: bytes) -> None:
        self._write(HEAD % (status, len(body), CLOSE if self._closing else KEEP) + body)

    def _refuse(self, status: bytes) -> None:
        self._closing = True
        self._write(HEAD % (status, 0, CLOSE))

    def _write(self, reply: bytes) -> None:
        if self._closing:
            self._requests.clear()
        self._house.on_exchange(self)
        try:
            sent = self._stream.send([reply])
        except NetworkError:
            self.end()
            return
        if sent == len(reply):
            if self._closing:
                self.end()
            return
        self._unsent = memoryview(reply)[sent:]
        self._stream.on_readable(None)
        self._stream.on_writable(self._on_writable)

    def _on_writable(self) -> None:
        if self._unsent is None:
            return
        try:
            sent = self._stream.send([self._unsent])
        except NetworkError:
            self.end()
            return
        if sent < len(self._unsent):
            self._unsent = self._unsent[sent:]
            return
        self._unsent = None
        if self._closing:
            self.end()
            return
        self._stream.on_writable(None)
        self._stream.on_readable(self._on_readable)
        self._serve()
