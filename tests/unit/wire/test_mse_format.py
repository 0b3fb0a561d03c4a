"""The encrypted handshake against one made by hand from the specification, with an RC4 of its own."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from hashlib import sha1

import pytest

from p2p.errors import RemoteProtocolError
from p2p.ids import InfoHash
from p2p.wire.mse import MAX_INITIAL, MAX_PAD, Method, Rc4, Secrets, initiate, respond, skey_digest

P = (
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563"
)
PRIME = int(P, 16)
SKEY = InfoHash(bytes(range(20)))
SECRETS = Secrets(random.Random(3).randbytes(20), b"our pad", 5)
EXPONENT = 0x123456789ABCDEF0123456789ABCDEF012345678
BOTH = (Method.RC4, Method.PLAINTEXT)


class SlowRc4:
    """RC4 as textbooks have it, its first 1,024 bytes thrown away."""

    def __init__(self, key):
        self.state = list(range(256))
        self.i = self.j = 0
        j = 0
        for i in range(256):
            j = (j + self.state[i] + key[i % len(key)]) % 256
            self.state[i], self.state[j] = self.state[j], self.state[i]
        self.apply(bytes(1_024))

    def apply(self, content):
        found = bytearray()
        s = self.state
        for byte in content:
            self.i = (self.i + 1) % 256
            self.j = (self.j + s[self.i]) % 256
            s[self.i], s[self.j] = s[self.j], s[self.i]
            found.append(byte ^ s[(s[self.i] + s[self.j]) % 256])
        return bytes(found)


class ByHand:
    """The other side: its public key, and what follows from ours."""

    def __init__(self):
        self.public = pow(2, EXPONENT, PRIME).to_bytes(96, "big")

    def meet(self, theirs):
        self.shared = pow(int.from_bytes(theirs[:96], "big"), EXPONENT, PRIME).to_bytes(96, "big")
        self.from_a = SlowRc4(sha1(b"keyA" + self.shared + SKEY).digest())
        self.from_b = SlowRc4(sha1(b"keyB" + self.shared + SKEY).digest())
        self.request = sha1(b"req1" + self.shared).digest() + bytes(
            x ^ y for x, y in zip(sha1(b"req2" + SKEY).digest(), sha1(b"req3" + self.shared).digest(), strict=True)
        )


def feed(machine, content):
    """Give bytes as they are wanted; what is left over."""
    while content and machine.wanted:
        count = min(machine.wanted, len(content))
        machine.receive_data(content[:count])
        content = content[count:]
    return content


def asked(initial=b"", offers=BOTH):
    """Our initiator after the keys were exchanged, and the other side."""
    machine, hand = initiate(SKEY, offers, SECRETS, initial), ByHand()
    sent = machine.data_to_send()
    assert sent[96:] == b"our pad"
    hand.meet(sent)
    assert not feed(machine, hand.public)
    return machine, hand


def answering(accepts=BOTH):
    """Our receiver after the keys were exchanged, and the other side."""
    machine, hand = respond({skey_digest(SKEY): SKEY}.get, accepts, SECRETS), ByHand()
    assert machine.data_to_send() == b""
    assert not feed(machine, hand.public)
    sent = machine.data_to_send()
    assert sent[96:] == b"our pad"
    hand.meet(sent)
    return machine, hand


def offer(hand, *, vc=bytes(8), provide=3, pad=b"", initial=b"", sizes=(None, None)):
    pad_size, initial_size = (len(pad), len(initial)) if sizes == (None, None) else sizes
    return hand.request + hand.from_a.apply(
        vc + struct.pack(">IH", provide, pad_size) + pad + struct.pack(">H", initial_size) + initial
    )


def test_rc4_agrees_with_rfc_6229():
    """Its test vector for a key of 40 bits, from byte 1,024 on."""
    assert Rc4(bytes.fromhex("0102030405")).apply(bytes(16)).hex() == "30abbcc7c20b01609f23ee2d5f6bb7df"


def test_rc4_agrees_with_the_textbook_for_keys_of_a_digest():
    content = random.Random(1).randbytes(1_000)
    assert Rc4(SKEY).apply(content) == SlowRc4(SKEY).apply(content)


def test_a_system_without_rc4_is_told_apart():
    """OpenSSL without its legacy provider, as some systems configure it."""
    program = "from p2p.wire.mse import Rc4\nfrom p2p.errors import NetworkError\n"
    program += "try: Rc4(bytes(20))\nexcept NetworkError as error: print(error)"
    environment = os.environ | {"CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1"}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "this system's OpenSSL offers no RC4\n"


def test_rc4_in_place():
    content = random.Random(1).randbytes(1_000)
    place = bytearray(content)
    cipher = Rc4(SKEY)
    cipher.apply_into(memoryview(place)[:300], memoryview(place)[:300])
    cipher.apply_into(memoryview(place)[300:], memoryview(place)[300:])
    assert bytes(place) == Rc4(SKEY).apply(content)


@pytest.mark.parametrize("select", [1, 2, 0xF0000002])
def test_what_the_initiator_sends_and_understands(select):
    machine, hand = asked(b"initial payload")
    sent = machine.data_to_send()
    assert sent[:40] == hand.request
    expected = bytes(8) + struct.pack(">IH", 3, 5) + bytes(5) + struct.pack(">H", 15) + b"initial payload"
    assert hand.from_a.apply(sent[40:]) == expected
    answer = bytes(8) + struct.pack(">IH", select, 3) + b"xyz"
    assert feed(machine, b"pad b" + hand.from_b.apply(answer) + b"payload") == b"payload"
    assert machine.outcome.method == select & 3
    if select & 2:
        assert machine.outcome.decrypt.apply(hand.from_b.apply(b"there")) == b"there"
        assert hand.from_a.apply(machine.outcome.encrypt.apply(b"here")) == b"here"


@pytest.mark.parametrize(("provide", "select"), [(1, 1), (2, 2), (3, 2), (0x70000003, 2)])
def test_what_the_receiver_understands_and_sends(provide, select):
    machine, hand = answering()
    assert feed(machine, b"pad a" + offer(hand, provide=provide, pad=b"p" * 9, initial=b"initial")) == b""
    sent = machine.data_to_send()
    assert hand.from_b.apply(sent) == bytes(8) + struct.pack(">IH", select, 5) + bytes(5)
    assert machine.outcome.method == select
    assert machine.outcome.initial == b"initial"
    if select == 2:
        assert machine.outcome.decrypt.apply(hand.from_a.apply(b"there")) == b"there"


@pytest.mark.parametrize("select", [0, 1, 3, 4])
def test_the_initiator_refuses_what_it_did_not_offer(select):
    machine, hand = asked(offers=(Method.RC4,))
    with pytest.raises(RemoteProtocolError, match="selects"):
        feed(machine, hand.from_b.apply(bytes(8) + struct.pack(">IH", select, 0)))


def test_the_initiator_refuses_two_methods_and_a_long_pad():
    machine, hand = asked()
    with pytest.raises(RemoteProtocolError, match="selects"):
        feed(machine, hand.from_b.apply(bytes(8) + struct.pack(">IH", 3, 0)))
    machine, hand = asked()
    with pytest.raises(RemoteProtocolError, match="pad of 513"):
        feed(machine, hand.from_b.apply(bytes(8) + struct.pack(">IH", 2, MAX_PAD + 1)))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"vc": b"\0" * 7 + b"\1"}, "decrypt"),
        ({"provide": 0}, "offers"),
        ({"provide": 4}, "offers"),
        ({"sizes": (MAX_PAD + 1, 0)}, "pad of 513"),
        ({"sizes": (65_535, 0)}, "pad of 65535"),
        ({"sizes": (0, MAX_INITIAL + 1)}, "69 bytes"),
        ({"sizes": (0, 65_535)}, "65535 bytes"),
    ],
)
def test_the_receiver_refuses(wrong, reason):
    machine, hand = answering()
    with pytest.raises(RemoteProtocolError, match=reason):
        feed(machine, offer(hand, **wrong))
    assert machine.data_to_send() == b""
    assert machine.wanted == 0


@pytest.mark.parametrize("length", [MAX_PAD, MAX_PAD + 1])
def test_a_pad_before_the_mark_has_its_bound(length):
    machine, hand = answering()
    content = bytes(length) + offer(hand)
    if length <= MAX_PAD:
        assert feed(machine, content) == b""
        assert machine.outcome
    else:
        with pytest.raises(RemoteProtocolError, match="mark"):
            feed(machine, content)


def test_a_corrupted_handshake_is_refused_wherever_the_bit_is():
    """Nobody signs pads, so a bit there may pass; none may raise anything undeclared or ask for more than its own."""
    for at in range(0, 40 + 16, 3):
        machine, hand = answering()
        content = bytearray(offer(hand, initial=b"i"))
        content[at] ^= 0x40
        try:
            assert feed(machine, bytes(content)) == b""
        except RemoteProtocolError:
            assert machine.outcome is None
