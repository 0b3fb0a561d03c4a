"""One terminal of a page: a process of its own that draws, and ends when the page is gone.

The rules: it is started from a list of words, never through a shell; what it must know that is secret is in its
environment, and it knows nothing of the browser but keys and sizes. It is asked to end, and killed if it takes too
long. A page can be sent what is drawn and nothing else: no addresses to open, no files.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from textual_serve.app_service import AppService

from tui.web.page_input import Focus, Pinged, Resized, Typed

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from textual_serve.download_manager import DownloadManager

    from tui.web.page_input import PageInput

log = logging.getLogger(__name__)

STOP_BOUND: Final = 3.0
"""Seconds for a process to end by itself."""

MOST_FRAME: Final = 8 * 1024 * 1024
"""Bytes that are drawn at once: a hundred thousand cells with a colour each."""

_BEGIN: Final = b"__GANGLION__\n"
_LINES_BEFORE: Final = 10
"""Of `_BEGIN`, which Textual writes first."""

_REST: Final = 64 * 1024
"""Bytes that are thrown away at once."""

_DRIVER: Final = "tui.web.driver:PageDriver"


@dataclass(frozen=True, slots=True)
class Command:
    """What draws: `argv` for everybody to see, `environment` for itself alone.

    `complains` lets what it writes to stderr through: a bug's report tells values, and a password may be among them.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    complains: bool = False


class Terminal(AppService):
    """`write_bytes` sends to the page, `close` ends its socket."""

    def __init__(
        self,
        command: Command,
        *,
        write_bytes: Callable[[bytes], Awaitable[None]],
        write_str: Callable[[str], Awaitable[None]],
        close: Callable[[], Awaitable[object]],
        download_manager: DownloadManager,
    ) -> None:
        async def closed() -> None:
            await close()

        super().__init__(
            shlex.join(command.argv),
            write_bytes=write_bytes,
            write_str=write_str,
            close=closed,
            download_manager=download_manager,
        )
        self._started_by = command
        self._is_heard = True

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        return {
            **self._started_by.environment,
            "TEXTUAL_DRIVER": _DRIVER,
            "TEXTUAL_COLOR_SYSTEM": "truecolor",
            "TERM_PROGRAM": "textual",
            "COLUMNS": str(width),
            "ROWS": str(height),
        }

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        self._process = process = await asyncio.create_subprocess_exec(
            *self._started_by.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None if self._started_by.complains else asyncio.subprocess.DEVNULL,
            env=self._build_environment(width, height),
            start_new_session=True,  # Ctrl-C on the server's terminal is for the server, which ends this in good order
        )
        self._stdin = process.stdin
        return process

    async def take(self, said: PageInput) -> None:
        """What the page sent."""
        match said:
            case Typed(keys):
                await self.send_bytes(keys)
            case Resized(width, height):
                await self.set_terminal_size(width, height)
            case Pinged(mark):
                await self.remote_write_str(json.dumps(["pong", mark]))
            case Focus.GAINED:
                await self.focus()
            case Focus.LOST:
                await self.blur()

    async def run(self) -> None:
        """Bring what is drawn to the page until the process ends."""
        process = self._process
        if process is None or process.stdout is None:
            raise RuntimeError("not started")
        try:
            if await _has_begun(process.stdout):
                await self._read(process.stdout)
            else:
                log.warning("the interface of a page did not start")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it has ended
        except ValueError as error:
            log.warning("the process of a page is ended: %s", error)
            with suppress(ProcessLookupError):
                process.kill()
        with suppress(ConnectionError):
            await self.remote_close()

    async def _read(self, stdout: asyncio.StreamReader) -> None:
        while True:
            kind = await stdout.readexactly(1)
            size = int.from_bytes(await stdout.readexactly(4), "big")
            if size > MOST_FRAME:
                raise ValueError(f"{size} bytes at once")
            payload = await stdout.readexactly(size)
            match kind:
                case b"D":
                    await self.on_data(payload)
                case b"M":
                    await self.on_meta(payload)
                case b"P":
                    await self.on_packed(payload)
                case _:
                    raise ValueError("what it writes is not for a page")

    async def on_data(self, payload: bytes) -> None:
        """Drawn."""
        if self._is_heard:
            try:
                await self.remote_write_bytes(payload)
            except ConnectionError:  # what it still writes must be read, or it could not end
                self._is_heard = False

    async def on_meta(self, data: bytes) -> None:
        """Of what it can say about itself only that it ends is passed on: see the module's head."""
        if json.loads(data).get("type") == "exit":
            await self.remote_close()

    async def on_packed(self, payload: bytes) -> None:
        """A part of a file, of which none is begun."""

    async def stop(self) -> None:
        """End it within `STOP_BOUND`; it has ended then."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_BOUND):
                    await self.send_meta({"type": "quit"})
                    self.stdin.close()
                    await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            if self._task is not None:
                self._task.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_BOUND):
                while process.stdout is not None and await process.stdout.read(_REST):
                    """What nobody sees any more, so that the pipe closes."""
                if await process.wait() > 0:
                    log.warning("the interface of a page failed (STARLING_TRACEBACK=1 shows why)")


async def _has_begun(stdout: asyncio.StreamReader) -> bool:
    """Whether a Textual interface runs there. Raises ValueError for a line without an end."""
    for _ in range(_LINES_BEFORE):
        line = await stdout.readline()
        if line == _BEGIN:
            return True
        if not line:
            return False
    return False
