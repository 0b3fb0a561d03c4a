"""Spans cover piece space once, in order, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.metainfo.layout import Entry, Layout, Span

LENGTHS = st.lists(st.integers(0, 50), max_size=8)
LAYOUTS = st.builds(
    lambda make, lengths, piece_length: make(piece_length, [Entry((f"f{i}",), n) for i, n in enumerate(lengths)]),
    st.sampled_from([Layout.contiguous, Layout.aligned]),
    LENGTHS,
    st.sampled_from([1, 4, 16, 17]),
)


@given(LAYOUTS)
@settings(max_examples=150)
def test_the_spans_of_all_pieces_are_all_files_byte_by_byte(layout: Layout) -> None:
    seen = []
    for piece in range(layout.piece_count):
        size = layout.piece_size(piece)
        assert 0 < size <= layout.piece_length
        spans = layout.spans(piece, 0, size)
        assert sum(span.length for span in spans) == size
        assert all(span.length > 0 for span in spans)
        for span in spans:
            assert piece in layout.pieces_of_file(span.file_index)
            assert piece * layout.piece_length <= layout.files[span.file_index].offset + span.file_offset
            seen += [(span.file_index, span.file_offset + i) for i in range(span.length)]
        assert layout.file_at(piece) == spans[0].file_index
    assert seen == [(index, at) for index, file in enumerate(layout.files) for at in range(file.length)]
    assert layout.total_size == len(seen)


@given(LAYOUTS, st.data())
@settings(max_examples=100)
def test_part_of_a_piece_is_that_part_of_its_spans(layout: Layout, data: st.DataObject) -> None:
    if not layout.piece_count:
        return
    piece = data.draw(st.integers(0, layout.piece_count - 1))
    size = layout.piece_size(piece)
    begin = data.draw(st.integers(0, size))
    length = data.draw(st.integers(0, size - begin))
    whole = [(s.file_index, s.file_offset + i) for s in layout.spans(piece, 0, size) for i in range(s.length)]
    part = [(s.file_index, s.file_offset + i) for s in layout.spans(piece, begin, length) for i in range(s.length)]
    assert part == whole[begin : begin + length]


@given(LAYOUTS)
@settings(max_examples=80)
def test_pieces_of_a_file_are_those_with_a_span_in_it(layout: Layout) -> None:
    touched: dict[int, list[int]] = {index: [] for index in range(len(layout.files))}
    for piece in range(layout.piece_count):
        for span in layout.spans(piece, 0, layout.piece_size(piece)):
            touched[span.file_index].append(piece)
    assert {index: list(layout.pieces_of_file(index)) for index in touched} == touched


def test_aligned_pieces_end_with_their_file() -> None:
    layout = Layout.aligned(16, [Entry(("a",), 40), Entry(("empty",), 0), Entry(("b",), 16), Entry(("c",), 3)])
    assert [layout.piece_size(piece) for piece in range(layout.piece_count)] == [16, 16, 8, 16, 3]
    assert [file.offset for file in layout.files] == [0, 48, 48, 64]
    assert layout.spans(2, 0, 8) == [Span(0, 32, 8)]
    with pytest.raises(IndexError):
        layout.spans(2, 0, 9)


def test_pads_count_in_piece_space_but_not_in_the_total() -> None:
    entries = [Entry(("a",), 10), Entry((".pad", "6"), 6, pad=True), Entry(("ln",), 0, link=True), Entry(("b",), 4)]
    layout = Layout.contiguous(16, entries, root=("top",))
    assert (layout.total_size, layout.piece_count, layout.piece_size(1)) == (14, 2, 4)
    assert layout.spans(0, 8, 8) == [Span(0, 8, 2), Span(1, 0, 6)]
    assert [file.stored for file in layout.files] == [True, False, False, True]


@pytest.mark.parametrize(
    ("piece", "begin", "length"), [(2, 0, 1), (-1, 0, 1), (0, -1, 2), (0, 0, 17), (1, 3, 2), (0, 0, -1)]
)
def test_bytes_outside_the_torrent_are_refused(piece: int, begin: int, length: int) -> None:
    layout = Layout.contiguous(16, [Entry(("a",), 20)])
    with pytest.raises(IndexError):
        layout.spans(piece, begin, length)


def test_pieces_and_files_that_do_not_exist_are_refused() -> None:
    layout = Layout.contiguous(16, [Entry(("a",), 20)])
    for outside in (layout.piece_size, layout.file_at, layout.pieces_of_file):
        for index in (-1, 2):
            with pytest.raises(IndexError):
                outside(index)
