"""From nothing to a daemon steered by transmission-remote: the README's own commands, in an empty folder.

They run in a network of their own, where the daemon's usual ports are free and nothing leads out.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess

import pytest
from programs import STARLING
from readme_shell import Shell, commands_of_the_readme

HEADING = "### From nothing to a daemon steered by transmission-remote in three commands"
DEADLINE = 60.0

pytestmark = [
    pytest.mark.rival,
    pytest.mark.skipif(
        shutil.which("transmission-remote") is None and os.environ.get("STARLING_REQUIRE_RIVALS") != "1",
        reason="transmission-remote is missing",
    ),
]


async def test_three_commands_lead_to_a_daemon_that_is_steered(tmp_path):
    folder, photos = tmp_path / "empty", tmp_path / "photos"
    folder.mkdir()
    photos.mkdir()
    (photos / "1.jpg").write_bytes(os.urandom(100_000))
    subprocess.run((STARLING, "create", photos), check=True, cwd=folder, stdout=subprocess.DEVNULL)
    lines = commands_of_the_readme(HEADING)
    assert len(lines) == 3
    async with asyncio.timeout(DEADLINE), Shell(folder) as shell:
        await shell.stay(lines[0], "listening")
        assert "success" in await shell.run(lines[1])
        assert "photos" in await shell.run(lines[2])
        assert " photos " in await shell.run("starling list")
