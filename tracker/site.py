"""The tracker's pages: which path answers what, and to whom.

The rules: an address of [admin] bind is the operator's and shows everything; at the HTTP port the status page is for
everybody, `/metrics` and `/stats` for the networks of [admin] allow. A request that says it came through a proxy is
taken for what the proxy says if the proxy is trusted, and else for a stranger. In private mode nothing of the swarms is
shown to who is not logged in, and tries to log in count as guesses of passkeys.
"""

from __future__ import annotations

import ipaddress
import json
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs

from p2p.errors import TrackerError
from p2p.ids import Address
from tracker import page_session
from tracker.figures import stats_json
from tracker.metrics import CONTENT_TYPE, metrics_text
from tracker.page_server import PageAnswer, PageRequest, plain_answer
from tracker.status_page import SHOWN_SWARMS, Note, StatusPage

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.operation.config_values import IpNetwork
    from tracker.config import AdminConfig
    from tracker.figures import Facts
    from tracker.private.summary import MemberSummary
    from tracker.proxies import Proxies

_HTML: Final = "text/html; charset=utf-8"
_NO_STORE: Final = ("Cache-Control", "no-store")
_FORM: Final = "application/x-www-form-urlencoded"


class Register(Protocol):
    """Where members are asked for: the gate of a private tracker."""

    def log_in(self, passkey: str, source: Address, now: float) -> int:
        """The member's number. Raises TrackerError for a wrong passkey, a disabled member, too many guesses."""

    def mark(self, member_id: int) -> bytes | None:
        """What changes when sessions must end; None for who is no active member."""

    def summary(self, member_id: int, now: float) -> MemberSummary | None:
        """What a member may see of itself; None for no member."""


class Site:
    """Answers requests for pages. `wall` is seconds since the epoch; no `register` means an open tracker."""

    def __init__(
        self,
        facts: Facts,
        *,
        admin: AdminConfig,
        proxies: Proxies,
        register: Register | None,
        secret: bytes,
        wall: Callable[[], float],
    ) -> None:
        self._facts = facts
        self._admin = admin
        self._proxies = proxies
        self._register = register
        self._key = page_session.key_of(secret)
        self._wall = wall
        self._page = StatusPage()
        self._style = resources.files("tracker").joinpath("pages/status.css").read_bytes()

    def apply(self, admin: AdminConfig) -> None:
        """New settings of a reload."""
        self._admin = admin

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
        member = self._logged_in(request, self._register)
        summary = None if member is None else self._register.summary(member, self._wall())
        return _page(self._page.login(figures) if summary is None else self._page.member(figures, summary))

    def _logged_in(self, request: PageRequest, register: Register) -> int | None:
        cookie = page_session.cookie_in(request.headers.get("cookie", ""))
        session = None if cookie is None else page_session.read(cookie)
        if cookie is None or session is None:
            return None
        mark = register.mark(session.member)
        if mark is None or not page_session.is_genuine(cookie, mark, self._key, self._wall()):
            return None
        return session.member

    async def _log_in(self, request: PageRequest, register: Register) -> PageAnswer:
        if _is_foreign(request) or not request.headers.get("content-type", "").startswith(_FORM):
            return plain_answer(HTTPStatus.FORBIDDEN)
        now = self._wall()
        source = Address(self._client(request) or request.source.host, request.source.port)
        try:
            member = register.log_in(_form_field(request.body, "passkey").strip(), source, now)
        except TrackerError as error:
            figures = await self._facts.figures()
            return _page(self._page.login(figures, [Note(f"{error}.", bad=True)]), HTTPStatus.FORBIDDEN)
        mark = register.mark(member)
        if mark is None:
            return plain_answer(HTTPStatus.FORBIDDEN)
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
        """The host that asks; None where a proxy does not tell, or one that is not trusted says that it asks for
        somebody."""
        forwarded_for, forwarded = request.headers.get("x-forwarded-for"), request.headers.get("forwarded")
        host = request.source.host
        if forwarded_for is None and forwarded is None:
            return host
        if host not in self._proxies:
            return None
        try:
            return self._proxies.asker(host, forwarded_for, forwarded)
        except TrackerError:
            return None

    def _is_secure(self, request: PageRequest) -> bool:
        proxied = request.source.host in self._proxies
        return proxied and request.headers.get("x-forwarded-proto", "").lower() == "https"


def _page(body: bytes, status: HTTPStatus = HTTPStatus.OK) -> PageAnswer:
    return PageAnswer(status, _HTML, body, (_NO_STORE,))


def _to_front(cookie: str | None = None) -> PageAnswer:
    headers = [("Location", "/"), _NO_STORE]
    if cookie is not None:
        headers.append(("Set-Cookie", cookie))
    return PageAnswer(HTTPStatus.SEE_OTHER, "text/plain; charset=utf-8", b"", tuple(headers))


def _is_foreign(request: PageRequest) -> bool:
    """Whether a page of another site sent this form. Browsers that do not tell of sites tell of origins."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host")


def _form_field(body: bytes, name: str) -> str:
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError:  # no ASCII, or too many fields
        return ""
    return fields.get(name, [""])[0]


def _is_in(host: str, networks: tuple[IpNetwork, ...]) -> bool:
    address = ipaddress.ip_address(host)
    return any(address in network for network in networks)
