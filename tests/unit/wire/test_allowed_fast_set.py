"""The canonical allowed-fast set, with the examples of BEP 6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.ids import InfoHash
from p2p.wire.allowed_fast import allowed_fast_set

HASH = InfoHash(b"\xaa" * 20)


def test_the_examples_of_the_bep() -> None:
    assert allowed_fast_set("80.4.4.200", HASH, 1313, 7) == [1059, 431, 808, 1217, 287, 376, 1188]
    assert allowed_fast_set("80.4.4.200", HASH, 1313, 9) == [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]


def test_neighbours_get_the_same_set() -> None:
    assert allowed_fast_set("80.4.4.1", HASH, 1313) == allowed_fast_set("80.4.4.254", HASH, 1313)
    assert allowed_fast_set("80.4.5.1", HASH, 1313) != allowed_fast_set("80.4.4.1", HASH, 1313)


def test_ipv6_has_no_set() -> None:
    assert allowed_fast_set("2001:db8::1", HASH, 1313) == []


def test_a_name_is_refused() -> None:
    with pytest.raises(ValueError):
        allowed_fast_set("example.org", HASH, 10)


@given(st.ip_addresses(v=4), st.binary(min_size=20, max_size=20), st.integers(0, 40), st.integers(0, 12))
def test_pieces_are_distinct_and_exist(host: object, info_hash: bytes, pieces: int, count: int) -> None:
    offered = allowed_fast_set(str(host), InfoHash(info_hash), pieces, count)
    assert len(offered) == len(set(offered)) == min(pieces, count)
    assert all(0 <= piece < pieces for piece in offered)
