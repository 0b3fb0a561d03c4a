"""The laboratory: the production code of this project on a virtual clock and a simulated internet."""

from __future__ import annotations

from p2p.simulation.errors import DeadlockError, LivelockError, PatienceError, SimulationError, TimeLimitError
from p2p.simulation.sim_network import SimHost, SimInternet
from p2p.simulation.trace import TraceDigest
from p2p.simulation.virtual_loop import VirtualLoop, run

__all__ = [
    "DeadlockError",
    "LivelockError",
    "PatienceError",
    "SimHost",
    "SimInternet",
    "SimulationError",
    "TimeLimitError",
    "TraceDigest",
    "VirtualLoop",
    "run",
]
