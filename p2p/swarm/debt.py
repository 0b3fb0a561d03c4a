"""Whether a peer owes us: it had much more of us than it gave back.

Slots that merit leaves empty, because few give or few want what we have, are for those who do not owe. So a free rider
gets a piece and a turn on trust now and then, whatever there is to spare, while a newcomer can begin and a slow peer,
who gives less than it gets, goes on.
"""

from __future__ import annotations

from typing import Final

CREDIT: Final = 2
"""Bytes given on trust for one received: peers of unequal links, or that want us at unequal times, still trade."""


def owes(*, sent: int, received: int, piece_length: int) -> bool:
    """Whether a peer owes that had `sent` payload bytes of us and gave us `received`: the first piece is free."""
    return sent > piece_length + CREDIT * received
