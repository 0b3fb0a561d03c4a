"""What is wished of a torrent's running, as it is kept; what it is at is the engine's and the queue's matter."""

from __future__ import annotations

from enum import Enum


class Intent(Enum):
    STOPPED = "stopped"
    """By a client, or it was added so."""

    FINISHED = "finished"
    """Stopped because a goal of seeding was reached."""

    QUEUED = "queued"
    """It is to run when the queue lets it."""

    NOW = "now"
    """It is to run whatever the queue says."""

    @property
    def to_run(self) -> bool:
        return self in (Intent.QUEUED, Intent.NOW)
