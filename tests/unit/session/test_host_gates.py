"""Many torrents and few tracker hosts: no storm, nobody starved, and hosts that do not answer are left alone."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from p2p.errors import TrackerError
from p2p.session.host_gates import AT_ONCE, BURST, PACE, PAUSE, PER_HOST, Haste, HostGates
from p2p.simulation.virtual_loop import run

SILENCE = 30.0
"""Seconds after which a caller gives a host up."""


class Hosts:
    """Tracker hosts that answer after a second, or never, and callers of them; use inside `run`."""

    def __init__(self, gates: HostGates, *dead: str) -> None:
        self.gates = gates
        self.dead = set(dead)
        self.began: list[tuple[float, str]] = []
        self.at_once: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()

    async def ask(self, host: str, haste: Haste = Haste.ROUTINE) -> str:
        loop = asyncio.get_running_loop()
        try:
            async with self.gates.turn(host, haste):
                self.began.append((loop.time(), host))
                self._count(host, 1)
                try:
                    await asyncio.sleep(SILENCE if host in self.dead else 1.0)
                finally:
                    self._count(host, -1)
                self._judge(host)
        except TrackerError as error:
            return str(error)
        return "answered"

    def _judge(self, host: str) -> None:
        if host in self.dead:
            raise TrackerError("silence")

    def _count(self, host: str, change: int) -> None:
        for key in (host, "all"):
            self.at_once[key] += change
            self.most_at_once[key] = max(self.most_at_once[key], self.at_once[key])

    def ask_all(self, hosts: list[str], haste: Haste = Haste.ROUTINE) -> asyncio.Future[list[str]]:
        return asyncio.gather(*(self.ask(host, haste) for host in hosts))


def test_a_host_is_asked_a_few_at_a_time_and_in_order():
    async def main():
        gates = HostGates(per_host=2)
        order: list[int] = []

        async def ask(number: int) -> None:
            async with gates.turn("a"):
                order.append(number)
                await asyncio.sleep(1.0)

        await asyncio.gather(*(ask(number) for number in range(7)))
        assert order == list(range(7))
        assert asyncio.get_running_loop().time() == pytest.approx(4.0)  # one until it has answered, then two
        assert gates._gates == {}

    run(main())


def test_turns_survive_cancelled_waiters():
    async def main():
        gates = HostGates(per_host=1)

        async def hold(seconds: float) -> None:
            async with gates.turn("a"):
                await asyncio.sleep(seconds)

        first = asyncio.ensure_future(hold(1.0))
        await asyncio.sleep(0)
        waiting = [asyncio.ensure_future(hold(1.0)) for _ in range(3)]
        await asyncio.sleep(0.5)
        waiting[0].cancel()
        await first
        waiting[1].cancel()  # its turn is about to come
        await asyncio.gather(*waiting, return_exceptions=True)
        assert [task.cancelled() for task in waiting] == [True, True, False]
        assert gates._gates == {}

    run(main())


def test_a_host_that_keeps_its_callers_waiting_is_left_alone_for_a_while():
    async def main():
        loop = asyncio.get_running_loop()
        gates = HostGates(per_host=2)
        hosts = Hosts(gates, "dead")
        answers = await hosts.ask_all(["dead"] * 100 + ["alive"])
        assert loop.time() == pytest.approx(60.0)  # and not 100 / 2 * 30
        assert answers.count("silence") == 2
        assert answers.count("dead has not been answering") == 98
        assert answers[-1] == "answered"
        assert await hosts.ask("dead") == "dead has not been answering"
        hosts.dead.clear()
        await asyncio.sleep(PAUSE * 2)
        assert await hosts.ask("dead") == "answered"
        assert gates._gates == {}

    run(main())


def test_quick_refusals_close_no_gate():
    async def main():
        gates = HostGates()
        for _ in range(20):
            with pytest.raises(TrackerError, match="404"):
                async with gates.turn("a"):
                    raise TrackerError("404")
        assert gates._gates == {}

    run(main())


def test_the_start_of_thousands_is_no_storm():
    async def main():
        gates = HostGates()
        hosts = Hosts(gates)
        answers = await hosts.ask_all([f"host{number % 20}" for number in range(4_000)])
        assert answers == ["answered"] * 4_000
        assert hosts.most_at_once["all"] <= AT_ONCE
        assert max(most for host, most in hosts.most_at_once.items() if host != "all") <= PER_HOST
        begun = Counter(int(at) for at, _ in hosts.began)
        assert max(begun.values()) <= BURST + PACE + 1
        assert asyncio.get_running_loop().time() == pytest.approx((4_000 - BURST) / PACE, abs=5.0)
        assert gates._gates == {}

    run(main())


def test_hosts_take_turns_whatever_number_of_torrents_each_has():
    async def main():
        hosts = Hosts(HostGates())
        crowd = hosts.ask_all(["crowded"] * 500)
        few = hosts.ask_all(["small"] * 5)
        await few
        assert asyncio.get_running_loop().time() < 5.0
        await crowd

    run(main())


def test_who_wants_peers_goes_before_thousands_who_seed():
    async def main():
        loop = asyncio.get_running_loop()
        hosts = Hosts(HostGates())
        seeds = hosts.ask_all([f"host{number % 20}" for number in range(2_000)])
        await asyncio.sleep(10.0)
        asked_at = loop.time()
        assert await hosts.ask("host7", Haste.WANTING) == "answered"
        assert (
            loop.time() - asked_at < 3.0
        )  # its host is busy with one announce, the torrent's own takes another second
        seeds.cancel()
        with pytest.raises(asyncio.CancelledError):
            await seeds

    run(main())


def test_farewells_keep_no_pace():
    async def main():
        hosts = Hosts(HostGates())
        await hosts.ask_all([f"host{number % 20}" for number in range(200)])
        began = asyncio.get_running_loop().time()
        await hosts.ask_all([f"host{number % 20}" for number in range(200)], Haste.FAREWELL)
        assert asyncio.get_running_loop().time() - began <= 5.0

    run(main())


def test_a_hundred_dead_hosts_starve_nobody():
    async def main():
        loop = asyncio.get_running_loop()
        dead = [f"dead{number}" for number in range(100)]
        hosts = Hosts(HostGates(), *dead)
        crowd = hosts.ask_all(dead * 20)
        alive = hosts.ask_all(["alive"] * 100)
        assert await alive == ["answered"] * 100
        assert loop.time() < 75.0  # 50 s at the pace of 2,100 announces, were all of them quick
        assert set(await crowd) == {"silence", *(f"{host} has not been answering" for host in dead)}
        assert Counter(host for _, host in hosts.began)["dead0"] == 2
        assert loop.time() < 180.0

    run(main())
