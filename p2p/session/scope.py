"""Where tasks live: a scope holds them in order of creation and ends only when every one of them has.

`asyncio.TaskGroup` keeps a set, so the order in which it cancels follows memory addresses; here order is creation,
because order can reach the wire. Rules: a child that fails cancels its siblings and the scope's own body, and the first
failure is raised from the scope; leaving the body cancels what still runs; nothing outlives the scope.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType


class Scope:
    """An async context manager that owns tasks."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._parent: asyncio.Task[Any] | None = None
        self._failure: BaseException | None = None
        self._closing = False
        self._cancelled_parent = False

    async def __aenter__(self) -> Scope:
        self._parent = asyncio.current_task()
        return self

    def start(self, coroutine: Coroutine[Any, Any, object], *, name: str) -> asyncio.Task[Any]:
        """Run `coroutine` in this scope. In a scope that is closing it never runs, and is closed at once."""
        if self._closing:
            coroutine.close()
            raise RuntimeError(f"the scope is closing; {name} cannot start in it")
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._on_done)
        return task

    @property
    def closing(self) -> bool:
        return self._closing

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is None or self._failure is not None:
            return
        self._failure = error
        self._cancel_children()
        if not self._closing and self._parent is not None and not self._parent.done():
            self._cancelled_parent = True
            self._parent.cancel()

    def _cancel_children(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._closing = True
        self._cancel_children()
        interrupted: asyncio.CancelledError | None = None
        while self._tasks:
            try:
                await asyncio.wait(list(self._tasks))
            except asyncio.CancelledError as cancelled:
                # Somebody cancels us while the children finish: they are cancelled already, and a second cancel would
                # cut their farewells short, so wait on, then obey.
                interrupted = cancelled
        if self._cancelled_parent and self._parent is not None:
            self._cancelled_parent = False
            outside = self._parent.uncancel() > 0
            if isinstance(error, asyncio.CancelledError) and outside:
                return False
        if self._failure is not None and (error is None or isinstance(error, asyncio.CancelledError)):
            raise self._failure
        if interrupted is not None:
            raise interrupted
        return False
