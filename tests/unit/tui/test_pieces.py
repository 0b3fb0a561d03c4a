"""Maps of pieces: what is here, what peers have."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.daemon.client import PieceMap, TorrentDetails
from tui.foreign import pieces_of
from tui.pieces import Pieces, cells_among, cells_here, read_pieces, summary


def told(bits, among, number, copies=0.0):
    return PieceMap(1, "a", number, 16_384, base64.b64encode(bits).decode(), base64.b64encode(among).decode(), copies)


def signs(cells):
    return "".join(sign for sign, _ in cells)


def test_each_piece_has_a_cell_where_there_is_room():
    pieces = read_pieces(told(b"\xa0", bytes((0, 1, 2, 4, 8)), 5, 1.2))
    assert signs(cells_here(pieces, 10)) == "█·█··"
    assert signs(cells_among(pieces, 10)) == "·░▒▓█"
    assert summary(pieces) == "2 of 5 pieces of 16 KiB, 40%  1.20 copies  missing: 1 with one peer, 0 with nobody"


def test_a_cell_of_many_tells_their_share_and_the_rarest():
    pieces = Pieces(b"\x01\x01\x01\x00\x00\x00\x01\x00\x00", b"\x09\x08\x09\x00\x03\x04\x02\x05\x06", 1, 0.0)
    assert signs(cells_here(pieces, 3)) == "█·▒"
    assert signs(cells_among(pieces, 3)) == "█·▒"
    assert cells_among(pieces, 3)[1] == ("·", "piece--lost")


def test_what_nobody_has_is_bad_only_where_we_lack_it():
    assert cells_among(Pieces(b"\x01", b"\x00", 1, 0.0), 1) == [("·", "piece--none")]


def test_what_is_no_map_is_none():
    assert read_pieces(told(b"", b"", 0)) is None
    assert read_pieces(PieceMap(1, "a", 8, 1, "no base64!", "", 0.0)) is None
    assert read_pieces(PieceMap(1, "a", 8, 1, "\udcff", "", 0.0)) is None


@settings(max_examples=60)
@given(st.binary(max_size=40), st.binary(max_size=400), st.integers(-5, 10**12), st.integers(0, 60))
def test_any_map_is_drawn_within_its_room(bits, among, number, room):
    pieces = read_pieces(told(bits, among, number))
    if pieces is None:
        return
    assert len(pieces) <= 8 * len(bits)
    assert len(cells_here(pieces, room)) == len(cells_among(pieces, room)) <= room
    assert summary(pieces)


def test_of_another_daemon():
    details = TorrentDetails(piece_count=3, piece_size=4, pieces="gA==", availability=(-1, 3, 900))
    pieces = read_pieces(pieces_of(details))
    assert (pieces.have, pieces.among) == (b"\x01\x00\x00", b"\x00\x03\xff")
