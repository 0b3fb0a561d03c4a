"""The encrypted handshake between two of our machines: every agreement, split and pad, and no byte too many."""

from __future__ import annotations

import random
from hashlib import sha1

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import InfoHash
from p2p.wire.mse import (
    KEY_SIZE,
    MAX_INITIAL,
    MAX_PAD,
    PLAIN_START,
    PRIME,
    Method,
    Rc4,
    Secrets,
    initiate,
    respond,
    skey_digest,
)

SKEY = InfoHash(b"s" * 20)
OTHER = InfoHash(b"o" * 20)
BOTH = (Method.RC4, Method.PLAINTEXT)
BOUND = KEY_SIZE + 3 * MAX_PAD + MAX_INITIAL + 64
"""Bytes that no handshake wants more than."""


def secrets(seed=1, pad=0, quiet_pad=0):
    rng = random.Random(seed)
    return Secrets(rng.randbytes(20), rng.randbytes(pad), quiet_pad)


def lookup(*torrents):
    return {skey_digest(torrent): torrent for torrent in torrents}.get


def pair(*, offers=BOTH, accepts=BOTH, initial=b"", ours=None, theirs=None, skey=SKEY, torrents=(OTHER, SKEY)):
    a = initiate(skey, offers, ours or secrets(1, 100, 20), initial)
    return a, respond(lookup(*torrents), accepts, theirs or secrets(2, 200, 30))


def run(a, b, sizes=lambda: 10_000):
    """Pass bytes until both are done, `sizes()` at a time; what each had sent beyond what the other wanted."""
    wires = {a: bytearray(), b: bytearray()}
    while True:
        moved = False
        for sender, receiver in ((a, b), (b, a)):
            wires[receiver] += sender.data_to_send()
            if count := min(len(wires[receiver]), receiver.wanted, max(1, sizes())):
                receiver.receive_data(wires[receiver][:count])
                del wires[receiver][:count]
                moved = True
        if not moved:
            return bytes(wires[a]), bytes(wires[b])


@pytest.mark.parametrize(
    ("offers", "accepts", "method"),
    [
        (BOTH, BOTH, Method.RC4),
        (BOTH, BOTH[::-1], Method.PLAINTEXT),
        ((Method.RC4,), BOTH[::-1], Method.RC4),
        ((Method.PLAINTEXT,), BOTH, Method.PLAINTEXT),
        (BOTH, (Method.PLAINTEXT,), Method.PLAINTEXT),
        (BOTH, (Method.RC4,), Method.RC4),
    ],
)
def test_the_method_is_the_first_that_the_receiver_likes_and_the_initiator_offers(offers, accepts, method):
    a, b = pair(offers=offers, accepts=accepts, initial=b"hello")
    assert run(a, b) == (b"", b"")
    for side in (a, b):
        assert side.wanted == 0
        assert side.outcome.method is method
        assert side.outcome.skey == SKEY
        assert (side.outcome.encrypt is None) == (side.outcome.decrypt is None) == (method is Method.PLAINTEXT)
    assert (a.outcome.initial, b.outcome.initial) == (b"", b"hello")
    if method is Method.RC4:
        for sender, receiver in ((a.outcome, b.outcome), (b.outcome, a.outcome)):
            sealed = sender.encrypt.apply(b"payload" * 100)
            assert sealed != b"payload" * 100
            assert receiver.decrypt.apply(sealed) == b"payload" * 100


@pytest.mark.parametrize(("offers", "accepts"), [((Method.RC4,), (Method.PLAINTEXT,)), ((Method.PLAINTEXT,), BOTH[:1])])
def test_no_method_in_agreement_is_refused(offers, accepts):
    with pytest.raises(RemoteProtocolError, match="none of which is acceptable"):
        run(*pair(offers=offers, accepts=accepts))


@settings(max_examples=60, deadline=None)
@given(
    pads=st.tuples(*[st.integers(0, MAX_PAD)] * 4),
    initial=st.binary(max_size=MAX_INITIAL),
    seed=st.integers(0, 1 << 30),
    largest=st.sampled_from([1, 7, 100, 2_000]),
)
def test_any_pads_and_any_split_come_to_the_same(pads, initial, seed, largest):
    rng = random.Random(seed)
    ours, theirs = secrets(seed, pads[0], pads[2]), secrets(seed + 1, pads[1], pads[3])
    a, b = pair(initial=initial, ours=ours, theirs=theirs)
    assert run(a, b, lambda: rng.randint(1, largest)) == (b"", b"")
    assert b.outcome.initial == initial
    sealed = a.outcome.encrypt.apply(b"payload")
    assert b.outcome.decrypt.apply(sealed) == b"payload"


def test_pads_of_every_length():
    for length in range(MAX_PAD + 1):
        a, b = pair(ours=secrets(length, length, length), theirs=secrets(-length, length, length))
        assert run(a, b) == (b"", b"")
        assert a.outcome.method is b.outcome.method is Method.RC4


