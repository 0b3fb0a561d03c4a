"""What is thrown away comes back as it was, and nothing of anybody else's goes with it."""

from __future__ import annotations

import pytest

from p2p.disk import trash
from p2p.disk.trash import TRASH, purge, restore
from p2p.errors import StorageError

FILES = [("album", "one"), ("album", "disc", "two"), ("album", "three")]


@pytest.fixture
def target(tmp_path):
    for parts in FILES:
        path = tmp_path.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("/".join(parts))
    return tmp_path


def discard(target, files, name):
    trashed = trash.plan(target, files, name)
    trash.discard(trashed)
    return trashed


def tree(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_torrents_files_go_and_come_back(target):
    before = tree(target)
    trashed = discard(target, [*FILES, ("album", "never there")], "x")
    assert {path for path in tree(target) if not path.startswith(TRASH)} == set()
    assert not (target / "album").exists()
    restore(trashed)
    assert tree(target) == before
    assert not (target / TRASH).exists()


def test_other_files_in_the_same_folders_stay(target):
    (target / "album" / "notes").write_text("mine")
    trashed = discard(target, FILES, "x")
    assert (target / "album" / "notes").read_text() == "mine"
    assert not (target / "album" / "disc").exists()
    purge(trashed)
    assert tree(target) == {"album/notes": "mine"}
    purge(trashed)


def test_nothing_comes_back_over_what_stands_there_now(target):
    trashed = discard(target, FILES, "x")
    (target / "album").mkdir()
    (target / "album" / "three").write_text("new")
    held = tree(target)
    with pytest.raises(StorageError, match="in the way"):
        restore(trashed)
    assert tree(target) == held
    (target / "album" / "three").unlink()
    restore(trashed)
    assert set(tree(target)) == {"/".join(parts) for parts in FILES}


def test_a_return_that_was_cut_short_is_ended(target):
    before = tree(target)
    trashed = discard(target, FILES, "x")
    (target / "album").mkdir()
    (target / TRASH / "x" / "album" / "one").rename(target / "album" / "one")
    restore(trashed)
    assert tree(target) == before


def test_what_left_the_trash_meanwhile_is_named(target):
    trashed = discard(target, FILES, "x")
    (target / TRASH / "x" / "album" / "one").unlink()
    with pytest.raises(StorageError, match="is gone"):
        restore(trashed)


def test_a_link_leads_nowhere(target, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "one").write_text("not ours")
    (target / "album" / "disc" / "two").unlink()
    (target / "album" / "disc").rmdir()
    (target / "album" / "disc").symlink_to(outside)
    before = tree(target)
    with pytest.raises(StorageError):
        discard(target, [("album", "one"), ("album", "disc", "one")], "x")
    assert tree(target) == before
    assert (outside / "one").read_text() == "not ours"


def test_two_removals_do_not_share_a_place(target):
    discard(target, FILES[:1], "x")
    with pytest.raises(StorageError, match="there already"):
        discard(target, FILES[1:], "x")
