"""What only the production form of the HTTP port does: compression, TLS, local addresses. Servers are on loopback."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import asynccontextmanager

import pytest

from p2p.errors import TrackerError
from p2p.net.aiohttp_client import AiohttpClient


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


@pytest.fixture
async def client():
    client = AiohttpClient()
    yield client
    await client.close()


async def failure(client, url, *, timeout=5.0, max_body=1_000):
    with pytest.raises(TrackerError) as caught:
        await client.get(url, timeout=timeout, max_body=max_body)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_ignores_the_environments_proxy(client, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with serving(answer(b"de")) as (url, _):
        assert await client.get(url, timeout=5, max_body=100) == b"de"


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_compressed_bodies_are_bounded_after_inflation(client, encoding, compress):
    small, bomb = compress(b"de" * 50), compress(bytes(50_000_000))
    header = f"Content-Encoding: {encoding}"
    async with serving(answer(small, "200 OK", header), answer(bomb, "200 OK", header)) as (url, _):
        assert await client.get(url, timeout=5, max_body=100) == b"de" * 50
        assert await failure(client, url, max_body=100_000) == "the answer is larger than 100000 bytes"


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b"not gzip at all", "gzip", "a compressed body that is damaged"),
        (gzip.compress(bytes(99), mtime=0)[:-4], "gzip", "a compressed body that is cut short"),
        (b"de", "br", "a content encoding that was not asked for"),
    ],
)
async def test_broken_encodings_are_refused(client, body, encoding, reason):
    async with serving(answer(body, "200 OK", f"Content-Encoding: {encoding}")) as (url, _):
        assert await failure(client, url) == reason


async def test_tls_against_a_plain_server(client):
    async def serve(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert (await failure(client, f"https://127.0.0.1:{port}")).startswith("TLS: ")
    server.close()
    await server.wait_closed()


async def test_sends_from_the_local_address_asked_for(client):
    peers = []

    async def serve(reader, writer):
        peers.append(writer.get_extra_info("peername")[0])
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"de"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for number in [*range(2, 14), 2]:
        assert await client.get(url, timeout=5, max_body=10, local=f"127.0.0.{number}") == b"de"
    assert peers == [f"127.0.0.{number}" for number in [*range(2, 14), 2]]
    server.close()
    await server.wait_closed()


async def test_a_closed_client_refuses(client):
    await client.close()
    await client.close()
    assert await failure(client, "http://127.0.0.1:1/") == "the client is closed"
