"""Fixtures of the tests with programs that steer the daemon: a tracker, a seeder, the daemon, and a torrent to add.

`STARLING_REQUIRE_RIVALS=1` makes a client that is missing a failure instead of a skip.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
sys.path.insert(0, str(Path(__file__).parent))

from chromium import Chromium
from programs import Programs, make_torrent

if TYPE_CHECKING:
    from programs import Program

SIZE = 3_000_000
"""Bytes of the content: some pieces, and over in a second."""


@dataclass
class Steered:
    """A daemon, and a torrent that somebody else seeds."""

    daemon: Program
    url: str
    """Of its RPC."""
    content: Path
    torrent: Path
    folder: Path
    """Where the daemon downloads to."""
    home: Path
    """For whatever a client keeps."""

    @property
    def port(self) -> str:
        return self.url.split(":")[2].split("/")[0]

    @property
    def downloaded(self) -> bool:
        """Whether what it downloaded is what the seeder has."""
        arrived = self.folder / self.content.name
        return arrived.exists() and arrived.read_bytes() == self.content.read_bytes()


@pytest.fixture
async def programs(tmp_path):
    running = Programs(tmp_path)
    yield running
    await running.close()


@pytest.fixture
async def steered(programs, tmp_path, seed):
    _, announce = await programs.tracker()
    content, torrent = make_torrent(tmp_path, seed, SIZE, "--tracker", announce)
    await programs.starling("seed", content, "--torrent", torrent, state="seeder")
    folder, home = tmp_path / "in", tmp_path / "home"
    home.mkdir()
    daemon = await programs.starling("daemon", "--download-dir", folder, "--rpc-port", 0, state="daemon")
    url = (await daemon.event("listening"))["rpc"]
    return Steered(daemon, url, content, torrent, folder, home)


@pytest.fixture
def need():
    """The path of a program that is installed beside Python or on the system."""

    def find(name: str) -> str:
        beside = Path(sys.executable).with_name(name)
        found = str(beside) if beside.exists() else shutil.which(name)
        if found is None:
            skip_or_fail(f"{name} is not installed")
        return found

    return find


@pytest.fixture
def browse(tmp_path):
    """Opens a browser."""
    if Chromium.missing():
        skip_or_fail("chromium or chromedriver is not installed")
    browsers = Chromium(tmp_path)
    yield browsers.open
    browsers.close()


def skip_or_fail(reason: str) -> None:
    if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
