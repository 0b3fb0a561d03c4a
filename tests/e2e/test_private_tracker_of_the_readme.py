"""From nothing to a private tracker with two members and a first ratio: the README's own commands, in an empty folder.

They run in a network of their own, where the tracker's usual port is free and nothing leads out.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest
from programs import STARLING

README = Path(__file__).parents[2] / "README.md"
HEADING = "### From nothing to a private tracker in six commands"
DEADLINE = 60.0
POLL = 0.2
"""Seconds between looks at the members: totals are written every 5 seconds."""

READY = {"serve": "listening", "seed": "complete, all"}
"""What each command that stays says when it is at work."""


def commands_of_the_readme():
    section = README.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n#")[0]
    (block,) = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


class Shell:
    """Runs command lines in a folder and in one network namespace, which ends with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._staying: list[asyncio.subprocess.Process] = []

    async def __aenter__(self):
        self._holder = await self._start(
            ["unshare", "--net", "--map-root-user", "sh", "-c", "ip link set lo up && echo up && cat"]
        )
        if await self._holder.stdout.readline() != b"up\n":
            self._holder.stdin.close()
            await self._holder.communicate()
            if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
                pytest.fail("no network namespace can be made", pytrace=False)
            pytest.skip("no network namespace can be made")
        return self

    async def __aexit__(self, *_):
        for process in reversed(self._staying):
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.communicate()
        self._holder.stdin.close()
        await self._holder.communicate()

    async def run(self, line: str) -> str:
        """A command that ends, with status 0; its output."""
        process = await self._enter(line)
        output = (await process.communicate())[0].decode()
        assert process.returncode == 0, output
        return output

    async def stay(self, line: str, ready: str) -> None:
        """A command that stays, once it has said that."""
        process = await self._enter(f"exec {line.removesuffix('&')}")
        self._staying.append(process)
        async for said in process.stdout:
            if ready in said.decode():
                return
        raise AssertionError(f"{line} ended")

    async def _enter(self, line: str) -> asyncio.subprocess.Process:
        inside = ["nsenter", f"--target={self._holder.pid}", "--user", "--net", "--preserve-credentials"]
        return await self._start([*inside, "sh", "-c", line])

    async def _start(self, argv: list[str]) -> asyncio.subprocess.Process:
        home = str(self._folder.parent / "home")
        places = {"HOME": home, "XDG_STATE_HOME": home, "PATH": f"{STARLING.parent}:{os.environ['PATH']}"}
        environment = {**os.environ, **places, "LC_ALL": "C.UTF-8"}
        return await asyncio.create_subprocess_exec(
            *argv, cwd=self._folder, stdin=PIPE if argv[0] == "unshare" else DEVNULL, stdout=PIPE, env=environment
        )


async def test_six_commands_lead_to_a_first_ratio(tmp_path, seed):
    folder = tmp_path / "empty"
    photos = folder / "photos"
    photos.mkdir(parents=True)
    for number in range(3):
        (photos / f"{number}.jpg").write_bytes(os.urandom(700_000))
    size = sum(file.stat().st_size for file in photos.iterdir())
    lines = commands_of_the_readme()
    assert len(lines) == 6
    async with asyncio.timeout(DEADLINE), Shell(folder) as shell:
        for line in lines[:-1]:
            if line.endswith("&"):
                await shell.stay(line, next(ready for word, ready in READY.items() if f" {word} " in line))
            else:
                await shell.run(line)
        assert {file.name: file.read_bytes() for file in photos.iterdir()} == {
            file.name: file.read_bytes() for file in (folder / "copy" / "photos").iterdir()
        }
        while "0.00" not in (table := await shell.run(lines[-1])) or "∞" not in table:
            await asyncio.sleep(POLL)
        members = json.loads(await shell.run(f"{lines[-1]} --json"))
    totals = {each["name"]: (each["uploaded"], each["downloaded"], each["ratio"]) for each in members}
    assert totals == {"alice": (size, 0, None), "bob": (0, size, 0.0)}
