"""How the picker orders pieces of equal priority."""

from __future__ import annotations

from enum import Enum


class PickMode(Enum):
    """The order in which pieces of equal priority are started."""

    RAREST_FIRST = "rarest first"
    SEQUENTIAL = "sequential"
