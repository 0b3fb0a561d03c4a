"""Calls to an HTTP server whose answers matter whatever their status: those of an RPC, and streams that go on for good.

The rule: nothing waits for ever and nothing grows without bound. One clock bounds a whole call, another the silence in
a stream; bodies and lines are cut off where the caller says. Redirects are not followed, since they would carry a
password elsewhere; no cookies are kept, and no proxy is taken from the environment.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp

from p2p.errors import NetworkError
from p2p.net.aiohttp_client import reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

READ_SIZE: Final = 65_536

CONNECTIONS: Final = 8
"""At once, to one server: what one interface asks in parallel, and its streams."""


class SlowServerError(NetworkError):
    """No answer in time."""


class LargeAnswerError(NetworkError):
    """More than was to be taken."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`headers` has lower-case names; of several with one name the last."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class LineStream:
    """The lines of a body as they come. `reply` has the status and headers alone."""

    def __init__(self, reply: Reply, response: aiohttp.ClientResponse, *, silence: float, max_line: int) -> None:
        self.reply = reply
        self._response = response
        self._silence = silence
        self._max_line = max_line

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """Lines without their ends, until the server closes. Raises NetworkError, SlowServerError after too long a
        silence and LargeAnswerError for too long a line."""
        rest = b""
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    more = await self._response.content.readany()
                if not more:
                    return
                *lines, rest = (rest + more).split(b"\n")
                for line in lines:
                    yield line.removesuffix(b"\r")
                if len(rest) > self._max_line:
                    raise LargeAnswerError(f"a line is longer than {self._max_line} bytes")
        except TimeoutError as error:
            raise SlowServerError(f"silent for {self._silence:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NetworkError(reason_of(error)) from error


class HttpCalls:
    """An async context manager; see the module's head. `connect_timeout` is seconds to be connected."""

    def __init__(self, *, user_agent: str, connect_timeout: float = 10.0) -> None:
        self._user_agent = user_agent
        self._connect_timeout = connect_timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpCalls:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise NetworkError("the client is closed")
        return self._session

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - the caller gets one kind of error
        max_body: int,
    ) -> Reply:
        """The answer, of any status. `timeout` bounds all of it, in seconds; `max_body` is bytes.

        Raises NetworkError with one line of reason, and its kinds above.
        """
        try:
            async with (
                asyncio.timeout(timeout),
                self._open.request(method, url, headers=headers, data=body, allow_redirects=False) as response,
            ):
                return await _whole(response, max_body)
        except TimeoutError as error:
            raise SlowServerError(f"no answer within {timeout:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NetworkError(reason_of(error)) from error

    @asynccontextmanager
    async def lines(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - as above
        silence: float,
        max_line: int,
    ) -> AsyncIterator[LineStream]:
        """The lines of an answer that does not end. `timeout` bounds its beginning, `silence` each wait for more."""
        try:
            async with asyncio.timeout(timeout):
                response = await self._open.get(url, headers=headers, allow_redirects=False)
        except TimeoutError as error:
            raise SlowServerError(f"no answer within {timeout:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NetworkError(reason_of(error)) from error
        try:
            reply = Reply(response.status, _headers(response), b"")
            yield LineStream(reply, response, silence=silence, max_line=max_line)
        finally:
            response.close()


async def _whole(response: aiohttp.ClientResponse, max_body: int) -> Reply:
    body = bytearray()
    async for piece in response.content.iter_chunked(READ_SIZE):
        body += piece
        if len(body) > max_body:
            raise LargeAnswerError(f"the answer is larger than {max_body} bytes")
    return Reply(response.status, _headers(response), bytes(body))


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
