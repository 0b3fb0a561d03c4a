"""How often a daemon is asked what it does not tell by itself. Pure.

The rule: as often as a person can follow while something moves, and less and less often while nothing does.
"""

from __future__ import annotations

from typing import Final

CALM: Final = 8.0
"""Seconds between questions at most, unless they are farther apart anyway: what is done elsewhere is seen by then."""

STEPS: Final = 8
"""Doublings after which there is nothing left to double."""


class Pace:
    """Of one question."""

    def __init__(self) -> None:
        self._still = 0

    def on_move(self) -> None:
        """Something was otherwise than before."""
        self._still = 0

    def on_still(self) -> None:
        """Nothing was."""
        self._still = min(self._still + 1, STEPS)

    def pause(self, usual: float) -> float:
        """Seconds until the next question, `usual` ones while something moves."""
        return max(usual, min(usual * 2.0**self._still, CALM))
