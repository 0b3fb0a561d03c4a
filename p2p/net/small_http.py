"""One HTTP exchange with a host whose address is known, over the network port: as much as a router needs.

The rule: no name is looked up, no redirect followed, no connection kept, and neither head nor body is larger than was
allowed, so that whoever answers can make us ask nobody else and keep nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import httptools

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.stream_waits import readiness, send_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.net.network import Network, Stream

MAX_HEAD: Final = 16_384
"""Bytes of status and headers."""

READ_SIZE: Final = 16_384


class Answer(NamedTuple):
    status: int
    body: bytes
    local: Address
    """Where we were during the exchange."""


async def exchange(
    network: Network,
    method: str,
    url: str,
    *,
    max_body: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """Send a request to an `http` URL of an IP address, and read the answer. The caller bounds the time.

    Raises NetworkError.
    """
    try:
        parts = urlsplit(url)
        place = Address.parse(parts.hostname or "", parts.port or 80)
    except ValueError as error:
        raise NetworkError("no URL of an IP address") from error
    fields = {"Host": str(place), "User-Agent": "Starling", "Connection": "close", **(headers or {})}
    if body or method == "POST":
        fields["Content-Length"] = str(len(body))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""])
    stream = await network.connect(place)
    try:
        await send_all(stream, head.encode("ascii", "replace") + body)
        return await _receive(stream, max_body)
    finally:
        stream.close()


class _Reading:
    """What httptools tells of an answer."""

    def __init__(self, max_body: int) -> None:
        self.body = bytearray()
        self._complete = False
        self.bounded = False
        """Whether the answer says where it ends."""
        self._max_body = max_body

    def is_complete(self) -> bool:
        return self._complete

    @property
    def cut_short(self) -> bool:
        return self.bounded and not self._complete

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002 - httptools' shape
        self.bounded = self.bounded or name.lower() in (b"content-length", b"transfer-encoding")

    def on_body(self, body: bytes) -> None:
        self.body += body
        if len(self.body) > self._max_body:
            raise NetworkError(f"the answer is larger than {self._max_body} bytes")

    def on_message_complete(self) -> None:
        self._complete = True


async def _receive(stream: Stream, max_body: int) -> Answer:
    reading = _Reading(max_body)
    parser = httptools.HttpResponseParser(reading)
    view = memoryview(bytearray(READ_SIZE))
    taken = 0
    while not reading.is_complete():
        count = stream.receive_into([view])
        if count is None:
            await readiness(stream.on_readable)
            continue
        if not count:
            break
        taken += count
        if taken - len(reading.body) > MAX_HEAD + READ_SIZE:
            raise NetworkError("the answer's head is too large")
        try:
            parser.feed_data(bytes(view[:count]))
        except httptools.HttpParserError as error:
            if reading.is_complete():  # what follows is nobody's
                break
            if isinstance(error.__context__, NetworkError):
                raise error.__context__ from error
            raise NetworkError("the answer is not HTTP") from error
    status = parser.get_status_code()
    if not status:
        raise NetworkError("the connection closed without an answer")
    if reading.cut_short:
        raise NetworkError("the answer is cut short")
    return Answer(status, bytes(reading.body), stream.local)
