"""Small files as a whole, off the loop: torrents and what is kept beside them."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

import aiofiles

from p2p.disk.refusals import refusal

if TYPE_CHECKING:
    from pathlib import Path


async def read_whole(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a file. Raises StorageError naming it."""
    try:
        async with aiofiles.open(path, "rb", opener=open_unless_pipe) as file:
            return await file.read(limit)
    except OSError as error:
        raise refusal(error, path) from error


def open_unless_pipe(path: str, flags: int) -> int:
    """An opener for `open`. A pipe is refused: its reader would wait, and keep a thread, until somebody writes."""
    number = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISFIFO(os.fstat(number).st_mode):
        os.close(number)
        raise OSError("a pipe, not a file")
    return number


async def replace_whole(path: Path, content: bytes) -> None:
    """Replace a file, or make it and its folder; on stable storage when this returns, old or new whole at all times.

    Raises StorageError naming it.
    """
    fresh = path.with_name(f"{path.name}.new")
    try:
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        async with aiofiles.open(fresh, "wb") as file:
            await file.write(content)
            await file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        await asyncio.to_thread(_put_in_place, fresh, path)
    except OSError as error:
        raise refusal(error, path) from error


def _put_in_place(fresh: Path, path: Path) -> None:
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
