"""Several processes that are one tracker: started, watched, started anew, reloaded and stopped together.

The rules: the processes are copies (fork) of one that has bound the ports and made the mailboxes and runs no loop and
no thread, so each copy finds them open; one that dies is replaced, at once if it had lived for a while, and its sockets
wait for the other; signals come to the first process, which passes them on; and when that goes, all go.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

RESTART_PAUSE: Final = 1.0
"""Seconds a process must have lived to be replaced at once; who dies sooner is replaced after as many."""

STOP_TIME: Final = 30.0
"""Seconds the processes have to stop in good order; a save of many swarms takes some."""

_WATCHED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_SET_PARENT_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of Linux."""


class Workers:
    """`count` processes, each of which runs `work` with its number and ends with the status that it returns.

    `on_death` is told the number and the status (negative: the signal) of one that ended by itself. SIGHUP is passed on
    to all unless it is among those `stopping`.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[int], int],
        *,
        on_death: Callable[[int, int], None],
        clock: Callable[[], float],
        stopping: Collection[signal.Signals] = (),
    ) -> None:
        self._stopping = {signal.SIGTERM, signal.SIGINT, *stopping}
        self._work = work
        self._on_death = on_death
        self._clock = clock
        self._pids: dict[int, int] = {}
        """The number of each process that lives."""
        self._born: dict[int, float] = {}
        self._due = dict.fromkeys(range(count), 0.0)
        """When each process that does not live is to be started."""

    def run(self) -> signal.Signals:
        """Until a signal says stop, or `on_death` raises; that signal. All processes have ended then."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        try:
            return self._watch()
        finally:
            self._stop()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _watch(self) -> signal.Signals:
        while True:
            now = self._clock()
            for number in [n for n, due in self._due.items() if due <= now]:
                del self._due[number]
                self._born[number] = now
                self._pids[self._start(number)] = number
            wait = min(self._due.values(), default=now + 60.0) - now
            received = signal.sigtimedwait(_WATCHED, max(0.0, wait))
            if received is None:
                continue
            if received.si_signo in self._stopping:
                return signal.Signals(received.si_signo)
            if received.si_signo == signal.SIGHUP:
                self._pass_on(signal.SIGHUP)
            self._take_the_dead()

    def _start(self, number: int) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        status = 70
        try:
            os.setpgid(0, 0)  # Ctrl-C is for the first process, which passes it on
            _die_with(parent)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            status = self._work(number)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)  # nothing of what the first process has open is this one's to close

    def _take_the_dead(self) -> None:
        while self._pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            number = self._pids.pop(pid, None)
            if number is None:
                continue
            now = self._clock()
            is_young = now - self._born[number] < RESTART_PAUSE
            self._due[number] = now + RESTART_PAUSE if is_young else now
            self._on_death(number, os.waitstatus_to_exitcode(status))

    def _pass_on(self, number: signal.Signals) -> None:
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _stop(self) -> None:
        self._pass_on(signal.SIGTERM)
        deadline = self._clock() + STOP_TIME
        while self._pids:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid:
                self._pids.pop(pid, None)
            elif self._clock() >= deadline:
                self._pass_on(signal.SIGKILL)
                deadline = float("inf")
            else:
                signal.sigtimedwait((signal.SIGCHLD,), 0.1)


def _die_with(parent: int) -> None:
    """Have this process told to stop when `parent` ends, however that ends; where the system can do that."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGTERM))
    if os.getppid() != parent:
        os._exit(0)
