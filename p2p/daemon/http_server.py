"""The RPC over HTTP, and the pages beside it: who may call, the handshake against cross-site requests, and bounds.

The rule: checks come in the order in which Transmission makes them, since clients draw conclusions from the first that
fails: lock and address (403), OPTIONS, password (401), path, host name (421), token (409). A GET has no token either
and gets 409, from which clients learn it; the token stays the same as long as the process lives. Every body is bounded
in size and time, and so is the number of requests under way. Pages change nothing, so they need no token; requests that
a browser makes for a page of a stranger's are refused all the same. Who does not read a stream is cut off.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web
from yarl import URL

from p2p.codec.bencode import MAX_SIZE
from p2p.daemon.access import AllowedAddresses, AllowedHosts, Guesses, basic_credentials, is_loopback
from p2p.daemon.client_address import DEFAULT_PORT, RPC_PATH
from p2p.daemon.pages import EVENTS_TYPE, Pages
from p2p.daemon.rpc_errors import RpcError
from p2p.daemon.session_fields import RPC_VERSION_SEMVER
from p2p.errors import ConfigError, NetworkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from p2p.daemon.access import Login
    from p2p.daemon.pages import OpenStream, Query

log = logging.getLogger(__name__)


MAX_BODY: Final = 2 * MAX_SIZE
"""Bytes of a request: the largest torrent file that is read, in base64, and room around it."""

BODY_TIMEOUT: Final = 60.0
"""Seconds in which a request must be whole."""

IDLE_TIMEOUT: Final = 75.0
"""Seconds for the head of a request, and between two on one connection: who says nothing keeps no descriptor."""

MAX_UNDER_WAY: Final = 64
"""Requests at once: clients poll with one or two each."""

MAX_STREAMS: Final = 32
"""Streams at once, beside those: an interface has one."""

WRITE_TIMEOUT: Final = 30.0
"""Seconds in which the reader of a stream must take what it is sent."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds for answers under way at the end."""

LINGER: Final = 2.0
"""Seconds for the rest of a body that is not wanted, so that its sender gets to read why."""

TOKEN_HEADER: Final = "X-Transmission-Session-Id"  # noqa: S105 - a header's name
VERSION_HEADER: Final = "X-Transmission-Rpc-Version"


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where and for whom the RPC is. `login` is None where no password is asked for."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    login: Login | None = None
    addresses: tuple[str, ...] = ("127.0.0.0/8", "::1")
    """Networks and addresses that may call."""

    hosts: tuple[str, ...] = ()
    """Names beside localhost and IP addresses by which browsers may reach us; not looked at with a password."""

    origins: tuple[str, ...] = ()
    """Origins whose pages may call from a browser, besides our own."""


def token_of(secret: bytes) -> str:
    """The token of the handshake from random bytes: letters and digits alone, since clients cut it out of a text."""
    return hashlib.sha256(secret).hexdigest()[:48]


