"""How each tracker's host has answered the announces of all torrents, since the session began.

The rule: bounded memory, nothing to be asked for it: what is told here happened anyway. Times are the caller's clock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MAX_HOSTS: Final = 1_000
"""Hosts that are kept: more than a user has, fewer than bad torrents can name. Who was heard of longest ago goes."""

SMOOTHING: Final = 0.2
"""Weight of the newest answer in the response time."""

MAX_ERROR: Final = 300
"""Letters of the last error."""


@dataclass(slots=True)
class HostHealth:
    """Counts of announces, and seconds. None stands for never."""

    answered: int = 0
    failed: int = 0
    skipped: int = 0
    """Not made, because the host has not been answering."""
    failures_in_row: int = 0
    last_success: float | None = None
    last_failure: float | None = None
    last_error: str = ""
    response_time: float | None = None


class TrackerHealth:
    """See the module's head."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[str, HostHealth] = OrderedDict()

    @property
    def hosts(self) -> dict[str, HostHealth]:
        """By host, whoever was heard of last at the end."""
        return dict(self._hosts)

    def on_answer(self, host: str, took: float, now: float) -> None:
        """An announce was taken, after `took` seconds."""
        health = self._of(host)
        health.answered += 1
        health.failures_in_row = 0
        health.last_success = now
        before = health.response_time
        health.response_time = took if before is None else before + SMOOTHING * (took - before)

    def on_failure(self, host: str, error: str, now: float) -> None:
        """An announce was refused, or not answered."""
        health = self._of(host)
        health.failed += 1
        health.failures_in_row += 1
        health.last_failure = now
        health.last_error = error[:MAX_ERROR]

    def on_skipped(self, host: str) -> None:
        """An announce was not made."""
        self._of(host).skipped += 1

    def _of(self, host: str) -> HostHealth:
        health = self._hosts.get(host)
        if health is None:
            health = self._hosts[host] = HostHealth()
            if len(self._hosts) > MAX_HOSTS:
                self._hosts.popitem(last=False)
        else:
            self._hosts.move_to_end(host)
        return health
