"""From nothing to a private tracker with two members and a first ratio: the README's own commands, in an empty folder.

They run in a network of their own, where the tracker's usual port is free and nothing leads out.
"""

from __future__ import annotations

import asyncio
import json
import os

from readme_shell import Shell, commands_of_the_readme

HEADING = "### From nothing to a private tracker in six commands"
DEADLINE = 60.0
POLL = 0.2
"""Seconds between looks at the members: totals are written every 5 seconds."""

READY = {"serve": "listening", "seed": "complete, all"}
"""What each command that stays says when it is at work."""


async def test_six_commands_lead_to_a_first_ratio(tmp_path, seed):
    folder = tmp_path / "empty"
    photos = folder / "photos"
    photos.mkdir(parents=True)
    for number in range(3):
        (photos / f"{number}.jpg").write_bytes(os.urandom(700_000))
    size = sum(file.stat().st_size for file in photos.iterdir())
    lines = commands_of_the_readme(HEADING)
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
