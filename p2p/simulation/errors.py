"""What ends a simulation that cannot or may not go on. Every text says where the program stood."""

from __future__ import annotations

from p2p.errors import StarlingError


class SimulationError(StarlingError):
    """The simulated world was asked for what it does not have, or was built wrongly."""


class DeadlockError(SimulationError):
    """Nothing can ever wake up: no callback is ready, no timer is set, and the program has not ended."""


class TimeLimitError(SimulationError):
    """The program was still running when virtual time reached its bound."""


class PatienceError(SimulationError):
    """The program was still running when it had taken as much real time as it may."""


class LivelockError(SimulationError):
    """The program keeps the loop busy and never waits."""
