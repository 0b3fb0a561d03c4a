"""Fixtures of the tests with real processes."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from programs import STARLING, Programs

DEADLINE = 60.0
"""Seconds for all that one test waits for."""


@pytest.fixture
async def programs(tmp_path):
    running = Programs(tmp_path)
    yield running
    await running.close()


@pytest.fixture
def make_torrent(tmp_path, seed):
    """Makes content of a size, and its torrent with those options; the path of either."""

    def make(size: int, *options: str) -> tuple[Path, Path]:
        content, torrent = tmp_path / "seed" / "content.bin", tmp_path / "content.torrent"
        content.parent.mkdir()
        content.write_bytes(random.Random(seed).randbytes(size))
        command = (STARLING, "create", content, "-o", torrent, *options)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return content, torrent

    return make
