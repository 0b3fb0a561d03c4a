"""What clients wish of a torrent, taken in and made to hold in the engine.

The rule: a change is looked at whole before any of it is made, so that one that cannot be leaves everything as it was.
What a torrent was told before holds again after a restart (`hold`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.managed_torrent import LEVELS, UNWANTED
from p2p.daemon.ports import UNCHANGED, FileChange, Priority
from p2p.daemon.rpc_errors import Code, RpcError
from p2p.daemon.session_values import KILO

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.daemon.goal_keeper import GoalKeeper
    from p2p.daemon.groups import Groups
    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.ports import TorrentChange

_WISHES: Final = (
    "bandwidth_priority",
    "download_limit",
    "download_limited",
    "group",
    "honors_session_limits",
    "labels",
    "peer_limit",
    "upload_limit",
    "upload_limited",
)
"""What a torrent is told and keeps as it is said."""


class WishKeeper:
    """See the module's head. `wall` is seconds since the epoch."""

    def __init__(self, groups: Groups, goals: GoalKeeper, wall: Callable[[], float]) -> None:
        self._groups = groups
        self._goals = goals
        self._wall = wall

    def require(self, change: TorrentChange) -> None:
        """RpcError for what cannot be, whatever the torrent is."""
        if change.group is not UNCHANGED:
            self._groups.require(change.group)

    def change(self, managed: ManagedTorrent, change: TorrentChange) -> None:
        """Take in what a client says, but for its place in the queue and on disk. Raises RpcError, StarlingError."""
        torrent, wishes = managed.torrent, managed.wishes
        files = _file_priorities(managed, change.files)
        if files:
            torrent.set_priorities(files)
        for name in _WISHES:
            value = getattr(change, name)
            if value is not UNCHANGED:
                setattr(wishes, name, value)
        self._goals.change(managed, change)
        self.hold(managed)
        if change.sequential_download is not UNCHANGED:
            torrent.set_mode(sequential=change.sequential_download, first_and_last=torrent.options.first_and_last)
        if change.trackers is not UNCHANGED:
            torrent.set_trackers(change.trackers)
        wishes.edit_date = int(self._wall())

    def hold(self, managed: ManagedTorrent) -> None:
        """Let what is wished hold in the engine."""
        torrent, wishes = managed.torrent, managed.wishes
        torrent.set_limits(
            down=wishes.download_limit * KILO if wishes.download_limited else None,
            up=wishes.upload_limit * KILO if wishes.upload_limited else None,
        )
        torrent.set_peer_limit(wishes.peer_limit or None)
        self._groups.hold(managed)
        self._goals.hold(managed)


def _file_priorities(managed: ManagedTorrent, change: FileChange) -> dict[int, int]:
    """What changes in the engine's priorities by file. Notes the RPC's levels in the torrent's wishes."""
    metainfo, torrent = managed.torrent.metainfo, managed.torrent
    if change == FileChange():
        return {}
    if metainfo is None:
        raise RpcError(Code.FILE_INDEX, "the torrent's files are not known yet")
    every = range(len(metainfo.files))
    for indices in (change.wanted, change.unwanted, change.high, change.normal, change.low):
        if indices and indices[-1] >= len(every):
            raise RpcError(Code.FILE_INDEX, f"there is no file {indices[-1]}: the torrent has {len(every)}")
    wanted = {index: torrent.file_priorities[index] != UNWANTED for index in every}
    levels = managed.wishes.priorities
    touched: set[int] = set()
    for indices, level in (
        (change.high, Priority.HIGH),
        (change.normal, Priority.NORMAL),
        (change.low, Priority.LOW),
    ):
        for index in every if indices is None else indices:
            levels[index] = level
            touched.add(index)
    for indices, is_wanted in ((change.unwanted, False), (change.wanted, True)):
        for index in every if indices is None else indices:
            wanted[index] = is_wanted
            touched.add(index)
    return {
        index: LEVELS[levels.get(index, Priority.NORMAL)] if wanted[index] else UNWANTED for index in sorted(touched)
    }
