"""The filesystems that a session's torrents are on: which is full, who waits for room there, and when they go on.

The rule: a full filesystem holds up the torrents on it that want to write, and no others. They go on when there is room
for what they still need, or for so much that they do not stand still again at once. What a torrent that began to
download will still need is spoken for, so that each that begins can end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from p2p.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from p2p.disk.free_space import Room
    from p2p.disk.hasher import Hasher

LOOK_AGAIN: Final = 5.0
"""Seconds between looks at a full filesystem."""

ENOUGH: Final = 256 << 20
"""Bytes of room with which whoever waits goes on, however much it needs: some seconds of a fast download."""


class Volumes:
    """See the module's head. `room` blocks, so it is asked on `hasher`. Filesystems are named by their number."""

    def __init__(self, room: Callable[[Path], Room], hasher: Hasher) -> None:
        self._room = room
        self._hasher = hasher
        self._full: dict[int, None] = {}
        self._needs: dict[int, tuple[int, Callable[[], int]]] = {}

    async def look(self, folder: Path) -> Room:
        """The filesystem of a folder as it is now. Raises StorageError."""
        return await self._hasher.run(lambda: self._room(folder))

    def is_full(self, device: int) -> bool:
        """Whether somebody found no room there, and nobody has found any since."""
        return device in self._full

    def on_full(self, device: int) -> None:
        """Somebody found no room there."""
        self._full[device] = None

    def on_need(self, key: int, device: int, need: Callable[[], int]) -> None:
        """The torrent `key` will still write `need()` bytes there."""
        self._needs[key] = device, need

    def forget(self, key: int) -> None:
        """The torrent writes nothing more."""
        self._needs.pop(key, None)

    def spoken_for(self, key: int, device: int) -> int:
        """Bytes that other torrents than `key` still need there."""
        return sum(need() for other, (where, need) in self._needs.items() if other != key and where == device)

    async def wait_for_room(self, folder: Path, need: Callable[[], int], *, least: int = ENOUGH) -> None:
        """Return when there is room for `need()` bytes, or for `least`; or when nobody can tell."""
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            try:
                room = await self.look(folder)
            except StorageError:  # the folder went, which the next write will tell
                return
            if room.free >= min(need(), least):
                self._full.pop(room.device, None)
                return
