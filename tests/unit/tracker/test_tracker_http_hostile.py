"""The tracker over HTTP and who means it harm: fields of every wrong kind, lies about addresses, places taken."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import random

import pytest

from p2p.codec import bencode, compact, http_tracker
from p2p.errors import TrackerError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from tracker.logic import Rules
from tracker.server import Tracker, TrackerSettings
from tracker.store import Role

FIELDS = {
    "info_hash": "a" * 20,
    "peer_id": "b" * 20,
    "port": "6881",
    "uploaded": "0",
    "downloaded": "0",
    "left": "10",
}
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
SQL = "'); DROP TABLE members; --"


@contextlib.asynccontextmanager
async def serving(host="127.0.0.1", **changes):
    settings = TrackerSettings(http=(Address(host, 0),), **changes)
    tracker = Tracker(AsyncioNetwork(), rng=random.Random(1), secret=b"s" * 16, settings=settings)
    await tracker.start()
    try:
        yield tracker
    finally:
        await tracker.close()


def target_of(path="/announce", **fields):
    return path + "?" + "&".join(f"{name}={value}" for name, value in {**FIELDS, **fields}.items())


def request(target, *fields, stay=False):
    lines = [f"GET {target} HTTP/1.1", "Host: t", *fields, *([] if stay else ["Connection: close"])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def tell(tracker, raw, local=None):
    """The body of the answer to one request, of which the connection ends."""
    reader, writer = await asyncio.open_connection(*tracker.http_addresses[0], local_addr=local and (local, 0))
    writer.write(raw)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    return body


def enter(tracker, peer, role):
    now = asyncio.get_running_loop().time()
    tracker.store.announce(b"a" * 20, peer, b"b" * 20, role, 0, now, random.Random(1))


async def refusal(tracker, target):
    with pytest.raises(TrackerError) as caught:
        http_tracker.decode_announce(await tell(tracker, request(target)))
    return str(caught.value)


BAD = {
    "missing": [(name, None, "is missing") for name in FIELDS],
    "doubled": [(name, f"{value}&{name}={value}", "is given twice") for name, value in FIELDS.items()],
    "negative": [
        (name, "-1", "is not a number from 0 up")
        for name in ("port", "uploaded", "downloaded", "left")
    ],
    "no number": [
        (name, value, "is not a number from 0 up")
        for name in ("port", "uploaded", "downloaded", "left")
        for value in ("", "x", "1x", "0x10", "1.5", "+1", "%31x", "1%00", "%D9%A1", SQL)
    ],
    "too much": [
        (name, str(2**64), "is more than") for name in ("port", "uploaded", "downloaded", "left")
    ] + [("port", "65536", "is more than"), ("left", "9" * 21, "is not a number"), ("left", "9" * 5_000, "is not a")],
    "wrong length": [
        (name, value, "instead of 20")
        for name in ("info_hash", "peer_id")
        for value in ("", "a" * 19, "a" * 21, "%00" * 19, "%00" * 21, "a" * 40, "a" * 5_000, SQL)
    ],
    "broken escapes": [
        (name, value, "broken percent-encoding")
        for name in FIELDS
        for value in ("%", "%a", "%zz", "%%3131", "a" * 19 + "%", "%u0041" + "a" * 14, "%-1")
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "words"), [case for cases in BAD.values() for case in cases], ids=lambda text: str(text)[:24]
)
async def test_a_field_of_the_wrong_kind_is_refused_by_name_and_enters_nobody(name, value, words):
    async with serving() as tracker:
        fields = (
            {**FIELDS, name: value} if value is not None else {each: FIELDS[each] for each in FIELDS if each != name}
        )
        target = "/announce?" + "&".join(f"{each}={text}" for each, text in fields.items())
        said = await refusal(tracker, target.replace(" ", "%20"))
        assert words in said
        assert name in said or "percent-encoding" in said
        assert tracker.totals().peers == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("&event=none", "event is unknown"),
        ("&event=started&event=started", "event is given twice"),
        ("&event=" + SQL.replace(" ", "%20"), "event is unknown"),
        ("&numwant=x", "numwant is not a number"),
        ("&numwant=-2", "numwant is not a number"),
        ("&numwant=99999999999", "numwant is more than"),
        ("&numwant=1&numwant=1", "numwant is given twice"),
        ("&compact=1&compact=1", "compact is given twice"),
        ("&key=1&key=1", "key is given twice"),
        ("&no_peer_id=1&no_peer_id=1", "no_peer_id is given twice"),
        ("&ip=1.2.3.4&ip=1.2.3.4", "ip is given twice"),
        ("&trackerid=" + "x" * 257, "trackerid is too long"),
        ("&x=%", "broken percent-encoding"),
    ],
)
async def test_an_optional_field_of_the_wrong_kind_is_refused_too(more, words):
    async with serving() as tracker:
        assert words in await refusal(tracker, target_of() + more)
        assert tracker.totals().peers == 0


@pytest.mark.parametrize(
    "more",
    [
        "&event=&numwant=-1",
        "&numwant=",
        "&key=" + SQL.replace(" ", "%20"),
        "&trackerid=" + SQL.replace(" ", "%20"),
        "&unknown=1&unknown=2&=&&",
        "&%6eumwant=3",
        "&compact=2&no_peer_id=x",
        "&key=%00%ff",
    ],
)
async def test_what_a_tracker_need_not_understand_it_bears(more):
    async with serving() as tracker:
        assert http_tracker.decode_announce(await tell(tracker, request(target_of() + more))).leechers == 1


async def test_escapes_of_every_sign_come_to_the_same():
    async with serving() as tracker:
        plain, escaped = "aZ-._~09" + "x" * 12, "".join(f"%{byte:02x}" for byte in b"aZ-._~09" + b"x" * 12)
        for port, form in (("1", plain), ("2", escaped), ("3", escaped.upper())):
            await tell(tracker, request(target_of(info_hash=form, peer_id=form, port=port)))
        assert tracker.totals() == (1, 3, 0)


@pytest.mark.parametrize("name", ["ip", "ipv4", "ipv6"])
async def test_a_claimed_address_is_ignored(name):
    async with serving() as tracker:
        claimed = "2001:db8::1" if name == "ipv6" else "192.0.2.1"
        for field in ("", claimed, "%5B2001:db8::1%5D:7", SQL.replace(" ", "%20")):
            await tell(tracker, request(target_of(port="1") + f"&{name}={field}"))
        await tell(tracker, request(target_of(port="1"), "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1"))
        reply = http_tracker.decode_announce(await tell(tracker, request(target_of(port="2"))))
        assert reply.peers == (Address("127.0.0.1", 1),)


async def test_a_proxy_of_the_configuration_names_who_asks_and_its_family():
    async with serving(proxies=(LOOPBACK,)) as tracker:
        for port, field in ((1, "X-Forwarded-For: 192.0.2.1, 127.0.0.5"), (2, "Forwarded: for=192.0.2.2")):
            reply = http_tracker.decode_announce(await tell(tracker, request(target_of(port=port), field)))
            assert reply.external_ip == f"192.0.2.{port}"
        assert reply.peers == (Address("192.0.2.1", 1),)
        six = request(target_of(port=3), "X-Forwarded-For: 2001:db8::3")
        reply = http_tracker.decode_announce(await tell(tracker, six))
        assert (reply.peers, reply.leechers, reply.external_ip) == ((), 1, "2001:db8::3")
        itself = http_tracker.decode_announce(await tell(tracker, request(target_of(port=4))))
        assert itself.external_ip == "127.0.0.1"
        lie = request(target_of(port=5), "X-Forwarded-For: 192.0.2.5", "Forwarded: for=198.51.100.5")
        with pytest.raises(TrackerError, match="does not tell who asks"):
            http_tracker.decode_announce(await tell(tracker, lie))
        assert tracker.totals().peers == 4


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_the_short_way_and_the_long_way_say_the_same(host):
    async with serving(host, rules=Rules(interval=60.0, min_interval=0.0)) as tracker:
        packed = compact.pack(Address(host, 1))[:-2]
        for n in range(30):
            enter(tracker, packed + n.to_bytes(2, "big"), Role.SEEDER if n % 3 == 0 else Role.DOWNLOADER)
        short = bencode.decode(await tell(tracker, request(target_of() + "&numwant=50")))
        long = bencode.decode(await tell(tracker, request(target_of() + "&numwant=50&x=%41")))
        assert sorted(short) == sorted(long)
        name = b"peers6" if host == "::1" else b"peers"
        assert len(short[name]) == len(long[name]) == 30 * len(compact.pack(Address(host, 1)))
        assert short[b"external ip"] == long[b"external ip"] == packed
        for each in (b"complete", b"incomplete", b"downloaded", b"min interval"):
            assert short[each] == long[each]


async def test_an_answer_too_long_for_one_turn_is_whole_and_counted_once():
    async with serving(rules=Rules(max_peers=5_000)) as tracker:
        for n in range(4_000):
            enter(tracker, bytes(4) + n.to_bytes(2, "big"), Role.DOWNLOADER)
        for more in ("", "&x=%41"):
            port = 7 if more else 8
            reply = bencode.decode(await tell(tracker, request(target_of(port=port) + "&numwant=5000" + more)))
            assert len(reply[b"peers"]) >= 6 * 4_000
        assert tracker.traffic().http_announces == 2
        assert tracker.traffic().http_connections == 2


async def test_who_finds_no_place_is_answered_if_one_turn_is_enough():
    async with serving(max_connections=1) as tracker:
        reader, writer = await asyncio.open_connection(*tracker.http_addresses[0])
        writer.write(request(target_of(), stay=True))
        await reader.readuntil(b"\r\n\r\n")
        assert tracker.traffic().http_open == 1
        for stay in (True, False):
            assert (
                http_tracker.decode_announce(await tell(tracker, request(target_of(port="2"), stay=stay))).leechers == 2
            )
        other, other_writer = await asyncio.open_connection(*tracker.http_addresses[0])
        other_writer.write(b"GET /announce?info_hash=half")
        with contextlib.suppress(ConnectionError):
            assert await other.read() == b""
        assert tracker.traffic().http_open == 1
        writer.close()
        other_writer.close()


@pytest.mark.parametrize(("proxies", "most"), [((), 2), ((LOOPBACK,), 4)])
async def test_one_address_has_so_many_places_and_a_proxy_all(proxies, most):
    async with serving(max_per_address=2, proxies=proxies) as tracker:
        writers = []
        for _ in range(4):
            reader, writer = await asyncio.open_connection(*tracker.http_addresses[0])
            writer.write(b"GET /stats HTTP/1.1\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                await reader.read(1)
            writers.append(writer)
        assert tracker.traffic().http_open == most
        reader, writer = await asyncio.open_connection(*tracker.http_addresses[0], local_addr=("127.0.0.9", 0))
        writer.write(b"GET /stats HTTP/1.1\r\n\r\n")
        assert await reader.read(1) == b"H"
        for each in (*writers, writer):
            each.close()
        async with asyncio.timeout(5):
            while tracker.traffic().http_open:
                await asyncio.sleep(0)
        assert json.loads(await tell(tracker, request("/stats")))["connections"] == 1


async def test_requests_in_a_row_are_answered_in_order_whole_or_cut_anywhere():
    rng = random.Random(5)
    async with serving() as tracker:
        targets = [target_of(port=n + 1) if n % 2 else target_of(port=n + 1) + "&x=%41" for n in range(6)]
        raw = b"".join(request(target, stay=True) for target in targets) + request("/stats")
        for _ in range(20):
            cuts = sorted(rng.randrange(len(raw)) for _ in range(rng.randrange(4)))
            reader, writer = await asyncio.open_connection(*tracker.http_addresses[0])
            for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
                writer.write(raw[begin:end])
                await asyncio.sleep(0.001)
            answer = await reader.read()
            assert answer.count(b"HTTP/1.1 200 OK") == 7
            assert answer.endswith(b"}\n")
            writer.close()
        assert tracker.totals().peers == 6


async def test_a_client_that_never_says_a_word_is_dropped():
    async with serving(exchange_time=0.1) as tracker:
        reader, writer = await asyncio.open_connection(*tracker.http_addresses[0])
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        assert tracker.traffic().http_open == 0
        writer.close()


async def test_peers_come_as_the_asker_wants_them():
    async with serving() as tracker:
        for port in (1, 2, 3):
            enter(tracker, bytes((127, 0, 0, 9, 0, port)), Role.DOWNLOADER)
        ask = target_of(port="9", key="00FF00FF", trackerid="ours", left="0") + "&event=completed"
        for more, keys, count in (
            ("&compact=0", {b"ip", b"port", b"peer id"}, 3),
            ("&compact=0&no_peer_id=1", {b"ip", b"port"}, 3),
            ("&compact=0&numwant=2", {b"ip", b"port", b"peer id"}, 2),
            ("&compact=0&numwant=0", set(), 0),
        ):
            id_ = f"{more:b<20}".replace("&", "x")[:20].replace("=", "y")
            peers = bencode.decode(await tell(tracker, request(ask.replace("b" * 20, id_) + more)))[b"peers"]
            assert len(peers) == count
            assert all(peer.keys() == keys and peer[b"ip"] == b"127.0.0.9" for peer in peers)
