"""The bitfield against a plain set of indices."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import RemoteProtocolError
from p2p.swarm.bitfield import Bitfield, pieces_of

ANY_SIZE = st.integers(0, 200)


@st.composite
def fields(draw, sizes=ANY_SIZE):
    size = draw(sizes)
    pieces = draw(st.sets(st.integers(0, size - 1))) if size else set()
    field = Bitfield(size)
    for piece in sorted(pieces):
        field.add(piece)
    return field, pieces


@given(fields())
def test_a_field_is_the_set_of_its_pieces(made):
    field, pieces = made
    assert list(field) == sorted(pieces)
    assert field.count == len(pieces)
    assert field.complete == (len(pieces) == field.size)
    assert [field[i] for i in range(field.size)] == [i in pieces for i in range(field.size)]
    assert all((i in field) == (i in pieces) for i in range(-1, field.size + 9))


@given(fields())
def test_bytes_and_masks_lead_back(made):
    field, pieces = made
    again = Bitfield.from_bytes(field.to_bytes(), field.size)
    assert again == field
    assert again.count == field.count
    assert Bitfield.from_mask(field.mask(), field.size) == field
    assert field.mask() == sum(1 << (field.size - 1 - piece) for piece in pieces)


def test_the_first_piece_is_the_high_bit():
    field = Bitfield(10)
    field.add(0)
    field.add(9)
    assert field.to_bytes() == b"\x80\x40"


@given(st.integers(0, 100), st.binary(max_size=14))
def test_foreign_bytes_are_a_field_or_their_fault(count, data):
    try:
        field = Bitfield.from_bytes(data, count)
    except RemoteProtocolError:
        spare = 8 * len(data) - count
        assert not 0 <= spare < 8 or data[-1] & ((1 << spare) - 1)
    else:
        assert field.to_bytes() == data
        assert all(piece < count for piece in field)


@given(fields(st.just(77)), fields(st.just(77)))
def test_set_operations(one, other):
    (a, in_a), (b, in_b) = one, other
    assert list(a.missing_from(b)) == sorted(in_a - in_b)
    assert list(a.shared_with(b)) == sorted(in_a & in_b)
    assert a.offers_to(b) == bool(in_a - in_b)
    assert (a == b) == (in_a == in_b)


@given(fields(st.integers(1, 40)), st.lists(st.tuples(st.booleans(), st.integers(0, 39))))
def test_adding_and_discarding(made, steps):
    field, pieces = made
    twin = field.copy()
    before = set(pieces)
    for adding, raw in steps:
        piece = raw % field.size
        if adding:
            field.add(piece)
            pieces.add(piece)
        else:
            field.discard(piece)
            pieces.discard(piece)
        assert field.count == len(pieces)
    assert list(field) == sorted(pieces)
    assert list(twin) == sorted(before)


@given(st.integers(0, 70))
def test_a_full_field(size):
    field = Bitfield(size)
    field.set_all()
    assert field.complete
    assert list(field) == list(range(size))
    assert Bitfield.from_bytes(field.to_bytes(), size) == field


@given(st.sets(st.integers(0, 4_999), max_size=120))
@settings(max_examples=50)
def test_listing_few_and_many_pieces_agrees(pieces):
    assert pieces_of(sum(1 << (4_999 - piece) for piece in pieces), 5_000) == sorted(pieces)


@pytest.mark.parametrize("index", [-1, 8, 1_000])
def test_no_index_reaches_outside(index):
    field = Bitfield(8)
    for call in (lambda: field[index], lambda: field.add(index), lambda: field.discard(index)):
        with pytest.raises(IndexError):
            call()


def test_what_cannot_be_compared_or_made():
    with pytest.raises(ValueError, match="cannot be compared"):
        Bitfield(3).missing_from(Bitfield(4))
    with pytest.raises(ValueError, match="negative"):
        Bitfield(-1)
    with pytest.raises(OverflowError):
        Bitfield.from_mask(8, 3)
    with pytest.raises(TypeError):
        hash(Bitfield(1))
    assert Bitfield(3) != "a string"
