"""Every sample does what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import files_below

from p2p.daemon.client import Client, Server

SAMPLES = Path(__file__).parents[3] / "samples"
TESTED = {"make_torrent.py", "seed.py", "download.py", "follow_events.py", "watch_daemon.py"}


def test_every_sample_is_tested():
    assert {path.name for path in SAMPLES.glob("*.py")} == TESTED


@pytest.fixture
def sample(commands):
    """Starts a sample; unbuffered, so that its lines come when they are printed."""

    async def start(name: str, *arguments: str | Path):
        return await commands.start(*arguments, program=(SAMPLES / name,), PYTHONUNBUFFERED="1")

    return start


async def test_make_seed_and_download(sample, content, tmp_path):
    made = await (await sample("make_torrent.py", content, "http://127.0.0.1:1/announce")).ended()
    assert made.status == 0
    assert made.stdout.splitlines()[0] == "songs.torrent: 1,269,135 bytes in 78 pieces"
    assert made.stdout.splitlines()[1].startswith("magnet:?xt=urn:btih:")
    seed = await sample("seed.py", "songs.torrent", content.parent)
    port = (await seed.line("seeding on port")).rpartition(" ")[2]
    fetched = await (await sample("download.py", "songs.torrent", "out", "127.0.0.1", port)).ended()
    assert fetched.status == 0
    assert fetched.stdout.splitlines()[-1] == "songs: every piece is here and verified"
    assert files_below(tmp_path / "out/songs") == files_below(content)


async def test_download_of_nothing_is_an_error(sample):
    ended = await (await sample("download.py", "nowhere.torrent", "out")).ended()
    assert ended.failed_with(1) == "nowhere.torrent is missing (No such file or directory)"


async def test_follow_events(sample):
    ended = await (await sample("follow_events.py")).ended()
    assert ended.status == 0
    assert [line.split()[1] for line in ended.stdout.splitlines()[:3]] == ["added", "checking", "complete"]
    assert ended.stdout.splitlines()[-1] == "starling.flac: arrived whole"


async def test_watch_daemon(sample, commands):
    daemon = await commands.start("daemon", "--rpc-port", "0", "--json", "--no-dht", "--no-lsd", "--bind", "127.0.0.1")
    url = json.loads(await daemon.line('"listening"'))["rpc"]
    watching = await sample("watch_daemon.py", url)
    assert "starling" in await watching.line(url)
    async with Client(Server.parse(url)) as client:
        await client.add(f"magnet:?xt=urn:btih:{'ab' * 20}&dn=songs", paused=True)
        assert await watching.line("1 songs") == "1 songs: stopped, 0%"
        await client.remove([1])
        await watching.line("1 is gone")
        await client.close()
    assert (await watching.ended()).failed_with(1).startswith(url.removesuffix("/transmission/rpc"))
    assert (await daemon.ended()).status == 0


async def test_watch_no_daemon(sample):
    ended = await (await sample("watch_daemon.py", "127.0.0.1:1")).ended()
    assert "127.0.0.1:1" in ended.stderr
    assert ended.status == 1
