"""The demo moves real files between real processes, tells the truth about them, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

SIZE = 4 << 20
FAST = ("--size", str(SIZE), "--limit-up", "3MiB/s")


@pytest.fixture
def scratch(tmp_path):
    """Where the demo puts its files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def processes_of(folder: Path) -> dict[int, list[str]]:
    """Arguments of the processes that work in `folder`, by process id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found[int(process.name)] = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue  # it has just ended
    return found


def demo_folder(scratch: Path) -> Path:
    (folder,) = scratch.iterdir()
    return folder


async def test_the_demo_verifies_every_byte(commands, scratch):
    ended = await commands.run("demo", *FAST, TMPDIR=str(scratch))
    assert ended.status == 0
    assert ended.stderr == ""
    last = ended.stdout.splitlines()[-1]
    assert last.startswith("4 leechers hold 4 MiB each, every byte verified; the seed sent ")
    assert list(scratch.iterdir()) == []


async def test_the_demo_tells_programs(commands, scratch):
    ended = await commands.run("demo", *FAST, "--leechers", "2", "--json", TMPDIR=str(scratch))
    assert ended.status == 0
    (summary,) = map(json.loads, ended.stdout.splitlines())
    assert summary["verified"] is True
    assert summary["mismatches"] == []
    assert (summary["leechers"], summary["size"]) == (2, SIZE)
    assert 1.0 <= summary["seed_copies"] <= 2.1
    assert [peer["name"] for peer in summary["peers"]] == ["seed", "leecher 1", "leecher 2"]
    assert all(peer["downloaded"] >= SIZE for peer in summary["peers"][1:])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_leaves_nothing_behind(commands, scratch, number, status):
    demo = await commands.start("demo", TMPDIR=str(scratch))
    await demo.line("leecher 1")
    assert len(processes_of(scratch)) == 6
    ended = await demo.stop(number)
    assert ended.status == status
    assert ended.stderr == ""
    assert list(scratch.iterdir()) == []
    assert processes_of(scratch) == {}


async def test_a_demo_that_is_killed_leaves_no_process(commands, scratch):
    demo = await commands.start("demo", TMPDIR=str(scratch))
    await demo.line("leecher 1")
    await demo.stop(signal.SIGKILL)
    async with asyncio.timeout(20):
        while processes_of(scratch):
            await asyncio.sleep(0.05)


async def test_a_peer_that_dies_fails_the_demo(commands, scratch):
    demo = await commands.start("demo", TMPDIR=str(scratch))
    await demo.line("leecher 1")
    (victim,) = (pid for pid, line in processes_of(scratch).items() if f"{demo_folder(scratch)}/leecher 2" in line)
    os.kill(victim, signal.SIGKILL)
    ended = await demo.ended()
    assert ended.failed_with(1) == "leecher 2 ended with status -9"
    assert list(scratch.iterdir()) == []
    assert processes_of(scratch) == {}
