"""What a first start says can be typed as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2p.daemon.first_start import first_words


def words(*, port=9_091, locked=False):
    return first_words(
        config_file=Path("/c/daemon.toml"),
        state_dir=Path("/s"),
        download_dir="/d",
        host="127.0.0.1",
        port=port,
        locked=locked,
    )


def test_it_names_every_place():
    for place in ("/c/daemon.toml", "/s", "/d", "--print-config"):
        assert place in words()


@pytest.mark.parametrize(
    ("port", "said"),
    [
        (9_091, "starling list, or transmission-remote --list"),
        (7, "starling list --connect 7, or transmission-remote 7 --list"),
        (0, "starling list --connect PORT, or transmission-remote PORT --list"),
    ],
)
def test_it_says_how_to_steer(port, said):
    assert f"Steer it from this machine: {said}" in words(port=port)


def test_it_says_how_to_let_others_in_where_nobody_is():
    assert "--rpc-password-file FILE" in words()
    assert "--rpc-password-file" not in words(locked=True)
