"""What pasted text is taken for."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import MetainfoError
from tui.sources import MOST_SOURCES, kind_of, link_of, look_at, on_one_line, read_torrent, sources_of


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("magnet:?xt=urn:btih:" + "a" * 40, "magnet link"),
        ("MAGNET:?x", "magnet link"),
        ("https://example.org/a.torrent", "URL"),
        ("a" * 40, "info-hash"),
        ("A" * 32, "info-hash"),
        ("0" * 64, "info-hash of version 2"),
        ("1220" + "0" * 64, "info-hash of version 2"),
        ("/srv/" + "a" * 40, "torrent file"),
        ("file:///srv/a.torrent", "torrent file"),
        ("a" * 41, "torrent file"),
    ],
)
def test_each_form_is_known(text, kind):
    assert kind_of(f"  {text} ") == kind


def test_both_forms_of_a_hash_of_version_2_are_one_link():
    assert link_of("1220" + "AB" * 32) == link_of("ab" * 32) == "magnet:?xt=urn:btmh:1220" + "ab" * 32


@given(st.text())
def test_anything_can_be_pasted(text):
    found = sources_of(text)
    assert sources_of(on_one_line(text)) == found
    assert all(each == each.strip() and each for each in found)
    assert len(found) <= MOST_SOURCES + 1


def test_too_many_and_nonsense_are_named(tmp_path):
    assert look_at("\n".join(map(str, range(MOST_SOURCES + 1)))).words == "at most 100 at once"
    assert look_at("magnet:?dn=x").is_wrong
    (tmp_path / "x.torrent").write_bytes(b"i1e")
    assert look_at(str(tmp_path / "x.torrent")).is_wrong
    assert look_at(" ").words == ""


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.torrent")
    with pytest.raises(MetainfoError, match="it is no file"):
        read_torrent(str(tmp_path / "pipe.torrent"))
