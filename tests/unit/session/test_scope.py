"""The scope: nothing outlives it, failures end it, and cancels go in order of creation."""

from __future__ import annotations

import asyncio

import pytest

from p2p.session.scope import Scope


async def forever(log=None, name=None, *, farewell=0):
    try:
        await asyncio.sleep(3_600)
    except asyncio.CancelledError:
        for _ in range(farewell):
            await asyncio.sleep(0)
        if log is not None:
            log.append(name)
        raise


async def failing(error):
    await asyncio.sleep(0)
    raise error


async def test_leaving_cancels_in_order_of_creation_and_waits():
    log = []
    async with Scope() as scope:
        for name in range(20):
            scope.start(forever(log, name), name=str(name))
        slow = scope.start(forever(log, "slow", farewell=10), name="slow")
        await asyncio.sleep(0)
    assert log == [*range(20), "slow"]
    assert slow.cancelled()


async def test_what_ends_by_itself_leaves_the_scope():
    async with Scope() as scope:
        task = scope.start(asyncio.sleep(0, "result"), name="short")
        assert await task == "result"
    assert task.done()


async def test_a_failing_child_ends_its_siblings_and_the_body():
    log = []

    async def program():
        async with Scope() as scope:
            scope.start(forever(log, "sibling"), name="sibling")
            scope.start(failing(ZeroDivisionError()), name="bad")
            await asyncio.sleep(3_600)

    with pytest.raises(ZeroDivisionError):
        await program()
    assert log == ["sibling"]
    assert asyncio.current_task().cancelling() == 0


async def test_the_first_failure_is_the_one_that_is_raised():
    async def sore_loser():
        try:
            await asyncio.sleep(3_600)
        finally:
            raise KeyError("second")

    async def program():
        async with Scope() as scope:
            scope.start(sore_loser(), name="second")
            scope.start(failing(ZeroDivisionError()), name="first")
            await asyncio.sleep(3_600)

    with pytest.raises(ZeroDivisionError):
        await program()


async def test_a_failure_while_leaving_is_raised():
    async def bad_farewell():
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            raise ZeroDivisionError from None

    async def program():
        async with Scope() as scope:
            scope.start(bad_farewell(), name="bad")
            await asyncio.sleep(0)

    with pytest.raises(ZeroDivisionError):
        await program()


async def test_the_body_s_own_error_comes_before_its_children_s():
    async def program():
        async with Scope() as scope:
            scope.start(failing(ZeroDivisionError()), name="bad")
            raise KeyError("body")

    with pytest.raises(KeyError):
        await program()


async def test_a_cancel_from_outside_gets_through_after_the_children_ended():
    log = []

    async def program():
        async with Scope() as scope:
            scope.start(forever(log, "child", farewell=5), name="child")
            await asyncio.sleep(3_600)

    task = asyncio.create_task(program())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["child"]


async def test_a_cancel_while_leaving_still_waits_for_the_children():
    log = []

    async def program():
        async with Scope() as scope:
            scope.start(forever(log, "child", farewell=5), name="child")
            await asyncio.sleep(0)

    task = asyncio.create_task(program())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["child"]


async def test_a_timeout_around_a_scope_is_a_timeout():
    log = []

    async def program():
        async with asyncio.timeout(0.01), Scope() as scope:
            scope.start(forever(log, "child"), name="child")
            await asyncio.sleep(3_600)

    with pytest.raises(TimeoutError):
        await program()
    assert log == ["child"]


async def test_nothing_starts_in_a_scope_that_closes():
    async def latecomer():
        raise AssertionError("it ran")

    refused = []

    async def starts_another(scope):
        try:
            await asyncio.sleep(3_600)
        finally:
            coroutine = latecomer()
            try:
                scope.start(coroutine, name="late")
            except RuntimeError as error:
                refused.append(str(error))

    async with Scope() as scope:
        scope.start(starts_another(scope), name="starter")
        await asyncio.sleep(0)
    assert refused == ["the scope is closing; late cannot start in it"]


async def test_a_child_that_is_cancelled_alone_harms_nobody():
    async with Scope() as scope:
        other = scope.start(asyncio.sleep(0.01, "result"), name="other")
        scope.start(forever(), name="cancelled").cancel()
        assert await other == "result"
