"""A torrent that all tests of daemons add."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from client_contract import TRACKER

from p2p.session.create import create


@pytest.fixture
def content(seed):
    chance = random.Random(seed)
    return {"a": chance.randbytes(40_000), "b": chance.randbytes(50_000)}


@pytest.fixture
async def torrent(tmp_path, content):
    """The bytes of a torrent file of two files."""
    folder = tmp_path / "made" / "album"
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return await create(folder, trackers=(TRACKER,), piece_length=16_384)
