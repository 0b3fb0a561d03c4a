"""Damaged bytes through every decoder of p2p.codec: a value or the declared error, never anything else.

Samples that are valid are damaged, because pure noise rarely gets past the first byte. STARLING_FUZZ_ROUNDS asks for
more rounds; a failure names its round, and the same round damages the same way.
"""

from __future__ import annotations

import os
import random

import pytest

from p2p.codec import bencode, compact, http_tracker, udp_tracker
from p2p.codec.announce import AnnounceEvent, AnnounceReply, AnnounceRequest, ScrapeEntry
from p2p.errors import BencodeError, RemoteProtocolError, TrackerError
from p2p.ids import Address

ROUNDS = int(os.environ.get("STARLING_FUZZ_ROUNDS", "3000"))
V4 = Address("192.0.2.1", 80)
V6 = Address("2001:db8::1", 80)
REQUEST = AnnounceRequest(
    info_hash=bytes(range(20)), peer_id=b"-ST0100-abcdefghijkl", port=1, uploaded=2, downloaded=3, left=4,
    event=AnnounceEvent.STARTED, key=5, num_want=6, tracker_id=b"id",
)  # fmt: skip
REPLY = AnnounceReply(interval=60.0, min_interval=30.0, seeders=1, leechers=2, completed=3, peers=(V4, V6), warning="w")
TORRENT = {b"info": {b"files": [{b"length": 5, b"path": [b"a", b"b"]}], b"name": b"n", b"pieces": bytes(20)}, b"n": -7}

CASES = {
    "bencode": (bencode.encode(TORRENT), bencode.decode, BencodeError),
    "bencode, any order": (bencode.encode(TORRENT), bencode.decode_lenient, BencodeError),
    "bencode, prefix": (bencode.encode(TORRENT), bencode.decode_prefix, BencodeError),
    "bencode, span": (bencode.encode(TORRENT), lambda raw: bencode.raw_span(raw, b"info"), BencodeError),
    "peers": (compact.encode_peers([V4, V4]), compact.decode_peers, RemoteProtocolError),
    "peers6": (compact.encode_peers6([V6, V6]), compact.decode_peers6, RemoteProtocolError),
    "reply": (http_tracker.encode_announce_compact(REPLY), http_tracker.decode_announce, TrackerError),
    "reply, dicts": (http_tracker.encode_announce_dicts(REPLY), http_tracker.decode_announce, TrackerError),
    "scrape": (
        http_tracker.encode_scrape({REQUEST.info_hash: ScrapeEntry(1, 2, 3, 4)}),
        http_tracker.decode_scrape,
        TrackerError,
    ),
    "query": (
        http_tracker.announce_url("", REQUEST).removeprefix("?").encode(), http_tracker.parse_announce, TrackerError,
    ),
    "udp announce": (
        udp_tracker.encode_request(udp_tracker.UdpAnnounceRequest(1, 2, REQUEST, b"/a?b")),
        udp_tracker.decode_request,
        TrackerError,
    ),
    "udp reply": (
        udp_tracker.encode_response(udp_tracker.UdpAnnounceResponse(2, AnnounceReply(interval=60.0, peers=(V6, V6)))),
        lambda raw: udp_tracker.decode_response(raw, V6),
        TrackerError,
    ),
}  # fmt: skip


def damage(sample: bytes, rng: random.Random) -> bytes:
    raw = bytearray(sample)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(5):
            case 0:
                raw[at : at + 1] = bytes((rng.randrange(256),))
            case 1:
                raw[at:at] = rng.choice([b"0", b"-", b"e", b"i", b"d", b"l", b":", b"9" * 9, b"%", b"&", b"\xff"])
            case 2:
                del raw[at : at + rng.randint(1, 8)]
            case 3:
                other = rng.randrange(len(raw) + 1)
                raw[at:at] = raw[other : other + rng.randint(1, 16)]
            case 4:
                del raw[at:]
    return bytes(raw)


@pytest.mark.parametrize("name", CASES)
def test_damaged_input_is_a_value_or_the_declared_error(name):
    sample, decode, declared = CASES[name]
    decode(sample)
    for number in range(ROUNDS):
        damaged = damage(sample, random.Random(number))
        try:
            decode(damaged)
        except declared:
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, the round is named
            pytest.fail(f"round {number}: {damaged!r} gave {error!r}")
