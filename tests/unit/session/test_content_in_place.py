"""Content on its way: incomplete folder and suffix, other names, files that vanish, over stops and crashes."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from p2p.disk.trash import TRASH
from p2p.errors import ChangedContentError, MissingContentError, StarlingError, StorageError
from p2p.ids import Address
from p2p.session.create import create
from p2p.session.removal import Disposal
from p2p.session.session import Begin, Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.world import make_content

PIECE = 16_384
FILES = [(("a",), 100_000), (("deep", "b"), 50_000), (("z",), 0)]
QUIET = {"bind": ("127.0.0.1",), "dht": False, "local_discovery": False, "trackers": False}
METAINFO, PIECES = make_content(random.Random(7), FILES, PIECE, announce=None)
CONTENT = {"content/a": 100_000, "content/deep/b": 50_000, "content/z": 0}


def put_content(folder):
    whole, offset = b"".join(PIECES[index] for index in range(len(PIECES))), 0
    for parts, length in FILES:
        path = folder.joinpath("content", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole[offset : offset + length])
        offset += length


def tree(folder):
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


async def state_of(torrent, *states):
    while torrent.state not in states:
        await asyncio.sleep(0.01)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "here").mkdir()
    return Settings(download_dir=tmp_path / "here", state_dir=tmp_path / "state", **QUIET)


@pytest.fixture
def waiting(settings, tmp_path):
    return Settings(
        download_dir=tmp_path / "here",
        state_dir=tmp_path / "state",
        incomplete_dir=tmp_path / "later",
        partial_suffix=True,
        **QUIET,
    )


@asynccontextmanager
async def swarm(tmp_path, settings, options=None):
    """A session with the torrent, beside one that seeds it; within twenty seconds."""
    put_content(tmp_path / "seed")
    async with (
        asyncio.timeout(20),
        Session(Settings(download_dir=tmp_path / "seed", **QUIET)) as seed,
        Session(settings) as session,
    ):
        await (await seed.add(METAINFO)).completed()
        yield session, TorrentOptions(**(options or {}), peers=(Address("127.0.0.1", seed.port),))


# -- incomplete folder and suffix


async def test_what_is_not_done_is_kept_elsewhere_and_comes_home(tmp_path, waiting):
    async with swarm(tmp_path, waiting, {"priorities": {1: 0}}) as (session, options):
        torrent = await session.add(METAINFO, options)
        await torrent.completed()
        # The last piece of `a` holds the beginning of `b`, which is not wanted and not whole.
        assert set(tree(tmp_path / "here")) == {"content/a", "content/deep/b.part", "content/z"}
        assert not tree(tmp_path / "later")
        await torrent.stop()
        torrent.set_priorities({1: 4})
        torrent.start()
        await state_of(torrent, TorrentState.SEEDING)
        assert tree(tmp_path / "here") == CONTENT
        assert tree(tmp_path / "later") == {}


async def test_files_are_found_after_a_stop_in_the_middle_whatever_the_settings_are_then(tmp_path, waiting, settings):
    async with swarm(tmp_path, waiting, {"limit_down": 150_000}) as (session, options):
        torrent = await session.add(METAINFO, options)
        while not 2 < torrent.snapshot().pieces_had < 8:
            await asyncio.sleep(0.005)
        await torrent.stop()
        had = torrent.snapshot().pieces_had
        assert set(tree(tmp_path / "later")) <= {"content/a.part", "content/deep/b.part", "content/a", "content/z"}
        assert tree(tmp_path / "here") == {}
    async with swarm(tmp_path, settings) as (session, options):
        torrent = await session.add(METAINFO, options, begin=Begin.PAUSED)
        assert torrent.snapshot().pieces_had == had
        torrent.start()
        await torrent.completed()
        assert torrent.snapshot().session_downloaded < 150_000  # nothing was fetched twice
    assert tree(tmp_path / "here") == CONTENT
    assert tree(tmp_path / "later") == {}


async def test_removal_takes_what_is_in_both_folders_and_gives_it_back(tmp_path, waiting):
    async with swarm(tmp_path, waiting, {"limit_down": 150_000}) as (session, options):
        torrent = await session.add(METAINFO, options)
        while not torrent.snapshot().pieces_had:
            await asyncio.sleep(0.005)
        mine = tmp_path / "later" / "content" / "mine"
        mine.write_text("stays")
        await torrent.stop()
        before = tree(tmp_path)
        removed = await session.remove(torrent, Disposal.TRASH)
        assert set(tree(tmp_path / "later")) - {"content/mine"} == {
            name for name in tree(tmp_path / "later") if name.startswith(TRASH)
        }
        await session.restore(removed)
        assert tree(tmp_path / "later") == {
            name.removeprefix("later/"): size for name, size in before.items() if name.startswith("later/")
        }
        torrent = await session.add(METAINFO, options)
        await session.remove(torrent, Disposal.ERASE)
        assert tree(tmp_path / "later") == {"content/mine": 5}


async def test_what_a_crash_left_in_the_trash_is_known_afterwards(tmp_path, settings):
    put_content(tmp_path / "here")
    async with asyncio.timeout(20), Session(settings) as session:
        torrent = await session.add(METAINFO)
        await torrent.completed()
        await session.remove(torrent, Disposal.TRASH)
    async with asyncio.timeout(20), Session(settings) as session:
        (removed,) = await session.in_trash()
        assert removed.info_hash == METAINFO.info_hash_v1.hex()
        await session.restore(removed)
        assert await session.in_trash() == []
        assert tree(tmp_path / "here") == CONTENT


# -- names


async def test_names_change_under_a_running_torrent_and_stay(tmp_path, settings):
    put_content(tmp_path / "here")
    async with asyncio.timeout(20), Session(settings) as session:
        torrent = await session.add(METAINFO)
        await torrent.completed()
        await torrent.rename("content", "album")
        await torrent.rename("album/deep", "cd")
        await torrent.rename("album/cd/b", "two")
        assert tree(tmp_path / "here") == {"album/a": 100_000, "album/cd/two": 50_000, "album/z": 0}
        assert torrent.state is TorrentState.SEEDING
        assert torrent.name == "album"
        assert await torrent.store.read(0, 0, 10) == PIECES[0][:10]
    async with swarm(tmp_path, settings) as (session, _):
        torrent = await session.add(METAINFO, begin=Begin.PAUSED)
        assert torrent.name == "album"
        await torrent.rename("album", "songs")  # while it stands still
        assert torrent.state is TorrentState.STOPPED
        torrent.start()
        await torrent.completed()
        assert set(tree(tmp_path / "here")) == {"songs/a", "songs/cd/two", "songs/z"}
        await torrent.move(tmp_path / "there")
        assert set(tree(tmp_path / "there")) == {"songs/a", "songs/cd/two", "songs/z"}
        assert torrent.name == "songs"


@pytest.mark.parametrize("name", ["..", "a/b", "", "DEEP", "con"])
async def test_a_name_that_cannot_be_changes_nothing(tmp_path, settings, name):
    put_content(tmp_path / "here")
    async with asyncio.timeout(20), Session(settings) as session:
        torrent = await session.add(METAINFO)
        await torrent.completed()
        with pytest.raises(StarlingError):
            await torrent.rename("content/a", name)
        assert tree(tmp_path / "here") == CONTENT


async def test_a_file_in_the_way_of_a_name_stays(tmp_path, settings):
    put_content(tmp_path / "here")
    async with asyncio.timeout(20), Session(settings) as session:
        torrent = await session.add(METAINFO)
        await torrent.completed()
        (tmp_path / "here" / "content" / "mine").write_text("stays")
        with pytest.raises(StorageError, match="is there already"):
            await torrent.rename("content/a", "mine")
        assert tree(tmp_path / "here") == {**CONTENT, "content/mine": 5}
        assert torrent.store.places.names == {}


@pytest.mark.parametrize("done", [True, False], ids=["after", "before"])
async def test_a_crash_within_a_renaming_loses_no_file(tmp_path, settings, monkeypatch, done):
    """The process dies when the new names are on record, before or after the disk has them."""
    put_content(tmp_path / "here")
    async with asyncio.timeout(20), Session(settings) as session:
        torrent = await session.add(METAINFO)
        await torrent.completed()
        store = torrent.store
        rename = store._files.rename

        async def dying(*arguments):
            if done:
                await rename(*arguments)
            store._services.resume.save = None  # nothing reaches the disk any more
            raise asyncio.CancelledError

        monkeypatch.setattr(store._files, "rename", dying)
        with pytest.raises((asyncio.CancelledError, TypeError)):
            await torrent.rename("content", "album")
        store._renaming = None
        store._checkpoint = lambda *_, **__: asyncio.sleep(0)
    async with asyncio.timeout(20), Session(settings) as session:
        torrent = await session.add(METAINFO, TorrentOptions(expect_complete=True))
        await torrent.completed()
        assert set(tree(tmp_path / "here")) == {"album/a", "album/deep/b", "album/z"}
        assert torrent.name == "album"


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
async def test_every_kind_of_torrent_is_renamed(tmp_path, settings, version):
    put_content(tmp_path / "here")
    raw = await create(tmp_path / "here" / "content", version=version, piece_length=PIECE)
    async with asyncio.timeout(20), Session(settings) as session:
        torrent = await session.add(raw)
        await torrent.completed()
        await torrent.rename("content", "album")
        await torrent.rename("album/deep", "cd")
        assert tree(tmp_path / "here") == {"album/a": 100_000, "album/cd/b": 50_000, "album/z": 0}
        assert [file.path for file in torrent.files() if file.length] == ["a", "cd/b"]
    async with asyncio.timeout(20), Session(settings) as session:
        torrent = await session.add(raw, TorrentOptions(expect_complete=True))
        await torrent.completed()
        assert torrent.name == "album"


async def test_what_is_not_whole_moves_under_the_name_that_it_has(tmp_path, settings):
    suffixed = replace(settings, partial_suffix=True)
    async with swarm(tmp_path, suffixed, {"limit_down": 150_000}) as (session, options):
        torrent = await session.add(METAINFO, options)
        while not torrent.snapshot().pieces_had:
            await asyncio.sleep(0.005)
        await torrent.move(tmp_path / "there")
        assert tree(tmp_path / "here") == {}
        assert "content/deep/b.part" in tree(tmp_path / "there")
        torrent.set_limits(down=None, up=None)
        await state_of(torrent, TorrentState.SEEDING)
        assert tree(tmp_path / "there") == CONTENT


# -- what is gone, or not as it was


async def test_missing_files_are_an_error_until_the_user_says_otherwise(tmp_path, settings):
    async with swarm(tmp_path, settings) as (session, options):
        torrent = await session.add(METAINFO, options)
        await torrent.completed()
        await torrent.stop()
        shutil.move(tmp_path / "here" / "content", tmp_path / "away")
        for _ in range(2):  # to start is no order to download it all again
            torrent.start()
            await torrent.stopped()
            assert torrent.state is TorrentState.ERROR
            assert torrent.message.startswith("missing files: ")
            assert isinstance(torrent.failure, MissingContentError)
            assert tree(tmp_path / "here") == {}
        shutil.move(tmp_path / "away", tmp_path / "here" / "content")
        torrent.start()
        await state_of(torrent, TorrentState.SEEDING)
        assert torrent.snapshot().session_downloaded == 150_000  # nothing was fetched again
        await torrent.stop()
        (tmp_path / "here" / "content" / "deep" / "b").unlink()
        torrent.start()
        await torrent.stopped()
        torrent.accept_losses()
        torrent.start()
        await state_of(torrent, TorrentState.SEEDING)
        assert tree(tmp_path / "here") == CONTENT
        assert 200_000 <= torrent.snapshot().session_downloaded < 250_000


async def test_a_folder_that_disappears_while_it_is_seeded_is_missing(tmp_path, settings):
    put_content(tmp_path / "here")
    async with asyncio.timeout(20), Session(settings) as session:
        torrent = await session.add(METAINFO)
        await torrent.completed()
        shutil.copytree(tmp_path / "here" / "content", tmp_path / "away")
        shutil.rmtree(tmp_path / "here" / "content")
        async with Session(Settings(download_dir=tmp_path / "other", **QUIET)) as other:
            peers = TorrentOptions(peers=(Address("127.0.0.1", session.port),))
            await other.add(METAINFO, peers)
            await torrent.stopped()
        assert torrent.message.startswith("missing files: ")
        shutil.move(tmp_path / "away", tmp_path / "here" / "content")
        torrent.start()
        await state_of(torrent, TorrentState.SEEDING)


async def test_a_whole_file_that_changed_is_not_repaired_unasked(tmp_path, settings):
    async with swarm(tmp_path, settings) as (session, options):
        torrent = await session.add(METAINFO, options)
        await torrent.completed()
        await torrent.stop()
        edited = tmp_path / "here" / "content" / "a"
        edited.write_bytes(b"edited by its owner" + edited.read_bytes()[19:])
        mine = edited.read_bytes()
        torrent.start()
        await torrent.stopped()
        assert isinstance(torrent.failure, ChangedContentError)
        assert "1 of its 7 pieces differ" in torrent.message
        assert edited.read_bytes() == mine
        await torrent.verify()
        await torrent.stopped()
        torrent.start()
        await state_of(torrent, TorrentState.SEEDING)
        assert edited.read_bytes() == (tmp_path / "seed" / "content" / "a").read_bytes()


async def test_a_repair_leaves_other_names_of_the_file_as_they_are(tmp_path, settings):
    put_content(tmp_path / "here")
    library = tmp_path / "library"
    damaged = tmp_path / "here" / "content" / "a"
    damaged.write_bytes(b"damaged" + damaged.read_bytes()[7:])
    os.link(damaged, library)
    before = library.read_bytes()
    async with swarm(tmp_path, settings) as (session, options):
        torrent = await session.add(METAINFO, options)
        await torrent.completed()
    assert library.read_bytes() == before
    assert damaged.read_bytes() == (tmp_path / "seed" / "content" / "a").read_bytes()


async def test_content_that_somebody_else_moved_is_believed_where_it_is_now(tmp_path, settings, monkeypatch):
    async with swarm(tmp_path, settings) as (session, options):
        torrent = await session.add(METAINFO, options)
        await torrent.completed()
        (tmp_path / "there").mkdir()
        shutil.move(tmp_path / "here" / "content", tmp_path / "there" / "content")
        touched = tmp_path / "there" / "content" / "deep" / "b"
        touched.touch()
        checked = []
        check = type(torrent.store)._check

        async def counting(store, pieces, opening):
            checked.extend(pieces)
            return await check(store, pieces, opening)

        monkeypatch.setattr(type(torrent.store), "_check", counting)
        await torrent.find_at(tmp_path / "there")
        await state_of(torrent, TorrentState.SEEDING)
        assert checked == list(METAINFO.layout.pieces_of_file(1))
        await torrent.find_at(tmp_path / "nowhere")
        await torrent.stopped()
        assert torrent.message.startswith("missing files: ")
        assert not (tmp_path / "nowhere").exists()
        await torrent.find_at(tmp_path / "there")
        assert torrent.state is TorrentState.STOPPED
        torrent.start()
        await state_of(torrent, TorrentState.SEEDING)
        assert torrent.snapshot().session_downloaded == 150_000
