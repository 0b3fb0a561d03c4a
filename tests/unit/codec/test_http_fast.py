"""The usual announce read by one pattern: never otherwise than the general reader and an HTTP parser read it."""

from __future__ import annotations

from ipaddress import IPv4Address
from urllib.parse import quote_from_bytes

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec import compact, http_tracker
from p2p.codec.announce import AnnounceEvent, AnnounceReply
from p2p.codec.http_fast import COMPACT_ANSWER, read_announce, stays, usual_request, with_warning
from p2p.errors import TrackerError
from p2p.ids import Address

HASH, ID = bytes(range(120, 140)), b"-XX0001-\x00\xff%&=+ /\\?#!"


def request(query, version="1.1", fields="Host: t\r\nUser-Agent: x/1\r\nConnection: close\r\n"):
    return f"GET /announce?{query} HTTP/{version}\r\n{fields}\r\n".encode("latin-1")


def query_of(info_hash=HASH, peer_id=ID, port="6881", more="&event=started&numwant=50&compact=1&key=0000BEEF"):
    return (
        f"info_hash={quote_from_bytes(info_hash)}&peer_id={quote_from_bytes(peer_id, safe='')}"
        f"&port={port}&uploaded=1&downloaded=2&left=3{more}"
    )


class Parsed:
    """What a real parser makes of a request."""

    def __init__(self, raw):
        self.target = b""
        self.whole = 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(raw)

    def on_url(self, part):
        self.target += part

    def on_message_complete(self):
        self.whole += 1
        self.method, self.keep = self.parser.get_method(), self.parser.should_keep_alive()


def agrees(raw):
    """Whether the pattern took it; if it did, it took it as the others do."""
    found = read_announce(raw)
    if found is None:
        return False
    parsed = Parsed(raw)
    assert (parsed.whole, parsed.method, parsed.keep) == (1, b"GET", found.stays)
    path, _, query = parsed.target.partition(b"?")
    asked = http_tracker.parse_announce(query)
    assert path == b"/announce"
    assert asked.compact
    assert (asked.info_hash, asked.peer_id, asked.left, asked.event) == (
        found.info_hash,
        found.peer_id,
        found.left,
        found.event,
    )
    assert (asked.port, asked.num_want) == (int.from_bytes(found.port, "big"), found.want)
    assert usual_request(raw)
    assert stays(usual_request(raw)) == found.stays
    return True


def test_the_usual_announce_is_taken():
    found = read_announce(request(query_of()))
    assert found[:6] == (HASH, ID, (6881).to_bytes(2, "big"), 3, AnnounceEvent.STARTED, 50)
    assert agrees(request(query_of()))
    assert agrees(request(query_of(more="")))
    assert agrees(request(query_of(info_hash=b"a" * 20, peer_id=b"b" * 20, more="&supportcrypto=1&event=")))


@pytest.mark.parametrize(
    ("version", "fields", "expected"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: close\r\n", False),
        ("1.1", "connection: Close\r\n", False),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", False),
        ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", False),
        ("1.0", "", False),
        ("1.0", "Connection: Keep-Alive\r\nAccept: */*\r\n", True),
    ],
)
def test_who_wants_to_stay_may(version, fields, expected):
    raw = request(query_of(), version, fields)
    assert read_announce(raw).stays is expected
    assert agrees(raw)


@pytest.mark.parametrize(
    "raw",
    [
        request(query_of(info_hash=b"a" * 19)),
        request(query_of(peer_id=b"b" * 21)),
        request(query_of(port="65536")),
        request(query_of(port="-1")),
        request(query_of(port="6881&port=1")),
        request(query_of().replace("left=3", "left=-3")),
        request(query_of().replace("left=3", "left=" + "9" * 20)),
        request(query_of().replace("left=3", "left=")),
        request(query_of().replace("left=3", "le%66t=3")),
        request(query_of().replace("%", "%zz", 1)),
        request(query_of().replace("%", "%1", 1)),
        request(query_of().replace("%", "\\x", 1)),
        *(
            request(query_of(more=f"&{field}={value}&{field}={value}"))
            for field, value in (("event", ""), ("key", "1"), ("numwant", "1"), ("compact", "1"), ("no_peer_id", "1"))
        ),
        request(query_of(more="&info_hash=" + "a" * 20)),
        request(query_of(more="&left=1")),
        request(query_of(more="&numwant=-1")),
        request(query_of(more="&numwant=10000000000")),
        request(query_of(more="&compact=0")),
        request(query_of(more="&event=none")),
        request(query_of(more="&trackerid=x")),
        request(query_of(more="&ip=1.2.3.4")),
        request(query_of(more="&key=%31")),
        request(query_of(), fields="Content-Length: 3\r\n") + b"abc",
        request(query_of(), fields="Transfer-Encoding: chunked\r\n"),
        request(query_of(), fields="Connection: upgrade\r\nUpgrade: h2c\r\n"),
        request(query_of(), fields="X-Forwarded-For: 1.2.3.4\r\n"),
        request(query_of(), fields="Forwarded: for=1.2.3.4\r\n"),
        request(query_of(), fields="Host: a\r\n continued\r\n"),
        request(query_of(), fields="Host: a\nHost: b\r\n"),
        request(query_of(), version="2.0"),
        request(query_of()) * 2,
        request(query_of())[:-1],
        request(query_of()).replace(b"GET", b"POST"),
        request(query_of()).replace(b"/announce", b"/x/announce"),
    ],
)
def test_everything_else_is_left_to_others(raw):
    assert read_announce(raw) is None


VALUES = st.one_of(
    st.sampled_from(["0", "1", "-1", "99999999999999999999", "", "started", "none", "%31", "%", "a=b"]),
    st.binary(max_size=22).map(lambda raw: quote_from_bytes(raw, safe="")),
    st.text("aZ0%&=+\\/?:@!$'()*,;~ \t", max_size=8),
)
NAMES = st.sampled_from(
    ["info_hash", "peer_id", "port", "uploaded", "downloaded", "left", "event", "key", "numwant", "compact", "x", "ip"]
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=3), st.integers(0, 400), st.sampled_from("0%&=\\ \r\n?#\x80\x00"))
def test_whatever_is_taken_is_taken_as_others_take_it(more, at, sign):
    raw = request(query_of(more="".join(f"&{name}={value}" for name, value in more)))
    for each in (raw, raw[:at] + sign.encode("latin-1") + raw[at:], raw[:at] + raw[at + 1 :]):
        try:
            agrees(each)
        except (TrackerError, httptools.HttpParserError) as error:
            raise AssertionError(each) from error


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 65_535)), max_size=5))
def test_an_answer_is_the_one_that_the_general_writer_makes(warning, peers):
    addresses = tuple(Address(str(IPv4Address(host)), port) for host, port in peers)
    reply = AnnounceReply(
        interval=7, min_interval=5, seeders=1, leechers=2, completed=3, peers=addresses, external_ip="192.0.2.7",
        warning=warning,
    )  # fmt: skip
    packed = b"".join(map(compact.pack, addresses))
    body = COMPACT_ANSWER % (1, 3, bytes((192, 0, 2, 7)), 2, 7, 5, len(packed), packed)
    assert with_warning(body, warning) == http_tracker.encode_announce_compact(reply)
