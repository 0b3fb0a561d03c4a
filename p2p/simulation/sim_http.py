"""The HTTP port over `Network` streams: a small GET, so that simulated sessions announce to the tracker that ships.

One connection a request, bodies by length or by the end of the stream, the same bounds and the same lines of reason as
the production client. There is no TLS in a simulated world.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urljoin, urlsplit

from p2p.errors import NetworkError, TrackerError
from p2p.ids import Address
from p2p.net.http import MAX_REDIRECTS, RedirectedError
from p2p.net.stream_waits import readiness, send_all

if TYPE_CHECKING:
    from p2p.net.network import Network, Stream

REDIRECTS: Final = (301, 302, 303, 307, 308)

MAX_HEAD: Final = 65_536
"""Bytes of status line and headers."""

READ_SIZE: Final = 65_536


class SimHttp:
    """An `HttpClient` on any network."""

    __slots__ = ("_network",)

    def __init__(self, network: Network) -> None:
        self._network = network

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 -- the port's signature
        max_body: int,
        headers: dict[str, str] | None = None,
        local: str | None = None,
        redirects: int = MAX_REDIRECTS,
    ) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                for _ in range(redirects + 1):
                    answer = await self._exchange(url, max_body, headers or {}, local)
                    if isinstance(answer, bytes):
                        return answer
                    url = answer.url
        except TimeoutError as error:
            raise TrackerError(f"no answer within {timeout:g} s") from error
        except NetworkError as error:
            raise TrackerError(str(error)) from error
        raise RedirectedError(f"more than {redirects} redirects", url)

    async def close(self) -> None:
        """Nothing is kept between requests."""

    async def _exchange(self, url: str, max_body: int, headers: dict[str, str], local: str | None) -> bytes | _Redirect:
        parts, port = _parse(url)
        near = Address.parse(local, 0) if local is not None else None
        stream = await self._connect(parts.hostname or "", port, near)
        try:
            await send_all(stream, _request(parts, headers))
            return await _Answer(stream, url, max_body).read()
        finally:
            stream.close()

    async def _connect(self, host: str, port: int, local: Address | None) -> Stream:
        nothing = f"no address for {host}"
        try:
            addresses = await self._network.resolve(host, port)
        except NetworkError as error:
            raise TrackerError(nothing) from error
        failure = NetworkError(nothing)
        for address in addresses:
            if local is not None and address.is_ipv6 != local.is_ipv6:
                continue
            try:
                return await self._network.connect(address, local=local)
            except NetworkError as error:
                failure = error
        raise failure


class _Redirect:
    """Where the answer says to ask instead."""

    __slots__ = ("url",)

    def __init__(self, url: str) -> None:
        self.url = url


class _Answer:
    """An answer as it arrives."""

    __slots__ = ("_content", "_max_body", "_stream", "_url", "_view")

    def __init__(self, stream: Stream, url: str, max_body: int) -> None:
        self._stream = stream
        self._url = url
        self._max_body = max_body
        self._content = bytearray()
        self._view = memoryview(bytearray(READ_SIZE))

    async def read(self) -> bytes | _Redirect:
        while (end := self._content.find(b"\r\n\r\n")) < 0:
            if len(self._content) > MAX_HEAD:
                raise TrackerError("the answer is not HTTP")
            if not await self._more():
                raise TrackerError("the connection closed without an answer")
        if end > MAX_HEAD:
            raise TrackerError("the answer is not HTTP")
        status, headers = _parse_head(bytes(self._content[:end]))
        del self._content[: end + 4]
        if status in REDIRECTS:
            if "location" not in headers:
                raise TrackerError(f"HTTP {status} without a place to go to")
            return _Redirect(urljoin(self._url, headers["location"]))
        if status != 200:
            raise TrackerError(f"HTTP {status}")
        if "transfer-encoding" in headers or headers.get("content-encoding", "identity") != "identity":
            raise TrackerError("an encoding that was not asked for")
        if "content-length" in headers:
            return await self._read_length(headers["content-length"])
        while await self._more():
            self._check_size(len(self._content))
        return bytes(self._content)

    async def _read_length(self, text: str) -> bytes:
        if not (text.isascii() and text.isdigit() and len(text) <= 19):
            raise TrackerError("the answer is not HTTP")
        length = int(text)
        self._check_size(length)
        while len(self._content) < length:
            if not await self._more():
                raise TrackerError("the answer is cut short")
        return bytes(self._content[:length])

    def _check_size(self, size: int) -> None:
        if size > self._max_body:
            raise TrackerError(f"the answer is larger than {self._max_body} bytes")

    async def _more(self) -> int:
        """Wait for bytes and add them; 0 at the end of the stream."""
        while (count := self._stream.receive_into([self._view])) is None:
            await readiness(self._stream.on_readable)
        self._content += self._view[:count]
        return count


def _parse(url: str) -> tuple[SplitResult, int]:
    if any(character <= " " or character == "\x7f" for character in url):
        raise TrackerError("not a URL: it has blanks or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise TrackerError("not a URL") from error
    if parts.scheme != "http":
        raise TrackerError("only http is simulated")
    if not parts.hostname:
        raise TrackerError("not a URL: it names no host")
    return parts, port


def _request(parts: SplitResult, headers: dict[str, str]) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": "Starling", "Connection": "close", **headers}
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    version, _, status = first.partition(" ")
    if not version.startswith("HTTP/1.") or not (status[:3].isascii() and status[:3].isdigit()):
        raise TrackerError("the answer is not HTTP")
    headers = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(status[:3]), headers
