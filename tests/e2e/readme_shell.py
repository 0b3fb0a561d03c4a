"""The README's own commands, run as they stand: in an empty folder, and in a network where nothing leads out."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest
from programs import STARLING

README = Path(__file__).parents[2] / "README.md"


def commands_of_the_readme(heading: str) -> list[str]:
    """The command lines of the first block below a heading."""
    section = README.read_text(encoding="utf-8").partition(heading)[2].partition("\n#")[0]
    block, *_ = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
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
