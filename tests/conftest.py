"""What holds for every test: nothing stays behind, and a seed that chose anything is printed."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is no matter of right and wrong, and machines that run tests are busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

DESCRIPTORS = Path("/proc/self/fd")

SETTLING_STEPS = 100
STEP = 0.01
"""How often and how long (seconds) to look again: threads and TLS transports close a moment after they are told to."""


def open_descriptors() -> dict[int, str]:
    """What this process has open, by number; empty where there is no /proc.

    Anonymous inodes are the machinery of event loops, and the loop of a test outlives its body.
    """
    found = {}
    if DESCRIPTORS.exists():
        for entry in sorted(DESCRIPTORS.iterdir(), key=lambda entry: int(entry.name)):
            try:
                target = str(entry.readlink())
            except FileNotFoundError:
                continue  # the one that listed the folder
            if not target.startswith("anon_inode:") and target != "/dev/urandom":
                found[int(entry.name)] = target
    return found


def left_open(before: dict[int, str]) -> list[str]:
    return [target for number, target in open_descriptors().items() if before.get(number) != target]


@pytest.fixture(autouse=True, scope="session")
def what_stays_open_for_good():
    """libuv keeps one pipe for signals from its first loop to the end of the process; have it open before any test."""
    if find_spec("uvloop") is not None:
        import_module("uvloop").new_event_loop().close()


@pytest.fixture(autouse=True)
def nothing_stays_open(request):
    """Fail a test that leaves a task, a socket or a file behind."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("nothing_stays_in_the_loop")
        yield
        return
    before = open_descriptors()
    yield
    for _ in range(SETTLING_STEPS):
        if not (left := left_open(before)):
            return
        time.sleep(STEP)
    pytest.fail(f"left open: {', '.join(left)}")


@pytest.fixture
async def nothing_stays_in_the_loop():
    before = open_descriptors()
    tasks_before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    for _ in range(SETTLING_STEPS):
        tasks = asyncio.all_tasks() - tasks_before - {asyncio.current_task()}
        if not (left := [*left_open(before), *sorted(map(repr, tasks))]):
            return
        await asyncio.sleep(STEP)
    pytest.fail(f"left behind: {', '.join(left)}")


@pytest.fixture
def seed():
    """The seed of this run: STARLING_SEED, or 1. A failing test shows it."""
    seed = int(os.environ.get("STARLING_SEED", "1"))
    print(f"STARLING_SEED={seed}")
    return seed


def pytest_report_header():
    return f"STARLING_SEED={os.environ.get('STARLING_SEED', '1')}"
