"""The tracker over HTTP on real loopback: good requests, bad ones, and clients that are slow on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random

import pytest

from p2p.codec import bencode, http_tracker
from p2p.codec.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry
from p2p.errors import NetworkError, TrackerError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from tracker import server
from tracker.logic import Rules
from tracker.server import Tracker, TrackerSettings
from tracker.store import Role

LOOPBACK = Address("127.0.0.1", 0)
QUERY = b"info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=6881&uploaded=0&downloaded=0&left=10"


@contextlib.asynccontextmanager
async def serving(on_page=None, **changes):
    settings = TrackerSettings(**{"http": (LOOPBACK,), **changes})
    tracker = Tracker(AsyncioNetwork(), rng=random.Random(1), secret=b"s" * 16, settings=settings, on_page=on_page)
    await tracker.start()
    try:
        yield tracker
    finally:
        await tracker.close()


@contextlib.asynccontextmanager
async def connected(tracker, place=0):
    reader, writer = await asyncio.open_connection(*tracker.http_addresses[place])
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines if line)
    return int(status.split()[1]), fields, await reader.readexactly(int(fields["Content-Length"]))


async def ask(tracker, target, place=0):
    async with connected(tracker, place) as (reader, writer):
        writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        status, fields, body = await read_answer(reader)
        assert fields["Connection"] == "close"
        assert await reader.read() == b""
        return status, body


async def announce(tracker, place=0, **fields):
    fields = {
        "info_hash": b"a" * 20,
        "peer_id": b"b" * 20,
        "port": 1,
        "uploaded": 0,
        "downloaded": 0,
        "left": 9,
        **fields,
    }
    url = http_tracker.announce_url("/announce", AnnounceRequest(**fields))
    return http_tracker.decode_announce((await ask(tracker, url.encode(), place))[1])


def shift_time(monkeypatch, seconds):
    """Let the loop's clock jump; what is due runs in the next turns."""
    loop = asyncio.get_running_loop()
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + seconds)


async def test_peers_find_each_other_per_family():
    async with serving(http=(LOOPBACK, Address("::1", 0))) as tracker:
        assert (await announce(tracker, port=1, event=AnnounceEvent.STARTED)).peers == ()
        reply = await announce(tracker, port=2, left=0)
        assert reply.peers == (Address("127.0.0.1", 1),)
        assert (reply.seeders, reply.leechers, reply.external_ip) == (1, 1, "127.0.0.1")
        assert (await announce(tracker, 1, port=3)).peers == ()
        assert (await announce(tracker, 1, port=4)).peers == (Address("::1", 3),)
        assert (await announce(tracker, 1, port=5, compact=False, num_want=1)).peer_ids == (b"b" * 20,)


async def test_a_connection_serves_many_requests_in_order():
    async with serving() as tracker, connected(tracker) as (reader, writer):
        for _ in range(3):
            writer.write(b"GET /announce?" + QUERY + b" HTTP/1.1\r\nHost: t\r\n\r\n")
            status, fields, body = await read_answer(reader)
            assert (status, fields["Connection"]) == (200, "keep-alive")
            assert http_tracker.decode_announce(body).leechers == 1
        writer.write(b"GET /stats HTTP/1.1\r\n\r\nGET /nothing HTTP/1.1\r\n\r\nGET /stats HTTP/1.0\r\n\r\n")
        assert [(await read_answer(reader))[0] for _ in range(3)] == [200, 404, 200]
        assert await reader.read() == b""


async def test_a_request_may_come_byte_by_byte():
    async with serving() as tracker, connected(tracker) as (reader, writer):
        for byte in b"GET /announce?" + QUERY + b" HTTP/1.1\r\nX: y\r\n\r\n":
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0)
        assert http_tracker.decode_announce((await read_answer(reader))[2]).leechers == 1


async def test_scrapes_of_one_several_and_all():
    async with serving() as tracker:
        hashes = [bytes([n]) * 20 for n in range(3)]
        for each in hashes:
            await announce(tracker, info_hash=each)
        for asked in (hashes[:1], hashes[:2], hashes):
            url = http_tracker.scrape_url("/announce", asked)
            found = http_tracker.decode_scrape((await ask(tracker, url.encode()))[1])
            assert found == dict.fromkeys(asked, ScrapeEntry(0, 0, 1, 1))
        assert list(http_tracker.decode_scrape((await ask(tracker, b"/scrape"))[1])) == hashes


async def test_stats_are_small_json():
    async with serving() as tracker:
        await announce(tracker, left=0)
        status, body = await ask(tracker, b"/stats")
        assert status == 200
        assert json.loads(body) == {"torrents": 1, "peers": 1, "seeders": 1, "leechers": 0, "connections": 1}


