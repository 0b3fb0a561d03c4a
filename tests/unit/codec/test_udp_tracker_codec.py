"""The UDP tracker codec: every packet round trips, every length of garbage is a value or TrackerError."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec import udp_fast
from p2p.codec.announce import DEFAULT_INTERVAL, MAX_COUNT, AnnounceEvent, AnnounceReply, AnnounceRequest, ScrapeEntry
from p2p.codec.udp_tracker import (
    MAX_SCRAPE,
    MAX_URL_DATA,
    ConnectRequest,
    ConnectResponse,
    ErrorResponse,
    UdpAnnounceRequest,
    UdpAnnounceResponse,
    UdpScrapeRequest,
    UdpScrapeResponse,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from p2p.errors import LocalProtocolError, TrackerError
from p2p.ids import Address

V4 = Address("192.0.2.1", 80)
V6 = Address("2001:db8::1", 80)

words = st.integers(0, 2**32 - 1)
longs = st.integers(0, 2**64 - 1)
twenty = st.binary(min_size=20, max_size=20)
ports = st.integers(1, 65_535)
announces = st.builds(
    AnnounceRequest,
    info_hash=twenty,
    peer_id=twenty,
    port=st.integers(0, 65_535),
    uploaded=longs,
    downloaded=longs,
    left=longs,
    event=st.sampled_from([event for event in AnnounceEvent if event is not AnnounceEvent.PAUSED]),
    key=words,
    num_want=st.integers(-1, 2**31 - 1),
    ip=st.none() | st.ip_addresses(v=4).filter(int).map(str),
)
requests = (
    st.builds(ConnectRequest, words)
    | st.builds(UdpAnnounceRequest, longs, words, announces, st.binary(max_size=600))
    | st.builds(UdpScrapeRequest, longs, words, st.lists(twenty, min_size=1, max_size=MAX_SCRAPE).map(tuple))
)
counts = st.integers(0, MAX_COUNT)


def announce_replies(hosts):
    return st.builds(
        AnnounceReply,
        interval=st.integers(1, 86_400).map(float),
        seeders=counts,
        leechers=counts,
        peers=st.lists(st.builds(Address, hosts, ports), max_size=20).map(tuple),
    )


other_responses = (
    st.builds(ConnectResponse, words, longs)
    | st.builds(ErrorResponse, words, st.text(st.characters(categories=["L", "N"]), max_size=100))
    | st.builds(
        UdpScrapeResponse,
        words,
        st.lists(st.builds(ScrapeEntry, counts, counts, counts, st.none()), max_size=74).map(tuple),
    )
)


def announce_packet(*, event=0, port=1, tail=b""):
    head = struct.pack("!QII", 7, 1, 9)
    return head + b"h" * 20 + b"p" * 20 + struct.pack("!QQQIIIiH", 1, 2, 3, event, 0, 4, -1, port) + tail


@given(requests)
def test_requests_round_trip(request):
    assert decode_request(encode_request(request)) == request


@given(st.builds(UdpAnnounceResponse, words, announce_replies(st.ip_addresses(v=4).map(str))) | other_responses)
def test_responses_round_trip_over_ipv4(response):
    assert decode_response(encode_response(response), V4) == response


hosts6 = st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None).map(str)


@given(st.builds(UdpAnnounceResponse, words, announce_replies(hosts6)) | other_responses)
def test_responses_round_trip_over_ipv6(response):
    assert decode_response(encode_response(response), V6) == response


@pytest.mark.parametrize("length", range(256))
def test_any_length_of_garbage_is_a_value_or_a_tracker_error(length):
    rng = random.Random(length)
    packets = [bytes(length), b"\xff" * length, rng.randbytes(length)]
    packets += [struct.pack("!QII", 0x41727101980, action, 5)[:length].ljust(length, b"\x02") for action in range(5)]
    packets += [struct.pack("!II", action, 5)[:length].ljust(length, b"\xff") for action in range(5)]
    for packet in packets:
        for decode in (decode_request, lambda raw: decode_response(raw, V4), lambda raw: decode_response(raw, V6)):
            try:
                decode(packet)
            except TrackerError:
                continue


@given(requests, st.integers(1, 700))
def test_a_request_cut_short_is_refused_or_shorter(request, cut):
    raw = encode_request(request)[:-cut]
    try:
        decoded = decode_request(raw)
    except TrackerError:
        return
    assert decoded != request


def test_the_bytes_are_those_of_bep_15():
    assert encode_request(ConnectRequest(3)) == bytes.fromhex("00000417271019800000000000000003")
    packet = encode_request(decode_request(announce_packet(event=2)))
    assert packet == announce_packet(event=2)
    assert len(packet) == 98
    reply = encode_response(UdpAnnounceResponse(9, AnnounceReply(interval=60.0, leechers=1, seeders=2, peers=(V4,))))
    assert reply == struct.pack("!IIIII", 1, 9, 60, 1, 2) + b"\xc0\x00\x02\x01\x00\x50"
    scrape = encode_response(UdpScrapeResponse(9, (ScrapeEntry(seeders=1, completed=2, leechers=3),)))
    assert scrape == struct.pack("!IIIII", 2, 9, 1, 2, 3)


def test_events_follow_the_beps():
    for number, event in enumerate(("", "completed", "started", "stopped", "paused")):
        assert decode_request(announce_packet(event=number)).announce.event is AnnounceEvent(event)
    with pytest.raises(TrackerError, match="event 5"):
        decode_request(announce_packet(event=5))
    paused = decode_request(announce_packet(event=4))
    assert encode_request(paused) == announce_packet(event=0)


@pytest.mark.parametrize(
    ("tail", "url_data"),
    [
        (b"", b""),
        (b"\x00junk", b""),
        (b"\x02\x00", b""),
        (b"\x02\x0c/dir?a=b&c=d", b"/dir?a=b&c=d"),
        (b"\x02\x0c/dir?a=b&c=d\x01\x01\x00\x02\x01x", b"/dir?a=b&c=d"),
        (b"\x02\x01/\x09\x02zz\x01\x02\x02ab", b"/ab"),
        (b"\x02", b""),
        (b"\x02\x01/\x02\x05abc", b"/"),
    ],
)
def test_options_are_read_as_bep_41_says(tail, url_data):
    assert decode_request(announce_packet(tail=tail)).url_data == url_data


def test_url_data_is_bounded_on_both_sides():
    with pytest.raises(TrackerError):
        decode_request(announce_packet(tail=(b"\x02\xff" + b"a" * 255) * 9))
    request = decode_request(announce_packet())
    with pytest.raises(LocalProtocolError):
        encode_request(request._replace(url_data=b"a" * (MAX_URL_DATA + 1)))


def test_a_connect_request_needs_the_protocols_number():
    with pytest.raises(TrackerError):
        decode_request(struct.pack("!QII", 1, 0, 3))


def test_scrapes_are_bounded_on_both_sides():
    for count in (0, MAX_SCRAPE + 1):
        with pytest.raises(LocalProtocolError):
            encode_request(UdpScrapeRequest(1, 2, (b"h" * 20,) * count))
        with pytest.raises(TrackerError):
            decode_request(struct.pack("!QII", 1, 2, 3) + b"h" * 20 * count)


def test_claims_are_clamped_and_a_torn_last_peer_is_ignored():
    raw = struct.pack("!IIiii", 1, 9, -1, -2, -3) + b"\x01\x02\x03\x04\x00\x00\x01\x02\x03\x04\x00\x01torn"
    reply = decode_response(raw, V4).reply
    assert (reply.interval, reply.leechers, reply.seeders) == (DEFAULT_INTERVAL, 0, 0)
    assert reply.peers == (Address("1.2.3.4", 1),)


def test_an_errors_text_is_one_clean_line():
    assert decode_response(struct.pack("!II", 3, 9) + b"no\x1b[2J\r\nway\x00", V4) == ErrorResponse(9, "no [2J way")


def test_families_do_not_share_a_reply():
    with pytest.raises(LocalProtocolError):
        encode_response(UdpAnnounceResponse(1, AnnounceReply(interval=1.0, peers=(V4, V6))))


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.sampled_from([each for each in AnnounceEvent if each is not AnnounceEvent.PAUSED]),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 65_535),
)
def test_the_fast_reading_of_an_announce_agrees_with_the_slow_one(
    connection_id, transaction_id, left, event, want, port
):
    announce = AnnounceRequest(
        info_hash=b"h" * 20,
        peer_id=b"p" * 20,
        port=port,
        uploaded=1,
        downloaded=2,
        left=left,
        event=event,
        num_want=want,
    )
    packet = encode_request(UdpAnnounceRequest(connection_id, transaction_id, announce))
    assert len(packet) == udp_fast.ANNOUNCE_REQUEST.size
    first, last, action, transaction, *told, number, told_want, told_port = udp_fast.ANNOUNCE_REQUEST.unpack(packet)
    assert first + bytes([last]) == connection_id.to_bytes(8, "big")
    assert (action, transaction) == (udp_fast.ANNOUNCE, transaction_id.to_bytes(4, "big"))
    assert (told, udp_fast.EVENTS[number], told_want) == ([b"h" * 20, b"p" * 20, left], event, want)
    assert told_port == port.to_bytes(2, "big")
    answer = udp_fast.ANNOUNCE_ANSWER.pack(udp_fast.ANNOUNCE, transaction, 1_800, 7, 3) + b"\x0a\x00\x00\x01\x1a\xe1"
    found = decode_response(answer, Address("192.0.2.1", 1))
    assert (found.transaction_id, found.reply.interval) == (transaction_id, 1_800.0)
    assert (found.reply.leechers, found.reply.seeders) == (7, 3)
    assert found.reply.peers == (Address("10.0.0.1", 6_881),)
