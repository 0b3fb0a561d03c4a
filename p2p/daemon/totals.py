"""What the daemon has done in this run and in all of them: the statistics that clients read.

The rule: a figure never shrinks. Time is counted by the loop's clock, which no change of the date moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.daemon.ports import Totals
from p2p.daemon.state_records import RecordReader, plain_record, read_plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.names import Json
    from p2p.daemon.state_records import Record


class DaemonTotals:
    """See the module's head. `torrents` are those there are; `now` is the loop's time at the start."""

    def __init__(self, torrents: Collection[ManagedTorrent], now: float) -> None:
        self._torrents = torrents
        self._started = now
        self._files_added = 0
        self._uploaded = 0
        self._downloaded = 0
        """What torrents that were removed had moved in this run."""
        self._before = Totals()

    def on_added(self, managed: ManagedTorrent) -> None:
        self._files_added += managed.file_count

    def on_removed(self, managed: ManagedTorrent) -> None:
        uploaded, downloaded = managed.torrent.session_totals()
        self._uploaded += uploaded
        self._downloaded += downloaded

    def current(self, now: float) -> Totals:
        """Of this run."""
        moved = [each.torrent.session_totals() for each in self._torrents]
        return Totals(
            uploaded_bytes=self._uploaded + sum(uploaded for uploaded, _ in moved),
            downloaded_bytes=self._downloaded + sum(downloaded for _, downloaded in moved),
            files_added=self._files_added,
            session_count=1,
            seconds_active=max(0, int(now - self._started)),
        )

    def cumulative(self, now: float) -> Totals:
        """Of all runs."""
        return self.with_former(self.current(now))

    def with_former(self, current: Totals) -> Totals:
        """What `current` says of this run, and all runs before it."""
        before = self._before
        return Totals(
            uploaded_bytes=before.uploaded_bytes + current.uploaded_bytes,
            downloaded_bytes=before.downloaded_bytes + current.downloaded_bytes,
            files_added=before.files_added + current.files_added,
            session_count=before.session_count + current.session_count,
            seconds_active=before.seconds_active + current.seconds_active,
        )

    def to_record(self, now: float) -> Record:
        return plain_record(self.cumulative(now))

    def from_record(self, record: Mapping[str, Json]) -> None:
        """Take in those of the runs before."""
        reader = RecordReader(dict(record), "the statistics")
        self._before = read_plain(Totals(), reader)
        reader.close()
