"""The bytes of each file that are there, against a count byte by byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.metainfo.layout import Entry, Layout
from p2p.session.file_progress import file_progress
from p2p.swarm.bitfield import Bitfield


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any),
    piece_length=st.integers(1, 16),
    make=st.sampled_from([Layout.contiguous, Layout.aligned]),
    chance=st.randoms(use_true_random=False),
)
def test_each_verified_byte_counts_once_for_its_file(lengths, piece_length, make, chance):
    layout = make(piece_length, [Entry((str(index),), length) for index, length in enumerate(lengths)])
    have = Bitfield(layout.piece_count)
    expected = [0] * len(lengths)
    for piece in range(layout.piece_count):
        if chance.random() < 0.5:
            have.add(piece)
            for span in layout.spans(piece, 0, layout.piece_size(piece)):
                expected[span.file_index] += span.length
    assert file_progress(layout, have) == expected
