"""The tracker over UDP: connection ids, answers, silence, and every length of packet."""

from __future__ import annotations

import asyncio
import random
import struct

import pytest

from p2p.codec import compact
from p2p.codec.announce import ANY_NUMBER, AnnounceEvent, AnnounceReply, AnnounceRequest, ScrapeEntry
from p2p.codec.udp_tracker import (
    PROTOCOL_ID,
    ConnectRequest,
    ErrorResponse,
    UdpAnnounceRequest,
    UdpScrapeRequest,
    UdpScrapeResponse,
    decode_response,
    encode_request,
)
from p2p.errors import TrackerError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from tracker.logic import UDP_LISTS
from tracker.server import Tracker, TrackerSettings
from tracker.store import Answer
from tracker.udp_frontend import MAX_PEERS6, UdpFrontend

SOURCE = Address("192.0.2.7", 5000)
HASH = b"h" * 20


def request(**fields):
    fields = {"info_hash": HASH, "peer_id": b"p" * 20, "port": 1, "uploaded": 0, "downloaded": 0, "left": 9, **fields}
    return AnnounceRequest(**fields)


class Logic:
    """Answers with what it is told and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.peers = ()
        self.refusal = None

    def announce(self, *asked):
        self.asked.append(asked)
        if self.refusal:
            raise TrackerError(self.refusal)
        return 60, Answer(1, 2, 0, b"".join(compact.pack(peer) for peer in self.peers))

    def scrape(self, info_hashes, family):
        self.asked.append((info_hashes, family))
        return {each: ScrapeEntry(each[0], 0, 0) for each in info_hashes}


class Desk:
    """A frontend with a clock in hand."""

    def __init__(self, secret=b"s" * 16):
        self.now = 1_000.0
        self.logic = Logic()
        self.frontend = UdpFrontend(self.logic, secret=secret, clock=lambda: self.now)

    def answer(self, packet, source=SOURCE):
        [answer] = self.frontend.answer([packet], [(source.port, compact.pack(source)[:-2])])
        return answer

    def connect(self, source=SOURCE):
        return decode_response(self.answer(encode_request(ConnectRequest(77)), source), source).connection_id

    def ask(self, packet, source=SOURCE):
        answer = self.answer(encode_request(packet), source)
        return decode_response(answer, source) if answer else None


@pytest.fixture
def desk():
    return Desk()


def test_a_connection_id_opens_announces_and_scrapes(desk):
    connection_id = desk.connect()
    desk.logic.peers = (Address("10.0.0.1", 2),)
    response = desk.ask(UdpAnnounceRequest(connection_id, 5, request(event=AnnounceEvent.STARTED)))
    assert response.transaction_id == 5
    assert response.reply == AnnounceReply(interval=60.0, seeders=1, leechers=2, peers=(Address("10.0.0.1", 2),))
    peer = compact.pack(Address(SOURCE.host, 1))
    assert desk.logic.asked == [(HASH, peer, b"p" * 20, 9, AnnounceEvent.STARTED, ANY_NUMBER, UDP_LISTS)]
    scrape = desk.ask(UdpScrapeRequest(connection_id, 6, (b"\x05" * 20, b"\x03" * 20)))
    assert scrape == UdpScrapeResponse(6, (ScrapeEntry(5, 0, 0), ScrapeEntry(3, 0, 0)))


def test_a_connection_id_lives_two_minutes_and_dies_by_three(desk):
    for start in (0.0, 59.9, 1_000.0, 1_031.7):
        desk.now = start
        connection_id = desk.connect()
        for age, alive in ((0.0, True), (60.0, True), (120.0, True), (180.0, False), (10_000.0, False)):
            desk.now = start + age
            assert (desk.ask(UdpAnnounceRequest(connection_id, 1, request())) is not None) is alive


def test_a_connection_id_is_no_use_from_elsewhere_or_to_another_tracker(desk):
    connection_id = desk.connect()
    announce = UdpAnnounceRequest(connection_id, 1, request())
    assert desk.ask(announce, Address("192.0.2.8", 5000)) is None
    assert Desk(secret=b"t" * 16).ask(announce) is None
    assert desk.ask(announce, Address("192.0.2.7", 6000)) is not None
    assert desk.connect(Address("2001:db8::1", 1)) != connection_id


def test_forged_connection_ids_get_silence_and_change_nothing(desk):
    rng = random.Random(1)
    for forged in [0, 1, 2**64 - 1, PROTOCOL_ID, *(rng.getrandbits(64) for _ in range(2_000))]:
        assert desk.ask(UdpAnnounceRequest(forged, 1, request())) is None
        assert desk.ask(UdpScrapeRequest(forged, 1, (HASH,))) is None
    assert desk.logic.asked == []


def test_a_refusal_goes_back_in_words(desk):
    desk.logic.refusal = "not today"
    assert desk.ask(UdpAnnounceRequest(desk.connect(), 9, request())) == ErrorResponse(9, "not today")


@pytest.mark.parametrize("length", range(256))
def test_a_packet_of_any_length_is_answered_or_ignored_and_never_repaid_with_more(desk, length):
    rng = random.Random(length)
    packets = [bytes(length), rng.randbytes(length), b"\xff" * length]
    packets += [struct.pack("!QII", PROTOCOL_ID, action, 5)[:length].ljust(length, b"\x01") for action in range(6)]
    for packet in packets:
        answer = desk.answer(packet)
        assert not answer or (len(answer) == 16 <= len(packet) and answer[:4] == bytes(4))
    assert desk.logic.asked == []
    head = desk.connect().to_bytes(8, "big")
    for action in range(6):
        packet = (head + struct.pack("!II", action, 5))[:length].ljust(length, b"\x01")
        answer = desk.answer(packet)
        if length < 16:
            assert not answer
        else:
            assert decode_response(answer, SOURCE).transaction_id == 5


def test_an_ipv6_answer_stays_within_what_every_path_carries(desk):
    source = Address("2001:db8::7", 1)
    desk.logic.peers = tuple(Address(f"2001:db8::1:{n:x}", 1) for n in range(200))
    connection_id = desk.connect(source)
    raw = desk.answer(encode_request(UdpAnnounceRequest(connection_id, 1, request())), source)
    assert len(raw) <= 1_232
    given = decode_response(raw, source).reply.peers
    assert len(set(given)) == MAX_PEERS6
    assert set(given) <= set(desk.logic.peers)


async def test_peers_find_each_other_over_loopback():
    settings = TrackerSettings(udp=(Address("127.0.0.1", 0), Address("::1", 0)))
    network = AsyncioNetwork()
    tracker = Tracker(network, rng=random.Random(1), secret=b"s" * 16, settings=settings)
    await tracker.start()
    try:
        for place in tracker.udp_addresses:
            arrived = asyncio.Queue()
            client = await network.open_datagrams(
                Address(place.host, 0), lambda data, source, arrived=arrived: arrived.put_nowait((data, source))
            )

            async def ask(packet, client=client, arrived=arrived, place=place):
                client.send(encode_request(packet), place)
                async with asyncio.timeout(5):
                    data, source = await arrived.get()
                assert source == place
                return decode_response(data, source)

            try:
                client.send(b"junk", place)
                connection_id = (await ask(ConnectRequest(1))).connection_id
                assert (await ask(UdpAnnounceRequest(connection_id, 2, request(port=11)))).reply.peers == ()
                reply = (await ask(UdpAnnounceRequest(connection_id, 3, request(port=12, left=0)))).reply
                assert reply.peers == (Address(place.host, 11),)
                refused = await ask(UdpAnnounceRequest(connection_id, 4, request(port=0)))
                assert refused == ErrorResponse(4, "port 0 cannot be reached")
                scrape = await ask(UdpScrapeRequest(connection_id, 5, (HASH, b"x" * 20)))
                assert scrape.entries == (ScrapeEntry(1, 0, 1), ScrapeEntry(0, 0, 0))
            finally:
                client.close()
    finally:
        await tracker.close()
    assert tracker.udp_addresses == ()
