"""What is kept of what was typed: bounded, without secrets, over runs."""

from __future__ import annotations

import stat

from hypothesis import given
from hypothesis import strategies as st

from tui.history import MOST_LINES, History, Kind, read_lines, with_line, written_lines


@given(st.binary(max_size=200))
def test_any_file_can_be_read(raw):
    assert set(read_lines(raw)) == set(Kind)


@given(st.lists(st.text(max_size=20), max_size=300))
def test_lines_are_bounded_each_once_and_read_as_written(texts):
    lines = ()
    for text in texts:
        lines = with_line(lines, text)
    assert len(lines) <= MOST_LINES
    assert len(set(lines)) == len(lines)
    assert read_lines(written_lines({Kind.COMMANDS: lines}))[Kind.COMMANDS] == lines


def test_links_are_not_kept():
    lines = ("sort size",)
    for text in ("add magnet:?xt=urn:btih:x&tr=http://t/passkey", "add https://user:word@host/x", "x" * 2_000, " "):
        assert with_line(lines, text) == lines


def test_two_interfaces_keep_both_lines_for_this_user_alone(tmp_path):
    one, other = (History(tmp_path / "state" / "h.json") for _ in range(2))
    one.keep(Kind.COMMANDS, "sort size")
    other.keep(Kind.COMMANDS, "sort name")
    other.keep(Kind.FOLDERS, "/srv")
    one.read()
    assert one.lines(Kind.COMMANDS) == ("sort size", "sort name")
    assert one.lines(Kind.FOLDERS) == ("/srv",)
    assert stat.S_IMODE((tmp_path / "state" / "h.json").stat().st_mode) == 0o600
    (tmp_path / "state" / "h.json").write_bytes(b"\xff{")
    one.read()
    assert one.lines(Kind.COMMANDS) == ()
