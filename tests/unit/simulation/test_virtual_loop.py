"""Virtual time: waiting costs nothing, and a program that cannot go on is named."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from p2p.simulation import DeadlockError, LivelockError, PatienceError, SimulationError, TimeLimitError, run


def now():
    return asyncio.get_running_loop().time()


def test_waiting_advances_the_clock_and_nothing_else():
    async def main():
        assert now() == 0.0
        await asyncio.sleep(48 * 3_600)
        return now()

    assert run(main()) == 48 * 3_600


@pytest.mark.parametrize("epoch", [0.0, 0.1, 1e6, 1.7e9])
def test_the_clock_starts_at_the_epoch_and_keeps_its_precision(epoch):
    async def main():
        woken = []
        for delay in (0.3, 0.1, 0.2):
            asyncio.get_running_loop().call_later(delay, lambda delay=delay: woken.append((delay, now())))
        await asyncio.sleep(1)
        return woken

    woken = run(main(), epoch=epoch)
    assert [delay for delay, _ in woken] == [0.1, 0.2, 0.3]
    assert [when for _, when in woken] == pytest.approx([epoch + 0.1, epoch + 0.2, epoch + 0.3], abs=1e-6)


def test_timers_for_one_time_fire_in_the_order_they_were_set():
    async def main():
        fired = []
        loop = asyncio.get_running_loop()
        timers = [loop.call_at(5.0, fired.append, number) for number in range(400)]
        for timer in timers[::2]:
            timer.cancel()
        await asyncio.sleep(6)
        return fired

    assert run(main()) == list(range(1, 400, 2))


def test_timeouts_are_virtual():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await asyncio.sleep(601)
        return now()

    assert run(main()) == 600


def test_a_deadlock_names_the_tasks_and_where_they_wait():
    async def starve(event):
        await event.wait()

    async def main():
        event = asyncio.Event()
        await asyncio.gather(
            asyncio.create_task(starve(event), name="first"), asyncio.create_task(starve(event), name="second")
        )

    with pytest.raises(DeadlockError) as caught:
        run(main())
    text = str(caught.value)
    assert "nothing can wake up at 0.000000 s" in text
    assert text.index("first in Event.wait") < text.index("second in Event.wait")
    assert "starve (test_virtual_loop.py:" in text
    assert ", for first, second" in text


def test_a_deadlock_names_the_task_that_a_task_waits_for():
    async def main():
        never = asyncio.get_running_loop().create_future()

        async def sleeper():
            await never

        await asyncio.create_task(sleeper(), name="sleeper")

    with pytest.raises(
        DeadlockError, match=r"Task-\d+ in .*main \(test_virtual_loop.py:\d+\).*, for sleeper; sleeper in"
    ):
        run(main())


def test_real_time_is_bounded():
    async def main():
        while True:
            await asyncio.sleep(1)

    with pytest.raises(PatienceError, match=r"still running after 0\.05 s of real time, at \d+.*main"):
        run(main(), patience=0.05)


def test_jobs_take_what_they_cost_on_the_clock():
    async def main():
        loop = asyncio.get_running_loop()
        assert await asyncio.gather(loop.run_in_executor(None, int, "7"), loop.run_in_executor(None, len, "four")) == [
            7,
            4,
        ]
        assert now() == 3.0
        with pytest.raises(ValueError, match="invalid literal"):
            await loop.run_in_executor(None, int, "x")
        assert now() == 5.0
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.run_in_executor(None, len, ""), 1)
        await asyncio.sleep(10)

    run(main(), job_cost={int: 2.0, len: 3.0}.__getitem__)


def test_a_timer_set_for_now_comes_after_what_is_ready():
    """As on a real loop: a program that goes on in steps of no time leaves turns to the others."""

    async def main():
        loop = asyncio.get_running_loop()
        seen = []

        def step(left):
            seen.append("step")
            if left:
                loop.call_at(now(), step, left - 1)
                loop.call_soon(seen.append, "other")

        loop.call_at(1.0, step, 3)
        await asyncio.sleep(2)
        return seen

    assert run(main()) == ["step", "other", "step", "other", "step", "other", "step"]


def test_virtual_time_is_bounded():
    async def main():
        while True:
            await asyncio.sleep(1)

    with pytest.raises(TimeLimitError, match=r"still running at 10\.0"):
        run(main(), until=10.0)


def test_a_program_that_never_waits_is_stopped():
    async def main():
        while True:
            await asyncio.sleep(0)

    with pytest.raises(LivelockError, match="main"):
        run(main())


def test_a_program_that_polls_sees_time_pass():
    async def main():
        done = []
        asyncio.get_running_loop().call_later(0.05, done.append, 1)
        while not done:
            await asyncio.sleep(0)
        return now()

    assert run(main()) == pytest.approx(0.05, abs=1e-4)


def test_what_happens_at_once_takes_no_time():
    async def main():
        for _ in range(500):
            await asyncio.sleep(0)
        return now()

    assert run(main()) == 0.0


def test_executor_jobs_run_in_place():
    async def main():
        assert await asyncio.to_thread(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await asyncio.get_running_loop().run_in_executor(None, lambda: 1 // 0)

    run(main())


def test_what_escapes_a_callback_ends_the_run():
    async def main():
        asyncio.get_running_loop().call_later(1, lambda: 1 // 0)
        await asyncio.sleep(10)

    with pytest.raises(ZeroDivisionError):
        run(main())


def test_no_socket_and_no_name_is_real():
    async def main():
        loop = asyncio.get_running_loop()
        for attempt in (
            asyncio.open_connection("127.0.0.1", 1),
            asyncio.start_server(lambda *_: None, "127.0.0.1", 0),
            loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)),
            loop.getaddrinfo("localhost", 1),
            loop.getnameinfo(("127.0.0.1", 1)),
        ):
            with pytest.raises(SimulationError):
                await attempt
        with socket.socket() as sock, pytest.raises(NotImplementedError):
            loop.add_reader(sock.fileno(), lambda: None)

    run(main())


def test_tasks_left_behind_are_cancelled_in_order_of_creation():
    ended = []

    async def stay(number):
        try:
            await asyncio.sleep(1_000)
        finally:
            await asyncio.sleep(1)
            ended.append(number)

    async def main():
        tasks = [asyncio.create_task(stay(number)) for number in range(50)]
        await asyncio.sleep(1)
        return len(tasks)

    assert run(main()) == 50
    assert ended == list(range(50))


def test_the_programs_own_error_comes_out():
    async def main():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(main())
