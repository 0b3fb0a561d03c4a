"""The process of a page: it ends by itself when the server is gone."""

from __future__ import annotations

import asyncio
import os
import sys

DEADLINE = 20.0
APP = "from textual.app import App; App().run()"


async def test_it_ends_when_nobody_is_there_to_tell_it_to():
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", APP),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"TEXTUAL_DRIVER": "tui.web.driver:PageDriver"},
    )
    try:
        async with asyncio.timeout(DEADLINE):
            assert await child.stdout.readline() == b"__GANGLION__\n"
            child.stdin.close()
            rest = await child.stdout.read()
            assert b'{"type": "exit"}' in rest
            assert await child.wait() == 0
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
