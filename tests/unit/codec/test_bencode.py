"""Bencode: one encoding a value, every bound kept, nothing but BencodeError."""

from __future__ import annotations

import bencodepy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec import bencode
from p2p.errors import BencodeError

integers = st.integers(min_value=-(10**20) + 1, max_value=10**20 - 1)
values = st.recursive(
    integers | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=6), inner, max_size=4),
    max_leaves=25,
)


@given(values)
def test_what_is_encoded_decodes_to_itself_in_every_form_of_input(value):
    raw = bencode.encode(value)
    assert bencode.decode(raw) == value
    assert bencode.decode(bytearray(raw)) == value
    assert bencode.decode(memoryview(raw)) == value
    assert bencode.decode_lenient(raw) == value


@given(values)
def test_agrees_with_the_package_on_canonical_input(value):
    raw = bencode.encode(value)
    assert bencodepy.BencodeDecoder().decode(raw) == bencode.decode(raw)


@given(st.binary(max_size=60) | st.text("ilde:-0123456789a", max_size=40).map(str.encode))
@settings(max_examples=400)
def test_any_bytes_are_canonical_or_refused(raw):
    try:
        value = bencode.decode(raw)
    except BencodeError:
        return
    assert bencode.encode(value) == raw


@given(st.text("ilde:-0123456789ab", max_size=40).map(str.encode), st.integers(-2, 45))
@settings(max_examples=400)
def test_any_bytes_leave_the_other_doors_with_a_value_or_the_declared_error(raw, start):
    for read in (
        lambda: bencode.decode_lenient(raw),
        lambda: bencode.decode_prefix(raw, start),
        lambda: bencode.raw_span(raw, b"a"),
    ):
        try:
            read()
        except BencodeError:
            continue


@given(values, st.integers(0, 200))
def test_input_cut_short_is_refused(value, cut):
    raw = bencode.encode(value)
    with pytest.raises(BencodeError):
        bencode.decode(raw[: cut % len(raw)])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"i-0e",
        b"i00e",
        b"i01e",
        b"i-01e",
        b"i e",
        b"ie",
        b"i-e",
        b"i+1e",
        b"i 1e",
        b"i1 e",
        b"i1_0e",
        b"i1.0e",
        "i\u0661e".encode(),
        b"i" + b"9" * 21 + b"e",
        b"i" + b"9" * 10_000 + b"e",
        b"01:a",
        b"-1:a",
        b"+1:a",
        b"1_0:aaaaaaaaaa",
        b" 1:a",
        b"1 :a",
        b"2:a",
        b"999999999:a",
        b"9999999999999:a",
        b"4294967297:a",
        b"1",
        b":",
        b"l",
        b"d",
        b"e",
        b"x",
        b"li1e",
        b"d1:a",
        b"d1:ae",
        b"di1ei2ee",
        b"dle1:ae",
        b"d1:ai1e1:ai2ee",
        b"d1:bi1e1:ai2ee",
        b"d1:ai1e-6:e",
        b"i1ei2e",
        b"i1e ",
        b"0:\n",
    ],
)
def test_what_is_not_canonical_is_refused(raw):
    with pytest.raises(BencodeError):
        bencode.decode(raw)


def test_keys_are_sorted_as_raw_bytes():
    assert bencode.encode({b"b": 1, b"\xff": 2, b"B": 3, b"": 4}) == b"d0:i4e1:Bi3e1:bi1e1:\xffi2ee"


def test_lenient_takes_any_order_but_no_repetition():
    assert bencode.decode_lenient(b"d1:bi1e1:ai2ee") == {b"a": 2, b"b": 1}
    with pytest.raises(BencodeError):
        bencode.decode_lenient(b"d1:bi1e1:ai2e1:bi1ee")
    with pytest.raises(BencodeError):
        bencode.decode_lenient(b"ld1:bi1e1:ai2e1:bi1eee")


@given(values, st.binary(max_size=20), st.binary(max_size=20))
def test_prefix_ends_where_the_value_ends(value, before, after):
    raw = bencode.encode(value)
    assert bencode.decode_prefix(before + raw + after, len(before)) == (value, len(before) + len(raw))


@given(st.dictionaries(st.binary(max_size=3), values, max_size=6), st.binary(max_size=3))
def test_raw_span_holds_exactly_the_bytes_of_the_value(pairs, key):
    raw = bencode.encode(pairs)
    span = bencode.raw_span(raw, key)
    if key in pairs:
        assert span is not None
        assert raw[slice(*span)] == bencode.encode(pairs[key])
    else:
        assert span is None


def test_raw_span_keeps_bytes_that_another_writer_ordered_otherwise():
    raw = b"d4:infod1:bi1e1:ai2ee3:xyzi0ee"
    assert raw[slice(*bencode.raw_span(raw, b"info"))] == b"d1:bi1e1:ai2ee"


@pytest.mark.parametrize("raw", [b"", b"le", b"i1e", b"d", b"d4:info", b"d4:infoi1e", b"d1:ai1e", b"di1ei1ee"])
def test_raw_span_refuses_what_is_no_dict(raw):
    with pytest.raises(BencodeError):
        bencode.raw_span(raw, b"none")


def test_depth_is_bounded_for_lists_and_dicts_at_any_door():
    deepest = bencode.MAX_DEPTH
    assert bencode.decode(b"l" * deepest + b"e" * deepest)
    for opening in (b"l", b"d1:a"):
        for depth in (deepest + 1, 100_000):
            raw = opening * depth + b"e" * depth
            for read in (bencode.decode, bencode.decode_lenient, bencode.decode_prefix):
                with pytest.raises(BencodeError):
                    read(raw)
            with pytest.raises(BencodeError):
                bencode.raw_span(b"d1:a" + raw + b"e", b"a")


def test_size_and_number_of_values_are_bounded():
    with pytest.raises(BencodeError, match="bytes of bencode"):
        bencode.decode(b"i" * (bencode.MAX_SIZE + 1))
    with pytest.raises(BencodeError, match="values"):
        bencode.decode(b"l" + b"de" * (bencode.MAX_VALUES + 1) + b"e")
    with pytest.raises(BencodeError, match="values"):
        bencode.decode_prefix(b"l" + b"0:" * (bencode.MAX_VALUES + 1) + b"e")


def test_a_long_string_full_of_marks_is_one_value():
    raw = bencode.encode({b"pieces": b"e:x" * 300_000})
    assert bencode.decode(raw) == {b"pieces": b"e:x" * 300_000}
