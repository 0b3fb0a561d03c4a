"""stig steers the daemon from its command line: it adds, lists, stops, starts, verifies, renames and removes."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, STDOUT

import pytest
from waiting import DEADLINE, PAUSE

pytestmark = pytest.mark.rival


@pytest.fixture
def stig(steered, need):
    """Runs one of its commands; what it says."""
    program = need("stig")

    async def run(command):
        settings = f"set connect.host 127.0.0.1 ; set connect.port {steered.port}"
        child = await asyncio.create_subprocess_exec(
            program,
            "--no-tui",
            "--no-rc-file",
            *f"{settings} ; {command}".split(),
            env={"HOME": str(steered.home), "LC_ALL": "C.UTF-8"},
            stdout=PIPE,
            stderr=STDOUT,
        )
        said, _ = await child.communicate()
        return said.decode()

    return run


async def until(run, command, wanted):
    while wanted not in (said := await run(command)):
        await asyncio.sleep(PAUSE)
    return said


async def test_a_torrent_from_its_addition_to_its_removal(steered, stig):
    async with asyncio.timeout(DEADLINE):
        assert "content.bin" in await stig(f"add --stopped {steered.torrent}")
        assert "stopped" in await stig("ls all --columns name,status")
        assert "Starting content.bin" in await stig("start all")
        await until(stig, "ls complete --columns name,%downloaded", "100")
        assert steered.downloaded
        assert "content.bin" in await until(stig, "ls seeding --columns name,status", "content.bin")

        assert "content.bin" in await stig("filelist all")
        assert "0.1" in await stig("trackerlist all")  # what it takes for the domain of 127.0.0.1
        await stig("ratelimit down 200kB all")
        assert "200000" in await stig("ls all --columns name,limit-rate-down")
        assert "Verifying content.bin" in await stig("verify all")
        await until(stig, "ls complete --columns name,%downloaded", "100")
        assert "Stopping content.bin" in await until(stig, "stop all", "content.bin")
        assert "stopped" in await until(stig, "ls all --columns name,status", "stopped")

        await stig("rename content.bin other.bin")
        await until(stig, "ls all --columns name", "other.bin")
        assert (steered.folder / "other.bin").read_bytes() == steered.content.read_bytes()
        await stig("remove --delete-files --force all")
        assert "other.bin" not in await stig("ls all")
