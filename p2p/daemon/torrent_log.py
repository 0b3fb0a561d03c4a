"""What becomes of torrents, in the daemon's log: each that is complete, or has a trouble, is one line.

The rule: what was so when the daemon started is no news, or thousands of torrents would bury what is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from p2p.daemon.event_log import tell
from p2p.session.event_bus import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.daemon.ports import Managed
    from p2p.session.event_bus import Event, EventBus


FRESH: Final = 5.0
"""Seconds since a torrent became complete for which that is news; seeds are said to be complete at every start."""


class TorrentLog:
    """See the module's head. `find` gives a kept torrent by its info-hash."""

    def __init__(self, find: Callable[[str], Managed | None]) -> None:
        self._find = find

    async def run(self, events: EventBus) -> None:
        """Until cancelled; from now on."""
        with events.subscribe() as happenings:
            async for event in happenings:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        managed = self._find(event.info_hash)
        facts: dict[str, Any] = {"name": None if managed is None else managed.name, "info_hash": event.info_hash}
        match event.kind:
            case EventKind.METADATA:
                tell("torrent has its metadata", **facts)
            case EventKind.COMPLETE if managed is not None and abs(event.time - managed.done_date) <= FRESH:
                tell("torrent complete", **facts, size=managed.size_when_done)
            case EventKind.ERROR:
                tell("torrent in trouble", level=logging.WARNING, **facts, reason=event.message)
            case _:
                pass  # which the list of torrents tells
