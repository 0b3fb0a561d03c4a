"""Content is moved under a running torrent, and a crash after any write of the move loses nothing of it."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from p2p.disk import file_copy, relocation
from p2p.errors import StarlingError, StorageError
from p2p.session.session import Begin, Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.world import make_content

PIECE = 16_384
FILES = [(("a",), 100_000), (("deep", "b"), 50_000), (("z",), 1)]


class Crash(BaseException):
    """The process dies."""


@pytest.fixture
def metainfo(tmp_path):
    metainfo, pieces = make_content(random.Random(7), FILES, PIECE, announce=None)
    whole, offset = b"".join(pieces[index] for index in range(len(pieces))), 0
    for parts, length in FILES:
        path = tmp_path.joinpath("old", "content", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole[offset : offset + length])
        offset += length
    return metainfo


@pytest.fixture(params=["near", "far"])
def way(request, monkeypatch):
    """Whether the new folder is taken for one on another filesystem."""
    if request.param == "far":
        plan = relocation.plan
        monkeypatch.setattr(
            relocation,
            "plan",
            lambda *arguments: plan(*arguments).at(relocation.MoveStage.COPYING),
        )
        monkeypatch.setattr(file_copy, "STEP", 30_000)
    return request.param


def settings(tmp_path):
    return Settings(
        download_dir=tmp_path / "old",
        state_dir=tmp_path / "state",
        bind=("127.0.0.1",),
        dht=False,
        local_discovery=False,
        trackers=False,
    )


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def ended(session):
    """Wait until what was cut short has been ended."""
    while any(task.get_name().startswith("move ") for task in asyncio.all_tasks()):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("begin", list(Begin))
async def test_content_moves_and_the_torrent_goes_on_as_it_was(tmp_path, metainfo, way, begin):
    before = tree(tmp_path / "old")
    async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
        torrent = await session.add(metainfo)
        await torrent.completed()
        if begin is Begin.PAUSED:
            await torrent.stop()
        (tmp_path / "old" / "content" / "mine").write_text("stays")
        await torrent.move(tmp_path / "new")
        assert tree(tmp_path / "new") == before
        assert tree(tmp_path / "old") == {"content/mine": b"stays"}
        assert torrent.target == tmp_path / "new"
        assert torrent.snapshot().pieces_had == metainfo.piece_count
        if begin is Begin.STARTED:
            while torrent.state is not TorrentState.SEEDING:
                await asyncio.sleep(0.01)
        else:
            await torrent.stopped()
            assert torrent.state is TorrentState.STOPPED
        assert list((tmp_path / "state" / "moves").iterdir()) == []
    async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
        torrent = await session.add(metainfo, TorrentOptions(download_dir=tmp_path / "new"), begin=Begin.PAUSED)
        assert torrent.snapshot().pieces_had == metainfo.piece_count  # the record came along


async def test_nothing_is_moved_onto_what_is_there(tmp_path, metainfo, way):
    before = tree(tmp_path / "old")
    (tmp_path / "new" / "content").mkdir(parents=True)
    (tmp_path / "new" / "content" / "z").write_text("mine")
    async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
        torrent = await session.add(metainfo)
        await torrent.completed()
        with pytest.raises(StorageError, match="is there already"):
            await torrent.move(tmp_path / "new")
        with pytest.raises(StarlingError, match="already"):
            await torrent.move(tmp_path / "old")
        assert torrent.state is TorrentState.SEEDING
    assert tree(tmp_path / "old") == before
    assert tree(tmp_path / "new") == {"content/z": b"mine"}


@pytest.mark.parametrize("times", [0, 1])
async def test_content_that_is_being_looked_at_moves_when_it_is_known_what_is_ours(tmp_path, metainfo, times):
    """Whether in the first run or a later one: a move that comes while the content is opened takes it all."""
    before = tree(tmp_path / "old")
    async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
        torrent = await session.add(metainfo)
        for _ in range(times):
            await torrent.completed()
            await torrent.stop()
            torrent.start()
        while torrent.state is TorrentState.STOPPED:
            await asyncio.sleep(0)
        await torrent.move(tmp_path / "new")
        assert tree(tmp_path / "new") == before
        assert tree(tmp_path / "old") == {}


async def test_a_crash_at_any_point_of_a_move_loses_nothing(tmp_path, metainfo, way, monkeypatch):
    """The jobs of a move run one by one; the process dies before job 0, 1, 2 and so on, until one move is through."""
    before, crashes = tree(tmp_path / "old"), 0
    for jobs in range(60):
        with pytest.MonkeyPatch.context() as patch:
            left = [jobs]

            def dying(function, left=left):
                def call(*arguments):
                    if not left[0]:
                        raise Crash
                    left[0] -= 1
                    return function(*arguments)

                return call

            for name in ("rename_below", "begin_copy", "copy_step", "end_copy", "remove_file", "is_copied"):
                patch.setattr(relocation, name, dying(getattr(relocation, name)))
            place, target = (tmp_path / "old", tmp_path / "new")
            crashed = False
            try:
                async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
                    torrent = await session.add(metainfo)
                    await torrent.completed()
                    await torrent.move(target)
            except (Crash, BaseExceptionGroup, asyncio.CancelledError):
                crashed = True
        crashes += crashed
        if not crashed:
            assert tree(target) == before
            assert tree(place) == {}
            assert crashes > 3
            return
        async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
            torrent = await session.add(metainfo, TorrentOptions(expect_complete=True, download_dir=place))
            await torrent.completed()
            await ended(session)
            if torrent.target == place:  # it had not begun
                await torrent.move(target)
            assert tree(target) == before
            assert tree(place) == {}
            await torrent.move(place)
            assert tree(place) == before
    raise AssertionError("no move came through")


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_a_journal_that_is_cut_is_refused(cut, tmp_path):
    whole = relocation.Relocation(
        tmp_path / "a", tmp_path / "b", (("x", os.fsdecode(b"\xff")),), relocation.MoveStage.COPYING
    )
    assert relocation.Relocation.decode(whole.encode()) == whole
    with pytest.raises(StorageError):
        relocation.Relocation.decode(whole.encode()[:cut])


async def test_a_torrent_that_is_removed_while_it_is_copied_leaves_nothing_elsewhere(tmp_path, metainfo, monkeypatch):
    before, reached, plan = tree(tmp_path / "old"), asyncio.Event(), relocation.plan
    monkeypatch.setattr(relocation, "plan", lambda *given: plan(*given).at(relocation.MoveStage.COPYING))
    monkeypatch.setattr(file_copy, "STEP", 30_000)
    async with asyncio.timeout(20), Session(settings(tmp_path)) as session:
        loop, step = asyncio.get_running_loop(), relocation.copy_step

        def stepping(*given):
            loop.call_soon_threadsafe(reached.set)
            return step(*given)

        monkeypatch.setattr(relocation, "copy_step", stepping)
        torrent = await session.add(metainfo)
        await torrent.completed()
        moving = asyncio.create_task(torrent.move(tmp_path / "new"))
        await reached.wait()
        with pytest.raises(StarlingError, match="moved already"):
            await torrent.move(tmp_path / "elsewhere")
        await session.remove(torrent)
        with pytest.raises(StarlingError, match="removed while it was moved"):
            await moving
        assert tree(tmp_path / "old") == before
        assert tree(tmp_path / "new") == {}
        assert list((tmp_path / "state" / "moves").iterdir()) == []
