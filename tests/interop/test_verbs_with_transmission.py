"""The verbs of the command line against Debian's transmission-daemon, which speaks to nobody else."""

from __future__ import annotations

import asyncio
import json

import pytest
from transmission_daemon import NEEDS_TRANSMISSION, transmission_daemon

from p2p.cli.main import run
from p2p.session.create import create

DEADLINE = 60.0

pytestmark = NEEDS_TRANSMISSION


@pytest.fixture
async def verb(tmp_path, monkeypatch, capsys):
    """Runs a verb against a Transmission, which asks for a password; what it said."""
    (tmp_path / "pass").write_text("hush\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STARLING_RPC_PASSWORD_FILE", str(tmp_path / "pass"))

    async def verb(*arguments, status=0):
        found = await asyncio.to_thread(run, list(map(str, arguments)))
        told = capsys.readouterr()
        assert found == status, told
        return json.loads(told.out) if "--json" in arguments else told.out + told.err

    async with transmission_daemon(tmp_path, "hush") as daemon:
        monkeypatch.setenv("STARLING_CONNECT", daemon.url)
        async with asyncio.timeout(DEADLINE):
            yield verb


async def test_every_verb_does_what_it_says(verb, tmp_path):
    made = tmp_path / "album"
    made.mkdir()
    for name in ("a.txt", "b.txt"):
        (made / name).write_bytes(b"x" * 40_000)
    (tmp_path / "album.torrent").write_bytes(await create(made, trackers=("http://127.0.0.1:1/announce",)))

    async def reached(state):
        while (await verb("list", "--json"))[0]["status"] != state:
            await asyncio.sleep(0.05)

    assert await verb("add", tmp_path / "album.torrent", "--paused") == "added  1  album\n"
    assert await verb("add", tmp_path / "album.torrent") == "is there  1  album\n"
    await reached("stopped")  # which begins with a look at what is there
    assert (await verb("list")).splitlines()[1].split()[:2] == ["1", "album"]
    assert "Transmission" in await verb("stats")
    assert "no torrent is called nothing" in await verb("info", "nothing", status=1)
    (told,) = await verb("info", "alb*", "--json")
    assert (told["status"], told["total_size"], told["file_count"] in (0, 2)) == ("stopped", 80_000, True)
    files = await verb("files", "album", "--skip", "b.txt", "--json")
    assert [each["wanted"] for each in files] == [True, False]
    assert "udp://127.0.0.1:2" in await verb("trackers", "album", "--add", "udp://127.0.0.1:2/announce")
    assert await verb("peers", "album") == "note: album has no peers\n"
    await verb("limit", "album", "--up", "100KiB/s", "--ratio", "2")
    (told,) = await verb("info", "1", "--json")
    assert (told["upload_limited"], told["upload_limit"], told["seed_ratio_limit"]) == (True, 102, 2.0)
    assert (await verb("limit", "--down", "1MB/s", "--json"))["speed_limit_down"] == 1_000
    await verb("move", "album", made.parent, "--find")
    await verb("verify", "album")
    while (await verb("list", "--json"))[0]["percent_done"] < 1:
        await asyncio.sleep(0.05)
    await reached("stopped")
    await verb("start", "album")
    await reached("seeding")
    await verb("stop", "--all")
    assert await verb("remove", "album", "--yes") == "removed: 1 album\n"
    assert await verb("list", "--json") == []
