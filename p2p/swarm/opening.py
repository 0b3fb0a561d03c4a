"""How many may hold a slot while we have little to give: as many as we have pieces, and one more every second.

Who has one piece and sends it to five at once sends each of them a fifth of it in the time in which one could have had
it all and passed it on. So what is new spreads by doubling first. Where takers are slow the seconds that pass open the
other slots, so no uplink stands still for the sake of this rule for long.
"""

from __future__ import annotations

from typing import Final

SLOT_INTERVAL: Final = 1.0
"""Seconds that open a slot, whatever there is to give."""


ENOUGH: Final = 16
"""Slots past which nothing is held back any more."""


class Opening:
    """Of one torrent. `running` until time alone has opened ENOUGH slots."""

    __slots__ = ("_began", "running")

    def __init__(self) -> None:
        self._began: float | None = None
        self.running = True

    def most(self, pieces: int, now: float) -> int | None:
        """Regular slots to use at `now`, from when this is first asked; None for any number.

        `pieces` is what we have to give, or as a seed what leechers have of it already.
        """
        if not self.running:
            return None
        if self._began is None:
            self._began = now
        opened = int((now - self._began) / SLOT_INTERVAL)
        self.running = opened < ENOUGH
        return max(0, pieces - 1 + opened) if self.running else None
