"""Text from outside becomes one bounded printable line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.codec.text import MAX_LINE, clean_line


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_become_one_bounded_printable_line(raw):
    line = clean_line(raw)
    assert line.isprintable()
    assert line == line.strip()
    assert len(line) <= MAX_LINE
    assert len(clean_line(raw, 3)) <= 3


def test_honest_text_is_kept():
    assert clean_line("Größe 中文 🎉".encode()) == "Größe 中文 🎉"
    assert clean_line(b"x" * 1_000, 10) == "x" * 10


def test_what_moves_a_cursor_or_reorders_a_line_is_gone():
    assert clean_line("a\x1b[31m\x07\u202eb\u200b\u2028c\t\n\x85d".encode()) == "a [31m b c d"
