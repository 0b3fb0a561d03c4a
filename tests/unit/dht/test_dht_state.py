"""The saved table: round trips, and what any damage to it comes to."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec import bencode
from p2p.codec.compact import CompactNode
from p2p.dht.state import MAX_CONTACTS, MAX_STATE, SavedTable
from p2p.errors import DhtError
from p2p.ids import Address

RNG = random.Random(1)
NODES = [CompactNode(RNG.randbytes(20), Address(f"20.{number}.0.1", 6881)) for number in range(30)]
NODES6 = [CompactNode(RNG.randbytes(20), Address(f"2001:{number + 1:x}::1", 6881)) for number in range(20)]
SAVED = SavedTable({False: b"4" * 20, True: b"6" * 20}, {False: NODES, True: NODES6})


def sealed(fields):
    body = bencode.encode(fields)
    return body + hashlib.sha256(body).digest()


def test_a_table_comes_back_as_it_was():
    assert SavedTable.decode(SAVED.encode()) == SAVED
    only6 = SavedTable({True: b"6" * 20}, {True: NODES6})
    assert SavedTable.decode(only6.encode()) == only6


def test_the_largest_table_fits():
    many = {
        False: [CompactNode(RNG.randbytes(20), Address("20.0.0.1", 1))] * MAX_CONTACTS,
        True: [CompactNode(RNG.randbytes(20), Address("2001:db8::1", 1))] * MAX_CONTACTS,
    }
    raw = SavedTable(SAVED.ids, many).encode()
    assert len(raw) <= MAX_STATE
    assert len(SavedTable.decode(raw).nodes[True]) == MAX_CONTACTS


def test_a_table_cut_anywhere_is_refused():
    raw = SAVED.encode()
    for end in range(len(raw)):
        with pytest.raises(DhtError):
            SavedTable.decode(raw[:end])


@settings(max_examples=100)
@given(st.integers(0, len(SAVED.encode()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed(at, flip):
    raw = bytearray(SAVED.encode())
    raw[at] ^= flip
    with pytest.raises(DhtError):
        SavedTable.decode(bytes(raw))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"format": b"something else"},
        {b"format": b"starling dht", b"id": b"short", b"nodes": b""},
        {b"format": b"starling dht", b"id": 5, b"nodes": b""},
        {b"format": b"starling dht", b"id": b"4" * 20},
        {b"format": b"starling dht", b"id": b"4" * 20, b"nodes": b"x" * 27},
        {b"format": b"starling dht", b"id6": b"4" * 20, b"nodes6": b"x" * 27},
        [],
        7,
    ],
)
def test_a_whole_file_of_the_wrong_content_is_refused(fields):
    with pytest.raises(DhtError):
        SavedTable.decode(sealed(fields))


def test_a_whole_table_larger_than_we_write_is_refused():
    many = {False: [CompactNode(RNG.randbytes(20), Address("20.0.0.1", 1))] * (MAX_STATE // 26)}
    raw = SavedTable(SAVED.ids, many).encode()
    assert len(raw) > MAX_STATE
    with pytest.raises(DhtError):
        SavedTable.decode(raw)


def test_no_bencode_and_too_much_of_it_are_refused():
    for body in (b"", b"pickle", bytes(MAX_STATE)):
        with pytest.raises(DhtError):
            SavedTable.decode(body + hashlib.sha256(body).digest())


def test_contacts_that_lead_nowhere_are_left():
    raw = b"n" * 20 + bytes([20, 0, 0, 1, 0, 0]) + b"m" * 20 + bytes([20, 0, 0, 1, 0, 9])
    found = SavedTable.decode(sealed({b"format": b"starling dht", b"id": b"4" * 20, b"nodes": raw}))
    assert found.nodes[False] == [CompactNode(b"m" * 20, Address("20.0.0.1", 9))]
