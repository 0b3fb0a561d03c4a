"""The RPC over real HTTP on loopback: the handshake, refusals in their order, and bounds."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import zlib
from contextlib import asynccontextmanager

import aiohttp
import pytest
from fake_library import FakeLibrary

from p2p.daemon import http_server
from p2p.daemon.access import FREE_GUESSES, Login, hash_password
from p2p.daemon.client_address import RPC_PATH
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.http_server import HttpServer, HttpSettings, token_of
from p2p.errors import ConfigError, NetworkError

TOKEN = token_of(b"random")
TOKEN_HEADER = "X-Transmission-Session-Id"
LOGIN = Login("me", hash_password("secret", b"s" * 16))
ASK = json.dumps({"method": "session-get", "arguments": {"fields": ["version"]}}).encode()


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@asynccontextmanager
async def served(dispatch=None, **settings):
    """The server, and a function that asks it: status, headers, text."""
    dispatch = dispatch or Dispatcher(FakeLibrary(), session_id=TOKEN, version="1").dispatch
    server = HttpServer(HttpSettings(port=0, **settings), dispatch, token=TOKEN, secret=b"other")
    async with server, aiohttp.ClientSession() as http:

        async def ask(method="POST", path=RPC_PATH, body=ASK, token=TOKEN, **more):
            headers = {**({TOKEN_HEADER: token} if token else {}), **more.pop("headers", {})}
            url = f"http://127.0.0.1:{server.port}{path}"
            async with http.request(method, url, data=body, headers=headers, allow_redirects=False, **more) as response:
                return response.status, response.headers, await response.text()

        yield server, ask


async def test_the_handshake():
    async with served() as (_, ask):
        for method in ("GET", "POST", "PUT"):
            status, headers, text = await ask(method, token=None)
            assert status == 409
            assert headers[TOKEN_HEADER] == TOKEN
            assert headers["X-Transmission-Rpc-Version"]
            assert re.search(r"X-Transmission-Session-Id:\s*(\w+)", text)[1] == TOKEN
        assert (await ask(token="stale"))[0] == 409
        for path in (RPC_PATH, RPC_PATH + "/"):
            status, headers, text = await ask(path=path)
            assert status == 200
            assert headers["Content-Type"].startswith("application/json")
            assert json.loads(text)["arguments"]["version"].startswith("4.1.0")


async def test_a_get_with_the_token_is_told_the_token_again():
    async with served() as (_, ask):
        assert (await ask("GET", body=None))[0] == 409


async def test_notifications_are_answered_with_nothing():
    async with served() as (_, ask):
        status, _, text = await ask(body=b'{"jsonrpc": "2.0", "method": "torrent_start"}')
        assert (status, text) == (204, "")


async def test_other_paths_lead_nowhere():
    async with served() as (_, ask):
        for path in ("/", "/transmission/web/", "/transmission/rpc/x", "/../etc/passwd"):
            assert (await ask(path=path))[0] == 404


async def test_names_of_strangers_are_refused_before_the_token_is_told():
    async with served(hosts=("box.example",)) as (_, ask):
        status, headers, text = await ask(token=None, headers={"Host": "evil.example"})
        assert status == 421
        assert TOKEN not in text
        assert TOKEN_HEADER not in headers
        assert (await ask(headers={"Host": "box.example:80"}))[0] == 200
    async with served(login=LOGIN) as (_, ask):
        assert (await ask(headers={"Host": "evil.example", **basic("me", "secret")}))[0] == 200


async def test_addresses_that_are_not_on_the_list_are_refused():
    async with served(addresses=("10.0.0.0/8",)) as (_, ask):
        status, _, text = await ask(token=None)
        assert status == 403
        assert TOKEN not in text


async def test_the_password_is_asked_for_first():
    async with served(login=LOGIN) as (_, ask):
        status, headers, text = await ask(token=None)
        assert status == 401
        assert headers["WWW-Authenticate"].startswith("Basic realm=")
        assert TOKEN not in text
        assert (await ask(path="/", token=None))[0] == 401
        assert (await ask(token=None, headers=basic("me", "secret")))[0] == 409
        assert (await ask(headers=basic("me", "secret")))[0] == 200
        assert (await ask(headers=basic("me", "Secret")))[0] == 401
        assert (await ask(headers={"Authorization": "Basic ???"}))[0] == 401


async def test_guessing_is_locked_out_even_with_the_right_guess():
    async with served(login=LOGIN) as (_, ask):
        wrong = [await ask(headers=basic("me", str(guess))) for guess in range(FREE_GUESSES)]
        assert {status for status, _, _ in wrong} == {401}
        status, headers, _ = await ask(headers=basic("me", "secret"))
        assert status == 403
        assert int(headers["Retry-After"]) >= 1


async def test_guesses_at_once_count_each():
    async with served(login=LOGIN) as (_, ask):
        asked = [ask(headers=basic("me", str(guess))) for guess in range(3 * FREE_GUESSES)]
        assert {status for status, _, _ in await asyncio.gather(*asked)} <= {401, 403}
        assert (await ask(headers=basic("me", "secret")))[0] == 403


async def test_pages_of_strangers_learn_nothing():
    async with served(origins=("https://ui.example",)) as (_, ask):
        for method in ("OPTIONS", "GET"):
            status, headers, _ = await ask(method, token=None, headers={"Origin": "https://evil.example"})
            assert status in (200, 409)
            assert "Access-Control-Allow-Origin" not in headers
        status, headers, _ = await ask("OPTIONS", token=None, headers={"Origin": "https://ui.example"})
        assert status == 200
        assert headers["Access-Control-Allow-Origin"] == "https://ui.example"
        assert TOKEN_HEADER in headers["Access-Control-Allow-Headers"]


async def test_bodies_are_bounded(monkeypatch):
    monkeypatch.setattr(http_server, "MAX_BODY", 1000)
    async with served() as (_, ask):
        assert (await ask(body=b" " * 1001 + ASK))[0] == 413
        squeezed = zlib.compress(b" " * 1_000_000)
        assert (await ask(body=squeezed, headers={"Content-Encoding": "deflate"}))[0] in (400, 413)
        assert (await ask())[0] == 200


async def test_a_body_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(http_server, "BODY_TIMEOUT", 0.05)
    monkeypatch.setattr(http_server, "LINGER", 0.05)
    async with served() as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"POST {RPC_PATH} HTTP/1.1\r\nHost: localhost\r\n{TOKEN_HEADER}: {TOKEN}\r\nContent-Length: 9\r\n\r\nx"
        writer.write(head.encode())
        assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_requests_at_once_are_bounded(monkeypatch):
    monkeypatch.setattr(http_server, "MAX_UNDER_WAY", 2)
    begun, end = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_):
        begun.release()
        await end.wait()
        return b"{}"

    async with served(slow) as (_, ask):
        waiting = [asyncio.create_task(ask()) for _ in range(2)]
        await begun.acquire()
        await begun.acquire()
        assert (await ask())[0] == 503
        end.set()
        assert {(await each)[0] for each in waiting} == {200}
        assert (await ask())[0] == 200


def test_nobody_is_let_in_from_outside_without_a_password():
    with pytest.raises(ConfigError, match="password"):
        HttpServer(HttpSettings(host="0.0.0.0"), None, token=TOKEN, secret=b"")
    HttpServer(HttpSettings(host="0.0.0.0", login=LOGIN), None, token=TOKEN, secret=b"")
    HttpServer(HttpSettings(host="::1"), None, token=TOKEN, secret=b"")


async def test_a_port_that_is_taken_is_told():
    async with served() as (server, _):
        other = HttpServer(HttpSettings(port=server.port), None, token=TOKEN, secret=b"")
        with pytest.raises(NetworkError, match=f"127.0.0.1 port {server.port}"):
            await other.__aenter__()


def test_the_token_is_of_letters_and_digits():
    assert re.fullmatch(r"\w{40,}", token_of(b"x"))


async def test_who_does_not_finish_its_question_is_let_go(monkeypatch):
    monkeypatch.setattr(http_server, "IDLE_TIMEOUT", 0.2)
    async with served() as (server, _):
        for head in (b"", f"GET {RPC_PATH} HTTP/1.1\r\nHost: 127".encode()):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(head)
            async with asyncio.timeout(20):
                assert await reader.read() == b""
            writer.close()


async def test_who_leaves_in_the_middle_of_a_question_is_no_error_of_ours(monkeypatch, caplog):
    async with served() as (server, ask):
        heard = asyncio.Event()
        call = server._call

        async def noted(request):
            heard.set()
            try:
                return await call(request)
            finally:
                done.set()

        done = asyncio.Event()
        monkeypatch.setattr(server, "_call", noted)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"POST {RPC_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{TOKEN_HEADER}: {TOKEN}\r\nContent-Length: 9\r\n\r\n"
        writer.write(head.encode() + b"{")
        async with asyncio.timeout(20):
            await heard.wait()
            writer.close()
            await done.wait()
        assert (await ask())[0] == 200
    assert [each.message for each in caplog.records if each.levelname == "ERROR"] == []
