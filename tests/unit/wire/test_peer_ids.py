"""Our peer id, and the names of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.ids import PeerId
from p2p.wire.peer_id import client_name, make_peer_id


def test_ours_is_azureus_style() -> None:
    assert make_peer_id(lambda count: b"r" * count, "0.1.0") == b"-SL0100-rrrrrrrrrrrr"
    assert make_peer_id(bytes, "1.10.3.4")[:8] == b"-SL1A34-"


@pytest.mark.parametrize("version", ["36", "1.2.3.4.5", "1.-1", "1.x", ""])
def test_a_version_that_does_not_fit_is_refused(version: str) -> None:
    with pytest.raises(ValueError):
        make_peer_id(bytes, version)


def test_a_source_that_gives_too_little_is_refused() -> None:
    with pytest.raises(ValueError):
        make_peer_id(lambda count: b"", "1.0")


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"-SL0100-", "Starling 0.1.0"),
        (b"-TR4060-", "Transmission 4.0.6"),
        (b"-qB5010-", "qBittorrent 5.0.1"),
        (b"-lt0F01-", "rTorrent 0.15.0.1"),
        (b"-UT355W-", "\u00b5Torrent 3.5.5"),
        (b"-zz1234-", "zz 1.2.3.4"),
        (b"A2-1-37-0-", "aria2 1.37.0"),
        (b"M4-20-8-", "Mainline 4.20.8"),
        (b"M7-2-0--", "Mainline 7.2.0"),
        (b"S58B-----", "Shadow 5.8.11"),
        (b"T03I-----", "BitTornado 0.3.18"),
        (b"hello!!!", "unknown (hello!!!)"),
        (b"\x00\x1b[31m\xff\xfe", "unknown"),
    ],
)
def test_clients_are_told_by_their_ids(start: bytes, name: str) -> None:
    assert client_name(PeerId(start.ljust(20, b"\x07"))) == name


@given(st.binary(min_size=20, max_size=20) | st.binary(min_size=18, max_size=18).map(lambda tail: b"-S" + tail))
def test_any_id_gives_one_short_printable_line(raw: bytes) -> None:
    name = client_name(PeerId(raw))
    assert name.isprintable()
    assert 0 < len(name) < 40


def test_our_own_id_is_known_to_us() -> None:
    assert client_name(make_peer_id(bytes, "2.11.3")) == "Starling 2.11.3"
