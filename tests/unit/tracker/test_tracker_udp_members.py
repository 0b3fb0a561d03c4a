"""A private tracker over UDP: the passkey travels in the path that an announce's options carry (BEP 41)."""

from __future__ import annotations

import pytest

from p2p.codec import compact
from p2p.codec.announce import AnnounceEvent, AnnounceRequest
from p2p.codec.udp_tracker import (
    ConnectRequest,
    ErrorResponse,
    UdpAnnounceRequest,
    UdpScrapeRequest,
    decode_response,
    encode_request,
)
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker.gate import Admission
from tracker.gated_logic import GatedLogic, passkey_of
from tracker.logic import Rules, SwarmLogic
from tracker.memory_store import MemoryStore
from tracker.udp_frontend import MAX_PEERS4, UdpFrontend

HASH = b"h" * 20
KEY = "0123456789abcdef0123456789abcdef"
SOURCE = Address("192.0.2.7", 5_000)


class Gate:
    """Lets in who knows KEY, and remembers what it was told."""

    def __init__(self):
        self.admission = Admission(1, 2)
        self.asked = []
        self.told = []

    def admit(self, request, passkey, source, user_agent, now):
        self.asked.append((request, passkey, source, user_agent, now))
        if passkey != KEY:
            raise TrackerError("Passkey not found")
        return self.admission

    def on_announced(self, admission, request, source, now):
        self.told.append((admission, request, source, now))

    def may_scrape(self, passkey, info_hashes, source, now):
        raise TrackerError("Passkey not found")


class Desk:
    def __init__(self):
        import random

        self.gate = Gate()
        self.store = MemoryStore(max_torrents=10, max_peers=1_000)
        logic = SwarmLogic(self.store, rng=random.Random(1), clock=lambda: 5.0, rules=Rules(max_peers=900))
        gated = GatedLogic(logic, self.gate, lambda: 1e9)
        self.frontend = UdpFrontend(logic, secret=b"s" * 16, clock=lambda: 5.0, gated=gated)

    def answer(self, packet, source=SOURCE):
        [answer] = self.frontend.answer([packet], [(source.port, compact.pack(source)[:-2])])
        return decode_response(answer, source) if answer else None

    def ask(self, url_data, source=SOURCE, tail=b"", **fields):
        fields = {
            "info_hash": HASH,
            "peer_id": b"p" * 20,
            "port": 9,
            "uploaded": 3,
            "downloaded": 4,
            "left": 5,
        } | fields
        connection_id = self.answer(encode_request(ConnectRequest(1)), source).connection_id
        request = UdpAnnounceRequest(connection_id, 7, AnnounceRequest(**fields), url_data)
        return self.answer(encode_request(request) + tail, source)


@pytest.fixture
def desk():
    return Desk()


@pytest.mark.parametrize(
    "path", [f"/announce/{KEY}", f"/{KEY}/announce", f"/announce/{KEY}?x=y", f"/announce/{KEY}?" + "z" * 1_900]
)
def test_a_member_is_known_by_the_path_and_its_counters_arrive(desk, path):
    response = desk.ask(path.encode(), event=AnnounceEvent.STARTED)
    assert (response.transaction_id, response.reply.leechers) == (7, 1)
    [(request, passkey, source, user_agent, now)] = desk.gate.asked
    assert (passkey, source, user_agent, now) == (KEY, SOURCE, None, 1e9)
    assert (request.uploaded, request.downloaded, request.left, request.port) == (3, 4, 5, 9)
    assert request.event is AnnounceEvent.STARTED
    assert desk.gate.told == [(desk.gate.admission, request, SOURCE, 1e9)]


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/",
        b"/announce",
        b"/announce/",
        b"/announce/wrong",
        b"announce/" + KEY.encode(),
        b"//announce/" + KEY.encode(),
        b"/announce/" + KEY.encode() + b"/more",
        b"/announce?" + KEY.encode(),
        b"/announce/\xff\xfe",
        b"/announce/' OR 1=1; --",
        b"/" * 2_048,
    ],
)
def test_who_has_no_good_passkey_is_refused_and_not_entered(desk, path):
    assert desk.ask(path) == ErrorResponse(7, "Passkey not found")
    assert desk.store.totals().peers == 0
    assert desk.gate.told == []


def test_the_path_may_come_in_pieces_and_what_follows_its_end_is_nothing(desk):
    path = f"/announce/{KEY}".encode()
    pieces = b"".join(bytes([2, len(path[at : at + 5])]) + path[at : at + 5] for at in range(0, len(path), 5))
    assert desk.ask(b"", tail=b"\x01" + pieces + b"\x01\x00junk").reply.leechers == 1
    assert desk.ask(b"", tail=b"\x63\x02xx" + pieces).reply.leechers == 1  # an option nobody knows is passed over
    assert isinstance(desk.ask(b"", tail=pieces[:-1]), ErrorResponse)


def test_a_path_longer_than_any_is_refused(desk):
    assert isinstance(
        desk.ask(b"", tail=b"".join(b"\x02\xff" + b"/" * 255 for _ in range(8)) + b"\x02\x09" + b"/" * 9), ErrorResponse
    )
    assert desk.gate.asked == []


def test_a_member_without_the_right_to_peers_gets_none_and_is_not_entered(desk):
    desk.ask(f"/announce/{KEY}".encode(), source=Address("192.0.2.8", 1))
    desk.gate.admission = Admission(1, 2, gives_peers=False)
    response = desk.ask(f"/announce/{KEY}".encode())
    assert (response.reply.peers, response.reply.leechers) == ((), 1)
    assert len(desk.gate.told) == 2


def test_a_members_own_clients_are_left_out_and_a_long_answer_fits_its_packet(desk):
    own = [Address("198.51.100.1", 1_000 + n) for n in range(5)]
    for address in [*own, *(Address("198.51.100.2", 1_000 + n) for n in range(400))]:
        desk.ask(f"/announce/{KEY}".encode(), source=address, port=address.port)
    desk.gate.admission = Admission(1, 2, own_peers=frozenset(compact.pack(each) for each in own))
    peers = desk.ask(f"/announce/{KEY}".encode(), num_want=900).reply.peers
    assert len(set(peers)) == MAX_PEERS4
    assert not set(own) & set(peers)
    assert len(desk.ask(f"/announce/{KEY}".encode(), num_want=20, peer_id=b"q" * 20).reply.peers) == 20


def test_a_scrape_has_no_path_so_no_passkey(desk):
    connection_id = desk.answer(encode_request(ConnectRequest(1))).connection_id
    answer = desk.answer(encode_request(UdpScrapeRequest(connection_id, 3, (HASH,))))
    assert answer == ErrorResponse(3, "Passkey not found")


def test_passkeys_stand_before_or_after_the_word():
    assert passkey_of(b"/announce/abc") == passkey_of(b"/abc/announce") == passkey_of(b"/abc/scrape?x") == "abc"
    assert passkey_of(b"/announce/announce") == "announce"
    assert passkey_of(b"/other/abc") is None
