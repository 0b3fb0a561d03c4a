"""The event loop that commands run on: uvloop where it is installed, the interpreter's own elsewhere."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any, Final, TypeVar

from p2p.cli.log_notes import log_notes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

GC_THRESHOLD: Final = 50_000
"""Objects made and not yet freed before the youngest are searched for cycles: some megabytes."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a command to its end, its warnings as notes; its result."""
    with log_notes():
        return run_with_own_log(coroutine)


def run_with_own_log(coroutine: Coroutine[Any, Any, T]) -> T:
    """The same for a command that keeps a log itself."""
    # What is there by now stays, and a transfer makes tuples by the hundred thousand that keep nothing alive: looking
    # for cycles after every few hundred of them finds none and takes time.
    try:
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 50)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(coroutine)
    finally:
        coroutine.close()  # which Ctrl-C may have left unbegun, and the interpreter would complain of that


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - there are platforms without it
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
