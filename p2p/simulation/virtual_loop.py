"""An asyncio loop in virtual time: waiting is advancing the clock, so an hour of timers takes as long as its work.

The rule: a run depends on nothing but the program and its seeds. There are no threads (jobs for an executor run in
place), no sockets, no signals and no wall clock; timers fire in order of time and then of setting. When nothing is
ready and no timer is set the program can never go on, and the loop says so, naming every task and where it waits.
"""

# ruff: noqa: SLF001 -- a loop runs handles, and those of asyncio show their state to their loop alone

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import Callable
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from itertools import count
from pathlib import PurePath
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, TypeVarTuple, Unpack

from p2p.simulation.errors import DeadlockError, LivelockError, PatienceError, SimulationError, TimeLimitError

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Coroutine, Iterator
    from concurrent.futures import Executor
    from contextvars import Context

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
JobCost = Callable[[Callable[..., Any]], float]
"""The seconds that a job takes, given its function."""

_Entry = tuple[float, int, "Callable[..., None] | None", Any]

FREE_TURNS: Final = 1_000
"""Loop turns in one instant that cost no time. What a swarm does at once stays at once; a program that polls must see
time pass, as it would on a real machine."""

TURN_COST: Final = 1e-5
"""Seconds that each further turn takes."""

BUSY_TURNS: Final = 1_000_000
"""Loop turns without a single wait before the run counts as stuck: ten seconds of nothing but polling."""

TEARDOWN: Final = 3_600.0
"""Seconds past the bound for cancelled tasks to say their goodbyes in, once the bound has been reported."""

PATIENCE_TURNS: Final = 1_024
"""Loop turns between two looks at the real clock."""

COLLECT_AFTER: Final = 100_000
"""Objects more than before, after which cycles are looked for."""

OLD_AFTER: Final = 50
"""How many times cycles are looked for among newer objects before all are looked at, which are tens of millions."""

MANY_CANCELLED: Final = 100
"""Cancelled timers that may lie in the heap in any case; beyond, no more than there are others."""

