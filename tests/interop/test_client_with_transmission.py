"""The client's contract against Debian's transmission-daemon, on loopback, which is told to speak to nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
from asyncio.subprocess import DEVNULL
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "contract" / "daemon"))

from client_contract import PASSWORD, TRACKER, ClientContract, Served

from p2p.daemon.client_address import Server
from p2p.daemon.client_errors import UnreachableError
from p2p.session.create import create

DAEMON = shutil.which("transmission-daemon")

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
def content():
    return {"a": b"a" * 40_000, "b": b"b" * 50_000}


@pytest.fixture
async def torrent(tmp_path, content):
    folder = tmp_path / "made" / "album"
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return await create(folder, trackers=(TRACKER,), piece_length=16_384)


class TestTransmission(ClientContract):
    @pytest.fixture
    async def served(self, tmp_path):
        folder, config, port = tmp_path / "in", tmp_path / "config", free_port()
        folder.mkdir()
        config.mkdir()
        settings = {
            "dht-enabled": False,
            "pex-enabled": False,
            "lpd-enabled": False,
            "utp-enabled": False,
            "port-forwarding-enabled": False,
            "bind-address-ipv4": "127.0.0.1",
            "bind-address-ipv6": "::1",
            "peer-port": free_port(),
            "rpc-bind-address": "127.0.0.1",
            "rpc-port": port,
            "rpc-authentication-required": True,
            "rpc-username": "me",
            "rpc-password": PASSWORD,
            "download-dir": str(folder),
        }
        (config / "settings.json").write_text(json.dumps(settings))
        child = await asyncio.create_subprocess_exec(
            DAEMON, "--foreground", "--config-dir", str(config), stdout=DEVNULL, stderr=DEVNULL
        )
        try:
            served = Served(Server.parse(f"http://me@127.0.0.1:{port}"), folder, ours=False)
            async with served.client() as daemon:
                while True:
                    try:
                        await daemon.info()
                        break
                    except UnreachableError:
                        assert child.returncode is None
                        await asyncio.sleep(0.05)
            yield served
        finally:
            child.terminate()
            await child.wait()
