"""The interface on the terminal that it is given, before a made-up daemon all of whose rates change when it is told to.

moving_interface.py TOLD TELLS      descriptors: a byte is read before rates change, one is written when that is over
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tui")]

import made_up  # noqa: E402
from stage import app_before  # noqa: E402
from still_client import REVISION, StillClient  # noqa: E402

import p2p.daemon.client  # noqa: E402
from p2p.daemon.client import Changes, Mark, TorrentsChanged  # noqa: E402

CHANGES = 60
"""As many as a daemon tells in a minute."""

told, tells = map(int, sys.argv[1:3])


class MovingClient(StillClient):
    step = 0

    async def statistics(self):
        return replace(made_up.STATISTICS, download_speed=0, upload_speed=0)

    async def changes(self, since=None, **_):
        if since is None:
            return await super().changes(since)
        rows = tuple(
            replace(row, rate_download=row.rate_download + 1_000_003 * self.step, percent_done=self.step / CHANGES)
            for row in self.rows
        )
        return Changes(rows, (), full=False, mark=Mark(REVISION + self.step, 1, made_up.NOW, made_up.NOW))

    @asynccontextmanager
    async def events(self, **_):
        async def happenings():
            await asyncio.to_thread(os.read, told, 1)
            for step in range(1, CHANGES + 1):
                self.step = step
                yield TorrentsChanged(tuple(row.id for row in self.rows), REVISION + step)
                await asyncio.sleep(0.03)  # more than a frame, so that each is drawn
            os.write(tells, b".")
            await asyncio.Event().wait()

        yield happenings()


p2p.daemon.client.Client = MovingClient
app_before("127.0.0.1:9091").run()
