"""How much of each file is there, from the pieces that are: one walk over the pieces, then a few sums a file. Pure."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from p2p.metainfo.layout import Layout
    from p2p.swarm.bitfield import Bitfield


def file_progress(layout: Layout, have: Bitfield) -> list[int]:
    """Verified bytes of each file of the layout, pads included; a piece counts with what it holds of the file."""
    length = layout.piece_length
    before = [0, *accumulate(have[piece] for piece in range(layout.piece_count))]
    found: list[int] = []
    for index, file in enumerate(layout.files):
        pieces = layout.pieces_of_file(index)
        if not pieces:
            found.append(0)
            continue
        first, last, end = pieces[0], pieces[-1], file.offset + file.length
        done = length * max(0, before[last] - before[first + 1])
        if have[first]:
            done += min(end, (first + 1) * length) - file.offset
        if last > first and have[last]:
            done += end - last * length
        found.append(done)
    return found