async def test_a_connection_that_asks_for_a_page_is_given_away():
    given = []

    def on_page(stream, received):
        given.append(received)
        stream.send([b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"])
        stream.close()

    async with serving(on_page=on_page) as tracker, connected(tracker) as (reader, writer):
        writer.write(b"GET /announce?" + QUERY + b" HTTP/1.1\r\nHost: t\r\n\r\n")
        assert http_tracker.decode_announce((await read_answer(reader))[2]).leechers == 1
        writer.write(b"GET /stats?x HTTP/1.1\r\n\r\n")
        assert (await read_answer(reader))[2] == b"page"
        assert await reader.read() == b""
    assert given == [b"GET /stats?x HTTP/1.1\r\n\r\n"]


async def test_a_page_that_is_asked_for_in_pieces_is_no_way_around_its_server():
    request = b"POST /login HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b"
    numbers = b"GET /stats HTTP/1.1\r\n\r\n"
    given = []

    def on_page(stream, received):
        given.append(received)
        stream.send([b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"])
        stream.close()

    async with serving(on_page=on_page) as tracker:
        for asked in (request, numbers):
            async with connected(tracker) as (reader, writer):
                for at in range(len(asked)):
                    writer.write(asked[at : at + 1])
                    await asyncio.sleep(0)
                assert (await read_answer(reader))[2] == b"page"
        async with connected(tracker) as (reader, writer):
            writer.write(b"GET /x HTTP/1.1\r\n\r\n" + numbers)
            assert [(await read_answer(reader))[0] for _ in range(2)] == [404, 404]
    assert given == [request, numbers]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (b"", "info_hash is missing"),
        (b"?", "info_hash is missing"),
        (b"?" + QUERY.replace(b"left=10", b""), "left is missing"),
        (b"?" + QUERY + b"&left=1", "left is given twice"),
        (b"?" + QUERY.replace(b"left=10", b"left=-1"), "left is not a number from 0 up"),
        (b"?" + QUERY.replace(b"a" * 20, b"a" * 19), "info_hash has 19 bytes instead of 20"),
        (b"?" + QUERY.replace(b"6881", b"0"), "port 0 cannot be reached"),
        (b"?" + QUERY.replace(b"6881", b"65536"), "port is more than 65535"),
        (b"?" + QUERY + b"&x=%zz", "the request has a broken percent-encoding"),
        (b"?" + QUERY + b"&event=%C3%A9", "event is unknown"),
    ],
)
async def test_a_bad_announce_is_refused_in_words_and_changes_nothing(query, reason):
    async with serving() as tracker:
        status, body = await ask(tracker, b"/announce" + query)
        assert status == 200
        assert bencode.decode(body) == {b"failure reason": reason.encode()}
        assert tracker.totals().peers == 0
        with pytest.raises(TrackerError, match=reason):
            http_tracker.decode_announce(body)


async def test_a_bad_scrape_is_refused_in_words():
    async with serving() as tracker:
        body = (await ask(tracker, b"/scrape?info_hash=short"))[1]
        assert bencode.decode(body) == {b"failure reason": b"info_hash has 5 bytes instead of 20"}


async def test_a_full_tracker_says_when_to_come_back():
    async with serving(max_peers=1) as tracker:
        await announce(tracker, port=1)
        with pytest.raises(TrackerError, match="full") as caught:
            await announce(tracker, port=2)
        assert caught.value.retry_in == 600.0


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST /announce HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 405),
        (b"HEAD /announce HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\x13BitTorrent protocol" + bytes(48), 400),
        (b"GET\r\n\r\n", 400),
        (b"GET /announce HTTP/9.9\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        (b"GET /stats HTTP/1.1\r\n\r\n" * 100, 400),
        (b"GET /announce?" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /announce HTTP/1.1\r\nCookie: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"GET /announce HTTP/1.1\r\n" + b"A: b\r\n" * 10_000, 431),
        (b"POST /x HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"a" * 100_000, 431),
    ],
)
async def test_what_is_no_small_get_is_answered_and_cut_off(raw, status):
    async with serving() as tracker:
        async with connected(tracker) as (reader, writer):
            writer.write(raw)
            assert (await read_answer(reader))[0] == status
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        assert (await ask(tracker, b"/stats"))[0] == 200


async def test_random_noise_never_stops_the_tracker():
    rng = random.Random(3)
    async with serving() as tracker:
        for _ in range(40):
            async with connected(tracker) as (reader, writer):
                noise = rng.choice([b"", b"GET /", b"GET /announce?", b"GET / HTTP/1.1\r\n"])
                writer.write(noise + rng.randbytes(rng.randrange(1, 300)))
                writer.write_eof()
                with contextlib.suppress(ConnectionError):
                    await reader.read()
        assert (await ask(tracker, b"/stats"))[0] == 200


@pytest.mark.parametrize("sent", [b"GE", b"GET /ann", b"GET /stats HTTP/1.1\r\nHos"])
async def test_a_slow_client_is_dropped_and_bytes_that_trickle_buy_no_time(monkeypatch, sent):
    async with serving(exchange_time=30.0) as tracker:
        shift_time(monkeypatch, 0.0)
        async with connected(tracker) as (reader, writer):
            writer.write(sent)
            assert json.loads((await ask(tracker, b"/stats"))[1])["connections"] == 2
            shift_time(monkeypatch, 29.0)
            writer.write(b"GET /announce HTTP/1.1"[len(sent) :][:1] or b"t")
            assert json.loads((await ask(tracker, b"/stats"))[1])["connections"] == 2
            shift_time(monkeypatch, 2.0)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        assert json.loads((await ask(tracker, b"/stats"))[1])["connections"] == 1


async def test_a_client_that_keeps_asking_keeps_its_connection(monkeypatch):
    async with serving(exchange_time=30.0) as tracker, connected(tracker) as (reader, writer):
        for _ in range(4):
            writer.write(b"GET /stats HTTP/1.1\r\n\r\n")
            assert (await read_answer(reader))[0] == 200
            shift_time(monkeypatch, 20.0)


async def test_a_client_that_does_not_read_is_not_read_from_and_is_dropped(monkeypatch):
    async with serving(exchange_time=30.0, rules=Rules(max_full_scrape=100_000)) as tracker:
        now, rng = asyncio.get_running_loop().time(), random.Random(1)
        for n in range(20_000):  # an answer of 2 MB, more than the kernel holds for one connection
            tracker.store.announce(n.to_bytes(20, "big"), bytes(5) + b"p", b"b" * 20, Role.DOWNLOADER, 0, now, rng)
        stream = await AsyncioNetwork().connect(tracker.http_addresses[0])
        try:
            for _ in range(200):
                stream.send([b"GET /scrape HTTP/1.1\r\n\r\n"])
                await asyncio.sleep(0)
            assert json.loads((await ask(tracker, b"/stats"))[1])["connections"] == 2
            shift_time(monkeypatch, 31.0)
            await asyncio.sleep(0)
            assert json.loads((await ask(tracker, b"/stats"))[1])["connections"] == 1
        finally:
            stream.abort()


async def test_connections_past_the_bound_are_dropped():
    async with serving(max_connections=1) as tracker:
        async with connected(tracker) as (reader, writer):
            writer.write(b"GET /stats HTTP/1.1\r\n\r\n")
            await read_answer(reader)
            with contextlib.suppress(ConnectionError):
                async with connected(tracker) as (other, _):
                    assert await other.read() == b""
            writer.write(b"GET /stats HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert (await read_answer(reader))[0] == 200
            assert await reader.read() == b""
        assert (await ask(tracker, b"/stats"))[0] == 200


async def test_closing_frees_the_address_and_ends_connections():
    async with serving() as tracker:
        place = tracker.http_addresses[0]
        async with connected(tracker) as (reader, writer):
            writer.write(b"GET /stats HTTP/1.1\r\n\r\n")
            await read_answer(reader)
            await tracker.close()
            assert await reader.read() == b""
        with pytest.raises(NetworkError):
            await AsyncioNetwork().connect(place)
        assert tracker.announce_urls == ()


async def test_an_address_in_use_is_an_error_and_leaves_nothing_open():
    async with serving() as first:
        taken = first.http_addresses[0]
        settings = TrackerSettings(http=(LOOPBACK, taken))
        second = Tracker(AsyncioNetwork(), rng=random.Random(1), secret=b"s" * 16, settings=settings)
        with pytest.raises(NetworkError):
            await second.start()
        assert second.http_addresses == ()


async def test_peers_that_fall_silent_expire(monkeypatch):
    async with serving(rules=Rules(interval=60.0)) as tracker:
        await announce(tracker, port=1)
        shift_time(monkeypatch, 149.0)
        await announce(tracker, port=2)
        assert tracker.totals().peers == 2
        shift_time(monkeypatch, 20.0)
        await announce(tracker, port=2)
        assert tracker.totals().peers == 1


async def test_urls_name_an_address_that_can_be_reached():
    async with serving(http=(LOOPBACK, Address("::1", 0)), udp=(LOOPBACK,)) as tracker:
        http4, http6 = tracker.http_addresses
        udp = tracker.udp_addresses[0]
        assert tracker.announce_urls == (
            f"http://127.0.0.1:{http4.port}/announce",
            f"http://[::1]:{http6.port}/announce",
            f"udp://127.0.0.1:{udp.port}/announce",
        )


async def test_the_busiest_swarms_of_both_families_are_found_while_others_have_their_turns(monkeypatch):
    monkeypatch.setattr(server, "RANKED_A_TURN", 2)
    async with serving(http=(LOOPBACK, Address("::1", 0))) as tracker:
        for n in range(6):
            for port in range(1, n + 2):
                await announce(tracker, place=port % 2, info_hash=bytes([n]) * 20, port=port)
        turns = 0
        ranking = asyncio.create_task(tracker.busiest(3))
        while not ranking.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 4
        found = [(each.info_hash[0], each.leechers) for each in ranking.result()]
        assert found == [(5, 6), (4, 5), (3, 4)]
