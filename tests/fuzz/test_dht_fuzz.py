"""Damaged datagrams and state files through the DHT: a value or a DhtError, and a node that goes on.

Samples that are valid are damaged, because pure noise rarely gets past the first byte. STARLING_FUZZ_ROUNDS asks for
more rounds; a failure names its round, and the same round damages the same way.
"""

from __future__ import annotations

import os
import random

import pytest

from p2p.codec.compact import CompactNode
from p2p.dht import krpc
from p2p.dht.krpc import AnnouncePeer, ErrorReply, FindNode, GetPeers, Ping, Query, Response
from p2p.dht.node import DhtNode
from p2p.dht.rate_limit import RateLimit
from p2p.dht.state import SavedTable
from p2p.errors import DhtError
from p2p.ids import Address

ROUNDS = int(os.environ.get("STARLING_FUZZ_ROUNDS", "1000"))
ME, YOU = b"abcdefghij0123456789", b"mnopqrstuvwxyz123456"
V4, V6 = Address("192.0.2.7", 6881), Address("2001:db8::7", 6881)
NODES, NODES6 = [CompactNode(YOU, V4)] * 3, [CompactNode(YOU, V6)] * 2

SAMPLES = {
    "ping": Query(b"aa", ME, Ping()),
    "find_node": Query(b"aa", ME, FindNode(YOU, (False, True))),
    "get_peers": Query(b"aa", ME, GetPeers(YOU), read_only=True),
    "announce_peer": Query(b"aa", ME, AnnouncePeer(YOU, 6881, b"aoeusnth", True)),
    "pong": Response(b"aa", ME, ip=V4),
    "nodes": Response(b"aa", ME, NODES, NODES6),
    "peers": Response(b"aa", ME, values=[V4, V6], token=b"token"),
    "error": ErrorReply(b"aa", 201, "no"),
}


def damage(sample, rng):
    raw = bytearray(sample)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(5):
            case 0:
                raw[at : at + 1] = bytes((rng.randrange(256),))
            case 1:
                raw[at:at] = rng.choice([b"0", b"-", b"e", b"i", b"d", b"l", b":", b"9" * 9, b"1:y1:q", b"\xff"])
            case 2:
                del raw[at : at + rng.randint(1, 8)]
            case 3:
                other = rng.randrange(len(raw) + 1)
                raw[at:at] = raw[other : other + rng.randint(1, 16)]
            case 4:
                del raw[at:]
    return bytes(raw)


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_datagrams_are_messages_or_dht_errors(name):
    sample = krpc.encode(SAMPLES[name])
    krpc.decode(sample)
    for number in range(ROUNDS):
        damaged = damage(sample, random.Random(number))
        try:
            krpc.decode(damaged)
        except DhtError:
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, the round is named
            pytest.fail(f"round {number}: {damaged!r} gave {error!r}")


def test_damaged_state_files_are_refused():
    sample = SavedTable({False: ME, True: YOU}, {False: NODES, True: NODES6}).encode()
    SavedTable.decode(sample)
    for number in range(ROUNDS):
        damaged = damage(sample, random.Random(number))
        if damaged == sample:
            continue
        with pytest.raises(DhtError):
            SavedTable.decode(damaged)


def test_a_node_that_hears_damage_of_all_kinds_goes_on():
    """Half of it are damaged answers to what it really asked, from where it asked."""
    rng = random.Random(1)
    limit = RateLimit(host_burst=1e9, total_burst=1e9)
    node = DhtNode({False: ME, True: ME}, rng=rng, secret=b"s" * 16, now=0.0, limit=limit)
    samples = list(SAMPLES.values())
    now, under_way = 0.0, []
    for number in range(2 * ROUNDS):
        now += rng.random()
        source = rng.choice([V4, V6, Address("10.0.0.1", 7), Address("192.0.2.9", rng.randrange(65_536))])
        if number % 50 == 0:
            node.bootstrap([V4, V6], now)
            node.announce(rng.randbytes(20), 5, now)
        if under_way and rng.random() < 0.5:
            query, source = under_way.pop(rng.randrange(len(under_way)))
            nodes = [CompactNode(rng.randbytes(20), Address(f"192.{rng.randrange(200)}.2.7", 9)) for _ in range(4)]
            raw = krpc.encode(Response(query.transaction, rng.randbytes(20), nodes, NODES6, [V4], b"token", V4))
            raw = raw if rng.random() < 0.5 else damage(raw, rng)
        else:
            raw = damage(krpc.encode(rng.choice(samples)), rng)
        try:
            node.receive_datagram(raw, source, now)
            while node.next_timer() <= now:
                node.on_timer(now)
        except Exception as error:  # noqa: BLE001 - whatever it is, the round is named
            pytest.fail(f"round {number}: {raw!r} gave {error!r}")
        for datagram, to in node.datagrams_to_send():
            assert len(datagram) <= krpc.MAX_SENT
            message = krpc.decode(datagram)
            if isinstance(message, Query):
                under_way.append((message, to))
        del under_way[:-200]
        while node.next_event() is not None:
            pass
    assert node.snapshot(now).traffic.received == 2 * ROUNDS
