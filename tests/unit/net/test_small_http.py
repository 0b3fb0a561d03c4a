"""One HTTP exchange with a router, whatever it answers."""

from __future__ import annotations

import asyncio

import pytest

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.small_http import MAX_HEAD, exchange

OK = b"HTTP/1.1 200 OK\r\n"


async def asked(answer, *, method="GET", body=b"", max_body=1_000):
    """What comes of asking a server that answers so and closes; with the request that it heard."""
    heard = []

    async def serve(reader, writer):
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        if body:
            heard.append(await reader.readexactly(len(body)))
        try:
            writer.write(answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        url = f"http://127.0.0.1:{port}/ctl?x=1"
        async with asyncio.timeout(10):
            return await exchange(AsyncioNetwork(), method, url, max_body=max_body, body=body), heard
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 5\r\n\r\nhello and more",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
    ],
    ids=["length", "chunked", "to the end"],
)
async def test_bodies_end_as_http_says(answer):
    got, heard = await asked(answer)
    assert (got.status, got.body, got.local.host) == (200, b"hello", "127.0.0.1")
    assert heard[0].startswith(b"GET /ctl?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")


async def test_a_body_is_sent_with_its_length_and_any_status_is_an_answer():
    got, heard = await asked(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", method="POST", body=b"<x/>")
    assert (got.status, got.body) == (500, b"no")
    assert b"Content-Length: 4\r\n" in heard[0]
    assert heard[1] == b"<x/>"


async def test_a_redirect_is_an_answer_and_not_followed():
    got, heard = await asked(b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
    assert got.status == 302
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "without an answer"),
        (b"SSH-2.0-x\r\n\r\n", "not HTTP"),
        (OK + b"Content-Length: 2000\r\n\r\n" + b"x" * 2_000, "larger than 1000"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000, "larger than 1000"),
        (OK + b"Content-Length: 9\r\n\r\nhello", "cut short"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", "cut short"),
        (OK + b"A: " + b"x" * (4 * MAX_HEAD), "head is too large"),
    ],
    ids=["nothing", "garbage", "length", "endless", "cut", "chunks", "head"],
)
async def test_what_is_no_answer_is_refused(answer, reason):
    with pytest.raises(NetworkError, match=reason):
        await asked(answer)


@pytest.mark.parametrize("url", ["http://router.example/", "http://127.0.0.1:99999/", "nothing"])
async def test_names_are_not_looked_up(url):
    with pytest.raises(NetworkError, match="no URL of an IP address"):
        await exchange(AsyncioNetwork(), "GET", url, max_body=1)


async def test_nobody_there_is_told():
    free = await AsyncioNetwork().listen(Address("127.0.0.1", 0), lambda _: None)
    free.close()
    with pytest.raises(NetworkError, match="refused"):
        await exchange(AsyncioNetwork(), "GET", f"http://{free.local}/", max_body=1)
