"""The room in folders of this machine: asked for by clients, and kept at hand for the folder that downloads go to.

The rule: only who asks for a folder waits for its disk. A filesystem that does not answer (a network mount whose server
is gone) holds up nothing else, and is asked no second time before it has.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from p2p.daemon.ports import Space
from p2p.daemon.rpc_errors import Code, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL: Final = 30.0
"""Seconds between looks at the room for downloads."""


async def space_at(path: str) -> Space:
    """The room at `path`. Raises RpcError where it cannot be told."""
    try:
        usage = await asyncio.to_thread(shutil.disk_usage, path)
    except OSError as error:
        raise RpcError(Code.SYSTEM, f"{path}: {error.strerror}") from error
    return Space(free=usage.free, total=usage.total)


class SpaceWatch:
    """Tells `on_room` of the free bytes in the folder that `folder` names, every INTERVAL seconds."""

    def __init__(self, folder: Callable[[], str], on_room: Callable[[int], object]) -> None:
        self._folder = folder
        self._on_room = on_room

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(RpcError):  # a folder that is not there yet has no figure
                self._on_room((await space_at(self._folder())).free)
            await asyncio.sleep(INTERVAL)
