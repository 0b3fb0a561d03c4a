"""Whole files come home from the folder for what is incomplete, over a crash before any step."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import pytest

from p2p.disk import file_copy, housing
from p2p.errors import StorageError
from p2p.session.ledger import Totals
from p2p.session.settings import Settings

FILES = [(("a",), 40_000), (("deep", "b"), 20_000), (("z",), 0)]
STEPS = ("rename_below", "remove_file", "stat_file", "remove_empty")


class Crash(BaseException):
    """The process dies."""


@pytest.fixture(params=["near", "far"])
def way(request, monkeypatch):
    """Whether the two folders are on one filesystem."""
    if request.param == "far":
        rename_below = housing.rename_below

        def refusing(source, old, target, new):
            if source != target:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            rename_below(source, old, target, new)

        monkeypatch.setattr(housing, "rename_below", refusing)
        monkeypatch.setattr(file_copy, "STEP", 15_000)
    return request.param


def tree(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def make(make_store_torrent, folder):
    torrent = make_store_torrent(FILES)
    torrent.settings = Settings(incomplete_dir=folder / "later", partial_suffix=True)
    return torrent


async def filled(torrent):
    store = torrent.store()
    await torrent.open(store)
    for piece in range(torrent.metainfo.piece_count):
        assert await store.store(piece, [torrent.pieces[piece]])
    return store


async def test_a_crash_before_any_step_leaves_every_file_whole(make_store_torrent, tmp_path, way):
    torrent, crashes = make(make_store_torrent, tmp_path), 0
    for allowed in range(80):
        left, crashed = [allowed], False
        with pytest.MonkeyPatch.context() as patch:

            def dying(function, left=left):
                def call(*arguments):
                    if not left[0]:
                        raise Crash
                    left[0] -= 1
                    return function(*arguments)

                return call

            store = await filled(torrent) if not allowed else torrent.store()
            if allowed:
                await torrent.open(store)
            for module in (housing, file_copy):
                for name in STEPS:
                    if hasattr(module, name):
                        patch.setattr(module, name, dying(getattr(module, name)))
            try:
                await store.settle()
            except Crash:
                crashed = True
            left[0] = -1
        crashes += crashed
        if not crashed:
            await store.close(Totals())
            break
        await store._storage.close()
        store._lock.release()
        store._journal.close()
        again = torrent.store()
        await torrent.open(again)
        assert again.have.complete, allowed
        await again.close(Totals())
    assert crashes > 3
    assert tree(tmp_path / "later") == set()
    for parts, length in FILES:
        assert torrent.path("/".join(parts)).stat().st_size == length
    assert torrent.path("a").read_bytes() == torrent.content_of("a")


async def test_what_stands_in_the_way_of_a_whole_file_stays_and_is_named(make_store_torrent, tmp_path):
    torrent = make(make_store_torrent, tmp_path)
    store = await filled(torrent)
    torrent.put("a", b"somebody's")
    with pytest.raises(StorageError, match="content/a is there already"):
        await store.settle()
    assert torrent.path("a").read_bytes() == b"somebody's"
    assert (tmp_path / "later" / "content" / "a").stat().st_size == 40_000
    await store.close(Totals())


async def test_a_file_keeps_its_suffix_until_its_last_piece(make_store_torrent, tmp_path):
    torrent = make(make_store_torrent, tmp_path)
    store = torrent.store()
    await torrent.open(store)
    later = tmp_path / "later" / "content"
    for piece in (3, 2):
        assert await store.store(piece, [torrent.pieces[piece]])
    assert {name for name in tree(later) if name.startswith("deep")} == {"deep/b"}
    assert "a.part" in tree(later)
    await store.close(Totals())
    torrent.settings = replace(torrent.settings, partial_suffix=False, incomplete_dir=None)
    again = torrent.store()
    await torrent.open(again)
    for piece in (0, 1):
        assert await again.store(piece, [torrent.pieces[piece]])
    await again.settle()
    await again.close(Totals())
    assert tree(torrent.target) == {"content/a", "content/deep/b", "content/z"}
    assert torrent.path("a").read_bytes() == torrent.content_of("a")
