"""The gate with its thread and a real file: what is written, what others change, and a database that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3

import pytest

from p2p.codec.announce import AnnounceEvent, AnnounceRequest
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker.private import members, torrents, writer
from tracker.private.batch import write
from tracker.private.database import DatabaseError, opened, writing
from tracker.private.gate import PrivateGate
from tracker.private.rules import PrivateRules

NOW = 1_700_000_000.0
GIB = 1024**3
SOURCE = Address("10.0.0.1", 50_000)
PATIENCE = 20.0
"""Seconds for anything another thread does."""


class Desk:
    """A gate over a file, and members that announce. Time stands still but where a test moves it."""

    def __init__(self, path, **options):
        self.path = path
        self.now = NOW
        self.gate = PrivateGate(
            path,
            PrivateRules(),
            secrets=os.urandom,
            wall=lambda: self.now,
            **{"flush_every": 0.0, "poll": 0.02, "patience": 0.05, **options},
        )

    def announce(
        self, key, uploaded=0, event="", peer_id=b"-TR4000-aaaaaaaaaaaa", info_hash=b"h" * 20, port=6_881, after=0.0
    ):
        self.now += after
        request = AnnounceRequest(
            info_hash=info_hash,
            peer_id=peer_id,
            port=port,
            uploaded=uploaded,
            downloaded=0,
            left=0,
            event=AnnounceEvent(event),
        )
        admission = self.gate.admit(request, key, SOURCE, None, self.now)
        self.gate.on_announced(admission, request, SOURCE, self.now)
        return admission

    def in_memory(self):
        return self.gate.summary(1, self.now).uploaded

    def in_file(self):
        with opened(self.path) as connection:
            return members.show(connection, "ann").uploaded

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.005)

    async def until_written(self):
        await self.until(lambda: self.gate.totals().unwritten_rows == 0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tracker.db"


@pytest.fixture
def key(path):
    """The passkey of the first member of a tracker with one torrent."""
    with opened(path) as connection:
        torrents.add(connection, [b"h" * 20], "a torrent", size=GIB, now=NOW)
        return members.add(connection, "ann", now=NOW, secrets=os.urandom)[1]


@contextlib.asynccontextmanager
async def running(path, **options):
    desk = Desk(path, **options)
    await desk.gate.start()
    try:
        yield desk
    finally:
        assert await desk.gate.close() == 0


async def test_a_clean_stop_writes_everything_and_a_start_goes_on(path, key):
    async with running(path, flush_every=3_600.0) as desk:
        desk.announce(key, event="started")
        desk.announce(key, uploaded=100, after=60.0)
        assert desk.in_file() == 0
    assert desk.in_file() == 100
    async with running(path) as desk:
        assert desk.in_memory() == 100
        desk.announce(key, uploaded=150, after=120.0)
    assert desk.in_file() == 150


async def test_batches_go_out_by_time_and_by_number(path, key):
    async with running(path) as desk:
        desk.announce(key, event="started")
        await desk.until_written()
        assert desk.gate.totals().batches >= 1
    async with running(path, flush_every=3_600.0, flush_rows=10) as desk:
        for number in range(10):
            desk.announce(key, peer_id=b"-TR4000-%012d" % number)
        await desk.until(lambda: desk.gate.totals().batches >= 1)


async def test_what_commands_change_is_noticed(path, key):
    async with running(path) as desk:
        with opened(path) as connection:
            other = members.add(connection, "bob", now=NOW, secrets=os.urandom)[1]
            members.disable(connection, "ann", reason="asked for it")
            members.credit(connection, "ann", uploaded=77)
        await desk.until(lambda: desk.in_memory() == 77)
        with pytest.raises(TrackerError, match="asked for it"):
            desk.announce(key)
        desk.announce(other)
        with opened(path) as connection:
            torrents.remove(connection, b"h" * 20, reason="Trump")
        await desk.until(lambda: is_refused(desk, other))


def is_refused(desk, key):
    try:
        desk.announce(key)
    except TrackerError as error:
        return str(error) == "Unregistered torrent: Trump"
    return False


async def test_a_row_that_was_edited_by_hand_is_noticed_too(path, key):
    async with running(path) as desk:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM passkeys")
            connection.execute("UPDATE members SET name = 'anna'")
        await desk.until(lambda: desk.gate.summary(1, NOW).name == "anna")
        with pytest.raises(TrackerError, match="Passkey not found"):
            desk.announce(key)


async def test_a_locked_database_is_served_around_and_taken_up_again(path, key, caplog):
    async with running(path) as desk:
        desk.announce(key, event="started")
        await desk.until_written()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            desk.announce(key, uploaded=10, after=60.0)
            await desk.until(lambda: desk.gate.totals().outage is not None)
            desk.announce(key, uploaded=15, after=60.0)
            assert desk.in_memory() == 15
            assert desk.gate.totals().unwritten_rows > 0
            other.execute("ROLLBACK")
        await desk.until_written()
        await desk.until(lambda: desk.gate.totals().outage is None)
    assert desk.in_file() == 15
    told = [record.getMessage() for record in caplog.records if "accounts" in record.getMessage()]
    assert len(told) == 2
    assert "locked" in told[0]
    assert "written again" in told[1]


async def test_a_full_disk_is_served_around_and_taken_up_again(path, key, monkeypatch):
    room = [2]  # pages beyond those the file has; SQLite's own bound fails as a full disk does

    def write_within_room(connection, batch):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + room[0]}")
        write(connection, batch)

    monkeypatch.setattr(writer, "write", write_within_room)
    with opened(path) as connection, writing(connection):
        for number in range(500):
            torrent = connection.execute("INSERT INTO torrents (name, added) VALUES ('t', 0)").lastrowid
            connection.execute("INSERT INTO info_hashes VALUES (?, ?)", (b"%020d" % number, torrent))
    async with running(path) as desk:
        desk.announce(key)
        for number in range(500):
            desk.announce(key, info_hash=b"%020d" % number)
        await desk.until(lambda: "full" in (desk.gate.totals().outage or ""))
        desk.announce(key, uploaded=10, after=60.0)
        assert desk.in_memory() == 10
        room[0] = 1_000_000
        await desk.until(lambda: desk.gate.totals().outage is None)
        await desk.until_written()
    assert desk.in_file() == 10
    with opened(path) as connection:
        assert connection.execute("SELECT count(*) FROM places").fetchone() == (501,)


async def test_a_removed_file_is_written_anew_with_all_that_was_in_it(path, key, caplog):
    async with running(path) as desk:
        desk.announce(key, event="started")
        desk.announce(key, uploaded=10, after=60.0)
        await desk.until_written()
        path.unlink()
        desk.announce(key, uploaded=15, after=60.0)
        await desk.until(path.exists)
        await desk.until_written()
        assert desk.in_file() == 15
        assert desk.in_memory() == 15
        desk.announce(key, uploaded=20, after=60.0)
    assert desk.in_file() == 20
    assert "was removed under the running tracker" in caplog.text
    assert "was replaced" not in caplog.text
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name, f"{path.name}.lock"]
    with opened(path) as connection:
        assert members.by_passkey(connection, key, now=NOW).name == "ann"


async def test_a_file_removed_just_before_the_end_is_written_all_the_same(path, key):
    async with running(path, flush_every=3_600.0, poll=3_600.0) as desk:
        desk.announce(key, event="started")
        desk.announce(key, uploaded=10, after=60.0)
        path.unlink()
    assert desk.in_file() == 10


async def test_a_replaced_file_is_read_anew_and_gets_what_was_not_written(path, key, caplog):
    with opened(path) as connection:
        members.credit(connection, "ann", uploaded=1_000)
    backup = path.with_name("backup.db")
    shutil.copy(path, backup)
    async with running(path) as desk:
        desk.announce(key, event="started")
        desk.announce(key, uploaded=10, after=60.0)
        desk.announce(key, peer_id=b"-TR4000-bbbbbbbbbbbb", port=6_882, uploaded=500)
        await desk.until_written()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")  # so that the next rise stays unwritten
            desk.announce(key, uploaded=15, after=60.0)
            await desk.until(lambda: desk.gate.totals().outage is not None)
            with opened(backup) as connection:
                members.add(connection, "bob", now=NOW, secrets=os.urandom)
            backup.replace(path)
            other.execute("ROLLBACK")
        await desk.until(lambda: desk.gate.totals().members == 2)
        await desk.until_written()
        assert desk.in_memory() == 1_005  # the backup's and what only memory had; the 10 are in the file that is gone
        with opened(path) as connection:  # the other client's counters, too
            assert connection.execute("SELECT max(uploaded) FROM places").fetchone() == (500,)
        desk.announce(key, uploaded=20, after=60.0)
    assert desk.in_file() == 1_010
    assert "was replaced under the running tracker" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500])
async def test_rubbish_in_the_files_place_is_not_taken_for_a_tracker_without_members(path, key, content):
    good = path.with_name("good.db")
    async with running(path) as desk:
        desk.announce(key, event="started")
        await desk.until_written()
        shutil.copy(path, good)
        rubbish = path.with_name("rubbish")
        rubbish.write_bytes(content)
        rubbish.replace(path)
        await desk.until(lambda: desk.gate.totals().outage is not None)
        desk.announce(key, uploaded=10, after=60.0)
        assert desk.in_memory() == 10
        good.replace(path)
        await desk.until(lambda: desk.gate.totals().outage is None)
        await desk.until_written()
    assert desk.in_file() == 10


async def test_what_cannot_be_written_until_the_end_is_told(path, key, caplog):
    desk = Desk(path)
    await desk.gate.start()
    desk.announce(key, event="started")
    await desk.until_written()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        desk.announce(key, uploaded=10, after=60.0)
        assert await desk.gate.close(time=0.2) > 0
        other.execute("ROLLBACK")
    assert "could not be written" in caplog.text
    assert await desk.gate.close() == 0  # a second time has nothing to do
    assert desk.in_file() == 0


async def test_announces_do_not_wait_for_the_database(path, key):
    async with running(path, patience=60.0, flush_rows=1) as desk:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            loop = asyncio.get_running_loop()
            begun = loop.time()
            for number in range(200):
                desk.announce(key, uploaded=number, after=1.0)
                await asyncio.sleep(0)
            assert loop.time() - begun < 30.0  # half of what the one that waits would take
            assert desk.in_memory() == 199
            assert desk.gate.totals().batches == 0
            other.execute("ROLLBACK")
        await desk.until_written()
    assert desk.in_file() == 199


@pytest.mark.parametrize("content", [b"no database at all" * 500, None])
async def test_a_file_that_cannot_be_used_fails_the_start(tmp_path, content):
    path = tmp_path / "tracker.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(DatabaseError):
        await Desk(path).gate.start()


async def test_a_second_server_on_one_database_is_refused_and_a_next_one_is_not(path, key):
    async with running(path) as desk:
        with pytest.raises(DatabaseError, match="another tracker is running"):
            await Desk(path).gate.start()
        desk.announce(key)
    async with running(path):
        pass


async def test_a_new_file_is_made_at_the_start(path):
    async with running(path) as desk:
        assert desk.gate.totals().members == 0
        with pytest.raises(TrackerError, match="Passkey not found"):
            desk.announce("0" * 32)


async def test_a_member_logs_in_and_sees_its_standing(path, key):
    async with running(path) as desk:
        assert desk.gate.log_in(key, SOURCE, NOW) == 1
        mark = desk.gate.mark(1)
        desk.announce(key, event="started")
        desk.announce(key, uploaded=10, after=60.0)
        standing = desk.gate.summary(1, desk.now)
        assert (standing.name, standing.uploaded, standing.no_download) == ("ann", 10, None)
        assert [each.torrent for each in standing.active] == ["a torrent"]
        with pytest.raises(TrackerError, match="Passkey not found"):
            desk.gate.log_in("0" * 32, SOURCE, NOW)
        with opened(path) as connection:
            members.change_passkey(connection, "ann", now=NOW, secrets=os.urandom)
        await desk.until(lambda: desk.gate.mark(1) != mark)
        assert desk.gate.summary(99, NOW) is None
        assert desk.gate.mark(99) is None
