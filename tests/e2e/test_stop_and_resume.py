"""Ctrl-C on a download: status 130, a word to the tracker, and a start that goes on where it was, without hashing."""

from __future__ import annotations

import asyncio
import os
import signal

from programs import state_folder

from p2p.disk.resume import ResumeState
from p2p.swarm.bitfield import Bitfield

PIECE_LENGTH = 16_384
PIECES = 256
SIZE = PIECES * PIECE_LENGTH - 1_234
LIMIT = "1MiB/s"
STOP_AT = 32
"""Pieces: half a second of the limit."""
DEADLINE = 30.0


def change_a_byte(path, at: int) -> None:
    """Changes a byte, and no time or size that would tell."""
    was = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def pieces_on_record(folder) -> Bitfield:
    (record,) = folder.glob("*.resume")
    return Bitfield.from_bytes(ResumeState.decode(record.read_bytes()).pieces, PIECES)


async def test_an_interrupted_download_goes_on_without_hashing(programs, make_torrent, tmp_path) -> None:
    async with asyncio.timeout(DEADLINE):
        tracker, url = await programs.tracker()
        content, torrent = make_torrent(SIZE, "--piece-length", str(PIECE_LENGTH), "--tracker", url)
        seeder = await programs.starling("seed", content, "--torrent", torrent, state="seeder")
        await tracker.event("announce", left=0)
        where, target = ("-o", tmp_path / "out", "--limit-down", LIMIT), tmp_path / "out" / content.name

        first = await programs.starling("download", torrent, *where, state="leecher")
        port = (await first.event("added"))["port"]
        await first.until(lambda event: event.get("pieces_had", 0) >= STOP_AT)
        assert await first.end(signal.SIGINT) == 130
        assert first.complaints == []
        stopped = first.events[-1]
        assert stopped["event"] == "stopped"
        assert STOP_AT <= stopped["pieces_had"] < PIECES
        assert [one["said"] for one in tracker.all("announce") if one["port"] == port] == ["started", "stopped"]

        # A piece that it has becomes a bad one: only a start that hashes could notice.
        recorded = pieces_on_record(state_folder(tmp_path, "leecher"))
        assert recorded.count == stopped["pieces_had"]
        changed = next(iter(recorded)) * PIECE_LENGTH
        change_a_byte(target, changed)
        seeder.send(signal.SIGSTOP)
        second = await programs.starling("download", torrent, *where, state="leecher")
        found = await second.event("progress", state="downloading")
        assert found["pieces_had"] == stopped["pieces_had"]
        seeder.send(signal.SIGCONT)
        change_a_byte(target, changed)
        complete = await second.event("complete")
        assert await second.ended() == 0
        port = next(second.all("added"))["port"]
        told = [one["said"] for one in tracker.all("announce") if one["port"] == port]
        assert told == ["started", "completed", "stopped"]
        assert await seeder.end(signal.SIGINT) == 130
    assert target.read_bytes() == content.read_bytes()
    assert SIZE <= complete["downloaded"] < 1.2 * SIZE
