"""What a torrent answers beside pieces, peer by peer: bounds, private torrents, floods."""

from __future__ import annotations

import random

import pytest

from p2p.ids import Address
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.hash_tree import spans_of, wanted_layers
from p2p.metainfo.metainfo import Metainfo
from p2p.session.extensions import COPIES, MAX_QUEUE, SPARE, TorrentExtensions
from p2p.session.peer_task import EndKind
from p2p.wire.extension import ExtensionHandshake
from p2p.wire.messages import HashRequest
from p2p.wire.ut_metadata import PIECE_SIZE, MetadataPiece, MetadataReject, MetadataRequest, decode, encode
from p2p.wire.ut_pex import PexFlags, PexMessage, PexPeer


class FakeWire:
    """The sending half of a connection; notes what is said."""

    def __init__(self, messages, **handshake):
        self.peer_extension = ExtensionHandshake(messages, **handshake)
        self.control_pending = 0
        self.said = []

    def send_extension(self, name, payload):
        self.said.append((name, payload))

    def send_hashes(self, request, hashes):
        self.said.append(("hashes", hashes))

    def send_hash_reject(self, request):
        self.said.append(("hash reject", request))


class FakePeer:
    class _Open:
        @staticmethod
        def done():
            return False

    def __init__(self, key, *, messages=None, incoming=False, **handshake):
        self.key, self.incoming = key, incoming
        self.address = Address(f"10.0.0.{key}", 50_000 if incoming else 6881)
        self.wire = FakeWire({"ut_metadata": 5, "ut_pex": 6} if messages is None else messages, **handshake)
        self.ended, self.end_kind = self._Open(), None

    def end(self, kind, reason):
        self.end_kind = kind

    def flush(self): ...


def make_metainfo(version="1", *, private=False, size=40 * PIECE_SIZE):
    plan = CreationPlan("content", [((), size)], version=version, piece_length=PIECE_SIZE)
    rng = random.Random(1)
    return Metainfo.from_bytes(
        plan.finish([hash_job(job, [rng.randbytes(job.length)]) for job in plan.jobs()], private=private)
    )


def make(metainfo, **options):
    told = []
    defaults = {"exchange_peers": True, "on_peers": told.extend, "seeding": lambda: False, "now": 0.0}
    extensions = TorrentExtensions(metainfo, **defaults | options)
    return extensions, told


def ask(extensions, peer, piece, now=0.0):
    extensions.on_extension_message(peer, "ut_metadata", encode(MetadataRequest(piece)), now)


def answers(peer):
    return [decode(payload) for name, payload in peer.wire.said if name == "ut_metadata"]


def test_metadata_is_given_and_what_is_beyond_it_rejected():
    metainfo = make_metainfo()
    extensions, _ = make(metainfo)
    peer = FakePeer(1)
    extensions.attach(peer, 0.0)
    ask(extensions, peer, 0)
    ask(extensions, peer, 1)
    assert answers(peer) == [MetadataPiece(0, len(metainfo.info_bytes), metainfo.info_bytes), MetadataReject(1)]
    assert extensions.metadata_size == len(metainfo.info_bytes)


def test_before_the_metadata_is_known_everything_is_rejected():
    extensions, _ = make(None)
    peer = FakePeer(1)
    extensions.attach(peer, 0.0)
    ask(extensions, peer, 0)
    assert answers(peer) == [MetadataReject(0)]
    extensions.on_hash_request(peer, HashRequest(bytes(32), 0, 0, 2, 0), 0.0)
    assert peer.wire.said[-1][0] == "hash reject"
    assert extensions.metadata_size is None
    extensions.on_metadata(make_metainfo())
    ask(extensions, peer, 0)
    assert isinstance(answers(peer)[-1], MetadataPiece)


def test_a_peer_gets_a_few_copies_and_no_more():
    extensions, _ = make(make_metainfo())
    peer, other = FakePeer(1), FakePeer(2)
    for one in (peer, other):
        extensions.attach(one, 0.0)
    for _ in range(100):
        ask(extensions, peer, 0)
    kinds = [type(answer) for answer in answers(peer)]
    assert kinds == [MetadataPiece] * (COPIES + SPARE) + [MetadataReject] * (100 - COPIES - SPARE)
    ask(extensions, other, 0)
    assert isinstance(answers(other)[0], MetadataPiece)


def test_who_does_not_read_waits_and_asks_in_vain():
    extensions, _ = make(make_metainfo(size=100 * PIECE_SIZE))
    peer = FakePeer(1)
    extensions.attach(peer, 0.0)
    peer.wire.control_pending = 1 << 20
    for _ in range(2 * MAX_QUEUE):
        ask(extensions, peer, 0)
    assert peer.wire.said == []
    extensions.on_tick(1.0)
    assert peer.wire.said == []
    peer.wire.control_pending = 0
    extensions.on_tick(2.0)
    assert 0 < len(answers(peer)) <= MAX_QUEUE


def test_few_requests_of_a_peer_wait_however_much_it_may_have(monkeypatch):
    monkeypatch.setattr("p2p.session.extensions.SPARE", 10_000)
    extensions, _ = make(make_metainfo())
    peer = FakePeer(1)
    extensions.attach(peer, 0.0)
    peer.wire.control_pending = 1 << 20
    for _ in range(10 * MAX_QUEUE):
        ask(extensions, peer, 0)
    peer.wire.control_pending = 0
    extensions.on_tick(1.0)
    assert len(answers(peer)) == MAX_QUEUE


