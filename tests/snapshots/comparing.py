"""Pictures of screens beside those that are kept: the same, or told how to look at what is new.

With STARLING_RECORD=1 in the environment what is seen is kept from now on.
"""

from __future__ import annotations

import difflib
import os
import time
from contextlib import asynccontextmanager
from pathlib import Path

from picture import lines_of, picture, text_of
from rich.color import ColorSystem
from stage import app_before, until

KEPT = Path(__file__).parent / "kept"
PATIENCE = 10.0
"""Seconds that a screen has to become what is kept; the next ones of a script that has failed have less."""

RECORDING = os.environ.get("STARLING_RECORD") == "1"
SETTLED = 4
"""Looks in a row, 0.05 s apart, that see the same before a picture is recorded."""


class Comparing:
    """`folder` is where the pictures of this run are kept, below KEPT."""

    def __init__(self, app, pilot, folder, colours=ColorSystem.TRUECOLOR):
        self.app, self.pilot = app, pilot
        self._folder = KEPT / folder
        self._colours = colours
        self._lines = None
        self.wrong = []

    async def press(self, *keys):
        await self.pilot.press(*keys)

    async def shows(self, *texts):
        await until(self.pilot, lambda: all(text in text_of(self.app) for text in texts), PATIENCE)

    async def shot(self, name, *texts):
        """The screen by that name, once it shows these texts."""
        await self.shows(*texts)
        path = self._folder / f"{name}.svg"
        if RECORDING:
            await self._record(path, name)
            return
        kept = path.read_text() if path.exists() else ""
        deadline = time.monotonic() + (0.5 if self.wrong else PATIENCE)
        while (seen := await self._next(name)) != kept:
            if time.monotonic() > deadline:
                self.wrong.append(_told(path, kept, seen))
                return

    async def _next(self, name):
        """The screen when it is another one than before, or as it is after a while; it is drawn only then."""
        for _ in range(10):
            lines = lines_of(self.app)
            if lines != self._lines:
                break
            await self.pilot.pause(0.02)
        self._lines = lines
        return picture(lines, self.app.size.width, name, self._colours)

    async def _record(self, path, name):
        seen, same = None, 0
        while same < SETTLED:
            await self.pilot.pause(0.05)
            before, seen = seen, lines_of(self.app)
            same = same + 1 if seen == before else 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(picture(seen, self.app.size.width, name, self._colours))
        path.with_suffix(".new.svg").unlink(missing_ok=True)


def _told(path, kept, seen):
    fresh = path.with_suffix(".new.svg")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    fresh.write_text(seen)
    lines = difflib.unified_diff(kept.splitlines(), seen.splitlines(), "kept", "seen", n=0, lineterm="")
    head = "\n    ".join(line for line in list(lines)[:12] if not line.startswith("@@"))
    return f"{path.relative_to(KEPT)} is not what is seen: look at {fresh} in a browser\n    {head}"


@asynccontextmanager
async def compared(size, folder="", *, config="", colours=ColorSystem.TRUECOLOR, app=None):
    """The interface of that size; at the end, what was not as it is kept fails the test."""
    app = app_before("127.0.0.1:9091") if app is None else app
    async with app.run_test(size=size, notifications=True) as pilot:
        comparing = Comparing(app, pilot, folder or f"{size[0]}x{size[1]}", colours)
        yield comparing
    if comparing.wrong:
        told = "\n".join(comparing.wrong)
        raise AssertionError(f"{told}\nIf that is how it is to be: make snapshots")
