"""The client's contract against Debian's transmission-daemon, on loopback, which is told to speak to nobody else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "contract" / "daemon"))

from client_contract import PASSWORD, TRACKER, ClientContract, Served
from transmission_daemon import NEEDS_TRANSMISSION, transmission_daemon

from p2p.daemon.client_address import Server
from p2p.session.create import create

pytestmark = NEEDS_TRANSMISSION


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
        async with transmission_daemon(tmp_path, PASSWORD) as daemon:
            yield Served(Server.parse(daemon.url), daemon.downloads, ours=False)
