"""What a record may claim: what a good sync has found, one checkpoint at a time, whatever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from dataclasses import replace

import pytest

from p2p.disk.journal import PieceJournal
from p2p.disk.resume import ResumeStore
from p2p.disk.thread_hasher import ThreadHasher
from p2p.errors import DiskFullError, StorageError
from p2p.ids import Address
from p2p.session.ledger import Totals

SINGLE = [((), 4 * 16_384)]


class OverlapError(Exception):
    pass


class JealousStore(ResumeStore):
    """Takes some turns of the loop for a save, and suffers no other beside it."""

    busy = False
    saves = 0

    async def save(self, key, state):
        if self.busy:
            raise OverlapError
        self.busy = True
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            await super().save(key, state)
        finally:
            self.busy = False
        self.saves += 1


class GatedStorage:
    """A storage whose sync waits for `gate`."""

    def __init__(self, storage):
        self._storage = storage
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._storage, name)

    async def sync(self):
        self.waiting.set()
        await self.gate.wait()
        await self._storage.sync()


@pytest.fixture
def torrent(make_store_torrent):
    return make_store_torrent(SINGLE)


@pytest.fixture
def gated(torrent):
    made = []

    def wrap(storage):
        made.append(GatedStorage(storage))
        return made[-1]

    torrent.wrap = wrap
    return made


async def opened(torrent, pieces=()):
    store = torrent.store()
    await torrent.open(store)
    for piece in pieces:
        assert await store.store(piece, [torrent.pieces[piece]])
    return store


async def recorded(torrent):
    state = await torrent.record()
    return [piece for piece in range(4) if state.pieces[0] & 0x80 >> piece], state.clean


def journalled(torrent):
    journal = PieceJournal(torrent.resume.journal_path(torrent.key))
    try:
        return journal.load()
    finally:
        journal.close()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
async def test_after_a_failed_sync_nothing_more_goes_on_record(torrent, monkeypatch, code):
    store = await opened(torrent, [0])
    await store.checkpoint(Totals())
    assert await store.store(1, [torrent.pieces[1]])
    sync = os.fdatasync
    forgotten = []

    def fail_once(fd):
        monkeypatch.setattr(os, "fdatasync", sync)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fdatasync", fail_once)
    monkeypatch.setattr(os, "posix_fadvise", lambda fd, *_: forgotten.append(fd))
    for _ in range(2):  # the kernel would call the second one a success
        with pytest.raises(StorageError, match="is checked at the next start") as failed:
            await store.checkpoint(Totals(downloaded=1))
        assert type(failed.value) is StorageError
    assert len(forgotten) == 1
    assert await store.store(2, [torrent.pieces[2]])
    with pytest.raises(StorageError, match="is checked at the next start"):
        await store.close(Totals(downloaded=2))
    assert await recorded(torrent) == ([0], False)
    assert journalled(torrent) == [1, 2]
    again = await opened(torrent)
    assert [piece for piece in range(4) if again.have[piece]] == [0, 1, 2]
    await again.close(Totals())


async def test_a_cancelled_checkpoint_leaves_no_unsynced_piece_on_record(torrent, monkeypatch):
    torrent.hasher = ThreadHasher(1)
    store = await opened(torrent, [0])
    synced = []
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(fd) or sync(fd))
    go = threading.Event()
    other = asyncio.create_task(torrent.hasher.run(go.wait))  # so the sync has to queue
    await asyncio.sleep(0)
    checkpoint = asyncio.create_task(store.checkpoint(Totals()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    checkpoint.cancel()
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close(Totals()))
    go.set()
    await other
    with pytest.raises(asyncio.CancelledError):
        await checkpoint
    await closing
    assert await recorded(torrent) == ([0], True)
    assert len(synced) == 1
    await torrent.hasher.close()


async def test_checkpoints_at_once_are_made_one_after_the_other(torrent, gated):
    torrent.resume = JealousStore(torrent.resume._folder)
    store = await opened(torrent, [0])
    [storage] = gated
    first = asyncio.create_task(store.checkpoint(Totals(downloaded=1)))
    await storage.waiting.wait()
    assert await store.store(1, [torrent.pieces[1]])
    others = [asyncio.create_task(store.checkpoint(Totals(downloaded=size))) for size in (2, 3)]
    await asyncio.sleep(0)
    storage.gate.set()
    await asyncio.gather(first, *others)
    state = await torrent.record()
    assert state.downloaded == 3
    assert await recorded(torrent) == ([0, 1], False)
    assert torrent.resume.saves == 4
    await store.close(Totals(downloaded=3))


@pytest.mark.parametrize("turns", range(12))
async def test_a_stop_in_the_middle_of_a_checkpoint_waits_for_it(torrent, turns):
    torrent.resume = JealousStore(torrent.resume._folder)
    store = await opened(torrent, [0, 1, 2, 3])
    checkpoint = asyncio.create_task(store.checkpoint(Totals(downloaded=1)))
    for _ in range(turns):
        await asyncio.sleep(0)
    checkpoint.cancel()
    await store.close(Totals(downloaded=2))
    with pytest.raises(asyncio.CancelledError):
        await checkpoint
    assert await recorded(torrent) == ([0, 1, 2, 3], True)


async def test_closing_is_done_before_a_cancel_counts(torrent, gated):
    store = await opened(torrent, [0])
    [storage] = gated
    closing = asyncio.create_task(store.close(Totals()))
    await storage.waiting.wait()
    for _ in range(3):
        closing.cancel()
        await asyncio.sleep(0)
        assert not closing.done()
    storage.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert await recorded(torrent) == ([0], True)
    await (await reopened(torrent)).close(Totals())


async def reopened(torrent):
    torrent.wrap = lambda storage: storage
    return await opened(torrent)


async def test_a_record_that_found_no_room_is_made_when_there_is(torrent, monkeypatch):
    store = await opened(torrent, [0])
    save = torrent.resume.save

    async def full(key, state):
        raise DiskFullError("no room left")

    for _ in range(2):
        monkeypatch.setattr(torrent.resume, "save", full)
        with pytest.raises(DiskFullError):
            await store.checkpoint(Totals())
    assert await recorded(torrent) == ([], False)
    monkeypatch.setattr(torrent.resume, "save", save)
    await store.checkpoint(Totals())
    assert await recorded(torrent) == ([0], False)
    assert journalled(torrent) == []
    await store.close(Totals())


@pytest.mark.parametrize("known", [True, False], ids=["journal", "no-record"])
async def test_what_is_found_good_is_synced_before_it_goes_on_record(torrent, monkeypatch, known):
    """A killed program leaves pieces in the cache, where a check finds them and a power cut does not."""
    if known:
        await (await opened(torrent)).close(Totals())
        await torrent.rewrite_record(lambda state: replace(state, clean=False))
        journal = PieceJournal(torrent.resume.journal_path(torrent.key))
        for piece in range(4):
            journal.append(piece)
        journal.close()
    torrent.target.mkdir(exist_ok=True)
    (torrent.target / "content").write_bytes(b"".join(torrent.pieces[piece] for piece in range(4)))
    steps = []
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: steps.append("sync") or sync(fd))
    save = torrent.resume.save
    monkeypatch.setattr(torrent.resume, "save", lambda key, state: steps.append("save") or save(key, state))
    store = await opened(torrent)
    assert steps == ["sync", "save"]
    assert await recorded(torrent) == ([0, 1, 2, 3], False)
    await store.close(Totals())
    assert steps == ["sync", "save", "save"]


async def test_a_filesystem_that_is_only_read_needs_no_sync(torrent, monkeypatch):
    torrent.target.mkdir()
    (torrent.target / "content").write_bytes(b"".join(torrent.pieces[piece] for piece in range(4)))

    def unsupported(fd):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fdatasync", unsupported)
    store = await opened(torrent)
    assert await recorded(torrent) == ([0, 1, 2, 3], False)
    await store.close(Totals())


async def whole(torrent, *, history_elsewhere):
    """A store of content that is all there and on record as such, and how often it saves that."""
    store = await opened(torrent, [0, 1, 2, 3])
    await store.close(Totals(uploaded=1))
    torrent.resume = JealousStore(torrent.resume._folder)
    store = await opened(torrent)
    store._services.settings = replace(store._services.settings, history_elsewhere=history_elsewhere)
    assert torrent.resume.saves == 0, "what stands is not put on record again"
    return store


@pytest.mark.parametrize("history_elsewhere", [False, True])
async def test_a_seed_that_moves_nothing_is_put_on_record_for_its_history_alone(torrent, history_elsewhere):
    store = await whole(torrent, history_elsewhere=history_elsewhere)
    await store.checkpoint(Totals(peers=(Address("127.0.0.1", 1),)))
    await store.close(Totals(peers=(Address("127.0.0.1", 2),)))
    assert torrent.resume.saves == (0 if history_elsewhere else 1)
    assert await recorded(torrent) == ([0, 1, 2, 3], True)


async def test_a_seed_that_uploads_is_put_on_record(torrent):
    store = await whole(torrent, history_elsewhere=True)
    await store.checkpoint(Totals(uploaded=7))
    assert (await torrent.record()).uploaded == 8
    await store.close(Totals(uploaded=7))
    assert torrent.resume.saves == 2
    assert await recorded(torrent) == ([0, 1, 2, 3], True)


async def test_a_seed_whose_file_changed_meanwhile_is_put_on_record(torrent):
    store = await whole(torrent, history_elsewhere=True)
    await store.close(Totals())
    os.utime(torrent.target / "content", ns=(1, 1))
    store = await opened(torrent)
    assert torrent.resume.saves == 1
    await store.close(Totals())
