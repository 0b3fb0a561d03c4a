"""Fixtures of the tests with real processes."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import programs as programs_of
from programs import Programs

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
    return partial(programs_of.make_torrent, tmp_path, seed)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    running = item.funcargs.get("programs") if report.failed and report.when == "call" else None
    if running is not None:
        report.sections.append(("what the programs said last", running.tails()))
    return report