def test_the_first_bytes_of_the_payload_stay_in_the_stream():
    a, b = pair()
    b.receive_data(a.data_to_send()[:KEY_SIZE])
    to_a = b.data_to_send()
    a.receive_data(to_a[:20])
    a.receive_data(to_a[20:KEY_SIZE])
    # Both sides' streams go on at once; a machine asks for its own bytes alone, however many wait.
    to_b = bytearray(b"p" * 100 + a.data_to_send() + b"payload of a")
    while b.wanted:
        count = b.wanted
        b.receive_data(to_b[:count])
        del to_b[:count]
    assert to_b == b"payload of a"
    to_a = bytearray(to_a[KEY_SIZE:] + b.data_to_send() + b"payload of b")
    while a.wanted:
        count = a.wanted
        a.receive_data(to_a[:count])
        del to_a[:count]
    assert to_a == b"payload of b"


def test_a_pad_that_looks_like_the_mark_does_not_hide_it():
    """PadB is made of beginnings of ENCRYPT(VC), PadA of those of HASH('req1', S), both right up to the real ones."""
    ours, theirs = secrets(1), secrets(2)
    shared = pow(pow(2, private(theirs), PRIME), private(ours), PRIME).to_bytes(96, "big")
    mark = sha1(b"req1" + shared).digest()
    vc = Rc4(sha1(b"keyB" + shared + SKEY).digest()).apply(bytes(8))
    pad_a = (mark[:19] * 27)[: MAX_PAD - 10] + mark[:10]
    pad_b = (vc[:7] * 80)[: MAX_PAD - 7] + vc[:7]
    for step in (1, 3, 10_000):
        a, b = pair(ours=ours._replace(pad=pad_a), theirs=theirs._replace(pad=pad_b))
        assert run(a, b, lambda step=step: step) == (b"", b"")
        assert a.outcome.method is Method.RC4


def private(drawn):
    return int.from_bytes(drawn.private_key, "big") | 1 << 159


@pytest.mark.parametrize("torrents", [(), (OTHER,)])
def test_a_torrent_that_is_not_here_is_refused(torrents):
    with pytest.raises(RemoteProtocolError, match="not here"):
        run(*pair(torrents=torrents))


def test_one_that_knows_only_another_torrent_cannot_answer():
    a, b = pair()
    liar = respond(lambda _: OTHER, BOTH, secrets(3))
    with pytest.raises(RemoteProtocolError, match="does not decrypt"):
        run(a, liar)
    assert b.wanted


@pytest.mark.parametrize("key", [0, 1, PRIME - 1, PRIME, PRIME + 1, (1 << 768) - 1])
def test_a_public_key_that_gives_the_secret_away_is_refused(key):
    for machine in pair():
        machine.data_to_send()
        content = key.to_bytes(KEY_SIZE, "big")
        with pytest.raises(RemoteProtocolError, match="public key"):
            feed(machine, content)


def feed(machine, content):
    """Give bytes as they are wanted; how many were taken."""
    taken = 0
    while taken < len(content) and machine.wanted:
        count = min(machine.wanted, len(content) - taken)
        machine.receive_data(content[taken : taken + count])
        taken += count
    return taken


def test_a_plain_answer_is_known_at_once():
    a, _ = pair()
    with pytest.raises(RemoteProtocolError, match="plain"):
        a.receive_data(PLAIN_START)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), size=st.integers(0, 3_000), fill=st.sampled_from(["random", "zeros", "ones"]))
def test_garbage_ends_in_a_declared_error_before_the_bound(seed, size, fill):
    content = {
        "random": random.Random(seed).randbytes(size),
        "zeros": bytes(20) + b"\x01" + bytes(size),
        "ones": b"\x01" + b"\xff" * size,
    }[fill]
    for machine in pair():
        try:
            taken = feed(machine, content)
        except RemoteProtocolError:
            assert machine.wanted == 0
            assert machine.outcome is None
        else:
            assert taken == len(content) <= KEY_SIZE + MAX_PAD + 64 < BOUND


def flood(machine, counted):
    while True:
        machine.receive_data(b"x")
        counted.append(1)


def test_a_flood_after_the_key_is_refused_at_its_bound():
    for machine in pair():
        feed(machine, b"\x01" * KEY_SIZE)
        counted = []
        with pytest.raises(RemoteProtocolError, match="mark"):
            flood(machine, counted)
        assert MAX_PAD < len(counted) + 1 <= MAX_PAD + 54


def test_giving_more_than_is_wanted_is_our_bug():
    a, b = pair()
    with pytest.raises(LocalProtocolError):
        b.receive_data(bytes(KEY_SIZE + 1))
    with pytest.raises(RemoteProtocolError):
        a.receive_data(PLAIN_START)
    with pytest.raises(LocalProtocolError):
        a.receive_data(b"x")


def test_misuse_is_our_bug():
    good = secrets()
    for drawn in (good._replace(private_key=b"short"), secrets(pad=513), good._replace(quiet_pad=513)):
        with pytest.raises(LocalProtocolError):
            initiate(SKEY, BOTH, drawn)
        with pytest.raises(LocalProtocolError):
            respond(lookup(SKEY), BOTH, drawn)
    with pytest.raises(LocalProtocolError):
        initiate(SKEY, (), good)
    with pytest.raises(LocalProtocolError):
        respond(lookup(SKEY), (), good)
    with pytest.raises(LocalProtocolError):
        initiate(SKEY, BOTH, good, bytes(MAX_INITIAL + 1))
    with pytest.raises(LocalProtocolError):
        initiate(InfoHash(b"short"), BOTH, good)
