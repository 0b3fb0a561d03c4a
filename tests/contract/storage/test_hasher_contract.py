"""What every form of the hasher promises."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from p2p.disk.inline_hasher import InlineHasher
from p2p.disk.thread_hasher import ThreadHasher
from p2p.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from p2p.disk.hasher import Hasher


@pytest.fixture(params=["threads", "inline"])
async def hasher(request: pytest.FixtureRequest) -> AsyncIterator[Hasher]:
    made: Hasher = ThreadHasher(2) if request.param == "threads" else InlineHasher()
    yield made
    await made.close()


async def test_a_job_gives_its_result_or_its_exception(hasher: Hasher) -> None:
    def fail() -> None:
        raise StorageError("as asked")

    assert await hasher.run(lambda: 7) == 7
    with pytest.raises(StorageError, match="as asked"):
        await hasher.run(fail)


async def test_nothing_runs_after_close_and_close_may_be_called_again(hasher: Hasher) -> None:
    await hasher.close()
    await hasher.close()
    with pytest.raises(StorageError):
        await hasher.run(lambda: 7)


async def test_jobs_start_in_the_order_they_were_asked_for() -> None:
    hasher = ThreadHasher(1)
    seen: list[int] = []
    await asyncio.gather(*(hasher.run(lambda n=n: seen.append(n)) for n in range(50)))
    assert seen == list(range(50))
    await hasher.close()


async def test_a_cancelled_wait_ends_only_when_its_job_has() -> None:
    hasher = ThreadHasher(1)
    begun, go = threading.Event(), threading.Event()
    ended = False

    def job() -> None:
        nonlocal ended
        begun.set()
        go.wait()
        ended = True

    running = asyncio.create_task(hasher.run(job))
    withdrawn = asyncio.create_task(hasher.run(lambda: pytest.fail("it was withdrawn")))
    while not begun.is_set():
        await asyncio.sleep(0)
    running.cancel()
    withdrawn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await withdrawn
    running.cancel()
    await asyncio.sleep(0)
    assert not running.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended
    await hasher.close()


async def test_close_waits_for_what_was_asked() -> None:
    hasher = ThreadHasher(1)
    go = threading.Event()
    tasks = [asyncio.create_task(hasher.run(go.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(hasher.close())
    await asyncio.sleep(0)
    assert not closing.done()
    go.set()
    await closing
    assert [task.result() for task in tasks] == [True] * 3
