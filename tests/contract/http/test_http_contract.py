"""What every form of the HTTP port keeps, against servers that answer, refuse, stall and lie. All are on loopback.

The simulation's form runs over real sockets here: it knows its network only by the port.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from p2p.errors import TrackerError
from p2p.net.aiohttp_client import AiohttpClient
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.http import RedirectedError
from p2p.simulation.sim_http import SimHttp

FORMS = {"aiohttp": AiohttpClient, "streams": lambda: SimHttp(AsyncioNetwork())}


@asynccontextmanager
async def serving(*answers, host="127.0.0.1"):
    """A server that gives one raw answer a request, the last one for ever; yields its URL and the requests it got."""
    requests = []
    writers = []

    async def serve(reader, writer):
        writers.append(writer)
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            answer = answers[min(len(requests), len(answers)) - 1]
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://{host}:{port}", requests
    finally:
        server.close()
        await server.wait_closed()
        for writer in writers:
            writer.close()
            try:
                await writer.wait_closed()
            except ConnectionError:
                continue


def answer(body=b"", status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture(params=FORMS)
async def client(request):
    client = FORMS[request.param]()
    yield client
    await client.close()


async def failure(client, url, *, timeout=5.0, max_body=1_000):
    with pytest.raises(TrackerError) as caught:
        await client.get(url, timeout=timeout, max_body=max_body)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_gives_the_body(client):
    async with serving(answer(b"d8:intervali60ee")) as (url, _):
        assert await client.get(url + "/announce", timeout=5, max_body=100) == b"d8:intervali60ee"


async def test_body_that_ends_with_the_connection(client):
    async with serving(b"HTTP/1.0 200 OK\r\n\r\nde") as (url, _):
        assert await client.get(url, timeout=5, max_body=100) == b"de"


async def test_sends_the_url_byte_for_byte(client):
    target = "/%7Ea/pass%2Fkey/announce?info_hash=%aa%2b+%20~!*'()&x=a%2Cb,c;d==&y=%E4|"
    async with serving(answer(b"de")) as (url, requests):
        await client.get(url + target, timeout=5, max_body=100)
    assert requests[0].split(b" ")[1] == target.encode()


async def test_names_itself_and_takes_headers(client):
    async with serving(answer(b"de", "200 OK", "Set-Cookie: a=b")) as (url, requests):
        await client.get(url, timeout=5, max_body=100, headers={"X-Key": "1"})
        await client.get(url, timeout=5, max_body=100)
    assert b"User-Agent: Starling\r\n" in requests[0]
    assert b"X-Key: 1\r\n" in requests[0]
    assert b"cookie" not in requests[1].lower()


async def test_status_other_than_200_is_refused(client):
    async with serving(answer(b"no", "404 Not Found")) as (url, _):
        assert await failure(client, url) == "HTTP 404"


async def test_redirects_are_followed_relative_ones_too(client):
    moved = answer(b"", "302 Found", "Location: ../b/announce?key=%2f")
    async with serving(moved, answer(b"de")) as (url, requests):
        assert await client.get(url + "/a/c", timeout=5, max_body=100) == b"de"
    assert requests[1].startswith(b"GET /b/announce?key=%2f ")


async def test_five_redirects_and_no_more(client):
    moved = answer(b"", "301 Moved", "Location: /again")
    async with serving(*[moved] * 5, answer(b"de")) as (url, requests):
        assert await client.get(url, timeout=5, max_body=100) == b"de"
        assert len(requests) == 6
    async with serving(moved) as (url, requests):
        assert await failure(client, url) == "more than 5 redirects"
        assert len(requests) == 6


async def test_who_follows_none_is_told_where_to(client):
    link = "magnet:?xt=urn:btih:" + "a" * 40 + "&dn=a%20b"
    for place in ("http://elsewhere.example/x?key=%2f", link):
        async with serving(answer(b"", "302 Found", f"Location: {place}")) as (url, requests):
            with pytest.raises(RedirectedError) as caught:
                await client.get(url, timeout=5, max_body=100, redirects=0)
            assert caught.value.location == place
            assert len(requests) == 1


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x"])
async def test_redirects_leave_http_for_nothing_else(client, place):
    async with serving(answer(b"", "302 Found", f"Location: {place}")) as (url, _):
        assert await failure(client, url) in ("only http and https are followed", "only http is simulated")


async def test_redirect_to_nowhere(client):
    async with serving(answer(b"", "302 Found")) as (url, _):
        assert await failure(client, url) == "HTTP 302 without a place to go to"


async def test_a_body_over_the_bound_is_refused_without_being_read(client):
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + bytes(10_000_000)
    async with serving(endless) as (url, _):
        assert await failure(client, url, max_body=2_000) == "the answer is larger than 2000 bytes"


async def test_a_body_of_exactly_the_bound_is_taken(client):
    async with serving(answer(bytes(2_000))) as (url, _):
        assert len(await client.get(url, timeout=5, max_body=2_000)) == 2_000


async def test_a_server_that_says_nothing_costs_the_timeout(client):
    async with serving(None) as (url, _):
        assert await failure(client, url, timeout=0.2) == "no answer within 0.2 s"


async def test_a_body_that_stalls_costs_the_timeout(client):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await failure(client, f"http://127.0.0.1:{port}", timeout=0.2) == "no answer within 0.2 s"
    await client.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "the connection closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "the answer is cut short"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "the answer is not HTTP"),
    ],
)
async def test_garbage_is_named(client, raw, reason):
    async with serving(raw) as (url, _):
        assert await failure(client, url) == reason


async def test_a_closed_port_is_refused(client):
    async with serving(b"") as (url, _):
        pass
    assert await failure(client, url) == "connection refused"


async def test_a_name_without_address(client):
    assert await failure(client, "http://no-such-name.invalid/") == "no address for no-such-name.invalid"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "announce",
        "udp://127.0.0.1:80",
        "http://",
        "http:///announce",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://[::1/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nHost: other",
    ],
)
async def test_what_is_no_url_is_refused(client, url):
    await failure(client, url)
