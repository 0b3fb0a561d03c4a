"""What will happen in a simulated world, in order of time and then of planning: the order that makes runs repeatable.

The agenda is that of the virtual loop itself, so that what the world does and what programs wait for are in one order.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from p2p.simulation.errors import SimulationError
from p2p.simulation.virtual_loop import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable


class Agenda:
    """Actions by time on the running loop's clock: that of the first use, which must be a virtual one."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: VirtualLoop | None = None

    @property
    def now(self) -> float:
        return (self._loop or self._find_loop()).now

    @property
    def done(self) -> int:
        """Actions so far."""
        return (self._loop or self._find_loop()).actions

    def plan(self, when: float, action: Callable[..., None], *arguments: Any) -> None:
        """Do `action(*arguments)` at `when` seconds, after everything already planned for that time."""
        (self._loop or self._find_loop()).plan(when, action, arguments)

    def _find_loop(self) -> VirtualLoop:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise SimulationError("a simulated world needs a virtual loop")
        self._loop = loop
        return loop
