"""Calls whose answers matter whatever their status, and streams of lines, against a server on loopback."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from p2p.errors import NetworkError
from p2p.net.http_calls import HttpCalls, LargeAnswerError, SlowServerError


@asynccontextmanager
async def served(handle):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with HttpCalls(user_agent="test") as calls:
            yield calls, f"http://127.0.0.1:{runner.addresses[0][1]}/x"
    finally:
        await runner.cleanup()


def streaming(*pieces, then=None):
    async def handle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if then is not None:
            await then.wait()
        return response

    return handle


LIMITS = {"headers": {}, "timeout": 5.0, "silence": 5.0, "max_line": 100}


async def test_every_status_is_an_answer_and_redirects_are_not_followed():
    async def handle(request):
        assert request.headers["X-Mark"] == "1"
        assert request.headers["User-Agent"] == "test"
        body = await request.read()
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}, body=body[::-1])

    async with served(handle) as (calls, url):
        reply = await calls.call("POST", url, headers={"X-Mark": "1"}, body=b"abc", timeout=5, max_body=3)
        assert (reply.status, reply.body, reply.headers["location"]) == (302, b"cba", "http://127.0.0.1:1/")
        with pytest.raises(LargeAnswerError):
            await calls.call("POST", url, headers={"X-Mark": "1"}, body=b"abc", timeout=5, max_body=2)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1]:1/", "https://127.0.0.1:1/", "nonsense"])
async def test_nobody_there_is_one_line(url):
    async with HttpCalls(user_agent="test") as calls:
        with pytest.raises(NetworkError) as error:
            await calls.call("GET", url, headers={}, timeout=5, max_body=1)
        assert str(error.value)
        assert "\n" not in str(error.value)
        with pytest.raises(NetworkError):
            async with calls.lines(url, **LIMITS):
                pass


async def test_lines_come_whole_whatever_pieces_they_come_in():
    pieces = streaming(b"one\r\ntw", b"o\n\nth", b"ree\n", b"unended")
    async with served(pieces) as (calls, url), calls.lines(url, **LIMITS) as lines:
        assert lines.reply.status == 200
        assert [line async for line in lines] == [b"one", b"two", b"", b"three"]


async def test_a_line_without_end_is_given_up():
    async with served(streaming(b"x" * 200)) as (calls, url), calls.lines(url, **LIMITS) as lines:
        with pytest.raises(LargeAnswerError):
            [line async for line in lines]


async def test_silence_is_given_up():
    over = asyncio.Event()
    async with served(streaming(b"one\n", then=over)) as (calls, url):
        async with calls.lines(url, **{**LIMITS, "silence": 0.05}) as lines:
            stream = aiter(lines)
            assert await anext(stream) == b"one"
            with pytest.raises(SlowServerError):
                await anext(stream)
        over.set()


async def test_a_server_that_never_begins_is_given_up():
    over = asyncio.Event()

    async def handle(request):
        await over.wait()
        return web.Response()

    async with served(handle) as (calls, url):
        with pytest.raises(SlowServerError):
            await calls.call("GET", url, headers={}, timeout=0.05, max_body=1)
        with pytest.raises(SlowServerError):
            async with calls.lines(url, **{**LIMITS, "timeout": 0.05}):
                pass
        over.set()


async def test_closed_is_closed():
    calls = HttpCalls(user_agent="test")
    async with calls:
        pass
    with pytest.raises(NetworkError, match="closed"):
        await calls.call("GET", "http://127.0.0.1:1/", headers={}, timeout=1, max_body=1)
