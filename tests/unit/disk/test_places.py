"""Where a torrent's files may lie, which of several files of one name is taken, and how one changes its place."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.disk import file_copy, housing
from p2p.disk.file_storage import FileStorage
from p2p.disk.inline_hasher import InlineHasher
from p2p.disk.open_files import OpenFiles
from p2p.disk.places import Place, Places, Spot, choose
from p2p.disk.storage import FileStat, Left
from p2p.errors import StorageError
from p2p.metainfo.layout import Entry, Layout

PIECE = 16_384
LAYOUT = Layout.contiguous(
    PIECE, [Entry(("a",), 20_000), Entry(("deep", "b"), 30_000), Entry(("deep", "c"), 5)], root=("top",)
)
STATS = st.none() | st.builds(FileStat, st.integers(0, 30), st.integers(0, 3))


@pytest.fixture
def files():
    opened = OpenFiles(limit=8)
    yield opened
    opened.close()


@pytest.fixture
def make(tmp_path, files):
    def make(layout=LAYOUT, **how):
        (tmp_path / "final").mkdir(exist_ok=True)
        places = Places(layout, tmp_path / "final", incomplete=tmp_path / "incomplete", suffix=".part", **how)
        return places, FileStorage(layout, places, hasher=InlineHasher(), files=files)

    return make


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def tree(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@given(st.lists(STATS, min_size=4, max_size=8), st.integers(0, 30), STATS, st.sampled_from(Spot))
def test_a_file_is_taken_where_there_is_one_and_as_it_was_left_before_all(stats, length, recorded, spot):
    at = choose(stats, length, recorded, spot)
    if at is None:
        assert stats == [None] * len(stats)
        return
    taken = stats[at]
    assert taken is not None
    if recorded is not None and recorded in stats:
        assert taken == recorded
        assert at == spot or stats[spot] != recorded
    elif recorded is not None and stats[spot] is not None:
        assert at == spot
    elif recorded is None:
        fitting = [each.size for each in stats if each is not None and each.size <= length]
        assert taken.size == max(fitting, default=taken.size)


def test_a_suffix_never_makes_two_names_one(tmp_path):
    layout = Layout.contiguous(PIECE, [Entry(("x",), 5), Entry(("X.part",), 5), Entry(("y" * 252,), 5)])
    places = Places(layout, tmp_path, suffix=".part")
    begun = [places.begun(index).parts[-1] for index in range(3)]
    assert begun == ["x", "X.part.part", "y" * 252]
    assert [spot for spot in places.spots(0) if spot] == [Place(str(tmp_path), ("x",))]


async def test_files_are_found_where_they_are_and_the_others_are_told(tmp_path, make):
    put(tmp_path / "final", "top/a.part", b"a" * 20_000)
    mine = put(tmp_path / "incomplete", "top/deep/b.part", b"b" * 100)
    other = put(tmp_path / "final", "top/deep/b", b"x" * 50)
    places, storage = make()
    found = await storage.find({})
    assert [each.stat.size if each.stat else None for each in found] == [20_000, 100, None]
    assert found[1].place.path == mine
    assert [each.path for each in found[1].others] == [other]
    assert places[0].path == tmp_path / "final" / "top" / "a.part"
    assert places[2].path == tmp_path / "incomplete" / "top" / "deep" / "c.part"
    left = {1: Left(FileStat(40, 1), Spot.WHOLE)}  # as a record before a crash says; it grew since
    assert (await storage.find(left))[1].place.path == other


async def test_a_file_changes_its_place_while_it_is_open(tmp_path, make):
    content = random.Random(1).randbytes(20_000)
    put(tmp_path / "incomplete", "top/a.part", content)
    places, storage = make()
    await storage.find({})
    assert await storage.read(0, 0, 100) == content[:100]
    await storage.move(0, places.whole(0))
    assert tree(tmp_path) == {"final/top/a"}
    assert await storage.read(0, 100, 100) == content[100:200]
    assert not (tmp_path / "incomplete" / "top").exists()
    await storage.close()


@pytest.fixture
def far(monkeypatch):
    """Renames between folders are refused as between two filesystems."""
    rename_below = housing.rename_below

    def refusing(source, old, target, new):
        if source != target:
            raise OSError(18, os.strerror(18))
        rename_below(source, old, target, new)

    monkeypatch.setattr(housing, "rename_below", refusing)
    monkeypatch.setattr(file_copy, "STEP", 7_000)


async def test_between_filesystems_it_is_copied_whole(tmp_path, make, far):
    source = put(tmp_path / "incomplete", "top/a.part", random.Random(1).randbytes(20_000))
    content, before = source.read_bytes(), source.stat().st_mtime_ns
    places, storage = make()
    await storage.find({})
    await storage.move(0, places.whole(0))
    assert tree(tmp_path) == {"final/top/a"}
    assert places[0].path.read_bytes() == content
    assert places[0].path.stat().st_mtime_ns == before
    # A crash before the source went leaves both: the next move sees that they are the same.
    twin = put(tmp_path / "incomplete", "top/a.part", content)
    os.utime(twin, ns=(before, before))
    places.put(0, places.begun(0))
    await storage.move(0, places.whole(0))
    assert tree(tmp_path) == {"final/top/a"}


async def test_nothing_is_written_over_by_a_file_that_comes(tmp_path, make):
    put(tmp_path / "incomplete", "top/a.part", b"a" * 20_000)
    stranger = put(tmp_path / "final", "top/a", b"mine")
    places, storage = make()
    await storage.find({})
    with pytest.raises(StorageError, match="is there already"):
        await storage.move(0, places.whole(0))
    assert stranger.read_bytes() == b"mine"
    assert await storage.read(0, 0, 3) == b"aaa"
    await storage.close()


@pytest.mark.parametrize("old", [("top",), ("top", "deep"), ("top", "deep", "b")], ids="-".join)
async def test_a_file_or_folder_is_renamed_wherever_it_is(tmp_path, make, old):
    put(tmp_path / "final", "top/deep/c", b"12345")
    put(tmp_path / "incomplete", "top/deep/b.part", b"b" * 30_000)
    put(tmp_path / "final", "top/deep/mine", b"not the torrent's")
    places, storage = make()
    await storage.find({})
    new = (*old[:-1], "new")
    names = {index: (*new, *name[len(old) :]) for index in range(3) if (name := places.name(index))[: len(old)] == old}
    await storage.rename(old, new, names)
    assert await storage.read(2, 0, 1) == b"b"
    found = {name.replace("new", old[-1]) for name in tree(tmp_path)}
    assert found == {"final/top/deep/c", "incomplete/top/deep/b.part", "final/top/deep/mine"}
    assert any("new" in name for name in tree(tmp_path))
    assert places.name(1)[: len(new)] == new
    await storage.close()


async def test_a_renaming_that_fails_in_one_folder_is_undone_in_the_other(tmp_path, make):
    put(tmp_path / "final", "top/deep/c", b"12345")
    put(tmp_path / "incomplete", "top/deep/b.part", b"b" * 100)
    put(tmp_path / "incomplete", "top/new/mine", b"in the way")
    before = tree(tmp_path)
    places, storage = make()
    await storage.find({})
    with pytest.raises(StorageError, match="is there already"):
        await storage.rename(("top", "deep"), ("top", "new"), {1: ("top", "new", "b"), 2: ("top", "new", "c")})
    assert tree(tmp_path) == before
    assert places.names == {}


async def test_a_file_with_other_names_is_not_written_until_it_has_a_copy_of_its_own(tmp_path, make):
    content = b"a" * 20_000
    library = put(tmp_path / "library", "film", content)
    (tmp_path / "final" / "top").mkdir(parents=True)
    os.link(library, tmp_path / "final" / "top" / "a")
    _, storage = make()
    await storage.find({})
    with pytest.raises(StorageError, match="has other names"):
        await storage.store(0, [b"x" * PIECE], lambda _: True)
    await storage.unshare([0, 1, 2])
    assert await storage.store(0, [b"x" * PIECE], lambda _: True)
    assert library.read_bytes() == content
    assert (tmp_path / "final" / "top" / "a").read_bytes() == b"x" * PIECE + content[PIECE:]
    assert tree(tmp_path / "final") == {"top/a"}
    await storage.close()
