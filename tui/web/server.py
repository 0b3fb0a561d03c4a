"""textual-serve's server as a stranger may meet it: every request judged, a login before all, terminals counted.

The rules: name and origin are judged first (`tui.web.origin`), then the session; a socket is opened for who is logged
in alone, and closed with the session, after an hour without a key, or when what it sends is not a page's. All that a
page loads comes from here, and the policy that goes with it lets the browser ask nobody else. Without a password it
listens on loopback alone, and makes a key for this run. The only files it
gives are the few that pages are made of.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import jinja2
from aiohttp import WSCloseCode, WSMsgType, web
from textual_serve.server import Server

from p2p.daemon.access import is_loopback
from p2p.errors import ConfigError, NetworkError
from tui.web.login import LIFETIME, Locked, Login
from tui.web.origin import Asked, Reach, Refusal, is_encrypted
from tui.web.page_input import MOST_MESSAGE, bounded, page_input
from tui.web.terminal import STOP_BOUND, Terminal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tui.web.login import Session
    from tui.web.terminal import Command

log = logging.getLogger(__name__)

DEFAULT_PORT: Final = 9180

MOST_TERMINALS: Final = 8
"""At once: each is a process of some sixty megabytes."""

IDLE: Final = 3600.0
"""Seconds without a key or a move of the mouse after which a terminal is closed; what it showed is the daemon's."""

HEARTBEAT: Final = 15.0
"""Seconds between questions to a page whether it is there."""

MOST_BODY: Final = 8 * 1024
"""Bytes of a form: a password and its name."""

BODY_TIMEOUT: Final = 10.0
"""Seconds in which a form must be whole."""

IDLE_CONNECTION: Final = 75.0
"""Seconds between two requests on one connection."""

