"""Signals become facts, once, and cancel only what asked for it."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from p2p.cli import stop_signals
from p2p.cli.stop_signals import StoppedError, StopSignals
from p2p.cli.transfers import Outcome


async def test_the_first_signal_counts_and_calls_back_once():
    calls = []
    with StopSignals() as signals:
        signals.on_stop(lambda: calls.append(signals.received))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)
        assert signals.received is signal.SIGTERM
    assert calls == [signal.SIGTERM]


@pytest.mark.parametrize(("echo", "heard"), [(60.0, []), (0.0, [signal.SIGINT, signal.SIGTERM])])
async def test_a_further_signal_counts_once_it_can_be_no_echo_of_the_first(monkeypatch, echo, heard):
    monkeypatch.setattr(stop_signals, "ECHO", echo)
    again = []
    with StopSignals() as signals:
        signals.on_again(again.append)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)
    assert again == heard


async def test_a_callback_that_comes_late_is_called_at_once():
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        while signals.received is None:
            await asyncio.sleep(0)
        calls = []
        signals.on_stop(lambda: calls.append(1))
        assert calls == [1]


async def test_a_signal_interrupts_what_waits():
    with StopSignals() as signals:

        async def wait() -> None:
            async with signals.interrupting():
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.Event().wait()

        with pytest.raises(StoppedError):
            await wait()
        assert signals.received is signal.SIGINT
        await asyncio.sleep(0)  # and nothing after it


async def test_a_signal_before_the_block_interrupts_it_too():
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        while signals.received is None:
            await asyncio.sleep(0)
        with pytest.raises(StoppedError):
            async with signals.interrupting():
                pass
        await asyncio.sleep(0)


async def test_an_error_and_a_foreign_cancellation_pass_through():
    with StopSignals() as signals:
        with pytest.raises(ValueError, match="mine"):
            async with signals.interrupting():
                raise ValueError("mine")

        async def cancelled() -> None:
            async with signals.interrupting():
                await asyncio.Event().wait()

        task = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("failed", "complete", "stopped_by", "download", "seed"),
    [
        (False, True, None, 0, 0),
        (True, False, None, 1, 1),
        (True, False, signal.SIGINT, 1, 1),
        (False, False, signal.SIGINT, 130, 130),
        (False, True, signal.SIGINT, 130, 130),
        (False, False, signal.SIGTERM, 143, 0),
        (False, True, signal.SIGTERM, 0, 0),
    ],
)
def test_how_a_run_ended_decides_the_status(failed, complete, stopped_by, download, seed):
    outcome = Outcome(failed=failed, complete=complete, stopped_by=stopped_by)
    assert outcome.status(long_running=False) == download
    assert outcome.status(long_running=True) == seed
