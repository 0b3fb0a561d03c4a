"""The daemon's state on disk: what of it survives whom, and who waits for what."""

from __future__ import annotations

import asyncio
import errno
import os
import threading

import pytest

from p2p.daemon.state import DaemonState
from p2p.errors import DiskFullError, StateLockedError, StateVersionError, StorageError


async def read(folder, *files):
    """Records and torrent files as the next process finds them."""
    async with DaemonState(folder) as state:
        return state.records(""), await state.read_torrents(files), state.damage


async def die(state):
    """What the kernel does for a process that is killed: what was flushed is there, nothing else is done."""
    os.close(state._log._fd)
    state._log._fd = -1
    await state._let_go()


async def test_what_was_flushed_survives_a_kill_and_what_was_not_does_not(tmp_path):
    state = await DaemonState(tmp_path).__aenter__()
    state.put("a", {"n": 1, "name": "\udc80 ü"})
    state.put_torrent("ab", b"torrent")
    await state.flush()
    state.put("b", {"n": 2})
    state.put_torrent("cd", b"other")
    await die(state)
    records, files, damage = await read(tmp_path, "ab", "cd")
    assert records == {"a": {"n": 1, "name": "\udc80 ü"}}
    assert files["ab"] == b"torrent"
    assert isinstance(files["cd"], StorageError)
    assert damage is None


async def test_the_end_writes_what_nobody_waited_for(tmp_path):
    async with DaemonState(tmp_path) as state:
        state.put("a", {"n": 1})
        state.put("b", {"n": 1})
        state.put("b", None)
        state.put_torrent("ab", b"torrent")
    assert (await read(tmp_path, "ab"))[:2] == ({"a": {"n": 1}}, {"ab": b"torrent"})
    async with DaemonState(tmp_path) as state:
        state.put_torrent("ab", None)
    assert not state.torrent_path("ab").exists()


async def test_one_daemon_holds_a_folder(tmp_path):
    async with DaemonState(tmp_path):
        with pytest.raises(StateLockedError, match=f"another daemon keeps its state in {tmp_path}"):
            await DaemonState(tmp_path).__aenter__()
    assert await read(tmp_path) == ({}, {}, None)


async def test_who_waits_at_the_same_time_shares_one_sync(tmp_path, monkeypatch):
    syncs = []
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (syncs.append(fd), sync(fd)))
    async with DaemonState(tmp_path) as state:
        for n in range(50):
            state.put(f"k{n}", {"n": n})
        await asyncio.gather(*(state.flush(sync=True) for _ in range(50)))
        assert len(syncs) == 1
    assert len((await read(tmp_path))[0]) == 50


async def test_a_disk_that_is_full_is_told_of_and_tried_again(tmp_path, monkeypatch, caplog):
    async with DaemonState(tmp_path) as state:
        state.put("a", {"n": 1})
        await state.flush(sync=True)

        def no_room(*_):
            raise OSError(errno.ENOSPC, "full")

        with monkeypatch.context() as full:
            full.setattr(os, "write", no_room)
            for n in (2, 3):
                state.put("a", {"n": n})
                with pytest.raises(DiskFullError):
                    await state.flush()
                assert "no room left" in state.failure
        assert caplog.text.count("cannot be written") == 1
        state.put("b", {})
        await state.flush()
        assert state.failure is None
        await die(state)
    assert (await read(tmp_path))[0] == {"a": {"n": 3}, "b": {}}


async def test_no_record_is_written_before_the_torrent_file_it_leans_on(tmp_path, monkeypatch):
    async with DaemonState(tmp_path) as state:
        with monkeypatch.context() as broken:
            broken.setattr(state, "_write_torrents", lambda _: (_ for _ in ()).throw(StorageError("broken")))
            state.put("a", {"file": "ab"})
            state.put_torrent("ab", b"torrent")
            with pytest.raises(StorageError):
                await state.flush(sync=True)
            state.withdraw(["a", "ab"])
    assert (await read(tmp_path))[0] == {}


async def test_the_loop_goes_on_while_the_disk_is_stuck(tmp_path, monkeypatch):
    stuck, sync = threading.Event(), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (stuck.wait(), sync(fd)))
    async with DaemonState(tmp_path) as state:
        state.put("a", {})
        waiting = asyncio.create_task(state.flush(sync=True))
        for n in range(100):
            state.put("b", {"n": n})
            await asyncio.sleep(0)
        assert not waiting.done()
        stuck.set()
        await waiting
    assert (await read(tmp_path))[0] == {"a": {}, "b": {"n": 99}}


async def test_who_gives_up_waiting_does_not_undo_it(tmp_path, monkeypatch):
    stuck, sync = threading.Event(), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (stuck.wait(), sync(fd)))
    async with DaemonState(tmp_path) as state:
        state.put("a", {})
        waiting = asyncio.create_task(state.flush(sync=True))
        await asyncio.sleep(0)
        waiting.cancel()
        stuck.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await die(state)
    assert (await read(tmp_path))[0] == {"a": {}}


async def test_damage_is_told(tmp_path, caplog):
    async with DaemonState(tmp_path) as state:
        state.put("a", {"n": 1})
    (path,) = tmp_path.glob("records.*")
    path.write_bytes(path.read_bytes()[:-3])
    records, _, damage = await read(tmp_path)
    assert records == {}
    assert "ended within a change" in damage
    assert damage in caplog.text


async def test_a_later_versions_state_is_refused_and_not_locked(tmp_path, monkeypatch):
    with monkeypatch.context() as later:
        later.setattr("p2p.disk.record_log.VERSION", b"2")
        async with DaemonState(tmp_path) as state:
            state.put("a", {})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for _ in range(2):
        with pytest.raises(StateVersionError):
            await DaemonState(tmp_path).__aenter__()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


async def test_torrent_files_without_a_record_are_found(tmp_path):
    async with DaemonState(tmp_path) as state:
        state.put_torrent("ab", b"1")
        state.put_torrent("cd", b"2")
        await state.flush()
        assert await state.stray_torrents(frozenset({"ab"})) == ["cd"]


async def test_nobody_else_can_read_it(tmp_path):
    async with DaemonState(tmp_path / "new" / "daemon") as state:
        state.put("a", {})
        state.put_torrent("ab", b"1")
        await state.flush()
        made = [state.folder, *state.folder.rglob("*")]
    assert len(made) == 5
    assert [path.stat().st_mode & 0o077 for path in made] == [0] * 5
