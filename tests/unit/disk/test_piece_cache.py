"""The read cache keeps to its budget and drops what was asked for longest ago."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.disk.piece_cache import KEPT, UNIT, PieceCache, span_of


@given(piece_size=st.integers(1, 5 * UNIT), at=st.integers(0, 5 * UNIT))
def test_spans_cover_a_piece_without_overlap(piece_size: int, at: int) -> None:
    begin = at % piece_size
    start, length = span_of(begin, piece_size)
    assert start % UNIT == 0
    assert start <= begin < start + length <= piece_size
    assert 0 < length <= UNIT


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    cache = PieceCache(budget=30)
    for piece in range(3):
        cache.put("t", piece, 0, bytes([piece]) * 10)
    assert cache.get("t", 0, 0) == bytes(10)
    cache.put("t", 3, 0, bytes(10))
    assert cache.get("t", 1, 0) is None
    assert cache.get("t", 0, 0) is not None
    assert cache.get("other", 0, 0) is None


def test_a_smaller_budget_holds_at_once() -> None:
    cache = PieceCache(budget=100)
    for piece in range(KEPT + 3):
        cache.put("t", piece, 0, bytes(10))
    cache.set_budget(10 * (KEPT + 1))
    assert cache.held == 10 * (KEPT + 1)
    assert (cache.get("t", 1, 0), cache.get("t", 2, 0)) == (None, bytes(10))


def test_a_torrent_is_dropped_whole() -> None:
    cache = PieceCache(budget=100)
    cache.put("a", 0, 0, bytes(10))
    cache.put("b", 0, 0, bytes(20))
    cache.drop("a")
    assert (cache.get("a", 0, 0), cache.held) == (None, 20)


@given(budget=st.integers(0, 100), puts=st.lists(st.tuples(st.integers(0, 5), st.binary(min_size=1, max_size=60))))
def test_the_budget_holds_and_what_is_found_is_what_was_put_last(budget: int, puts: list[tuple[int, bytes]]) -> None:
    cache = PieceCache(budget=budget)
    last = {}
    for piece, content in puts:
        assert cache.put(0, piece, 0, content) == content
        last[piece] = content
        assert cache.get(0, piece, 0) == content
        found = [cache.get(0, piece, 0) for piece in last]
        assert cache.held <= budget or sum(view is not None for view in found) == min(KEPT, len(last))
    found = {piece: cache.get(0, piece, 0) for piece in last}
    assert cache.held == sum(len(view) for view in found.values() if view is not None)
    for piece, view in found.items():
        assert view is None or view == last[piece]
