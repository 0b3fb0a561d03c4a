"""The pages over HTTP on real loopback: who is told what, sessions that hold and end, and clients that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json

import pytest

from p2p.errors import TrackerError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from tracker import page_server, page_session
from tracker.config import AdminConfig
from tracker.figures import Figures, Traffic
from tracker.page_server import PageServer, is_page
from tracker.page_session import Session
from tracker.private.summary import MemberSummary
from tracker.proxies import Proxies
from tracker.site import Site
from tracker.store import Totals

SECRET = b"s" * 32
KEY = "k" * 32
NOW = 1_000_000.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Facts:
    async def figures(self):
        totals = Totals(torrents=1, peers=2, seeders=1)
        return Figures(version="1", started=NOW - 60, now=NOW, workers=1, totals=totals, traffic=Traffic(),
                       announce_rate=0.0, scrape_rate=0.0)  # fmt: skip

    async def busiest(self, limit):
        return []


class Members:
    """One member, 7, whose passkey is KEY."""

    def __init__(self):
        self.now_mark = b"first"
        self.asked = []

    def log_in(self, passkey, source, now):
        self.asked.append(source.host)
        if passkey != KEY:
            raise TrackerError("Passkey not found")
        return 7

    def mark(self, member_id):
        return self.now_mark if member_id == 7 else None

    def summary(self, member_id, now):
        return MemberSummary(
            name="<alice>", is_active=True, uploaded=1, downloaded=2, actual_uploaded=1, actual_downloaded=2, ratio=0.5,
            minimum_ratio=0.4, seed_time=0.0, finished=0, no_download=None, ratio_grace_until=None,
            freeleech_until=None, double_upload_until=None, slots=0, warnings=(), duties=(), active=(),
        )  # fmt: skip


@contextlib.asynccontextmanager
async def serving(*, register=None, proxies=(), admin_port=True, wall=lambda: NOW, **admin):
    """A server of pages at two addresses: the first as the HTTP frontend hands over, the second the operator's."""
    networks = Proxies(tuple(map(ipaddress.ip_network, proxies)))
    allow = tuple(map(ipaddress.ip_network, admin.pop("allow", ("127.0.0.1",))))
    config = AdminConfig(allow=allow, **admin)
    site = Site(Facts(), admin=config, proxies=networks, register=register, secret=SECRET, wall=wall)
    server = PageServer(site.answer, networks)
    network = AsyncioNetwork()
    public = await network.listen(Address("127.0.0.1", 0), lambda stream: server.adopt(stream, b""))
    await server.open(network, Address("127.0.0.1", 0))
    try:
        yield public.local, server.addresses[0]
    finally:
        public.close()
        await server.close()


