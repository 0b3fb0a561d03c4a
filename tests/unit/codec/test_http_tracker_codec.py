"""The HTTP tracker codec: both directions agree, every bad field is named, any body is a reply or TrackerError."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec import bencode, http_tracker
from p2p.codec.announce import (
    DEFAULT_INTERVAL,
    MAX_COUNT,
    MAX_INTERVAL,
    AnnounceEvent,
    AnnounceReply,
    AnnounceRequest,
    ScrapeEntry,
)
from p2p.errors import TrackerError
from p2p.ids import Address

HASH = bytes(range(20))
PEER_ID = b"-ST0100-abcdefghijkl"
GOOD = b"info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=6881&uploaded=0&downloaded=0&left=10"

counters = st.integers(0, 2**64 - 1)
hosts4 = st.ip_addresses(v=4).map(str)
hosts6 = st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None).map(str)
ports = st.integers(1, 65_535)
counts = st.none() | st.integers(0, MAX_COUNT)
twenty = st.binary(min_size=20, max_size=20)
requests = st.builds(
    AnnounceRequest,
    info_hash=twenty,
    peer_id=twenty,
    port=st.integers(0, 65_535),
    uploaded=counters,
    downloaded=counters,
    left=counters,
    event=st.sampled_from(AnnounceEvent),
    key=st.integers(0, 2**32 - 1),
    num_want=st.integers(-1, 2**31 - 1),
    ip=st.none() | hosts4 | hosts6,
    compact=st.booleans(),
    no_peer_id=st.booleans(),
    tracker_id=st.none() | st.binary(max_size=http_tracker.MAX_TRACKER_ID),
)
texts = st.none() | st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=100)


def replies(hosts):
    return st.builds(
        AnnounceReply,
        interval=st.integers(1, int(MAX_INTERVAL)).map(float),
        min_interval=st.none() | st.integers(1, int(MAX_INTERVAL)).map(float),
        seeders=counts,
        leechers=counts,
        completed=counts,
        peers=st.lists(st.builds(Address, hosts, ports), max_size=20).map(tuple),
        tracker_id=st.none() | st.binary(min_size=1, max_size=20),
        warning=texts,
        external_ip=st.none() | hosts4 | hosts6,
    )


@given(
    requests,
    st.sampled_from(["http://t/announce", "http://t/announce?", "http://t/a?pass=%2f%2F&", "http://t/x?k=v#f"]),
)
def test_an_announce_survives_the_url(request, base):
    url = http_tracker.announce_url(base, request)
    head, _, query = url.partition("?")
    assert head == base.partition("?")[0]
    assert query.startswith(base.partition("#")[0].partition("?")[2])
    assert urlsplit(url).fragment == ""
    assert http_tracker.parse_announce(query.encode()) == request


def test_a_passkey_in_the_url_is_kept_byte_for_byte():
    request = http_tracker.parse_announce(GOOD)
    base = "https://t.example/%7Euser/ann;x=1?passkey=a%2Bb+c&empty="
    assert http_tracker.announce_url(base, request).startswith(base + "&info_hash=")


@given(replies(hosts4) | replies(hosts6))
def test_a_reply_survives_both_forms(reply):
    assert http_tracker.decode_announce(http_tracker.encode_announce_compact(reply)) == reply
    assert http_tracker.decode_announce(http_tracker.encode_announce_dicts(reply)) == reply


def test_the_dictionary_form_carries_peer_ids():
    peers = (Address("10.0.0.1", 1), Address("2001:db8::1", 2))
    reply = AnnounceReply(interval=60.0, peers=peers, peer_ids=(PEER_ID, HASH))
    body = http_tracker.encode_announce_dicts(reply)
    assert bencode.decode(body)[b"peers"][0] == {b"ip": b"10.0.0.1", b"peer id": PEER_ID, b"port": 1}
    assert http_tracker.decode_announce(body) == reply


def test_compact_replies_split_the_families():
    reply = AnnounceReply(interval=60.0, peers=(Address("2001:db8::1", 2), Address("10.0.0.1", 1)))
    answer = bencode.decode(http_tracker.encode_announce_compact(reply))
    assert answer[b"peers"] == b"\x0a\x00\x00\x01\x00\x01"
    assert len(answer[b"peers6"]) == 18
    assert set(http_tracker.decode_announce(bencode.encode(answer)).peers) == set(reply.peers)


keys = st.sampled_from(
    [
        *(b"peers", b"peers6", b"interval", b"min interval", b"complete", b"incomplete", b"downloaded", b"ip", b"port"),
        *(b"peer id", b"external ip", b"retry in", b"warning message", b"tracker id", b"files", HASH),
    ]
)
bodies = st.recursive(
    st.integers(-(10**12), 10**19) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=20,
)


@given(bodies.map(bencode.encode) | st.binary(max_size=80))
@settings(max_examples=400)
def test_any_body_is_a_bounded_reply_or_a_tracker_error(body):
    for decode in (http_tracker.decode_announce, http_tracker.decode_scrape):
        try:
            answer = decode(body)
        except TrackerError:
            continue
        if isinstance(answer, AnnounceReply):
            assert 1 <= answer.interval <= MAX_INTERVAL
            assert all(1 <= peer.port <= 65_535 and Address.parse(*peer) == peer for peer in answer.peers)
            assert len(answer.peer_ids) in (0, len(answer.peers))


@pytest.mark.parametrize(
    ("fields", "retry_in"),
    [
        ({}, None),
        ({b"retry in": 5}, 300.0),
        ({b"retry in": b"5"}, 300.0),
        ({b"retry in": b"never"}, math.inf),
        ({b"retry in": b"soon"}, None),
        ({b"retry in": 0}, None),
        ({b"retry in": -3}, None),
        ({b"retry in": []}, None),
        ({b"retry in": 10**19}, 525_600 * 60.0),
    ],
)
def test_a_failure_carries_its_reason_and_when_to_come_back(fields, retry_in):
    body = bencode.encode({b"failure reason": b"not registered", **fields})
    for decode in (http_tracker.decode_announce, http_tracker.decode_scrape):
        with pytest.raises(TrackerError, match="not registered") as caught:
            decode(body)
        assert caught.value.retry_in == retry_in


@pytest.mark.parametrize("retry_in", [None, 60.0, 3_600.0, math.inf])
def test_a_failure_survives_encoding(retry_in):
    with pytest.raises(TrackerError, match="later") as caught:
        http_tracker.decode_announce(http_tracker.encode_failure("later", retry_in=retry_in))
    assert caught.value.retry_in == retry_in


def test_texts_from_outside_are_one_clean_bounded_line():
    evil = b"a\r\nb\x1b[2Jc\x00d\xe2\x80\xaee\xff" + b"x" * 10_000
    with pytest.raises(TrackerError) as caught:
        http_tracker.decode_announce(bencode.encode({b"failure reason": evil}))
    assert str(caught.value).startswith("a b [2Jc d e\ufffdxxx")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 200
    warning = http_tracker.decode_announce(bencode.encode({b"warning message": evil, b"interval": 5})).warning
    assert warning == str(caught.value)
    with pytest.raises(TrackerError, match="without a reason"):
        http_tracker.decode_announce(b"d14:failure reasonlee")


@pytest.mark.parametrize(
    ("said", "lived"),
    [(0, DEFAULT_INTERVAL), (-5, DEFAULT_INTERVAL), (10**15, MAX_INTERVAL), (5, 5.0), (None, DEFAULT_INTERVAL)],
)
def test_intervals_are_sane(said, lived):
    body = {b"peers": b""} if said is None else {b"interval": said, b"peers": b""}
    assert http_tracker.decode_announce(bencode.encode(body)).interval == lived


def test_keys_in_any_order_are_a_reply_as_trackers_do_not_all_sort():
    assert http_tracker.decode_announce(b"d5:peers0:8:intervali60ee").interval == 60.0


def test_host_names_and_port_zero_are_left_out():
    peers = [
        {b"ip": b"evil.example", b"port": 1},
        {b"ip": b"10.0.0.1", b"port": 0},
        {b"ip": b"10.0.0.2", b"port": 70_000},
        {b"ip": b"::ffff:10.0.0.3", b"port": 3},
        {b"ip": b"fe80::1%eth0", b"port": 4},
    ]
    assert http_tracker.decode_announce(bencode.encode({b"peers": peers})).peers == (Address("10.0.0.3", 3),)
    assert http_tracker.decode_announce(b"d5:peers12:\x01\x02\x03\x04\x00\x00\x01\x02\x03\x04\x00\x01e").peers == (
        Address("1.2.3.4", 1),
    )


def test_the_number_of_peers_is_bounded():
    raw = b"\x01\x02\x03\x04\x00\x01" * 5_000
    assert len(http_tracker.decode_announce(bencode.encode({b"peers": raw})).peers) == http_tracker.MAX_PEERS
    listed = [{b"ip": b"1.2.3.4", b"port": 1}] * 5_000
    assert len(http_tracker.decode_announce(bencode.encode({b"peers": listed})).peers) == http_tracker.MAX_PEERS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"le",
        b"i1e",
        b"d5:peersi1ee",
        b"d5:peers5:aaaaae",
        b"d5:peersli1eee",
        b"d5:peersldeee",
        b"d6:peers65:aaaaae",
        b"d6:peers6lee",
        b"d8:interval2:60e",
        b"d8:completelee",
        b"d15:warning messagei1ee",
        b"d" + b"x" * (http_tracker.MAX_BODY + 1),
    ],
)
def test_garbage_is_a_tracker_error(body):
    with pytest.raises(TrackerError):
        http_tracker.decode_announce(body)


@pytest.mark.parametrize("name", ["info_hash", "peer_id", "port", "uploaded", "downloaded", "left"])
def test_a_missing_field_is_named(name):
    query = b"&".join(part for part in GOOD.split(b"&") if not part.startswith(name.encode() + b"="))
    with pytest.raises(TrackerError, match=f"^{name} is missing"):
        http_tracker.parse_announce(query)


@pytest.mark.parametrize("part", [*GOOD.split(b"&"), b"event=started", b"key=1", b"numwant=1", b"compact=1"])
def test_a_repeated_field_is_named(part):
    query = GOOD + b"&" + part + b"&" + part
    with pytest.raises(TrackerError, match=f"^{part.partition(b'=')[0].decode()} is given twice"):
        http_tracker.parse_announce(query)


@pytest.mark.parametrize("name", ["port", "uploaded", "downloaded", "left", "numwant"])
@pytest.mark.parametrize(
    "value", ["-2", "+1", "1.5", "0x1f", "1_0", "%D9%A1", "%20", "1e9", "9" * 21, "9" * 5000, "99999999999999999999"]
)
def test_a_number_that_is_none_is_named(name, value):
    query = b"&".join(part for part in GOOD.split(b"&") if not part.startswith(name.encode() + b"="))
    with pytest.raises(TrackerError, match=f"^{name} is "):
        http_tracker.parse_announce(query + f"&{name}={value}".encode())


@pytest.mark.parametrize("name", ["info_hash", "peer_id"])
@pytest.mark.parametrize("value", ["", "a" * 19, "a" * 21, "%61" * 19, "%61" * 40])
def test_a_hash_or_id_of_wrong_length_is_named(name, value):
    query = b"&".join(part for part in GOOD.split(b"&") if not part.startswith(name.encode() + b"="))
    with pytest.raises(TrackerError, match=f"^{name} has "):
        http_tracker.parse_announce(query + f"&{name}={value}".encode())


@pytest.mark.parametrize("odd", [b"&x=%", b"&x=%4", b"&x=%zz", b"&%g0=1", b"&event=begun", b"&trackerid=" + b"a" * 257])
def test_other_oddities_are_refused(odd):
    with pytest.raises(TrackerError):
        http_tracker.parse_announce(GOOD + odd)


def test_a_query_is_bounded():
    with pytest.raises(TrackerError, match="too long"):
        http_tracker.parse_announce(GOOD + b"&x=" + b"a" * 100_000)
    with pytest.raises(TrackerError, match="too long"):
        http_tracker.parse_scrape(b"info_hash=" + b"a" * 100_000)


def test_what_clients_in_use_send_is_understood():
    request = http_tracker.parse_announce(
        GOOD + b"&key=zebra&numwant=-1&ip=not-an-ip&corrupt=0&supportcrypto=1&event=&x"
    )
    assert request.key != 0
    assert request.num_want == -1
    assert request.ip is None
    assert request.event is AnnounceEvent.NONE
    assert http_tracker.parse_announce(GOOD + b"&key=").key == 0
    plus = GOOD.replace(b"aaaaaaaaaaaaaaaaaaaa", b"a" * 19 + b"+")
    assert http_tracker.parse_announce(plus).info_hash == b"a" * 19 + b"+"


@given(st.binary(max_size=120) | st.text("infohash_pert=&%0123456789", max_size=80).map(str.encode))
def test_any_query_is_a_request_or_a_tracker_error(query):
    for parse in (http_tracker.parse_announce, http_tracker.parse_scrape):
        try:
            parse(query)
        except TrackerError:
            continue


@pytest.mark.parametrize(
    ("base", "scrape"),
    [
        ("http://t/announce", "http://t/scrape"),
        ("http://t/x/announce", "http://t/x/scrape"),
        ("http://t/announce.php", "http://t/scrape.php"),
        ("http://t/announce?x=2%0644", "http://t/scrape?x=2%0644"),
        ("http://t/announce?x=2/4", "http://t/scrape?x=2/4"),
        ("http://t/a", None),
        ("http://t/x%064announce", None),
        ("http://t/announce/x", None),
        ("announce", None),
    ],
)
def test_scrape_urls_follow_the_convention(base, scrape):
    assert http_tracker.scrape_url(base, []) == scrape


@given(st.lists(twenty, unique=True, max_size=5))
def test_a_scrape_survives_the_url(hashes):
    url = http_tracker.scrape_url("http://t/announce", hashes)
    assert list(http_tracker.parse_scrape(url.partition("?")[2].encode())) == hashes


scrape_counts = st.integers(0, MAX_COUNT)


@given(
    st.dictionaries(
        twenty, st.builds(ScrapeEntry, scrape_counts, scrape_counts, scrape_counts, st.none() | scrape_counts)
    )
)
def test_a_scrapes_reply_survives(entries):
    body = http_tracker.encode_scrape(entries)
    assert http_tracker.decode_scrape(body) == entries
    assert bencode.encode(bencode.decode(body)) == body  # canonical: keys in order, numbers in the one form


@pytest.mark.parametrize("body", [b"de", b"d5:filesi1ee", b"d5:filesd3:abcdeee", b"d5:filesd20:" + HASH + b"i1eee"])
def test_a_scrape_that_is_none_is_a_tracker_error(body):
    with pytest.raises(TrackerError):
        http_tracker.decode_scrape(body)
