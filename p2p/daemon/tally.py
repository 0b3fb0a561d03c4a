"""How many torrents are in which state, at which tracker, in which folder, and what they move: counted as they change.

The rule: a look costs as much as there were changes since the last, not as there are torrents, and never more than
MAX_A_LOOK of them: the rest waits for the next. Bytes are counted from the first look at a torrent on; trackers beyond
MAX_HOSTS are counted together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from p2p.daemon.ports import ErrorKind, Library, Managed, Status

MAX_HOSTS: Final = 200
"""Trackers that are told apart: more than users have, few enough for whoever keeps a series of each."""

MAX_A_LOOK: Final = 1_000
"""Torrents counted in one look: some thirty milliseconds, so that a start with ten thousand keeps nobody waiting."""

NO_TRACKER: Final = "none"
OTHERS: Final = "other"


@dataclass(slots=True)
class _Entry:
    """A torrent as it was counted."""

    host: str
    status: Status
    error: ErrorKind
    folder: str
    down: int
    up: int
    rate_down: int
    rate_up: int
    peers: int


class Tally:
    """See the module's head. Rates are bytes a second."""

    def __init__(self) -> None:
        self.states: Counter[tuple[str, Status]] = Counter()
        """Torrents by host of their first tracker, and state."""
        self.errors: Counter[ErrorKind] = Counter()
        self.folders: Counter[str] = Counter()
        self.downloaded: Counter[str] = Counter()
        """Bytes by host of the first tracker."""
        self.uploaded: Counter[str] = Counter()
        self.rate_down = 0
        self.rate_up = 0
        self.peers = 0
        self.active: dict[int, tuple[int, int]] = {}
        """Torrents that move something: rates down and up."""
        self._entries: dict[int, _Entry] = {}
        self._hosts: dict[str, None] = {}
        self._changed: dict[int, None] = {}
        """Torrents to count, whoever changed first."""
        self._revision = -1

    @property
    def torrents(self) -> int:
        return len(self._entries)

    def by_host(self) -> Counter[str]:
        """Torrents by host of their first tracker."""
        found: Counter[str] = Counter()
        for (host, _), count in self.states.items():
            found[host] += count
        return found

    def look(self, library: Library) -> list[int]:
        """Count what has changed; the torrents that have gone."""
        delta = library.since(self._revision)
        self._revision = delta.revision
        if delta.full:
            here = {torrent.id: None for torrent in library.torrents()}
            gone = [number for number in self._entries if number not in here]
            self._changed = here
        else:
            gone = list(delta.removed)
            for number in delta.changed:
                self._changed.setdefault(number)
        for number in gone:
            self._forget(number)
        for number in list(islice(self._changed, MAX_A_LOOK)):
            del self._changed[number]
            torrent = library.by_id(number)
            if torrent is not None:
                self._count(torrent)
        return gone

    def _count(self, torrent: Managed) -> None:
        before = self._entries.get(torrent.id)
        entry = _Entry(
            host=self._host(torrent.starling_tracker),
            status=torrent.status,
            error=torrent.error,
            folder=torrent.download_dir,
            down=torrent.downloaded_ever,
            up=torrent.uploaded_ever,
            rate_down=torrent.rate_download,
            rate_up=torrent.rate_upload,
            peers=torrent.peers_connected,
        )
        if before is not None:
            # Totals can shrink where a record was lost; counters never do.
            self.downloaded[entry.host] += max(0, entry.down - before.down)
            self.uploaded[entry.host] += max(0, entry.up - before.up)
            self._forget(torrent.id)
        self._entries[torrent.id] = entry
        self._add(entry, 1)
        if entry.rate_down or entry.rate_up:
            self.active[torrent.id] = (entry.rate_down, entry.rate_up)

    def _forget(self, number: int) -> None:
        entry = self._entries.pop(number, None)
        if entry is not None:
            self._add(entry, -1)
            self.active.pop(number, None)

    def _add(self, entry: _Entry, sign: int) -> None:
        for counter, key in (
            (self.states, (entry.host, entry.status)),
            (self.errors, entry.error),
            (self.folders, entry.folder),
        ):
            counter[key] += sign  # type: ignore[index]  # each with a key of its own kind
            if not counter[key]:  # type: ignore[index]
                del counter[key]
        self.rate_down += sign * entry.rate_down
        self.rate_up += sign * entry.rate_up
        self.peers += sign * entry.peers

    def _host(self, host: str) -> str:
        if not host:
            return NO_TRACKER
        if host not in self._hosts:
            if len(self._hosts) >= MAX_HOSTS:
                return OTHERS
            self._hosts[host] = None
        return host