def test_answers_that_had_to_wait_for_the_rate_come_later():
    extensions, _ = make(make_metainfo(size=800 * PIECE_SIZE))
    peers = [FakePeer(key) for key in range(1, 200)]
    for peer in peers:
        extensions.attach(peer, 0.0)
        for _ in range(5):
            ask(extensions, peer, 0)
    assert sum(len(answers(peer)) for peer in peers) < 100
    for second in range(1, 20):
        extensions.on_tick(float(second))
    assert [len(answers(peer)) for peer in peers] == [5] * len(peers)


@pytest.mark.parametrize("version", ["2", "hybrid"])
def test_hashes_are_given_a_few_times(version):
    metainfo = make_metainfo(version)
    extensions, _ = make(metainfo)
    peer = FakePeer(1)
    extensions.attach(peer, 0.0)
    (layer,) = wanted_layers(metainfo.info_bytes)
    (span,) = spans_of(layer)
    request = HashRequest(span.pieces_root, span.base_layer, span.index, span.length, span.proof_layers)
    for _ in range(50):
        extensions.on_hash_request(peer, request, 0.0)
    assert [name for name, _ in peer.wire.said] == ["hashes"] * (COPIES + SPARE) + ["hash reject"] * (
        50 - COPIES - SPARE
    )


def test_who_does_not_read_gets_no_hashes():
    metainfo = make_metainfo("2")
    extensions, _ = make(metainfo)
    peer = FakePeer(1)
    extensions.attach(peer, 0.0)
    (layer,) = wanted_layers(metainfo.info_bytes)
    (span,) = spans_of(layer)
    request = HashRequest(span.pieces_root, span.base_layer, span.index, span.length, span.proof_layers)
    peer.wire.control_pending = 1 << 20
    extensions.on_hash_request(peer, request, 0.0)
    peer.wire.control_pending = 0
    extensions.on_hash_request(peer, request, 0.0)
    assert [name for name, _ in peer.wire.said] == ["hash reject", "hashes"]


def test_peers_are_told_of_each_other_where_they_listen():
    extensions, _ = make(make_metainfo())
    extensions.attach(FakePeer(1), 0.0)
    extensions.attach(FakePeer(2, incoming=True, port=7000, upload_only=True), 0.0)
    extensions.attach(FakePeer(3, incoming=True), 0.0)
    late = FakePeer(4)
    extensions.attach(late, 0.0)
    extensions.on_tick(0.0)
    ((name, payload),) = late.wire.said
    assert name == "ut_pex"
    assert PexMessage.decode(payload).added == (
        PexPeer(Address("10.0.0.1", 6881), PexFlags.REACHABLE),
        PexPeer(Address("10.0.0.2", 7000), PexFlags.SEED),
    )


def test_what_peers_tell_is_passed_on_and_a_flood_ends_them():
    extensions, told = make(None)
    peer = FakePeer(1)
    extensions.attach(peer, 0.0)
    payload = PexMessage((PexPeer(Address("10.0.0.9", 1)),)).encode()
    extensions.on_extension_message(peer, "ut_pex", payload, 0.0)
    assert told == [Address("10.0.0.9", 1)]
    for _ in range(50):
        extensions.on_extension_message(peer, "ut_pex", payload, 0.1)
    assert len(told) <= 2
    assert peer.end_kind is EndKind.MISBEHAVED


@pytest.mark.parametrize("seeding", [True, False])
def test_a_seed_is_not_interested_in_other_seeds(seeding):
    extensions, told = make(make_metainfo(), seeding=lambda: seeding)
    peer = FakePeer(1)
    extensions.attach(peer, 0.0)
    seed, leecher = (PexPeer(Address(f"10.0.1.{n}", 1), flags) for n, flags in enumerate((PexFlags.SEED, PexFlags.UTP)))
    extensions.on_extension_message(peer, "ut_pex", PexMessage((seed, leecher)).encode(), 0.0)
    assert told == ([leecher.address] if seeding else [seed.address, leecher.address])


@pytest.mark.parametrize("name", ["ut_pex", "ut_metadata"])
def test_garbage_ends_its_sender(name):
    extensions, _ = make(make_metainfo())
    peer = FakePeer(1)
    extensions.attach(peer, 0.0)
    assert extensions.on_extension_message(peer, name, b"garbage", 0.0) is None
    assert peer.end_kind is EndKind.MISBEHAVED


def test_a_private_torrent_says_and_hears_nothing_of_peers():
    extensions, told = make(make_metainfo(private=True))
    assert extensions.messages == {"ut_metadata": 1}
    peers = [FakePeer(1), FakePeer(2)]
    for peer in peers:
        extensions.attach(peer, 0.0)
        extensions.on_extension_message(peer, "ut_pex", PexMessage((PexPeer(Address("10.0.0.9", 1)),)).encode(), 0.0)
    extensions.on_tick(100.0)
    assert told == []
    assert [peer.wire.said for peer in peers] == [[], []]


def test_a_magnet_that_turns_out_private_takes_its_offer_back():
    extensions, told = make(None)
    assert extensions.messages == {"ut_metadata": 1, "ut_pex": 2}
    peers = [FakePeer(1), FakePeer(2)]
    for peer in peers:
        extensions.attach(peer, 0.0)
    extensions.on_metadata(make_metainfo(private=True))
    assert extensions.messages == {"ut_metadata": 1, "ut_pex": 0}
    extensions.on_tick(100.0)
    extensions.on_extension_message(peers[0], "ut_pex", PexMessage((PexPeer(Address("10.0.0.9", 1)),)).encode(), 100.0)
    assert told == []
    assert [peer.wire.said for peer in peers] == [[], []]


def test_without_the_wish_no_peers_are_exchanged():
    extensions, _ = make(make_metainfo(), exchange_peers=False)
    assert extensions.messages == {"ut_metadata": 1}
