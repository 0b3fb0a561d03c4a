"""Being told to stop: SIGINT (Ctrl-C) and SIGTERM become facts that the program acts on when it is ready to.

The rule: the first signal begins an orderly stop, which is bounded in time; later ones change nothing unless the
command says so, so an impatient second Ctrl-C costs no state. SIGHUP is no stop, but a word to whoever listens for it.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C: 128 and the signal's number, as shells count."""

TERMINATED: Final = 143
"""The same after SIGTERM, for work that was not done."""

ECHO: Final = 1.0
"""Seconds in which another signal is the first one again: whoever stops a group of processes often tells each twice."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class StoppedError(Exception):
    """Raised by `StopSignals.interrupting` when a signal ended what was inside."""


class StopSignals:
    """While entered, catches the signals for the running loop. `received` is the first of them."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._on_stop: Callable[[], object] | None = None
        self._on_again: Callable[[signal.Signals], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._received_at = 0.0

    def __enter__(self) -> StopSignals:
        self._loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._receive, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None:
            for number in _SIGNALS:
                self._loop.remove_signal_handler(number)

    def _receive(self, number: signal.Signals) -> None:
        now = asyncio.get_running_loop().time()
        if self.received is None:
            self.received, self._received_at = number, now
            if self._on_stop is not None:
                self._on_stop()
        elif self._on_again is not None and now >= self._received_at + ECHO:
            self._on_again(number)

    def on_again(self, callback: Callable[[signal.Signals], object]) -> None:
        """Call back at every signal after the first, but for its echo."""
        self._on_again = callback

    def on_stop(self, callback: Callable[[], object] | None) -> None:
        """Call back once, at the first signal; at once if that is past. None takes it back."""
        self._on_stop = callback
        if callback is not None and self.received is not None:
            callback()

    @asynccontextmanager
    async def interrupting(self) -> AsyncIterator[None]:
        """A signal cancels what is inside, which ends in StoppedError."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be interrupted")
        self.on_stop(task.cancel)
        try:
            yield
            if self.received is not None:
                await asyncio.sleep(0)  # a cancellation that is on its way must not arrive later
        except asyncio.CancelledError as error:
            if self.received is None:
                raise
            task.uncancel()
            raise StoppedError from error
        finally:
            self.on_stop(None)


@contextmanager
def hangups(callback: Callable[[], object]) -> Iterator[None]:
    """While inside, SIGHUP calls back."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, callback)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
