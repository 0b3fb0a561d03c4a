"""What is complete is only read from then on: by a seed, and by a download that finds nothing left to do."""

from __future__ import annotations

import asyncio
import signal

import pytest

SIZE = 1_234_567
DEADLINE = 30.0


def identity(path) -> tuple[int, int, int, bytes]:
    """What a write, a change of times or permissions, or a new file in its place would change."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, path.read_bytes()


@pytest.fixture
async def finished(programs, make_torrent, tmp_path):
    """A torrent, the folder it was downloaded to, and its file, which nobody may write."""
    content, torrent = make_torrent(SIZE)
    folder = tmp_path / "out"
    async with asyncio.timeout(DEADLINE):
        seeder = await programs.starling("seed", content, "--torrent", torrent, state="seeder")
        port = (await seeder.event("added"))["port"]
        where = ("-o", folder, "--peer", f"127.0.0.1:{port}")
        assert await (await programs.starling("download", torrent, *where, state="user")).ended() == 0
        await seeder.end(signal.SIGTERM)
    file = folder / content.name
    assert file.read_bytes() == content.read_bytes()
    file.chmod(0o444)
    folder.chmod(0o555)
    yield torrent, folder, file
    folder.chmod(0o755)


@pytest.mark.parametrize("options", [(), ("--recheck",)], ids=["known", "recheck"])
async def test_a_download_leaves_it_alone(programs, finished, options) -> None:
    torrent, folder, file = finished
    before = identity(file)
    async with asyncio.timeout(DEADLINE):
        again = await programs.starling("download", torrent, "-o", folder, *options, state="user")
        assert await again.ended() == 0, again.complaints
    complete = next(again.all("complete"))
    assert (complete["done"], complete["downloaded"]) == (SIZE, SIZE)
    assert identity(file) == before


async def test_a_seed_serves_it_and_leaves_it_alone(programs, finished, tmp_path) -> None:
    torrent, folder, file = finished
    before = identity(file)
    async with asyncio.timeout(DEADLINE):
        seeder = await programs.starling("seed", folder, "--torrent", torrent, state="user")
        port = (await seeder.event("added"))["port"]
        where = ("-o", tmp_path / "other", "--peer", f"127.0.0.1:{port}")
        assert await (await programs.starling("download", torrent, *where, state="another")).ended() == 0
        assert await seeder.end(signal.SIGTERM) == 0
    assert (tmp_path / "other" / file.name).read_bytes() == before[-1]
    assert identity(file) == before


async def test_a_seed_without_it_is_an_error(programs, finished) -> None:
    torrent, folder, file = finished
    folder.chmod(0o755)
    file.unlink()
    async with asyncio.timeout(DEADLINE):
        seeder = await programs.starling("seed", folder, "--torrent", torrent, state="user")
        assert await seeder.ended() == 1
    assert len(seeder.complaints) == 1
    assert seeder.complaints[0].startswith("error: ")
    assert str(file) in seeder.complaints[0]
    assert not file.exists()
