"""Pieces that failed with several senders and are sent by one at a time, so that a liar has no one to hide behind.

The rule: that lasts until the piece verifies, or until it was given up a few times. While a piece is one peer's nobody
else is asked for it, not even in endgame, and whoever stalls may be the first to be asked again: it must not be able to
hold the last piece for ever.
"""

from __future__ import annotations

from typing import Final

TRIES: Final = 2
"""Senders that may give a piece up before it is everybody's: a silent one holds it for a minute each time."""


class LonePieces:
    """See the module's head."""

    __slots__ = ("_given_up",)

    def __init__(self) -> None:
        self._given_up: dict[int, int] = {}

    def __contains__(self, piece: int) -> bool:
        return piece in self._given_up

    def seek(self, piece: int) -> None:
        """From here on one peer at a time sends all of the piece."""
        self._given_up[piece] = 0

    def on_given_up(self, piece: int) -> None:
        """Its only sender will not send the rest."""
        self._given_up[piece] += 1
        if self._given_up[piece] >= TRIES:
            self.forget(piece)

    def forget(self, piece: int) -> None:
        """The piece is as any other."""
        self._given_up.pop(piece, None)
