"""The clipboard of this machine, read by the program that it has for that.

The rule: terminals hand their clipboard out by pasting alone, and hardly any answers when asked (OSC 52); so a program
is asked, for a bounded time and size, and where there is none it is said what to do instead.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Final

from p2p.errors import ConfigError
from tui.sources import MOST_PASTED

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE: Final = 2.0
"""Seconds for a program: the owner of a selection can be a window that hangs."""

_PROGRAMS: Final = (
    ("WAYLAND_DISPLAY", ("wl-paste", "--no-newline", "--type", "text")),
    ("DISPLAY", ("xclip", "-selection", "clipboard", "-out")),
    ("DISPLAY", ("xsel", "--clipboard", "--output")),
    ("", ("pbpaste",)),
)
"""What must be set for it, and how it is called."""


async def read_clipboard(environ: Mapping[str, str]) -> str:
    """Its text, cut to what can be pasted. Raises ConfigError where it cannot be read."""
    troubles = []
    for needed, command in _PROGRAMS:
        found = shutil.which(command[0], path=environ.get("PATH", "")) if not needed or environ.get(needed) else None
        if found is None:
            continue
        try:
            return await _said((found, *command[1:]), environ)
        except ConfigError as error:
            troubles.append(str(error))
    if troubles:
        raise ConfigError(troubles[0])
    raise ConfigError("no program here reads the clipboard (wl-paste, xclip, xsel); paste by the terminal's own key")


async def _said(command: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """What a program writes. Raises ConfigError."""
    name = command[0].rpartition("/")[2]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environ),
        )
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}") from error
    output = process.stdout
    if output is None:  # it was asked for
        raise ConfigError(f"{name} says nothing")
    said = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while len(said) <= 4 * MOST_PASTED and (more := await output.read(65_536)):
                said += more
    except TimeoutError as error:
        raise ConfigError(f"{name} does not answer") from error
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    if not said.strip():
        raise ConfigError("the clipboard holds no text")
    return said.decode(errors="replace")[:MOST_PASTED]
