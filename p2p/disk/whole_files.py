"""Small files as a whole, off the loop: torrents and what is kept beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiofiles

from p2p.disk.refusals import refusal

if TYPE_CHECKING:
    from pathlib import Path


async def read_whole(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a file. Raises StorageError naming it."""
    try:
        async with aiofiles.open(path, "rb") as file:
            return await file.read(limit)
    except OSError as error:
        raise refusal(error, path) from error
