"""What a torrent has done over all its runs: bytes, dates, and how long it has downloaded and seeded.

The rule: a run adds to it as it ends, and the record on disk carries it over a restart; where both know something, the
higher figure counts, because neither ever shrinks. Time counts while the torrent is at work, not while it is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from p2p.disk.resume import ResumeState
    from p2p.ids import Address


class Work(Enum):
    """What a torrent's time counts as."""

    NONE = "none"
    DOWNLOADING = "downloading"
    SEEDING = "seeding"


@dataclass(frozen=True, slots=True)
class History:
    """What is kept of a torrent's past. Bytes of all runs, dates in seconds since the epoch (0 for never), durations in
    seconds."""

    added_time: float = 0.0
    completed_time: float = 0.0
    active_time: float = 0.0
    uploaded: int = 0
    downloaded: int = 0
    downloading_seconds: float = 0.0
    seeding_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Totals:
    """What a run adds to the record. Bytes."""

    uploaded: int = 0
    downloaded: int = 0
    peers: tuple[Address, ...] = ()


@dataclass(slots=True)
class Ledger:
    """See the module's head. Bytes; dates in seconds since the epoch, None for never; durations in seconds.

    `now` is the running loop's time.
    """

    added_time: float
    started_time: float | None = None
    """When the last run began."""
    completed_time: float | None = None
    """When the last wanted piece came."""
    active_time: float | None = None
    """When payload moved last, either way."""
    moved_at: float = 0.0
    """The same on the loop's clock, in this session."""
    uploaded: int = 0
    downloaded: int = 0
    """Of the runs that have ended, with those of earlier sessions."""
    session_uploaded: int = 0
    session_downloaded: int = 0
    wasted: int = 0
    corrupt: int = 0
    """Of the runs of this session that have ended."""
    work: Work = Work.NONE
    _since: float = 0.0
    _downloading: float = 0.0
    _seeding: float = 0.0

    def enter(self, work: Work, now: float) -> None:
        """From now on time counts as this."""
        self._downloading, self._seeding = self.downloading_for(now), self.seeding_for(now)
        self.work, self._since = work, now

    def downloading_for(self, now: float) -> float:
        """Seconds spent downloading, in all runs."""
        return self._downloading + (now - self._since if self.work is Work.DOWNLOADING else 0.0)

    def seeding_for(self, now: float) -> float:
        """Seconds spent seeding, in all runs."""
        return self._seeding + (now - self._since if self.work is Work.SEEDING else 0.0)

    @property
    def quiet_since(self) -> float | None:
        """Since when no payload has moved while it is at work, on the loop's clock; None while it is not."""
        return None if self.work is Work.NONE else max(self.moved_at, self._since)

    def close_run(self, *, uploaded: int, downloaded: int, wasted: int, corrupt: int) -> None:
        """Take in what a run that has ended moved."""
        self.uploaded += uploaded
        self.downloaded += downloaded
        self.session_uploaded += uploaded
        self.session_downloaded += downloaded
        self.wasted += wasted
        self.corrupt += corrupt

    def restore(self, state: ResumeState, wall: float) -> None:
        """Take in what is on record. Dates that the clock, `wall`, has not reached are of one that was wrong."""
        self.take_in(
            History(
                added_time=min(state.added_time, wall),
                completed_time=min(state.completed_time or 0.0, wall),
                active_time=min(state.active_time or 0.0, wall),
                uploaded=state.uploaded,
                downloaded=state.downloaded,
                downloading_seconds=state.downloading_seconds,
                seeding_seconds=state.seeding_seconds,
            )
        )

    def take_in(self, history: History) -> None:
        """Take in what is known from elsewhere."""
        self.uploaded = max(self.uploaded, history.uploaded)
        self.downloaded = max(self.downloaded, history.downloaded)
        self.added_time = min(self.added_time, history.added_time or self.added_time)
        self.completed_time = self.completed_time or history.completed_time or None
        self.active_time = max(self.active_time or 0.0, history.active_time) or None
        self._downloading = max(self._downloading, history.downloading_seconds)
        self._seeding = max(self._seeding, history.seeding_seconds)

    def history(self, now: float, *, uploaded: int = 0, downloaded: int = 0) -> History:
        """What there is to keep, with what the run that goes has moved."""
        return History(
            added_time=self.added_time,
            completed_time=self.completed_time or 0.0,
            active_time=self.active_time or 0.0,
            uploaded=self.uploaded + uploaded,
            downloaded=self.downloaded + downloaded,
            downloading_seconds=self.downloading_for(now),
            seeding_seconds=self.seeding_for(now),
        )
