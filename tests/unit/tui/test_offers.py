"""What is offered after what is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.offers import filter_after, folder_after, labels_after, next_folder

VALUES = {"label": ("iso", "two words"), "tracker": ("deb.example",)}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", None),
        ("size>1G & se", "size>1G & seeding"),
        ("!(tra", "!(tracker"),
        ("label:i", "label:iso"),
        ("label=two", None),
        ("tracker:deb", "tracker:deb.example"),
        ("state:sto", "state:stopped"),
        ("seeding ", None),
        ("zzz", None),
    ],
)
def test_a_term_of_a_filter_is_completed(typed, offered):
    assert filter_after(typed, lambda key: VALUES.get(key, ())) == offered


@given(st.text(max_size=20))
def test_what_is_offered_goes_on_where_the_line_ends(typed):
    for offered in (
        filter_after(typed, lambda key: VALUES.get(key, ())),
        labels_after(typed, ("a", "b c")),
        folder_after(typed, ("/a", "/b")),
    ):
        assert offered is None or (offered.startswith(typed) and offered != typed)


def test_folders_go_round():
    folders = ("/a", "/b")
    assert next_folder("", folders) == "/a"
    assert next_folder("/a", folders) == "/b"
    assert next_folder("/b", folders) == "/a"
    assert next_folder("/x", ()) == "/x"