class HttpServer:
    """Serves `dispatch` (the bytes of a request in, those of the response out, or None) while entered.

    `token` is as `token_of` makes it; `secret` is random. Raises ConfigError for an address beyond loopback without a
    password, and NetworkError where nothing can be listened on.
    """

    def __init__(
        self,
        settings: HttpSettings,
        dispatch: Callable[[bytes], Awaitable[bytes | None]],
        *,
        token: str,
        secret: bytes,
        pages: Pages | None = None,
    ) -> None:
        if settings.login is None and not is_loopback(settings.host):
            raise ConfigError(f"the RPC on {settings.host} would be open to others: give it a password first")
        self._settings = settings
        self._dispatch = dispatch
        self._token = token
        self._secret = secret
        self._addresses = AllowedAddresses(settings.addresses)
        self._hosts = AllowedHosts(settings.hosts)
        self._guesses = Guesses()
        self._right: bytes | None = None
        """Of the credentials that were right the last time: the slow hash is for guessers."""
        self._checking = asyncio.Lock()
        self._under_way = 0
        self._pages = pages or Pages()
        self._streams: dict[asyncio.Task[object], None] = {}
        self._runner: web.AppRunner | None = None
        self.port = settings.port

    async def __aenter__(self) -> HttpServer:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=IDLE_TIMEOUT,
            shutdown_timeout=CLOSE_TIMEOUT,
            lingering_time=LINGER,
        )
        await runner.setup()
        site = web.TCPSite(runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            where = f"{self._settings.host} port {self._settings.port}"
            raise NetworkError(f"the RPC cannot listen on {where}: {error.strerror or error}") from error
        self._runner = runner
        self.port = runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for stream in self._streams:
            stream.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def take_up(self, settings: HttpSettings) -> None:
        """Let others call, or by another password, from now on. The place cannot change. Raises ConfigError."""
        if settings.login is None and not is_loopback(self._settings.host):
            raise ConfigError(f"the RPC on {self._settings.host} would be open to others without a password")
        addresses = AllowedAddresses(settings.addresses)
        self._settings = settings
        self._addresses, self._hosts = addresses, AllowedHosts(settings.hosts)
        self._right = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._under_way - len(self._streams) >= MAX_UNDER_WAY:
            return _refusal(503, "too many requests at once")
        self._under_way += 1
        try:
            return await self._answer(request)
        finally:
            self._under_way -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        settings, address = self._settings, request.remote or ""
        now = asyncio.get_running_loop().time()
        locked = 0.0 if settings.login is None else self._guesses.locked_for(address, now)
        if locked:
            return _refusal(403, "too many wrong passwords", {"Retry-After": str(int(locked) + 1)})
        if not self._addresses.allow(address):
            return _refusal(403, "your address is not on the list of those that may use this")
        if request.method == "OPTIONS":
            return web.Response(headers=self._cross_origin(request, _PREFLIGHT))
        path = request.path.rstrip("/")
        guarded = settings.login is not None and path not in self._pages.unguarded
        if guarded and settings.login is not None and not await self._is_known(request, settings.login, address):
            return _refusal(401, "a user and a password are needed", {"WWW-Authenticate": 'Basic realm="Starling"'})
        if path != RPC_PATH and path not in self._pages:
            return _refusal(404, f"there is nothing here; the RPC is at {RPC_PATH}")
        if settings.login is None and not self._hosts.allow(request.headers.get("Host", "")):
            return _refusal(421, "this name is not on the list of those that this is reached by")
        if path != RPC_PATH:
            return await self._page(request, path)
        given = request.headers.get(TOKEN_HEADER, "")
        if request.method != "POST" or not hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
            headers = {TOKEN_HEADER: self._token, VERSION_HEADER: RPC_VERSION_SEMVER}
            text = f"Send this header with your request:\n\n{TOKEN_HEADER}: {self._token}\n"
            return _refusal(409, text, self._cross_origin(request, headers))
        return await self._call(request)

    async def _call(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _refusal(413, f"a request has at most {MAX_BODY} bytes")
        except TimeoutError:
            return _refusal(408, f"the request was not whole after {BODY_TIMEOUT:.0f} s")
        except (web.RequestPayloadError, ValueError, ConnectionError):  # or nobody is there any more
            return _refusal(400, "the request's body is damaged")
        response = await self._dispatch(body)
        headers = self._cross_origin(request, {"Cache-Control": "no-store"})
        if response is None:
            return web.Response(status=204, headers=headers)
        return web.Response(body=response, content_type="application/json", charset="utf-8", headers=headers)

    async def _page(self, request: web.Request, path: str) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return _refusal(405, "this can only be read", {"Allow": "GET, HEAD"})
        if self._is_strange(request):
            return _refusal(403, "pages of other origins may not read this")
        query = {**request.query, "last_event_id": request.headers.get("Last-Event-ID", "")}
        try:
            stream = self._pages.streams.get(path)
            if stream is not None:
                return await self._stream(request, stream, query)
            document = self._pages.documents[path](query)
        except RpcError as error:
            return _refusal(400, str(error))
        headers = self._cross_origin(request, {"Cache-Control": "no-store", "Content-Type": document.content_type})
        return web.Response(body=document.body, status=document.status, headers=headers)

    def _is_strange(self, request: web.Request) -> bool:
        """Whether a browser asks for a page of somebody else's."""
        origin = request.headers.get("Origin")
        if origin is None:
            return request.headers.get("Sec-Fetch-Site") == "cross-site"
        try:
            own = URL(origin).authority == request.headers.get("Host")
        except ValueError:
            own = False
        return not own and origin not in self._settings.origins

    async def _stream(self, request: web.Request, stream: OpenStream, query: Query) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is None or len(self._streams) >= MAX_STREAMS:
            return _refusal(503, "too many streams at once")
        headers = {"Content-Type": EVENTS_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=self._cross_origin(request, headers))
        self._streams[task] = None
        try:
            with stream(query) as pieces:
                await response.prepare(request)
                async for piece in pieces:
                    async with asyncio.timeout(WRITE_TIMEOUT):
                        await response.write(piece)
        except (TimeoutError, ConnectionError):  # who does not read, or is gone
            if request.transport is not None:
                request.transport.abort()
        finally:
            del self._streams[task]
        return response

    async def _is_known(self, request: web.Request, login: Login, address: str) -> bool:
        """Whether the request has the right password. Of several guesses at once one is looked at at a time."""
        credentials = basic_credentials(request.headers.get("Authorization", ""))
        if credentials is None:
            return False
        mark = hmac.digest(self._secret, "\0".join(credentials).encode("utf-8", "surrogatepass"), "sha256")
        if self._right is not None and hmac.compare_digest(mark, self._right):
            return True
        async with self._checking:
            now = asyncio.get_running_loop().time
            if self._guesses.locked_for(address, now()):  # by a guess that was looked at meanwhile
                return False
            if await asyncio.to_thread(login.matches, *credentials):
                self._right = mark
                self._guesses.on_right(address)
                return True
            self._guesses.on_wrong(address, now())
            log.warning("a wrong password for the RPC from %s", address)
            return False

    def _cross_origin(self, request: web.Request, headers: dict[str, str]) -> dict[str, str]:
        """`headers`, with those that let a page of an allowed origin read the answer (CORS)."""
        origin = request.headers.get("Origin")
        if origin is None or origin not in self._settings.origins:
            return headers
        exposed = f"{TOKEN_HEADER}, {VERSION_HEADER}"
        return {
            **headers,
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": exposed,
            "Vary": "Origin",
        }


_PREFLIGHT: Final = {
    "Allow": "GET, POST, OPTIONS",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": f"Authorization, Content-Type, {TOKEN_HEADER}",
    "Access-Control-Max-Age": "600",
}


def _refusal(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text, headers=headers)
