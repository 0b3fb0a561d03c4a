"""Names from strangers: nothing of them acts on the terminal, hides, or takes more cells than it is given."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.safe_text import MOST_SHOWN, fit, fit_right, safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("debian.iso", "debian.iso"),
        ("one\ntwo\tthree", "one two three"),
        ("\x1b[31mred\x07", "�[31mred�"),
        ("photo\u202egpj.exe", "photo�gpj.exe"),
        ("zero\u200bwidth", "zero�width"),
        ("[bold]markup[/]", "[bold]markup[/]"),
        ("e" + "\u0301" * 40 + "!", "e\u0301\u0301!"),
        ("\u0301first", "first"),
        ("日本語", "日本語"),
        ("a\u3164b", "a�b"),
        ("\ud800", "�"),
    ],
)
def test_what_acts_or_hides_is_seen(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text())
def test_no_control_or_format_character_is_left(text: str) -> None:
    shown = safe(text)
    assert len(shown) <= MOST_SHOWN
    assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in shown)
    assert safe(shown) == shown


@given(st.text(), st.integers(0, 60))
def test_text_takes_the_cells_it_is_given(text: str, width: int) -> None:
    assert cell_len(fit(safe(text), width)) == width
    assert cell_len(fit_right(safe(text), width)) == width


def test_what_is_cut_says_so() -> None:
    assert fit("seeder and leecher", 8) == "seeder …"
    assert fit_right("12", 5) == "   12"
