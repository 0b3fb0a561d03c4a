"""Fixtures of the tests of commands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command_line import Commands, make_content


@pytest.fixture
async def commands(tmp_path):
    runner = Commands(tmp_path)
    yield runner
    await runner.close()


@pytest.fixture
def content(tmp_path):
    """A folder with files of a few shapes."""
    return make_content(tmp_path / "source" / "songs")
