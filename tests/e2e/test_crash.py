"""`kill -9` of a download, ten times at pieces drawn from the seed: each start goes on from what was verified.

The same download is killed again and again, so every start also begins from the record and the journal of a crash. The
journal, which grows by an entry a piece, tells when to kill. The seed is halted while the download starts, so what that
has then is what it found: all pieces that are good on disk, and no less than it had told of before.
"""

from __future__ import annotations

import asyncio
import random
import signal

from programs import state_folder

from p2p import Magnet, Metainfo

PIECE_LENGTH = 65_536
PIECES = 384
SIZE = PIECES * PIECE_LENGTH - 4_321
LIMIT_UP, LIMIT_DOWN = "4MiB/s", "5MiB/s"
"""The seed is the slower, so that what it has sent is what the download has got, and not what waits on the way."""
KILLS = 10
LAST_KILL = PIECES - 64
"""A second of the limit before the end."""
LOST_BY_A_KILL = 8 * PIECE_LENGTH
"""Bytes of pieces that were not whole yet, a few at a time, which the download has to fetch again."""
JOURNAL_HEADER, JOURNAL_ENTRY = 8, 4
LOOK = 0.005
"""Seconds between looks at the journal: a third of a piece."""
DEADLINE = 60.0


def journaled(folder) -> int:
    """Pieces that were about to be written since the download started; there is no journal before the first."""
    return sum((journal.stat().st_size - JOURNAL_HEADER) // JOURNAL_ENTRY for journal in folder.glob("*.journal"))


def good_pieces(content: bytes, path) -> int:
    """Pieces of the content that stand in the file."""
    held = path.read_bytes()
    spans = (slice(start, start + PIECE_LENGTH) for start in range(0, SIZE, PIECE_LENGTH))
    return sum(held[span] == content[span] for span in spans)


async def test_a_killed_download_goes_on_from_what_was_verified(programs, make_torrent, tmp_path, seed) -> None:
    content, torrent = make_torrent(SIZE, "--piece-length", str(PIECE_LENGTH))
    expected = content.read_bytes()
    out, folder = tmp_path / "out", state_folder(tmp_path, "leecher")
    kill_at = sorted(random.Random(seed).sample(range(1, LAST_KILL), KILLS))
    print(f"to be killed at {kill_at} of {PIECES} pieces")
    told = good = 0

    async with asyncio.timeout(DEADLINE):
        seeder = await programs.starling("seed", content, "--torrent", torrent, "--limit-up", LIMIT_UP, state="seeder")
        port = (await seeder.event("added"))["port"]
        where = ("-o", out, "--peer", f"127.0.0.1:{port}", "--limit-down", LIMIT_DOWN)
        for kill, target in enumerate((*kill_at, None)):
            seeder.send(signal.SIGSTOP)
            leecher = await programs.starling("download", torrent, *where, state="leecher")
            start = await leecher.event("progress", state="downloading")
            assert told <= start["pieces_had"] == good, f"after kill {kill}"
            seeder.send(signal.SIGCONT)
            if target is None:
                break
            while good + journaled(folder) < target:
                await asyncio.sleep(LOOK)
            assert await leecher.end(signal.SIGKILL) == -signal.SIGKILL
            told, good = list(leecher.all("progress"))[-1]["pieces_had"], good_pieces(expected, out / content.name)
            print(f"killed at {target}: told of {told} pieces, {good} are good on disk")
        await leecher.event("complete")
        assert await leecher.ended() == 0
        assert await seeder.end(signal.SIGTERM) == 0
    sent = next(seeder.all("stopped"))["uploaded"]
    print(f"the seed sent {sent - SIZE} bytes more than the content, {(sent - SIZE) // KILLS} a kill")
    assert (out / content.name).read_bytes() == expected
    assert SIZE <= sent <= SIZE + KILLS * LOST_BY_A_KILL


async def test_a_link_killed_before_its_first_piece_needs_nobody_to_know_its_torrent(
    programs, make_torrent, tmp_path
) -> None:
    content, torrent = make_torrent(SIZE, "--piece-length", str(PIECE_LENGTH))
    magnet = Magnet.from_metainfo(Metainfo.from_bytes(torrent.read_bytes())).uri()
    async with asyncio.timeout(DEADLINE):
        seeder = await programs.starling("seed", content, "--torrent", torrent, "--limit-up", "1KiB/s", state="seeder")
        port = (await seeder.event("added"))["port"]
        where = ("-o", tmp_path / "out")
        leecher = await programs.starling("download", magnet, *where, "--peer", f"127.0.0.1:{port}", state="leecher")
        assert (await leecher.event("added"))["total_size"] is None
        await leecher.event("checking")
        assert await leecher.end(signal.SIGKILL) == -signal.SIGKILL
        assert await seeder.end(signal.SIGTERM) == 0
        alone = await programs.starling("download", magnet, *where, state="leecher")
        assert (await alone.event("added"))["total_size"] == SIZE
        assert (await alone.event("progress", state="downloading"))["pieces_had"] == 0
        assert await alone.end(signal.SIGTERM) == 128 + signal.SIGTERM
        assert not list(alone.all("metadata"))
