"""The verbs of the command line against Debian's transmission-daemon, which speaks to nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from asyncio.subprocess import DEVNULL

import pytest

from p2p.cli.main import run
from p2p.session.create import create

DAEMON = shutil.which("transmission-daemon")
DEADLINE = 60.0

pytestmark = [
    pytest.mark.rival,
    pytest.mark.skipif(
        DAEMON is None and os.environ.get("STARLING_REQUIRE_RIVALS") != "1", reason="transmission-daemon is missing"
    ),
]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
async def verb(tmp_path, monkeypatch, capsys):
    """Runs a verb against a Transmission, which asks for a password; what it said."""
    config, port = tmp_path / "config", free_port()
    config.mkdir()
    (tmp_path / "pass").write_text("hush\n")
    settings = {
        **dict.fromkeys(("dht-enabled", "pex-enabled", "lpd-enabled", "utp-enabled", "port-forwarding-enabled"), False),
        "bind-address-ipv4": "127.0.0.1",
        "bind-address-ipv6": "::1",
        "peer-port": free_port(),
        "rpc-bind-address": "127.0.0.1",
        "rpc-port": port,
        "rpc-authentication-required": True,
        "rpc-username": "me",
        "rpc-password": "hush",
        "download-dir": str(tmp_path / "in"),
    }
    (config / "settings.json").write_text(json.dumps(settings))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STARLING_CONNECT", f"http://me@127.0.0.1:{port}")
    monkeypatch.setenv("STARLING_RPC_PASSWORD_FILE", str(tmp_path / "pass"))
    child = await asyncio.create_subprocess_exec(
        DAEMON, "--foreground", "--config-dir", str(config), stdout=DEVNULL, stderr=DEVNULL
    )

    async def verb(*arguments, status=0):
        found = await asyncio.to_thread(run, list(map(str, arguments)))
        told = capsys.readouterr()
        assert found == status, told
        return json.loads(told.out) if "--json" in arguments else told.out + told.err

    try:
        async with asyncio.timeout(DEADLINE):
            while await asyncio.to_thread(run, ["stats"]):
                assert child.returncode is None
                await asyncio.sleep(0.05)
            capsys.readouterr()
            yield verb
    finally:
        child.terminate()
        await child.wait()


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