async def send(place, raw):
    """All that comes back until the other side closes."""
    reader, writer = await asyncio.open_connection(*place)
    try:
        writer.write(raw)
        return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def ask(place, path, method="GET", body="", **headers):
    """Status, header fields and body."""
    fields = {"Host": "t", "Connection": "close", "Content-Length": str(len(body)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    answer = await send(place, ("\r\n".join(lines) + "\r\n\r\n" + body).encode())
    head, _, content = answer.decode().partition("\r\n\r\n")
    status, *rest = head.split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in rest), content


async def log_in(place, passkey=KEY, **headers):
    return await ask(place, "/login", "POST", f"passkey={passkey}", **{**FORM, **headers})


def cookie_of(fields):
    return fields["Set-Cookie"].partition(";")[0]


async def test_everybody_sees_the_page_and_the_allowed_the_numbers():
    async with serving(allow=("192.0.2.0/24",)) as (public, admin):
        assert (await ask(public, "/"))[0] == 200
        for path in ("/metrics", "/stats"):
            assert (await ask(public, path))[0] == 403
            assert (await ask(admin, path))[0] == 200
    async with serving() as (public, _):
        assert json.loads((await ask(public, "/stats?x=1"))[2])["peers"] == 2


async def test_the_page_may_be_off_but_for_the_operator():
    async with serving(status_page=False) as (public, admin):
        assert [(await ask(place, "/"))[0] for place in (public, admin)] == [404, 200]
        assert (await ask(public, "/stats"))[0] == 200


async def test_a_proxy_is_believed_if_it_is_trusted_and_else_nobody_is_the_operator():
    forwarded = {"X_Forwarded_For": "203.0.113.9"}
    async with serving() as (public, _):
        assert (await ask(public, "/stats", **forwarded))[0] == 403
        assert (await ask(public, "/stats", Forwarded="for=203.0.113.9"))[0] == 403
    async with serving(proxies=("127.0.0.1",), allow=("203.0.113.9",)) as (public, _):
        assert (await ask(public, "/stats", **forwarded))[0] == 200
        assert (await ask(public, "/stats", X_Forwarded_For="203.0.113.9, 198.51.100.1"))[0] == 403
        assert (await ask(public, "/stats", X_Forwarded_For="198.51.100.1, 203.0.113.9"))[0] == 200
        assert (await ask(public, "/stats", X_Forwarded_For="nonsense"))[0] == 403
        assert (await ask(public, "/stats", X_Forwarded_For="203.0.113.9:4711"))[0] == 200
        assert (await ask(public, "/stats", X_Forwarded_For="::ffff:203.0.113.9"))[0] == 200
        assert (await ask(public, "/stats", Forwarded='for="203.0.113.9:4711"'))[0] == 200
        # One of the two is the client's own word, and so is the first of two fields.
        assert (await ask(public, "/stats", Forwarded="for=198.51.100.1", **forwarded))[0] == 403
        twice = {"X-Forwarded-For": "203.0.113.9", "x-forwarded-for": "198.51.100.1"}
        assert (await ask(public, "/stats", **twice))[0] == 403


async def test_a_list_that_comes_in_two_fields_is_one():
    async with serving(proxies=("127.0.0.1",), allow=("203.0.113.9",)) as (public, _):
        fields = {"X-Forwarded-For": "203.0.113.9", "x-forwarded-for": "127.0.0.1"}
        assert (await ask(public, "/stats", **fields))[0] == 200


async def test_every_answer_forbids_what_the_page_does_not_need():
    async with serving(register=Members()) as (public, _):
        for path in ("/", "/status.css", "/stats", "/nothing", "/login"):
            fields = (await ask(public, path))[1]
            assert fields["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
            assert "frame-ancestors 'none'" in fields["Content-Security-Policy"]
            assert fields["X-Content-Type-Options"] == "nosniff"


async def test_a_session_lasts_and_ends():
    members, times = Members(), [NOW]
    async with serving(register=members, wall=lambda: times[0]) as (public, _):
        assert "&lt;alice&gt;" not in (await ask(public, "/"))[2]
        status, fields, _ = await log_in(public)
        assert (status, fields["Location"]) == (303, "/")
        assert fields["Set-Cookie"].endswith("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict")
        cookie = cookie_of(fields)
        assert "&lt;alice&gt;'s standing" in (await ask(public, "/", Cookie=f"a=b; {cookie}"))[2].replace("&#39;", "'")
        members.now_mark = b"another"
        assert "&lt;alice&gt;" not in (await ask(public, "/", Cookie=cookie))[2]
        members.now_mark = None
        assert "&lt;alice&gt;" not in (await ask(public, "/", Cookie=cookie))[2]
        members.now_mark, times[0] = b"first", NOW + page_session.LIFETIME
        assert "&lt;alice&gt;" not in (await ask(public, "/", Cookie=cookie))[2]
        status, fields, _ = await ask(public, "/logout", "POST", Cookie=cookie)
        assert (status, cookie_of(fields)) == (303, "starling_session=")
        assert "Max-Age=0" in fields["Set-Cookie"]


def test_a_cookie_that_was_altered_is_none():
    key = page_session.key_of(SECRET)
    value = page_session.sign(Session(7, int(NOW + 1)), b"mark", key)
    assert page_session.is_genuine(value, b"mark", key, NOW)
    assert not page_session.is_genuine(value, b"mark", page_session.key_of(b"t" * 32), NOW)
    assert not page_session.is_genuine(value, b"mar", key, NOW)
    for at in range(0, len(value) - 1, 5):
        other = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
        assert not page_session.is_genuine(other, b"mark", key, NOW)
    for nonsense in ("", "x", "=" * 40, "ü", value + "A", "A" * 10_000):
        assert page_session.read(nonsense) is None


async def test_a_cookie_of_nonsense_is_no_session():
    async with serving(register=Members()) as (public, _):
        for value in ("x", "%00", "A" * 64, ";;;"):
            assert (await ask(public, "/", Cookie=f"starling_session={value}"))[0] == 200


async def test_logins_are_refused_in_words_and_told_by_whom():
    members = Members()
    async with serving(register=members, proxies=("127.0.0.1",)) as (public, _):
        status, fields, body = await log_in(public, "wrong", X_Forwarded_For="203.0.113.9")
        assert (status, "Set-Cookie" in fields) == (403, False)
        assert "Passkey not found." in body
        assert members.asked == ["203.0.113.9"]
        https = await log_in(public, X_Forwarded_Proto="https")
        assert https[1]["Set-Cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
    ],
)
async def test_a_form_of_another_site_logs_nobody_in(headers):
    members = Members()
    async with serving(register=members) as (public, _):
        status, fields, _ = await log_in(public, **headers)
        assert (status, "Set-Cookie" in fields, members.asked) == (403, False, [])


async def test_an_old_browser_that_tells_our_own_origin_is_let_in():
    async with serving(register=Members()) as (public, _):
        assert (await log_in(public, Origin="http://t"))[0] == 303


@pytest.mark.parametrize(
    "body", ["", "passkey", "x=y", "passkey=" + "k" * 10_000, "&" * 1_000, "passkey=%ff%00%zz", "p=%C3%BC"]
)
async def test_forms_of_nonsense_log_nobody_in(body):
    async with serving(register=Members()) as (public, _):
        status, fields, _ = await ask(public, "/login", "POST", body, **FORM)
        assert (status, "Set-Cookie" in fields) == (403, False)


async def test_an_open_tracker_has_no_logins():
    async with serving() as (public, _):
        assert [(await ask(public, path, "POST"))[0] for path in ("/login", "/logout", "/")] == [404, 404, 404]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 413),
        (b"POST /login HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 20_000, 413),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
    ],
)
async def test_what_is_no_small_request_is_answered_and_cut_off(raw, status):
    async with serving() as (public, _):
        answer = await send(public, raw)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_connection_is_kept_and_head_has_no_body():
    async with serving() as (public, _):
        answer = await send(public, b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n")
        assert b"Content-Length: 0" not in answer
        reader, writer = await asyncio.open_connection(*public)
        for _ in range(3):
            writer.write(b"GET /status.css HTTP/1.1\r\n\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            await reader.readexactly(int(head.partition("Content-Length: ")[2].split("\r")[0]))
        writer.close()
        await writer.wait_closed()


async def test_a_slow_client_is_dropped(monkeypatch):
    monkeypatch.setattr(page_server, "EXCHANGE_TIME", 0.05)
    async with serving() as (public, _):
        reader, writer = await asyncio.open_connection(*public)
        writer.write(b"GET / HT")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_connections_past_the_bound_are_dropped(monkeypatch):
    monkeypatch.setattr(page_server, "MAX_CONNECTIONS", 1)
    async with serving() as (public, _):
        _, first = await asyncio.open_connection(*public)
        first.write(b"GET")
        await first.drain()
        with contextlib.suppress(ConnectionError):  # in the middle of the handshake, perhaps
            assert await send(public, b"GET / HTTP/1.1\r\n\r\n") == b""
        first.close()
        await first.wait_closed()


async def test_strangers_take_neither_each_others_places_nor_the_operators(monkeypatch):
    monkeypatch.setattr(page_server, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(page_server, "MAX_PER_ADDRESS", 1)
    held = []
    for proxies, goes_on in (((), False), (("127.0.0.1",), True)):
        async with serving(proxies=proxies) as (public, admin):
            for _ in range(goes_on + 1):
                _, writer = await asyncio.open_connection(*public)
                writer.write(b"GET / HT")
                await writer.drain()
                held.append(writer)
            with contextlib.suppress(ConnectionError):
                assert await send(public, b"GET / HTTP/1.1\r\n\r\n") == b""
            assert (await ask(admin, "/metrics"))[0] == 200
    for writer in held:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_bug_in_a_page_is_an_answer_and_a_line_in_the_log(caplog):
    async def fail(request):
        raise ZeroDivisionError

    server = PageServer(fail, Proxies())
    await server.open(AsyncioNetwork(), Address("127.0.0.1", 0))
    try:
        assert (await ask(server.addresses[0], "/"))[0] == 500
    finally:
        await server.close()
    assert "a page failed" in caplog.text


async def test_closing_ends_what_is_being_answered():
    begun = asyncio.Event()

    async def wait(request):
        begun.set()
        await asyncio.Event().wait()

    server = PageServer(wait, Proxies())
    await server.open(AsyncioNetwork(), Address("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection(*server.addresses[0])
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await begun.wait()
    await server.close()
    assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("received", "expected"),
    [(b"GET / HTTP/1.1\r\n", True), (b"GET /?x HTTP/1.1", True), (b"POST /login HTTP/1.1", True),
     (b"GET /announce?", False), (b"GET /stats", True), (b"GET /statsx HTTP", False),
     (b"", False), (b"GET", False), (b"\xff" * 70, False)],
)  # fmt: skip
def test_pages_are_told_from_announces(received, expected):
    assert is_page(received) is expected
