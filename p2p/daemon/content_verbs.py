"""Where the content of the daemon's torrents is and what it is called: locations, names, and what is not whole yet.

The rule: a verb answers when what it began is begun. Moves go on one after another, each told by its torrent's error if
it fails; then its content is where it was.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.daemon.ports import Content
from p2p.daemon.rpc_errors import invalid
from p2p.errors import StarlingError
from p2p.session.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.names import Json
    from p2p.daemon.session_values import SessionValues
    from p2p.session.session import Session

log = logging.getLogger(__name__)

SETTINGS: Final = ("incomplete_dir", "incomplete_dir_enabled", "rename_partial_files")
"""The keys that this applies."""


class ContentVerbs:
    """See the module's head. `on_change` is told of torrents that a client sees changed."""

    def __init__(
        self, session: Session, values: SessionValues, *, on_change: Callable[[Iterable[ManagedTorrent]], None]
    ) -> None:
        self._session = session
        self._values = values
        self._on_change = on_change
        self._scope: Scope | None = None
        self._turn = asyncio.Lock()
        self._turns: dict[int, asyncio.Lock] = {}
        """Of torrents that are being moved, by number: what a client asks for next comes after that."""

    async def run(self) -> None:
        """Let moves go on after their verbs have answered, until cancelled; a move that is cut short goes on with the
        next start."""
        async with Scope() as scope:
            self._scope = scope
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._scope = None

    async def apply(self, changes: Mapping[str, Json]) -> None:  # noqa: ARG002 - all three make one thing
        """Let files that are not whole be where the settings say, for torrents that begin from now on."""
        folder = self._values.text("incomplete_dir") if self._values.flag("incomplete_dir_enabled") else None
        if folder == "":
            raise invalid("incomplete_dir must be given where it is to be used")
        self._session.set_incomplete(
            None if folder is None else Path(folder), suffix=self._values.flag("rename_partial_files")
        )

    async def set_location(self, torrents: Sequence[ManagedTorrent], location: str, content: Content) -> None:
        for managed in torrents:
            work = self._set_location(managed, Path(location), content)
            if self._scope is None:
                await work
            else:
                self._scope.start(work, name=f"location {managed.id}")

    async def _set_location(self, managed: ManagedTorrent, place: Path, content: Content) -> None:
        turn = self._turns.setdefault(managed.id, asyncio.Lock())
        async with turn:
            managed.trouble = ""
            try:
                if content is Content.FIND:
                    await managed.torrent.find_at(place)
                elif place != managed.torrent.target:
                    async with self._turn:
                        await managed.torrent.move(place)
            except StarlingError as error:
                log.warning("%s stays where it is: %s", managed.name, error)
                managed.trouble = f"its location cannot be {place}: {error}"
            self._on_change([managed])
        if not turn.locked():
            self._turns.pop(managed.id, None)

    async def rename(self, managed: ManagedTorrent, path: str, name: str) -> None:
        await managed.torrent.rename(path, name)
        self._on_change([managed])
