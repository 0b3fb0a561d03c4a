"""A folder as it is looked through: what is seen of it, and what many entries cost."""

from __future__ import annotations

import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from tui.folder_view import FolderView, Item, Listing, read_folder

NAMES = st.lists(st.sampled_from(["a", "b", ".c", "10", "9", "A.torrent", "b.torrent", ".d.torrent"]), unique=True)
STEPS = st.lists(st.sampled_from(["toggle_mark", "switch_hidden"]) | st.integers(0, 9) | st.text("ab.", max_size=2))


@settings(max_examples=60)
@given(NAMES, STEPS)
def test_what_is_chosen_is_there_and_the_cursor_is_on_a_line(names, steps):
    view = FolderView()
    items = tuple(Item(name, 1 if name.endswith("torrent") else -1) for name in names)
    view.show(Listing("/x", items))
    for step in steps:
        match step:
            case int():
                view.go(step)
            case str() if hasattr(view, step) and step:
                getattr(view, step)()
            case _:
                view.filter(step)
        assert 0 <= view.cursor_line < len(view)
        assert set(view.chosen()) <= {f"/x/{item.name}" for item in items if not item.is_folder}


def test_a_folder_has_folders_first_and_torrent_files(tmp_path):
    for name in ("10", "9"):
        (tmp_path / name).mkdir()
    for name in ("b.TORRENT", "a.torrent", "c.txt"):
        (tmp_path / name).write_bytes(b"xy")
    (tmp_path / "gone.torrent").symlink_to(tmp_path / "nowhere")
    listing = read_folder(str(tmp_path))
    assert [item.name for item in listing.items] == ["9", "10", "a.torrent", "b.TORRENT"]
    assert [item.size for item in listing.items] == [-1, -1, 2, 2]
    assert read_folder("/no\0such").trouble
    assert "No such file" in read_folder(str(tmp_path / "none")).trouble


def test_ten_thousand_entries_cost_one_look_each():
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    view = FolderView()
    listing = Listing("/x", tuple(Item(f"n{number}.torrent", 1) for number in range(10_000)))
    view.show(listing)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        view.filter("n99")
        view.go(5)
        view.toggle_mark()
    finally:
        sys.setprofile(before)
    assert len(view) == 112
    assert calls < 25_000
