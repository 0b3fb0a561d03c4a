"""The two ways of a socket that answers: batched calls where the system has them, and one by one elsewhere."""

from __future__ import annotations

import asyncio
import sys

import pytest

from p2p.ids import Address
from p2p.net import answering_socket
from p2p.net.answering_socket import AnsweringSocket
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.network import MAX_ANSWER, MAX_ASKING, MAX_BATCH

FORMS = ["one by one"] + ["batched"] * (sys.platform == "linux")


@pytest.fixture(params=FORMS)
def batch_calls(request, monkeypatch):
    """How often batches were read by the batched calls."""
    calls = []
    if request.param == "one by one":
        monkeypatch.setattr(answering_socket._Batches, "of", classmethod(lambda cls, sock: None))
    else:
        serve = answering_socket._Batches.serve
        monkeypatch.setattr(
            answering_socket._Batches, "serve", lambda self, answer: (calls.append(1), serve(self, answer))[1]
        )
    yield calls
    assert bool(calls) is (request.param == "batched")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_both_ways_hear_and_answer_alike(batch_calls, host):
    batches = []

    def answer(packets, sources):
        batches.append(list(packets))
        return [b"" if packet == b"silence" else packet[::-1] for packet in packets]

    network = AsyncioNetwork()
    server = await network.open_answering(Address(host, 0), answer)
    assert isinstance(server, AnsweringSocket)
    heard = asyncio.Queue()
    clients = [
        await network.open_datagrams(Address(host, 0), lambda data, source, n=n: heard.put_nowait((n, data, source)))
        for n in range(3)
    ]
    expected = []
    for n, client in enumerate(clients):
        for size in (0, 1, 98, MAX_ANSWER, MAX_ANSWER + 1, MAX_ASKING, MAX_ASKING + 1):
            client.send(b"silence", server.local)
            client.send(bytes([n]) * size, server.local)
            if 0 < size <= MAX_ANSWER:
                expected.append((n, bytes([n]) * size, server.local))
    for each in expected:
        assert await heard.get() == each
    packets = [packet for batch in batches for packet in batch]
    assert max(map(len, packets)) == MAX_ASKING
    assert max(map(len, batches)) <= MAX_BATCH
    for each in (server, *clients):
        each.close()


async def test_an_answerer_that_closes_its_socket_ends_it(batch_calls):
    network = AsyncioNetwork()
    heard = asyncio.Queue()

    def answer(packets, sources):
        heard.put_nowait(packets)
        server.close()
        return packets

    server = await network.open_answering(Address("127.0.0.1", 0), answer)
    client = await network.open_datagrams(Address("127.0.0.1", 0), lambda *_: heard.put_nowait("answered"))
    client.send(b"x", server.local)
    assert await heard.get() == [b"x"]
    for _ in range(10):
        await asyncio.sleep(0)
    assert heard.empty()
    client.close()
