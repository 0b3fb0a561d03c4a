"""Removing a torrent with its content, on real files, and thinking better of it."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace

import pytest

from p2p.disk.trash import TRASH, Trashed
from p2p.errors import StorageError
from p2p.session.removal import Disposal, Removed
from p2p.session.session import Begin, Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.world import make_content

PIECE = 16_384
FILES = [(("a",), 100_000), (("deep", "b"), 50_000)]


@pytest.fixture
def content(tmp_path):
    metainfo, pieces = make_content(random.Random(7), FILES, PIECE, announce=None)
    whole, offset = b"".join(pieces[index] for index in range(len(pieces))), 0
    for parts, length in FILES:
        path = tmp_path.joinpath("files", "content", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole[offset : offset + length])
        offset += length
    return metainfo


def settings(tmp_path):
    return Settings(
        download_dir=tmp_path / "files",
        state_dir=tmp_path / "state",
        bind=("127.0.0.1",),
        dht=False,
        local_discovery=False,
        trackers=False,
    )


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_content_that_was_removed_comes_back_and_is_not_hashed_again(tmp_path, content):
    async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
        torrent = await session.add(content)
        await torrent.completed()
        before = tree(tmp_path / "files")
        removed = await session.remove(torrent, Disposal.TRASH)
        assert session.torrents == []
        assert not (tmp_path / "files" / "content").exists()
        await session.restore(removed)
        assert tree(tmp_path / "files") == before
        torrent = await session.add(content, begin=Begin.PAUSED)
        assert torrent.snapshot().state is TorrentState.STOPPED
        assert torrent.snapshot().pieces_had == content.piece_count  # from the record, before anything is looked at
        torrent.start()
        await torrent.completed()


async def test_content_that_is_purged_is_gone_with_its_record(tmp_path, content):
    async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
        torrent = await session.add(content)
        await torrent.completed()
        (tmp_path / "files" / "content" / "mine").write_text("not the torrent's")
        removed = await session.remove(torrent, Disposal.TRASH)
        await session.purge(removed)
        assert tree(tmp_path / "files") == {"content/mine": b"not the torrent's"}
        assert list((tmp_path / "state" / "resume").glob("*.resume")) == []


async def test_what_was_somebody_elses_is_not_removed_with_a_torrent(tmp_path, content):
    (tmp_path / "files" / "content" / "deep" / "b").write_bytes(b"x" * 50_000)
    options = TorrentOptions(priorities={1: 0})
    async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
        torrent = await session.add(content, options)
        await session.remove(await _opened(torrent), Disposal.ERASE)
    assert set(tree(tmp_path / "files")) == {"content/deep/b"}
    assert not (tmp_path / "files" / TRASH).exists()


async def test_a_torrent_that_never_ran_here_owns_nothing(tmp_path, content):
    before = tree(tmp_path / "files")
    async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
        torrent = await session.add(content, begin=Begin.PAUSED)
        assert await session.remove(torrent, Disposal.ERASE) is None
    assert tree(tmp_path / "files") == before


def test_a_record_of_removed_content_says_all_of_it_or_nothing(tmp_path):
    trashed = Trashed(tmp_path, (TRASH, "x"), (("a",), ("deep", os.fsdecode(b"\xff"))))
    removed = Removed("x", "ab" * 20, b"d4:infode", (trashed,), None)
    whole = removed.encode()
    assert Removed.decode(whole) == removed
    for cut in range(len(whole) - len(removed.torrent)):
        with pytest.raises(StorageError):
            Removed.decode(whole[:cut])
    with pytest.raises(StorageError, match="leads elsewhere"):
        Removed.decode(replace(removed, trashed=(replace(trashed, files=(("..", "a"),)),)).encode())


async def _opened(torrent):
    while torrent.exchange is None:
        await asyncio.sleep(0.01)
    return torrent
