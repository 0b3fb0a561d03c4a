"""An asyncio loop in virtual time: waiting is advancing the clock, so an hour of timers takes as long as its work.

The rule: a run depends on nothing but the program and its seeds. There are no threads (jobs for an executor run in
place), no sockets, no signals and no wall clock; timers fire in order of time and then of setting. When nothing is
ready and no timer is set the program can never go on, and the loop says so, naming every task and where it waits.
"""

from __future__ import annotations

import asyncio
import math
from heapq import heappush
from itertools import count
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, TypeVarTuple, Unpack

from p2p.simulation.errors import DeadlockError, LivelockError, SimulationError, TimeLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from concurrent.futures import Executor
    from contextvars import Context

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

FREE_TURNS: Final = 1_000
"""Loop turns in one instant that cost no time. What a swarm does at once stays at once; a program that polls must see
time pass, as it would on a real machine."""

TURN_COST: Final = 1e-5
"""Seconds that each further turn takes."""

BUSY_TURNS: Final = 1_000_000
"""Loop turns without a single wait before the run counts as stuck: ten seconds of nothing but polling."""

TEARDOWN: Final = 3_600.0
"""Seconds past the bound for cancelled tasks to say their goodbyes in, once the bound has been reported."""

NAMED_TASKS: Final = 20
"""Tasks that an error names before it only counts the rest, so that its text can still be read."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose clock starts at `epoch` seconds and moves only when every task waits.

    `until` bounds the clock: a run that would pass it raises TimeLimitError. A deadlock raises DeadlockError, a
    program that never waits LivelockError. What escapes a callback ends the run.
    """

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, *, epoch: float = 0.0, until: float | None = None) -> None:
        super().__init__()
        self._now = epoch
        self._until = math.inf if until is None else until
        self._busy_turns = 0
        self._sequence = count()
        # Dicts keep the order of creation, which the loop's own weak set of tasks does not.
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._selector = _VirtualSelector(self)
        # Timers fire within one resolution of their time; it must not vanish beside the clock's magnitude.
        self._clock_resolution = max(1e-7, 4 * math.ulp(epoch))
        self._failure: BaseException | None = None
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._on_failure)

    def time(self) -> float:
        return self._now

    def pending_tasks(self) -> list[asyncio.Task[Any]]:
        """Tasks that have not ended, in order of creation."""
        return list(self._tasks)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _OrderedTimer((when, next(self._sequence)), callback, args, self, context)
        heappush(self._scheduled, timer)
        return timer

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002 -- the loop's signature
        func: Callable[[Unpack[Arguments]], T],
        *args: *Arguments,
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- it belongs to whoever awaits the job
            future.set_exception(error)
        return future

    def advance(self, timeout: float | None) -> None:
        """Pass the time until the next timer; the loop calls this where another would sleep for `timeout` seconds."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if timeout is None:
            raise DeadlockError(f"nothing can wake up at {self._now:.6f} s: {self._describe_tasks()}")
        if timeout > 0:
            self._busy_turns = 0
            self._pass_until(self._scheduled[0].when())
            return
        self._busy_turns += 1
        if self._busy_turns > BUSY_TURNS:
            self._busy_turns = 0
            raise LivelockError(f"never waits, at {self._now:.6f} s: {self._describe_tasks()}")
        if self._busy_turns > FREE_TURNS:
            when = self._now + TURN_COST
            if self._scheduled:
                when = max(min(when, self._scheduled[0].when()), self._now)
            self._pass_until(when)

    def _pass_until(self, when: float) -> None:
        if when > self._until:
            bound, self._until = self._until, self._until + TEARDOWN
            raise TimeLimitError(f"still running at {bound:.6f} s: {self._describe_tasks()}")
        self._now = when

    async def getaddrinfo(self, *_: Any, **__: Any) -> NoReturn:
        raise SimulationError("no name is looked up in virtual time")

    async def getnameinfo(self, *_: Any, **__: Any) -> NoReturn:
        raise SimulationError("no name is looked up in virtual time")

    async def create_connection(self, *_: Any, **__: Any) -> NoReturn:
        raise SimulationError("no socket opens in virtual time")

    async def create_server(self, *_: Any, **__: Any) -> NoReturn:
        raise SimulationError("no socket opens in virtual time")

    async def create_datagram_endpoint(self, *_: Any, **__: Any) -> NoReturn:
        raise SimulationError("no socket opens in virtual time")

    def _process_events(self, event_list: list[Any]) -> None:
        """The loop hands over what the selector found: nothing, ever."""

    def _write_to_self(self) -> None:
        """Wakes a loop that sleeps in its selector; this one never does."""

    def _make_task(self, _: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, **options)
        if not task.done():
            self._tasks[task] = None
            task.add_done_callback(self._forget)
        return task

    def _on_failure(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What escaped a callback or a forgotten task; a real loop would log it and a test would not see it."""
        if self._failure is None:
            self._failure = context.get("exception") or SimulationError(context["message"])

    def _forget(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]

    def _describe_tasks(self) -> str:
        tasks = self.pending_tasks()
        lines = [f"{task.get_name()} in {_where(task)}" for task in tasks[:NAMED_TASKS]]
        if len(tasks) > NAMED_TASKS:
            lines.append(f"and {len(tasks) - NAMED_TASKS} more")
        return "; ".join(lines) or "no task is pending"


class _OrderedTimer(asyncio.TimerHandle):
    """A timer that comes after those set before it for the same time; asyncio's own come in any order."""

    __slots__ = ("_order",)

    def __init__(
        self,
        order: tuple[float, int],
        callback: Callable[..., object],
        args: Sequence[Any],
        loop: VirtualLoop,
        context: Context | None,
    ) -> None:
        super().__init__(order[0], callback, args, loop, context)
        self._order = order
        self._scheduled = True  # by which the loop counts cancelled timers and clears them out

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        return isinstance(other, _OrderedTimer) and self._order < other._order


class _VirtualSelector:
    """What the loop asks to sleep."""

    __slots__ = ("_loop",)

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        self._loop.advance(timeout)
        return []


def run(main: Coroutine[Any, Any, T], *, until: float | None = None, epoch: float = 0.0) -> T:
    """Run a program in virtual time and return its result, as `asyncio.run` does in real time.

    The clock starts at `epoch` seconds; `until`, on the same clock, bounds it. Tasks that the program leaves behind are
    cancelled in order of creation. Raises DeadlockError, TimeLimitError, LivelockError, or what the program raises.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(epoch=epoch, until=until)) as runner:
        return runner.run(_ending_in_order(main))


async def _ending_in_order(main: Coroutine[Any, Any, T]) -> T:
    try:
        return await main
    finally:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)  # noqa: S101 -- made by `run`, the only caller
        this = asyncio.current_task()
        left = [task for task in loop.pending_tasks() if task is not this]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _where(task: asyncio.Task[Any]) -> str:
    """The functions a suspended task stands in, innermost first."""
    places = []
    awaited: Any = task.get_coro()
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        name = PurePath(frame.f_code.co_filename).name
        places.append(f"{frame.f_code.co_qualname} ({name}:{frame.f_lineno})")
        awaited = awaited.cr_await
    return " < ".join(reversed(places)) or "a place without a frame"
