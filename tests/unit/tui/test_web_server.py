"""The server of the interface in a browser: who gets in, who gets a terminal, and that none outlives its page."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from p2p.errors import ConfigError, NetworkError
from tui.web import server, terminal
from tui.web.server import WebInterface, WebSettings
from tui.web.terminal import Command

DEADLINE = 20.0

DRAWER = """
import json, os, sys

def put(kind, payload):
    sys.stdout.buffer.raw.write(kind + len(payload).to_bytes(4, "big") + payload)

def tell(**facts):
    put(b"D", json.dumps(facts).encode())

sys.stdout.buffer.raw.write(b"__GANGLION__\\n")
tell(pid=os.getpid(), argv=sys.orig_argv, environment=dict(os.environ))
source = sys.stdin.buffer
while head := source.read(5):
    payload = source.read(int.from_bytes(head[1:], "big"))
    if head[:1] == b"M":
        said = json.loads(payload)
        tell(said=said)
        if said["type"] == "quit" and not os.environ.get("STUBBORN"):
            put(b"M", b'{"type": "exit"}')
            break
    elif payload == b"q":
        put(b"M", b'{"type": "exit"}')
    elif payload == b"crash":
        os._exit(3)
    elif payload == b"files":
        put(b"M", b'{"type": "deliver_file_start", "key": "k", "path": "/etc/passwd", "open_method": "browser"}')
        put(b"M", b'{"type": "open_url", "url": "http://evil.example", "new_tab": true}')
        put(b"P", b"anything")
        tell(typed="files")
    else:
        tell(typed=payload.decode())
import time
while os.environ.get("STUBBORN"):
    time.sleep(60)
"""
"""A process that speaks as Textual's driver does, tells what it knows, and what it is told."""

ENVIRONMENT = {"PATH": os.environ["PATH"], "SECRET": "of the daemon"}


