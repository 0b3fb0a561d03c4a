"""Which torrents have changed since a client last asked, and which have gone.

The rule: every change has a number of its own, higher than all before it. Looking costs as much as there are changes,
not as there are torrents. A client whose number is not from this log, or too old for what is kept of the torrents
that went, is told to take everything anew.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final, NamedTuple

RECENT: Final = 60.0
"""Seconds for which a change is recent: what Transmission calls recently active."""

MAX_REMOVED: Final = 10_000
"""Torrents that went, kept for those who have not heard: more in one client's interval is a list to take anew."""


class _Change(NamedTuple):
    revision: int
    at: float


class _Removal(NamedTuple):
    revision: int
    at: float
    torrent: int


@dataclass(frozen=True, slots=True)
class Delta:
    """What is new. `revision` is the number to ask with the next time."""

    revision: int
    changed: tuple[int, ...]
    removed: tuple[int, ...]
    full: bool
    """Nothing can be said of the time since: the caller takes all torrents, and forgets those not among them."""


class ChangeLog:
    """See the module's head. `first` is the number before the first change: one that no earlier log has reached, such
    as the milliseconds of the clock at the start, so that clients notice that the daemon was restarted."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._revision = first
        self._changes: OrderedDict[int, _Change] = OrderedDict()
        self._removed: deque[_Removal] = deque()
        self._forgotten = first

    @property
    def revision(self) -> int:
        return self._revision

    def on_change(self, torrent: int, now: float) -> None:
        """Something that a client can see of the torrent is other than it was."""
        self._revision += 1
        self._changes[torrent] = _Change(self._revision, now)
        self._changes.move_to_end(torrent)

    def on_removed(self, torrent: int, now: float) -> None:
        self._revision += 1
        self._changes.pop(torrent, None)
        self._removed.append(_Removal(self._revision, now, torrent))
        if len(self._removed) > MAX_REMOVED:
            self._forgotten = self._removed.popleft().revision

    def since(self, revision: int) -> Delta:
        """What changed after that number, the latest change last."""
        if not max(self._first, self._forgotten) <= revision <= self._revision:
            return Delta(self._revision, (), (), full=True)
        changed: list[int] = []
        for torrent in reversed(self._changes):
            if self._changes[torrent].revision <= revision:
                break
            changed.append(torrent)
        removed = []
        for removal in reversed(self._removed):
            if removal.revision <= revision:
                break
            removed.append(removal.torrent)
        return Delta(self._revision, tuple(reversed(changed)), tuple(reversed(removed)), full=False)

    def recent(self, now: float) -> Delta:
        """What changed in the last RECENT seconds."""
        changed: list[int] = []
        for torrent in reversed(self._changes):
            if self._changes[torrent].at < now - RECENT:
                break
            changed.append(torrent)
        removed = tuple(each.torrent for each in self._removed if each.at >= now - RECENT)
        return Delta(self._revision, tuple(reversed(changed)), removed, full=False)