MOST_UNDER_WAY: Final = 64
"""Requests at once beside the sockets."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; font-src 'self'; img-src 'self' data:; "
    "style-src 'self'{styles}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY.format(styles=""),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "clipboard-read=(), camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TERMINAL_POLICY: Final = _POLICY.format(styles=" 'unsafe-inline'")
"""The terminal makes its style sheets itself; with all sources held to this server they can tell nobody anything."""

_OWN_FILES: Final = ("page.css", "terminal.css", "terminal.js", "starling.svg")
_THEIR_FILES: Final = {
    "textual.js": "js/textual.js",
    "xterm.css": "css/xterm.css",
    "roboto-mono.ttf": "fonts/RobotoMono-VariableFont_wght.ttf",
}
_ANEW: Final = ("max-age=0", "no-cache")
"""What browsers send of `Cache-Control` with a page that is loaded anew."""

_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where and for whom the interface is. `password` None means a key of this run instead, and loopback alone."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    names: tuple[str, ...] = ()
    """By which browsers may reach it, beside localhost and IP addresses."""

    password: str | None = None
    most_terminals: int = MOST_TERMINALS
    idle: float = IDLE

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        if self.password is None and not is_loopback(self.host):
            raise ConfigError(f"the interface on {self.host} would be open to others: give the daemon a password first")


class WebInterface(Server):
    """Serves while entered. `command` draws one terminal; `mint` makes an unguessable word at each call.

    Raises NetworkError where it cannot listen.
    """

    def __init__(self, settings: WebSettings, command: Command, mint: Callable[[], str]) -> None:
        super().__init__(" ".join(command.argv), host=settings.host, port=settings.port, title="Starling")
        self._settings = settings
        self._starts = command
        self._mint = mint
        self._key = None if settings.password is not None else mint()
        self._login = Login(settings.password or self._key or mint())
        self._reach = Reach(settings.names)
        self._sockets: dict[web.WebSocketResponse, Session] = {}
        self._left = asyncio.Event()
        """Set when a terminal has gone."""
        self._under_way = 0
        own = resources.files("tui.web").joinpath("pages")
        self._files = {name: Path(str(own.joinpath(name))) for name in _OWN_FILES}
        self._files |= {name: Path(self.statics_path) / place for name, place in _THEIR_FILES.items()}
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(str(own)), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._runner: web.AppRunner | None = None

    @property
    def link(self) -> str:
        """What to open on this machine, with the key of this run if there is one."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - a comparison
        place = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"
        return place if self._key is None else f"{place}?key={self._key}"

    @property
    def cookie(self) -> str:
        """Its name: cookies know no ports, and two of these on one machine must not log each other out."""
        return f"starling_{self.port}"

    async def __aenter__(self) -> WebInterface:
        runner = web.AppRunner(
            await self._make_app(),
            access_log=None,
            keepalive_timeout=IDLE_CONNECTION,
            shutdown_timeout=STOP_BOUND + 2.0,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError as error:
            await runner.cleanup()
            where = f"{self.host} port {self.port}"
            raise NetworkError(f"the interface cannot listen on {where}: {error.strerror or error}") from error
        self._runner = runner
        self.port = runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _make_app(self) -> web.Application:
        app = web.Application(client_max_size=MOST_BODY, middlewares=[self._judge])
        app.add_routes(
            [
                web.get("/", self._front),
                web.post("/login", self._log_in),
                web.get("/login", _to_front),
                web.post("/logout", self._log_out),
                web.get("/ws", self.handle_websocket),
                web.get("/files/{name}", self._file),
            ]
        )
        app.on_response_prepare.append(_add_headers)
        app.on_shutdown.append(self.on_shutdown)
        return app

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002 - theirs
        """Say to all pages that this goes; what they ran ends with them."""
        closing = [each.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops") for each in self._sockets]
        await asyncio.gather(*closing, return_exceptions=True)

    # -- who may

    @web.middleware
    async def _judge(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        asked = Asked.PAGE if request.method in ("GET", "HEAD") else Asked.CHANGE
        refusal = self._reach.refusal(Asked.SOCKET if request.path == "/ws" else asked, request.headers)
        if refusal is not None:
            status = HTTPStatus.MISDIRECTED_REQUEST if refusal is Refusal.NAME else HTTPStatus.FORBIDDEN
            return web.Response(status=status, text=f"{refusal.value}\n")
        if request.path == "/ws":
            return await handler(request)
        if self._under_way >= MOST_UNDER_WAY:
            return web.Response(status=503, text="too many requests at once\n")
        self._under_way += 1
        try:
            return await handler(request)
        finally:
            self._under_way -= 1

    def _session(self, request: web.Request) -> Session | None:
        return self._login.session_of(request.cookies.get(self.cookie, ""), _now())

    # -- pages

    async def _front(self, request: web.Request) -> web.StreamResponse:
        key = request.query.get("key")
        if key is not None and self._key is not None and self._session(request) is None:
            return await self._let_in(request, key)
        if request.query_string:  # which scripts of the terminal would look into
            return _see_other()
        session = self._session(request)
        if session is None:
            return self._page("login.html")
        # A page that is loaded anew goes away, and leaves the place of its terminal, once this answer is there.
        comes_again = request.headers.get("Cache-Control") in _ANEW and session in self._sockets.values()
        if self._is_full and not comes_again:
            return self._page("full.html", HTTPStatus.SERVICE_UNAVAILABLE)
        page = self._page("terminal.html")
        page.headers["Content-Security-Policy"] = _TERMINAL_POLICY
        return page

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != _FORM:
            raise web.HTTPUnsupportedMediaType
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                fields = parse_qs((await request.read()).decode("ascii"), max_num_fields=10)
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except ValueError:  # no ASCII, or too many fields
            raise web.HTTPBadRequest from None
        return await self._let_in(request, fields.get("password", [""])[0])

    async def _let_in(self, request: web.Request, given: str) -> web.StreamResponse:
        address = request.remote or ""
        try:
            right = self._login.is_right(given, address, _now())
        except Locked as locked:
            seconds = int(locked.seconds) + 1
            page = self._page("login.html", HTTPStatus.TOO_MANY_REQUESTS, f"Too many wrong ones. Wait {seconds} s.")
            page.headers["Retry-After"] = str(seconds)
            return page
        if not right:
            log.warning("a wrong password for the interface from %s", address)
            return self._page("login.html", HTTPStatus.FORBIDDEN, "That is not the password.")
        token = self._mint()
        ended = self._login.begin(token, _now())
        if ended is not None:
            await self._close(ended)
        answer = _see_other()
        answer.set_cookie(
            self.cookie,
            token,
            max_age=int(LIFETIME),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=is_encrypted(request.headers),
        )
        return answer

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        session = self._session(request)
        if session is not None:
            self._login.end(session)
            await self._close(session)
        answer = _see_other()
        answer.del_cookie(self.cookie, path="/")
        return answer

    async def _close(self, session: Session) -> None:
        """The terminals of a session that has ended."""
        for socket, whose in list(self._sockets.items()):
            if hmac.compare_digest(whose.mark, session.mark):
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"logged out")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = self._files.get(request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Cache-Control": "no-cache"})

    def _page(self, name: str, status: HTTPStatus = HTTPStatus.OK, alert: str = "") -> web.Response:
        text = self._pages.get_template(name).render(
            alert=alert, has_key=self._key is not None, most=self._settings.most_terminals
        )
        return web.Response(
            text=text, status=status, content_type="text/html", charset="utf-8", headers={"Cache-Control": "no-store"}
        )

    # -- terminals

    @property
    def _is_full(self) -> bool:
        return len(self._sockets) >= self._settings.most_terminals

    async def _has_room(self, session: Session) -> bool:
        """Whether there is a place; the page that had one of this login's may be leaving it right now."""
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * STOP_BOUND):
                while self._is_full and session in self._sockets.values():
                    self._left.clear()
                    await self._left.wait()
        return not self._is_full

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """A terminal for who is logged in, as long as there is room."""
        session = self._session(request)
        if session is None:
            raise web.HTTPUnauthorized(text="log in first\n")
        if not await self._has_room(session):
            raise web.HTTPServiceUnavailable(text="as many terminals are open as there may be\n")
        if self._session(request) is None:  # logged out meanwhile
            raise web.HTTPUnauthorized(text="log in first\n")
        try:
            size = bounded(request.query.get("width", "80"), request.query.get("height", "24"))
        except ValueError:
            raise web.HTTPBadRequest(text="a size is a whole number of cells\n") from None
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=MOST_MESSAGE, timeout=STOP_BOUND)
        self._sockets[socket] = session
        terminal = Terminal(
            self._starts,
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=socket.close,
            download_manager=self.download_manager,
        )
        try:
            await socket.prepare(request)
            await terminal.start(size.width, size.height)
            await self._listen(socket, terminal, session.ends)
        except OSError as error:  # no process more is to be had
            log.warning("the interface of a page did not start: %s", error.strerror or error)
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
        finally:
            try:
                await terminal.stop()
            finally:
                del self._sockets[socket]
                self._left.set()
        return socket

    async def _listen(self, socket: web.WebSocketResponse, terminal: Terminal, ends: float) -> None:
        until = _now() + self._settings.idle
        while True:
            try:
                async with asyncio.timeout_at(min(until, ends)):
                    message = await socket.receive()
            except TimeoutError:
                await socket.close(message=b"idle")
                return
            if message.type is not WSMsgType.TEXT:
                await socket.close(code=WSCloseCode.UNSUPPORTED_DATA)  # or it is closed already
                return
            try:
                said = page_input(message.data)
            except ValueError:
                await socket.close(code=WSCloseCode.POLICY_VIOLATION)
                return
            until = _now() + self._settings.idle
            await terminal.take(said)


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


async def _to_front(_: web.Request) -> web.StreamResponse:
    return _see_other()


def _see_other() -> web.Response:
    return web.Response(status=303, headers={"Location": "/", "Cache-Control": "no-store"})


def _now() -> float:
    return asyncio.get_running_loop().time()
