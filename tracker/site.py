"""The tracker's pages: which path answers what, and to whom.

The rules: an address of [admin] bind is the operator's and shows everything; at the HTTP port the status page is for
everybody, `/metrics` and `/stats` for the networks of [admin] allow. A request that says it came through a proxy is
taken for what the proxy says if the proxy is trusted, and else for a stranger. In private mode nothing of the swarms is
shown to who is not logged in, and tries to log in count as guesses of passkeys.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs

from tracker import page_session
from tracker.figures import stats_json
from tracker.metrics import CONTENT_TYPE, metrics_text
from tracker.page_server import PageAnswer, PageRequest, plain_answer
from tracker.private.guesses import GuessLimiter, network_of
from tracker.status_page import SHOWN_SWARMS, Note, StatusPage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.config import AdminConfig
    from tracker.config_values import IpNetwork
    from tracker.figures import Facts
    from tracker.private.rules import GuessRules
    from tracker.status_page import MemberStanding

_HTML: Final = "text/html; charset=utf-8"
_NO_STORE: Final = ("Cache-Control", "no-store")
_FORM: Final = "application/x-www-form-urlencoded"


class Register(Protocol):
    """Where members are asked for."""

    async def log_in(self, passkey: str) -> int | None:
        """The active member that a passkey opens."""

    async def mark(self, member: int) -> bytes | None:
        """What changes when a session must end; None for who is no active member."""

    async def standing(self, member: int) -> MemberStanding:
        """For the page. Raises RegisterError for no member."""


class Site:
    """Answers requests for pages. `wall` is seconds since the epoch; no `register` means an open tracker."""

    def __init__(
        self,
        facts: Facts,
        *,
        admin: AdminConfig,
        proxies: tuple[IpNetwork, ...],
        register: Register | None,
        guesses: GuessRules,
        secret: bytes,
        wall: Callable[[], float],
    ) -> None:
        self._facts = facts
        self._admin = admin
        self._proxies = proxies
        self._register = register
        self._limiter = GuessLimiter(guesses)
        self._key = page_session.key_of(secret)
        self._wall = wall
        self._page = StatusPage()
        self._style = resources.files("tracker").joinpath("pages/status.css").read_bytes()

    def apply(self, admin: AdminConfig, guesses: GuessRules) -> None:
        """New settings of a reload."""
        self._admin = admin
        self._limiter.set_rules(guesses)

    async def answer(self, request: PageRequest) -> PageAnswer:
        """See the module's head."""
        is_post = request.method == "POST"
        match request.path:
            case "/metrics" if not is_post and self._is_operator(request):
                return PageAnswer(HTTPStatus.OK, CONTENT_TYPE, metrics_text(await self._facts.figures()), (_NO_STORE,))
            case "/stats" if not is_post and self._is_operator(request):
                body = json.dumps(stats_json(await self._facts.figures())).encode() + b"\n"
                return PageAnswer(HTTPStatus.OK, "application/json", body, (_NO_STORE,))
            case "/metrics" | "/stats":
                return plain_answer(HTTPStatus.FORBIDDEN, "for the operator alone: see [admin] in the configuration")
        if not self._admin.status_page and not request.admin:
            return plain_answer(HTTPStatus.NOT_FOUND)
        match request.path, is_post:
            case "/", False:
                return await self._front(request)
            case "/status.css", False:
                cache = ("Cache-Control", "max-age=3600")
                return PageAnswer(HTTPStatus.OK, "text/css; charset=utf-8", self._style, (cache,))
            case "/login", True if self._register is not None:
                return await self._log_in(request, self._register)
            case "/logout", True if self._register is not None:
                return self._log_out(request)
            case "/login" | "/logout", False if self._register is not None:
                return _to_front()
        return plain_answer(HTTPStatus.NOT_FOUND)

    async def _front(self, request: PageRequest) -> PageAnswer:
        figures = await self._facts.figures()
        if self._register is None:
            return _page(self._page.open_tracker(figures, await self._facts.busiest(SHOWN_SWARMS)))
        member = await self._logged_in(request, self._register)
        if member is None:
            return _page(self._page.login(figures))
        return _page(self._page.member(figures, await self._register.standing(member)))

    async def _logged_in(self, request: PageRequest, register: Register) -> int | None:
        cookie = page_session.cookie_in(request.headers.get("cookie", ""))
        session = None if cookie is None else page_session.read(cookie)
        if cookie is None or session is None:
            return None
        mark = await register.mark(session.member)
        if mark is None or not page_session.is_genuine(cookie, mark, self._key, self._wall()):
            return None
        return session.member

    async def _log_in(self, request: PageRequest, register: Register) -> PageAnswer:
        if _is_foreign(request) or not request.headers.get("content-type", "").startswith(_FORM):
            return plain_answer(HTTPStatus.FORBIDDEN)
        now = self._wall()
        network = network_of(self._client(request) or request.source.host)
        figures = await self._facts.figures()
        if self._limiter.is_stopped(network, now):
            note = Note("Too many wrong passkeys came from your network. Wait some minutes.", bad=True)
            return _page(self._page.login(figures, [note]), HTTPStatus.TOO_MANY_REQUESTS)
        passkey = _form_field(request.body, "passkey").strip()
        member = await register.log_in(passkey)
        mark = None if member is None else await register.mark(member)
        if member is None or mark is None:
            self._limiter.on_wrong(network, hashlib.blake2b(passkey.encode(), digest_size=16).digest(), now)
            return _page(
                self._page.login(figures, [Note("No member has this passkey.", bad=True)]), HTTPStatus.FORBIDDEN
            )
        session = page_session.Session(member, int(now + page_session.LIFETIME))
        value = page_session.sign(session, mark, self._key)
        return _to_front(page_session.set_cookie(value, seconds=page_session.LIFETIME, secure=self._is_secure(request)))

    def _log_out(self, request: PageRequest) -> PageAnswer:
        if _is_foreign(request):
            return plain_answer(HTTPStatus.FORBIDDEN)
        return _to_front(page_session.set_cookie("", seconds=0, secure=self._is_secure(request)))

    def _is_operator(self, request: PageRequest) -> bool:
        if request.admin:
            return True
        client = self._client(request)
        return client is not None and _is_in(client, self._admin.allow)

    def _client(self, request: PageRequest) -> str | None:
        """The host that asks; None where a proxy that is not trusted says that it asks for somebody."""
        forwarded = request.headers.get("x-forwarded-for")
        if forwarded is None:
            return None if "forwarded" in request.headers else request.source.host
        if not _is_in(request.source.host, self._proxies):
            return None
        # Each proxy appends whom it saw; the last that is no proxy of ours is the client.
        for text in reversed(forwarded.split(",")):
            try:
                host = str(ipaddress.ip_address(text.strip()))
            except ValueError:
                return None
            if not _is_in(host, self._proxies):
                return host
        return None

    def _is_secure(self, request: PageRequest) -> bool:
        proxied = _is_in(request.source.host, self._proxies)
        return proxied and request.headers.get("x-forwarded-proto", "").lower() == "https"


def _page(body: bytes, status: HTTPStatus = HTTPStatus.OK) -> PageAnswer:
    return PageAnswer(status, _HTML, body, (_NO_STORE,))


def _to_front(cookie: str | None = None) -> PageAnswer:
    headers = [("Location", "/"), _NO_STORE]
    if cookie is not None:
        headers.append(("Set-Cookie", cookie))
    return PageAnswer(HTTPStatus.SEE_OTHER, "text/plain; charset=utf-8", b"", tuple(headers))


def _is_foreign(request: PageRequest) -> bool:
    """Whether a page of another site sent this form; browsers that are too old to say so send no cookie along."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _form_field(body: bytes, name: str) -> str:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError:  # no ASCII, or too many fields
        return ""
    return fields.get(name, [""])[0]


def _is_in(host: str, networks: tuple[IpNetwork, ...]) -> bool:
    address = ipaddress.ip_address(host)
    return any(address in network for network in networks)
