"""Other names for files and folders: what a user may call them, and that no two names ever become one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.metainfo.layout import Entry, Layout
from p2p.metainfo.paths import folded, safe_name
from p2p.metainfo.renaming import NameRefusedError, own_name, renamed

LAYOUT = Layout.contiguous(
    16_384,
    [Entry(("a.txt",), 5), Entry(("disc", "one"), 5), Entry((".pad",), 3, pad=True), Entry(("disc", "two"), 5)],
    root=("album",),
)
names = st.text(st.characters(blacklist_categories=()), max_size=20) | st.sampled_from(
    ["a.txt", "A.TXT", "disc", "a.txt.part", "..", "con", "x", ".part", "a/b", "a\\b", "e\u0301", "\u00e9"]
)
paths = st.sampled_from(["album", "album/disc", "album/a.txt", "album/disc/one", "album/disc/two"])


def test_a_file_a_folder_and_the_top_are_renamed_and_back_again():
    top = renamed(LAYOUT, {}, ("album",), "songs")
    assert top == {0: ("songs", "a.txt"), 1: ("songs", "disc", "one"), 3: ("songs", "disc", "two")}
    folder = renamed(LAYOUT, top, ("songs", "disc"), "cd 1")
    assert folder[3] == ("songs", "cd 1", "two")
    one = renamed(LAYOUT, folder, ("songs", "cd 1", "one"), "1")
    assert one[1] == ("songs", "cd 1", "1")
    back = renamed(LAYOUT, renamed(LAYOUT, one, ("songs", "cd 1", "1"), "one"), ("songs", "cd 1"), "disc")
    assert renamed(LAYOUT, back, ("songs",), "album") == {}
    single = Layout.contiguous(16_384, [Entry(("film.mkv",), 5)])
    assert renamed(single, {}, ("film.mkv",), "other.mkv") == {0: ("other.mkv",)}


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "nul", "x\n", "x.", "C:", "\u202etxt", "x" * 256, "\ud800"]
)
def test_names_that_are_tricks_are_refused(name):
    with pytest.raises(NameRefusedError, match="cannot be the name"):
        renamed(LAYOUT, {}, ("album", "a.txt"), name)


@pytest.mark.parametrize("name", ["disc", "DISC", "DiSc"])
def test_a_name_that_another_file_has_is_refused(name):
    with pytest.raises(NameRefusedError, match="one name"):
        renamed(LAYOUT, {}, ("album", "a.txt"), name)


@pytest.mark.parametrize(("path", "name"), [("one", "two.part"), ("one", "TWO.PART")])
def test_a_name_that_another_file_has_for_a_while_is_refused(path, name):
    with pytest.raises(NameRefusedError, match="one name"):
        renamed(LAYOUT, {}, ("album", "disc", path), name, suffixes=(".part",))


@pytest.mark.parametrize(
    "path", ["", "nothing", "album/nothing", "album/.pad", "disc", "album/../album", "album/disc/"]
)
def test_what_is_not_in_the_torrent_cannot_be_renamed(path):
    with pytest.raises(NameRefusedError, match="has no file or folder"):
        renamed(LAYOUT, {}, tuple(path.split("/")), "x")


@given(st.lists(st.tuples(paths, names), max_size=6))
def test_whatever_is_renamed_all_names_stay_safe_and_differ(wishes):
    found = {}
    for path, name in wishes:
        try:
            found = renamed(LAYOUT, found, tuple(path.split("/")), name, suffixes=(".part",))
        except NameRefusedError:
            continue
    every = [found.get(index) or own_name(LAYOUT, index) for index in (0, 1, 3)]
    for parts in every:
        assert all(safe_name(part.encode()) == part for part in parts)
    suffixed = [(*parts[:-1], parts[-1] + ".part") for parts in every]
    assert len({tuple(map(folded, parts)) for parts in (*every, *suffixed)}) == 6
    assert len({parts[0] for parts in every}) == 1
