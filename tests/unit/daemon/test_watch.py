"""Watched folders: what is complete is added once and renamed, what is no torrent is set aside, and nothing is lost."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from p2p.daemon.ports import Added, SourceKind
from p2p.daemon.session_values import SessionValues
from p2p.daemon.watch import MAX_LINKS, Watch
from p2p.errors import MetainfoError, StorageError

LINK = "magnet:?xt=urn:btih:" + "a" * 40


class Library:
    """Takes what is added; bytes that begin with `d` are a torrent."""

    def __init__(self):
        self.added = []
        self.failure = None

    async def add(self, addition):
        if self.failure is not None:
            raise self.failure
        if addition.kind is SourceKind.METAINFO and not addition.source.startswith(b"d"):
            raise MetainfoError("no torrent")
        duplicate = any(each.source == addition.source for each in self.added)
        self.added.append(addition)
        return Added(SimpleNamespace(name="x", id=len(self.added)), duplicate)


@pytest.fixture
def library():
    return Library()


@pytest.fixture
def values():
    return SessionValues({"trash_original_torrent_files": False})


@pytest.fixture
def watch(library, values, tmp_path):
    return Watch(values, library.add, settled=0, patience=0, retry=0)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


async def look(watch, folder, times=2):
    """One look sees a file, the next reads it if it has not changed."""
    for _ in range(times):
        await watch.look(folder)


async def test_a_torrent_file_is_added_and_renamed(watch, library, tmp_path):
    (tmp_path / "a.torrent").write_bytes(b"d1")
    (tmp_path / "B.TORRENT").write_bytes(b"d2")
    await look(watch, tmp_path, 4)
    assert [each.source for each in library.added] == [b"d2", b"d1"]
    assert {each.paused for each in library.added} == {None}
    assert names(tmp_path) == ["B.TORRENT.added", "a.torrent.added"]


async def test_links_are_added_each(watch, library, tmp_path):
    (tmp_path / "a.magnet").write_text(f"{LINK}\n\n{LINK[:-1]}b\n")
    await look(watch, tmp_path)
    assert [each.kind for each in library.added] == [SourceKind.MAGNET] * 2
    assert names(tmp_path) == ["a.magnet.added"]


async def test_what_grows_is_not_read(watch, library, tmp_path):
    file = tmp_path / "a.torrent"
    for size in range(1, 5):
        file.write_bytes(b"d" * size)
        await watch.look(tmp_path)
        assert library.added == []
    await watch.look(tmp_path)
    assert library.added[0].source == b"dddd"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.torrent", b""),
        ("a.torrent", b"<html>"),
        ("a.magnet", b""),
        ("a.magnet", b"http://example.org/"),
        ("a.magnet", f"{LINK}\n".encode() * (MAX_LINKS + 1)),
        ("a.magnet", b"\xff" * 10),
        ("a.magnet", b"x" * (2 << 20)),
    ],
    ids=["empty", "page", "no link", "URL", "too many", "no text", "huge"],
)
async def test_what_is_no_torrent_is_set_aside(watch, library, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    await look(watch, tmp_path)
    assert library.added == []
    assert names(tmp_path) == [f"{name}.invalid"]
    assert (tmp_path / f"{name}.invalid").read_bytes() == content


async def test_what_may_be_half_written_is_waited_for(library, values, tmp_path):
    watch = Watch(values, library.add, settled=0, patience=3600)
    (tmp_path / "a.torrent").write_bytes(b"")
    await look(watch, tmp_path, 3)
    assert names(tmp_path) == ["a.torrent"]
    (tmp_path / "a.torrent").write_bytes(b"d")
    await look(watch, tmp_path)
    assert names(tmp_path) == ["a.torrent.added"]


async def test_what_cannot_be_added_yet_stays_and_is_tried_again(watch, library, tmp_path):
    (tmp_path / "a.torrent").write_bytes(b"d")
    library.failure = StorageError("no room")
    await look(watch, tmp_path, 3)
    assert names(tmp_path) == ["a.torrent"]
    library.failure = None
    await watch.look(tmp_path)
    assert names(tmp_path) == ["a.torrent.added"]


async def test_one_that_is_there_already_is_put_away_too(watch, library, tmp_path):
    for name in ("a.torrent", "b.torrent"):
        (tmp_path / name).write_bytes(b"d")
    await look(watch, tmp_path)
    assert names(tmp_path) == ["a.torrent.added", "b.torrent.added"]


async def test_nothing_is_written_over(watch, library, tmp_path):
    (tmp_path / "a.torrent.added").write_bytes(b"mine")
    (tmp_path / "a.torrent.1.added").write_bytes(b"mine too")
    (tmp_path / "a.torrent").write_bytes(b"d")
    await look(watch, tmp_path)
    assert names(tmp_path) == ["a.torrent.1.added", "a.torrent.2.added", "a.torrent.added"]
    assert (tmp_path / "a.torrent.added").read_bytes() == b"mine"
    assert (tmp_path / "a.torrent.2.added").read_bytes() == b"d"


async def test_what_cannot_be_renamed_is_added_once(watch, library, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "no")

    (tmp_path / "a.torrent").write_bytes(b"d")
    monkeypatch.setattr("p2p.daemon.watch._rename", refuse)
    await look(watch, tmp_path, 5)
    assert len(library.added) == 1
    os.utime(tmp_path / "a.torrent", (1, 1))  # another file of that name
    await look(watch, tmp_path)
    assert len(library.added) == 2


async def test_folders_pipes_hidden_files_and_strangers_are_let_alone(watch, library, tmp_path):
    (tmp_path / "folder.torrent").mkdir()
    os.mkfifo(tmp_path / "pipe.torrent")
    (tmp_path / ".hidden.torrent").write_bytes(b"d")
    (tmp_path / "a.torrent.part").write_bytes(b"d")
    (tmp_path / "broken.torrent").symlink_to("nowhere")
    before = names(tmp_path)
    await look(watch, tmp_path, 3)
    assert names(tmp_path) == before
    assert library.added == []


async def test_a_folder_that_is_not_there_is_no_end(watch, library, tmp_path, caplog):
    folder = tmp_path / "later"
    await look(watch, folder, 3)
    assert sum("cannot be read" in each.message for each in caplog.records) == 1
    folder.mkdir()
    (folder / "a.torrent").write_bytes(b"d")
    await look(watch, folder)
    assert names(folder) == ["a.torrent.added"]


async def test_what_was_added_is_deleted_where_the_session_says_so(watch, library, values, tmp_path):
    await values.set({"trash_original_torrent_files": True})
    (tmp_path / "a.torrent").write_bytes(b"d")
    (tmp_path / "b.torrent").write_bytes(b"x")
    await look(watch, tmp_path)
    assert names(tmp_path) == ["b.torrent.invalid"]


async def test_what_is_watched_can_be_paused(watch, library, tmp_path):
    watch.watch([tmp_path], paused=True)
    (tmp_path / "a.torrent").write_bytes(b"d")
    await look(watch, tmp_path)
    assert library.added[0].paused is True