@dataclass
class Visitor:
    """A browser."""

    http: aiohttp.ClientSession
    url: str

    @property
    def own(self):
        return {"Origin": self.url}

    async def get(self, path="/", **headers):
        async with self.http.get(self.url + path, headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def log_in(self, password="sesame", **headers):
        form = {"username": "starling", "password": password}
        async with self.http.post(
            f"{self.url}/login", data=form, headers=self.own | headers, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text()

    async def log_out(self):
        async with self.http.post(f"{self.url}/logout", headers=self.own, allow_redirects=False) as answer:
            return answer.status

    def socket(self, query="", **headers):
        return self.http.ws_connect(f"{self.url}/ws{query}", headers=self.own | headers)

    async def refused_socket(self, query="", **headers):
        """The status instead of a socket."""
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await self.socket(query, **headers)
        return refused.value.status


@asynccontextmanager
async def serving(environment=ENVIRONMENT, **settings):
    command = Command([sys.executable, "-ISc", DRAWER], environment)
    numbers = itertools.count()
    given = WebSettings(**{"port": 0, "password": "sesame"} | settings)
    async with asyncio.timeout(DEADLINE), WebInterface(given, command, lambda: f"minted-{next(numbers)}") as interface:
        yield interface


@asynccontextmanager
async def visiting(interface):
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Visitor(http, f"http://127.0.0.1:{interface.port}")


@pytest.fixture
async def visitor():
    async with serving() as interface, visiting(interface) as visitor:
        yield visitor


async def told(socket):
    """The next that the process drew."""
    message = await socket.receive()
    assert message.type is aiohttp.WSMsgType.BINARY, message
    return json.loads(message.data)


async def closed(socket):
    """Waits until the server closes it; the code."""
    while (await socket.receive()).type is not aiohttp.WSMsgType.CLOSED:
        if socket.closed:
            break
    return socket.close_code


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# -- getting in


async def test_a_stranger_gets_the_login_page_and_no_terminal(visitor):
    status, page = await visitor.get()
    assert (status, 'name="password"' in page, 'id="terminal"' in page) == (200, True, False)
    assert await visitor.refused_socket() == 401


async def test_the_password_lets_in_and_the_cookie_is_out_of_reach(visitor):
    form = {"password": "sesame"}
    async with visitor.http.post(
        f"{visitor.url}/login", data=form, headers=visitor.own, allow_redirects=False
    ) as answer:
        cookie = answer.headers["Set-Cookie"]
        assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    status, page = await visitor.get()
    assert (status, 'id="terminal"' in page) == (200, True)


async def test_over_https_the_cookie_never_goes_another_way():
    async with (
        serving(names=("nas.example",)) as interface,
        visiting(interface) as visitor,
        visitor.http.post(
            f"{visitor.url}/login",
            data={"password": "sesame"},
            headers={"Host": "nas.example", "Origin": "https://nas.example"},
            allow_redirects=False,
        ) as answer,
    ):
        assert "Secure" in answer.headers["Set-Cookie"].split("; ")


async def test_a_wrong_password_lets_nobody_in(visitor):
    for wrong in ("", "Sesame", "sesame ", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")):
        status, page = await visitor.log_in(wrong)
        assert (status, "not the password" in page) == (403, True)
    assert await visitor.refused_socket() == 401


async def test_after_some_wrong_passwords_the_right_one_waits_too(visitor):
    for _ in range(5):
        assert (await visitor.log_in("open"))[0] == 403
    status, page = await visitor.log_in()
    assert (status, "Too many" in page) == (429, True)
    assert await visitor.refused_socket() == 401


async def test_what_is_no_form_is_refused(visitor):
    for body, kind, status in (
        (b"password=sesame", "text/plain", 415),
        (b"&".join(b"a=1" for _ in range(11)), "application/x-www-form-urlencoded", 400),
        (b"password=" + b"x" * 9000, "application/x-www-form-urlencoded", 413),
        ("password=sésame".encode(), "application/x-www-form-urlencoded", 400),
    ):
        headers = visitor.own | {"Content-Type": kind}
        async with visitor.http.post(f"{visitor.url}/login", data=body, headers=headers) as answer:
            assert answer.status == status


async def test_without_a_password_the_link_of_this_run_lets_in():
    async with serving(password=None) as interface, visiting(interface) as visitor:
        path = interface.link.removeprefix(visitor.url)
        assert (await visitor.get("/?key=minted"))[0] == 403
        assert await visitor.refused_socket() == 401
        assert (await visitor.get(path))[0] == 303
        assert 'id="terminal"' in (await visitor.get())[1]


async def test_with_a_password_there_is_no_link_that_lets_in(visitor):
    assert (await visitor.get("/?key=sesame"))[0] == 303
    assert await visitor.refused_socket() == 401


async def test_beyond_this_machine_there_must_be_a_password():
    for host in ("0.0.0.0", "::", "192.0.2.1", "nas.example"):
        with pytest.raises(ConfigError, match="password"):
            WebSettings(host=host)
    assert WebSettings(host="0.0.0.0", password="sesame").host == "0.0.0.0"


async def test_a_port_that_is_taken_is_an_error():
    async with serving() as interface:
        with pytest.raises(NetworkError, match=f"port {interface.port}"):
            async with serving(port=interface.port):
                pass


# -- name and origin


async def test_a_name_that_is_not_ours_gets_nothing(visitor):
    await visitor.log_in()
    for path in ("/", "/files/textual.js", "/nowhere"):
        status, page = await visitor.get(path, Host="evil.example")
        assert (status, "terminal" in page) == (421, False)
    assert (await visitor.log_in(Host="evil.example", Origin="http://evil.example"))[0] == 421
    assert await visitor.refused_socket(Host="evil.example", Origin="http://evil.example") == 421


async def test_pages_of_others_open_nothing_even_with_the_cookie(visitor):
    await visitor.log_in()
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        assert (await visitor.get(Origin=origin))[0] == 403
        assert (await visitor.log_in(Origin=origin))[0] == 403
        assert await visitor.refused_socket(Origin=origin) == 403
    async with visitor.http.get(f"{visitor.url}/ws", headers={"Upgrade": "websocket"}) as answer:
        assert answer.status == 403


# -- what is served


async def test_pages_fetch_nothing_from_elsewhere_and_may_not(visitor):
    texts = [(await visitor.get())[1]]
    await visitor.log_in()
    async with visitor.http.get(visitor.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        texts.append(await answer.text())
    files = {path for text in texts for path in re.findall(r'(?:href|src)="([^"]+)"', text)}
    assert {"/files/textual.js", "/files/xterm.css", "/files/page.css"} <= files
    assert all(path.startswith("/files/") for path in files)
    for path in sorted(files):
        status, text = await visitor.get(path)
        assert status == 200
        if path.endswith(".css"):
            assert re.findall(r"@import|url\(\"(?!/files/)[^)]*", text) == []
    assert (await visitor.get("/files/roboto-mono.ttf", Range="bytes=0-3"))[0] == 206
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert not re.search(r"<script(?! src=)|<style| on\w+=| style=", "".join(texts))


async def test_every_answer_carries_the_policy(visitor):
    for path in ("/", "/files/page.css", "/nowhere", "/ws"):
        async with visitor.http.get(visitor.url + path) as answer:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_no_other_files_are_given(visitor):
    await visitor.log_in()
    for path in ("/files/", "/files/server.py", "/files/..%2fserver.py", "/static/js/textual.js", "/download/k"):
        assert (await visitor.get(path))[0] == 404


async def test_what_scripts_would_look_into_is_taken_off_the_address(visitor):
    await visitor.log_in()
    assert (await visitor.get("/?ping=http://evil.example"))[0] == 303


# -- terminals


async def test_a_terminal_draws_and_takes_keys(visitor):
    await visitor.log_in()
    async with visitor.socket("?width=100&height=9999") as socket:
        first = await told(socket)
        assert (first["environment"]["COLUMNS"], first["environment"]["ROWS"]) == ("100", "200")
        await socket.send_json(["stdin", "é"])
        assert await told(socket) == {"typed": "é"}
        await socket.send_json(["resize", {"width": 90, "height": 30}])
        assert await told(socket) == {"said": {"type": "resize", "width": 90, "height": 30}}
        await socket.send_json(["ping", "7"])
        assert await socket.receive_json() == ["pong", "7"]


async def test_secrets_are_in_the_environment_alone_and_no_cookie_is(visitor):
    await visitor.log_in()
    async with visitor.socket() as socket:
        first = await told(socket)
    assert first["environment"]["SECRET"] == "of the daemon"
    assert "of the daemon" not in " ".join(first["argv"])
    assert "minted" not in json.dumps(first)
    assert "sesame" not in json.dumps(first)


async def test_a_size_that_is_none_is_refused(visitor):
    await visitor.log_in()
    assert await visitor.refused_socket("?width=-1&height=x") == 400


@pytest.mark.parametrize(
    "send",
    [
        lambda socket: socket.send_str('["quit"]'),
        lambda socket: socket.send_bytes(b"x"),
        lambda socket: socket.send_str('["stdin", "' + "x" * 300_000 + '"]'),
    ],
    ids=["no word of ours", "bytes", "too much"],
)
async def test_what_no_page_sends_ends_the_terminal(visitor, send):
    await visitor.log_in()
    async with visitor.socket() as socket:
        pid = (await told(socket))["pid"]
        await send(socket)
        assert await closed(socket) in (1003, 1008, 1009)
    while is_running(pid):
        await asyncio.sleep(0.01)


async def test_no_file_and_no_address_gets_to_the_page(visitor):
    await visitor.log_in()
    async with visitor.socket() as socket:
        await told(socket)
        await socket.send_json(["stdin", "files"])
        assert await told(socket) == {"typed": "files"}


@pytest.mark.parametrize("keys", ["q", "crash"])
async def test_the_socket_ends_with_the_process(visitor, keys):
    await visitor.log_in()
    async with visitor.socket() as socket:
        await told(socket)
        await socket.send_json(["stdin", keys])
        await closed(socket)


async def test_what_is_no_interface_is_told_to_nobody():
    async with serving() as interface, visiting(interface) as visitor:
        interface._starts = Command([sys.executable, "-ISc", "print('secrets')"], ENVIRONMENT)
        await visitor.log_in()
        async with visitor.socket() as socket:
            assert await closed(socket) == 1000
        interface._starts = Command(["/nowhere/python"], {})
        async with visitor.socket() as socket:
            assert await closed(socket) == 1013


async def test_the_process_ends_with_the_page(visitor):
    await visitor.log_in()
    async with visitor.socket() as socket:
        pid = (await told(socket))["pid"]
        assert is_running(pid)
    while is_running(pid):
        await asyncio.sleep(0.01)


async def test_one_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr(terminal, "STOP_BOUND", 0.1)
    async with serving(ENVIRONMENT | {"STUBBORN": "1"}) as interface, visiting(interface) as visitor:
        await visitor.log_in()
        async with visitor.socket() as socket:
            pid = (await told(socket))["pid"]
        while is_running(pid):
            await asyncio.sleep(0.01)


async def test_all_end_with_the_server():
    async with serving() as interface, visiting(interface) as visitor:
        await visitor.log_in()
        async with visitor.socket() as one, visitor.socket() as other:
            pids = [(await told(socket))["pid"] for socket in (one, other)]
            stopping = asyncio.create_task(interface.__aexit__())
            assert [await closed(socket) for socket in (one, other)] == [1001, 1001]
            await stopping
        assert [is_running(pid) for pid in pids] == [False, False]


async def test_terminals_are_counted_and_a_full_house_is_told(monkeypatch):
    monkeypatch.setattr(server, "STOP_BOUND", 0.05)
    async with serving(most_terminals=1) as interface, visiting(interface) as visitor:
        await visitor.log_in()
        async with visitor.socket() as socket:
            await told(socket)
            status, page = await visitor.get()
            assert (status, "All terminals are taken" in page) == (503, True)
            assert await visitor.refused_socket() == 503
        while (await visitor.get())[0] != 200:
            await asyncio.sleep(0.01)
        async with visitor.socket() as socket:
            await told(socket)


async def test_who_logs_out_has_no_terminal_any_more(visitor):
    await visitor.log_in()
    async with visitor.socket() as socket:
        await told(socket)
        (cookie,) = visitor.http.cookie_jar
        assert await visitor.log_out() == 303
        assert await closed(socket) == 1008
    kept = f"{cookie.key}={cookie.value}"
    assert await visitor.refused_socket(Cookie=kept) == 401
    assert 'name="password"' in (await visitor.get(Cookie=kept))[1]


async def test_a_terminal_that_nobody_touches_is_closed():
    async with serving(idle=0.1) as interface, visiting(interface) as visitor:
        await visitor.log_in()
        async with visitor.socket() as socket:
            assert await closed(socket) == 1000


async def test_a_page_that_is_loaded_anew_has_its_place_though_all_are_taken():
    async with serving(most_terminals=1) as interface, visiting(interface) as visitor, visiting(interface) as other:
        await visitor.log_in()
        await other.log_in()
        async with visitor.socket() as before:
            await told(before)
            for whose, headers, status in (
                (visitor, {"Cache-Control": "max-age=0"}, 200),
                (visitor, {}, 503),
                (other, {"Cache-Control": "max-age=0"}, 503),
            ):
                assert (await whose.get(**headers))[0] == status
            assert await other.refused_socket() == 503
            coming = asyncio.create_task(visitor.socket().__aenter__())
            await visitor.get()  # by now that one has been asked for
            assert not coming.done()
        after = await coming
        await told(after)
        await after.close()


async def test_who_has_all_terminals_open_gets_no_further_one(monkeypatch):
    monkeypatch.setattr(server, "STOP_BOUND", 0.05)
    async with serving(most_terminals=1) as interface, visiting(interface) as visitor:
        await visitor.log_in()
        async with visitor.socket() as socket:
            await told(socket)
            assert await visitor.refused_socket() == 503


async def test_who_logs_out_while_waiting_for_a_place_gets_none():
    async with serving(most_terminals=1) as interface, visiting(interface) as visitor:
        await visitor.log_in()
        async with visitor.socket() as socket:
            await told(socket)
            interface._left.set()
            coming = asyncio.create_task(visitor.refused_socket())
            while interface._left.is_set():  # until it waits
                await asyncio.sleep(0.01)
            await visitor.log_out()
            assert await closed(socket) == 1008
        assert await coming == 401