NAMED_TASKS: Final = 20
"""Tasks that an error names before it only counts the rest, so that its text can still be read."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose clock starts at `epoch` seconds and moves only when every task waits.

    `until` bounds the clock: a run that would pass it raises TimeLimitError; `patience` bounds the seconds that the run
    may take in the real world, and raises PatienceError. A deadlock raises DeadlockError, a program that never waits
    LivelockError. What escapes a callback ends the run. `job_cost` gives the seconds on the clock that a job for an
    executor takes; by default they take none.
    """

    _ready: deque[asyncio.Handle]
    _stopping: bool

    def __init__(
        self,
        *,
        epoch: float = 0.0,
        until: float | None = None,
        patience: float | None = None,
        job_cost: JobCost | None = None,
    ) -> None:
        super().__init__()
        self.now = epoch
        """What the clock says. To be read; only the loop moves it."""
        self.actions = 0
        """Planned actions that were done so far."""
        self._until = math.inf if until is None else until
        self._patience = patience
        self._patient_until = math.inf if patience is None else perf_counter() + patience
        self._job_cost = job_cost
        self._busy_turns = 0
        self._turns = 0
        self._sequence = count()
        self._agenda: list[_Entry] = []
        """A heap of actions (with their arguments) and timers (None and the handle), in order of time and of setting:
        asyncio's own keeps no order between equal times."""
        self._cancelled_timers = 0
        # Dicts keep the order of creation, which the loop's own weak set of tasks does not.
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._failure: BaseException | None = None
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._on_failure)

    def time(self) -> float:
        return self.now

    def pending_tasks(self) -> list[asyncio.Task[Any]]:
        """Tasks that have not ended, in order of creation."""
        return list(self._tasks)

    def pending_timers(self) -> list[asyncio.TimerHandle]:
        """Timers that are set, in order of their firing."""
        return [rest for _, _, action, rest in sorted(self._agenda) if action is None and not rest.cancelled()]

    def last_action_time(self) -> float | None:
        """When the last of the planned actions is due; None if none is planned."""
        return max((when for when, _, action, _ in self._agenda if action is not None), default=None)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        timer.pending = True
        heappush(self._agenda, (when, next(self._sequence), None, timer))
        return timer

    def plan(self, when: float, action: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """Do `action(*arguments)` at `when`, in one order with the timers: a timer that cannot be cancelled and is
        cheap, of which a simulated network needs millions."""
        heappush(self._agenda, (when, next(self._sequence), action, arguments))

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002 -- the loop's signature
        func: Callable[[Unpack[Arguments]], T],
        *args: *Arguments,
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        cost = 0.0 if self._job_cost is None else self._job_cost(func)
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 -- it belongs to whoever awaits the job
            self._settle(cost, future, future.set_exception, error)
        else:
            self._settle(cost, future, future.set_result, result)
        return future

    def _settle(self, cost: float, future: asyncio.Future[T], settle: Callable[[Any], None], outcome: object) -> None:
        def settle_if_awaited() -> None:
            if not future.done():
                settle(outcome)

        if cost > 0.0:
            self.plan(self.now + cost, settle_if_awaited, ())
        else:
            settle(outcome)

    def _run_once(self) -> None:
        """All turns until the loop is stopped: what is ready, then what is due, and where nothing is, time passes."""
        ready = self._ready
        while True:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            self._turns += 1
            if not self._turns % PATIENCE_TURNS and perf_counter() > self._patient_until:
                self._patient_until = math.inf
                raise PatienceError(
                    f"still running after {self._patience:g} s of real time, at {self.now:.6f} s: "
                    + self._describe_tasks()
                )
            if ready:
                self._count_turn()
                for _ in range(len(ready)):
                    handle = ready.popleft()
                    if not handle._cancelled:
                        handle._run()
                if self._stopping:
                    return
            if not ready and not self._failure:
                self._pass_time()
            self._do_what_is_due()
            if self._stopping:
                return

    def _do_what_is_due(self) -> None:
        agenda = self._agenda
        now = self.now
        last = next(self._sequence)  # what is set meanwhile, for now or a time gone by, waits for the next turn
        while agenda and agenda[0][0] <= now and agenda[0][1] < last:
            _, _, action, rest = heappop(agenda)
            if action is None:
                rest.pending = False
                if rest._cancelled:
                    self._cancelled_timers -= 1
                else:
                    rest._run()
                continue
            self.actions += 1
            try:
                action(*rest)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 -- it ends the run, as what escapes a callback does
                self.call_exception_handler({"message": f"a planned action failed: {action}", "exception": error})

    def _pass_time(self) -> None:
        """Nothing is ready: pass the time until something is due."""
        agenda = self._agenda
        while agenda and agenda[0][2] is None and agenda[0][3]._cancelled:
            heappop(agenda)[3].pending = False
            self._cancelled_timers -= 1
        if not agenda:
            raise DeadlockError(f"nothing can wake up at {self.now:.6f} s: {self._describe_tasks()}")
        when = agenda[0][0]
        if when > self.now:
            self._busy_turns = 0
            self._pass_until(when)
        else:
            self._count_turn()

    def _count_turn(self) -> None:
        """One turn more in this instant. A program that polls is let see time pass, and not for ever."""
        self._busy_turns += 1
        if self._busy_turns <= FREE_TURNS:
            return
        if self._busy_turns > BUSY_TURNS:
            self._busy_turns = 0
            raise LivelockError(f"never waits, at {self.now:.6f} s: {self._describe_tasks()}")
        when = self.now + TURN_COST
        if self._agenda:
            when = max(min(when, self._agenda[0][0]), self.now)
        self._pass_until(when)

    def _pass_until(self, when: float) -> None:
        if when > self._until:
            bound, self._until = self._until, self._until + TEARDOWN
            raise TimeLimitError(f"still running at {bound:.6f} s: {self._describe_tasks()}")
        self.now = when

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Called by a timer that is cancelled. Where most in the heap are, they go at once."""
        if not isinstance(handle, _Timer) or not handle.pending:
            return
        self._cancelled_timers += 1
        agenda = self._agenda
        if self._cancelled_timers > MANY_CANCELLED and self._cancelled_timers > len(agenda) // 2:
            handle._cancelled = True
            agenda[:] = [entry for entry in agenda if entry[2] is not None or not entry[3]._cancelled]
            heapify(agenda)
            self._cancelled_timers = 0

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


class _Timer(asyncio.TimerHandle):
    """A timer; `pending` while it lies in the heap."""

    __slots__ = ("pending",)

    pending: bool


def run(
    main: Coroutine[Any, Any, T],
    *,
    until: float | None = None,
    epoch: float = 0.0,
    patience: float | None = None,
    job_cost: JobCost | None = None,
) -> T:
    """Run a program in virtual time and return its result, as `asyncio.run` does in real time.

    The clock starts at `epoch` seconds; `until`, on the same clock, bounds it, and `patience` the seconds of real time.
    See `VirtualLoop` for `job_cost`. Tasks that the program leaves behind are cancelled in order of creation. Raises
    DeadlockError, TimeLimitError, PatienceError, LivelockError, or what the program raises.
    """

    def make() -> VirtualLoop:
        return VirtualLoop(epoch=epoch, until=until, patience=patience, job_cost=job_cost)

    with _rare_collections(), asyncio.Runner(loop_factory=make) as runner:
        return runner.run(_ending_in_order(main))


@contextmanager
def _rare_collections() -> Iterator[None]:
    """A world is many objects that live and few cycles that die: to look for them as often as usual is a sixth of a
    run's time."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, before[1], OLD_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


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
    where = " < ".join(reversed(places)) or "a place without a frame"
    return where + _what_for(task)


def _what_for(task: asyncio.Task[Any]) -> str:
    """The tasks that a suspended task waits for, directly or in a group."""
    waiter = getattr(task, "_fut_waiter", None)
    children = [waiter, *getattr(waiter, "_children", ())]
    names = [child.get_name() for child in children if isinstance(child, asyncio.Task)]
    more = f" and {len(names) - NAMED_TASKS} more" if len(names) > NAMED_TASKS else ""
    return f", for {', '.join(names[:NAMED_TASKS])}{more}" if names else ""
