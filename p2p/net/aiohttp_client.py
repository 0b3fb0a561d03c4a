"""The HTTP port in production: one door to aiohttp, where every failure becomes a line of reason.

The rule: nothing a tracker answers costs more than the caller allowed. The body is cut off at `max_body` while it
arrives, compressed or not, and one clock bounds name, connection, redirects and body together. No cookies are kept, no
proxy is taken from the environment, and a URL is sent byte for byte as the torrent gives it: passkeys depend on it.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import zlib
from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

from p2p.errors import NetworkError, TrackerError
from p2p.net.http import MAX_REDIRECTS, RedirectedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from p2p.net.http_hold import HttpHold

REDIRECTS: Final = (301, 302, 303, 307, 308)

MAX_SESSIONS: Final = 8
"""Local addresses with a pool of connections each; a host that announces from more than these closes the oldest."""

READ_SIZE: Final = 65_536

MAX_REASON: Final = 200
"""Characters of a reason that others wrote, so that it stays one line."""

GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


class AiohttpClient:
    """An `HttpClient`. Makes its sessions at the first use, on the running loop; `close` ends them for good.

    With `hold` every connection goes by one interface (see `HttpHold`).
    """

    def __init__(self, *, user_agent: str = "Starling", hold: HttpHold | None = None) -> None:
        self._user_agent = user_agent
        self._hold = hold
        self._held_at = None if hold is None else hold.addresses
        self._sessions: dict[str | None, aiohttp.ClientSession] = {}
        self._closed = False

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
        if self._closed:
            raise TrackerError("the client is closed")
        target = _parse(url)
        try:
            async with asyncio.timeout(timeout):
                session = await self._session(local)
                return await _follow(session, target, max_body, headers or {}, local, redirects)
        except TimeoutError as error:
            raise TrackerError(f"no answer within {timeout:g} s") from error
        except NetworkError as error:
            raise TrackerError(str(error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TrackerError(reason_of(error)) from error

    async def close(self) -> None:
        self._closed = True
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def _session(self, local: str | None) -> aiohttp.ClientSession:
        hold = self._hold
        if hold is not None:
            hold.require()
            if hold.addresses != self._held_at:  # what is connected from an address that is gone is of no use
                self._held_at = hold.addresses
                stale, self._sessions = self._sessions, {}
                for each in stale.values():
                    await each.close()
        session = self._sessions.get(local)
        if session is None:
            family = socket.AF_UNSPEC
            if local is not None:
                family = socket.AF_INET6 if ":" in local else socket.AF_INET
            session = self._sessions[local] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    family=family,
                    local_addr=(local, 0) if local is not None and hold is None else None,
                    limit=0,
                    socket_factory=None if hold is None else hold.open,
                    resolver=None if hold is None else hold,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                trust_env=False,
            )
            if len(self._sessions) > MAX_SESSIONS:
                await self._sessions.pop(next(iter(self._sessions))).close()
        return session


async def _follow(
    session: aiohttp.ClientSession,
    url: URL,
    max_body: int,
    headers: dict[str, str],
    local: str | None,
    redirects: int,
) -> bytes:
    place = str(url)
    for left in range(redirects, -1, -1):
        _require_family(url, local)
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status in REDIRECTS:
                location = response.headers.get("Location")
                if location is None:
                    raise TrackerError(f"HTTP {response.status} without a place to go to")
                place = str(url.join(URL(location, encoded=True)))
                url = _parse(place) if left else url
            elif response.status != 200:
                raise TrackerError(f"HTTP {response.status}")
            else:
                return await _read_body(response, max_body)
    raise RedirectedError(f"more than {redirects} redirects", place)


async def _read_body(response: aiohttp.ClientResponse, max_body: int) -> bytes:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    pieces = response.content.iter_chunked(READ_SIZE)
    if encoding in {"", "identity"}:
        return await _read_plain(pieces, max_body)
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return await _read_compressed(pieces, max_body)
    raise TrackerError("a content encoding that was not asked for")


async def _read_plain(pieces: AsyncIterator[bytes], max_body: int) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > max_body:
            raise _too_large(max_body)
    return bytes(body)


async def _read_compressed(pieces: AsyncIterator[bytes], max_body: int) -> bytes:
    inflater = zlib.decompressobj(GZIP_OR_ZLIB)
    body = bytearray()
    taken = 0
    try:
        async for piece in pieces:
            taken += len(piece)
            body += inflater.decompress(piece, max_body + 1 - len(body))
            if len(body) > max_body or taken > max_body:
                raise _too_large(max_body)
    except zlib.error as error:
        raise TrackerError("a compressed body that is damaged") from error
    if not inflater.eof:
        raise TrackerError("a compressed body that is cut short")
    return bytes(body)


def _parse(url: str) -> URL:
    if any(character <= " " or character == "\x7f" for character in url):
        raise TrackerError("not a URL: it has blanks or control characters")
    try:
        parsed = URL(url, encoded=True)
        if parsed.scheme not in {"http", "https"}:
            raise TrackerError("only http and https are followed")
        if not parsed.host or parsed.port is None:
            raise TrackerError("not a URL: it names no host")
    except ValueError as error:
        raise TrackerError("not a URL") from error
    return parsed


def _require_family(url: URL, local: str | None) -> None:
    """Raises TrackerError for an address that cannot be reached from `local`, on which aiohttp fails an assertion."""
    try:
        is_ipv6 = ":" in str(ipaddress.ip_address(url.host or ""))
    except ValueError:  # a name
        return
    if local is not None and is_ipv6 != (":" in local):
        raise TrackerError(f"{url.host} is not reached from {local}")


def _too_large(max_body: int) -> TrackerError:
    return TrackerError(f"the answer is larger than {max_body} bytes")


def reason_of(error: Exception) -> str:
    """One line that says why a request failed."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"no address for {error.host}"
        case aiohttp.ClientConnectorCertificateError():
            return f"TLS certificate: {_one_line(str(error.certificate_error))}"
        case aiohttp.ClientSSLError():
            return f"TLS: {_one_line(str(error.os_error))}"
        case aiohttp.ClientConnectorError():
            return _os_reason(error.os_error)
        case aiohttp.ServerDisconnectedError():
            return "the connection closed without an answer"
        case aiohttp.ClientPayloadError():
            return "the answer is cut short"
        case aiohttp.ClientResponseError():
            return "the answer is not HTTP"
        case UnicodeError():
            return "not a host name"
        case OSError():
            return _os_reason(error)
        case _:
            return _one_line(str(error)) or type(error).__name__


def _os_reason(error: OSError) -> str:
    if error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno).lower()
    return _one_line(str(error)).lower()  # asyncio joins the failures of several addresses into a text without number


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_REASON]
