"""Whether the torrent of one run has room for what it will write, before it begins and while it goes.

The rule: it asks for nothing that could not be kept. What it still needs is looked for before the first request, and
spoken for from then on; once anybody finds the filesystem full it stands still, and says so, until there is room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.disk.refusals import printable
from p2p.errors import DiskFullError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from p2p.session.storing import Storing
    from p2p.session.volumes import Volumes

ALL: Final = 1 << 62


class RoomWatch:
    """The watch of the torrent `key`, which writes below `folder` and still needs `need()` bytes there."""

    def __init__(self, key: int, folder: Path, volumes: Volumes, need: Callable[[], int]) -> None:
        self._key = key
        self._folder = folder
        self._volumes = volumes
        self._need = need
        self._device: int | None = None
        self._storing: Storing | None = None
        self._found: DiskFullError | None = None

    async def look(self, *, reserved: bool) -> None:
        """Before anything is written: is there room? `reserved` says that what is needed has its room already."""
        try:
            room = await self._volumes.look(self._folder)
        except StorageError:  # what is wrong there comes out with the first write
            return
        self._device = room.device
        need, spoken_for = self._need(), self._volumes.spoken_for(self._key, room.device)
        if need and not reserved and need + spoken_for > room.free:
            others = f" and {spoken_for} for other torrents" if spoken_for else ""
            self._found = DiskFullError(
                f"{need} more bytes are needed in {printable(self._folder)}{others}, and {room.free} are free"
            )

    def begin(self, storing: Storing) -> None:
        """The exchange begins; it stands still if there was no room."""
        self._storing = storing
        storing.wait_for_room = self.wait
        if self._found is not None:
            storing.hold(self._found, self._wait_for_all)
        else:
            self._speak()

    def on_full(self) -> None:
        """A write found no room."""
        if self._device is not None:
            self._volumes.on_full(self._device)

    def on_tick(self) -> None:
        """Stand still with others that found none."""
        device, storing = self._device, self._storing
        if device is None or storing is None or storing.disk_full is not None or not self._need():
            return
        if self._volumes.is_full(device):
            storing.hold(DiskFullError(f"no room left on the filesystem of {printable(self._folder)}"), self.wait)

    def end(self) -> None:
        """The run is over."""
        self._volumes.forget(self._key)

    async def wait(self) -> None:
        """Return when there is room to go on."""
        await self._volumes.wait_for_room(self._folder, self._need)

    async def _wait_for_all(self) -> None:
        def need() -> int:
            own = self._need()
            return own + self._volumes.spoken_for(self._key, self._device or 0) if own else 0

        await self._volumes.wait_for_room(self._folder, need, least=ALL)
        self._speak()

    def _speak(self) -> None:
        if self._device is not None:
            self._volumes.on_need(self._key, self._device, self._need)
