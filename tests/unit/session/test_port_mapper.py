"""A session has its port opened by whatever router there is, keeps it open, and closes it when it ends."""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from p2p.codec import igd
from p2p.codec.port_control import Transport
from p2p.net import nat
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.gateway import Gateway
from p2p.session.port_mapper import LIFETIME, OTHER_PORTS, RETRY
from p2p.session.session import Session
from p2p.session.settings import Settings
from p2p.simulation import SimInternet, run
from p2p.simulation.world import sim_environment

sys.path.insert(0, str(Path(__file__).parent))

from fake_router import OUTER, FakeRouter

ROUTER, HOME, PORT = "10.0.0.1", "10.0.0.2", 6881
SETTINGS = Settings(
    port=PORT,
    bind=("0.0.0.0",),
    dht=False,
    local_discovery=False,
    port_mapping=True,
    gateway=Gateway(ROUTER, HOME),
)


def play(scenario, **router):
    """Run `scenario(session, router, home)` in virtual time on a network with a router that behaves so."""

    async def main():
        internet = SimInternet(random.Random(1))
        home = internet.host(HOME)
        async with FakeRouter(internet.host(ROUTER).network, ROUTER, **router) as fake:
            environment = sim_environment(home, random.Random(2), lambda _: None)
            async with Session(SETTINGS, environment=environment) as session:
                await scenario(session, fake)
        return fake

    return run(main(), until=100_000.0)


async def until(condition):
    """Look every tenth of a virtual second, half a minute long."""
    for _ in range(300):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come true")


def mapped(session):
    return session.network.facts.mapping.outer_port


@pytest.mark.parametrize("way", ["PCP", "NAT-PMP", "UPnP"])
def test_the_port_is_opened_renewed_and_closed(way):
    async def scenario(session, router):
        await until(lambda: mapped(session))
        facts = session.network.facts
        assert (facts.mapping.way, facts.mapping.router, facts.mapping.outer_host) == (way, ROUTER, OUTER)
        assert facts.announced_port == facts.port == PORT
        await until(lambda: len(router.open) == 2)
        assert router.open == {(Transport.TCP, PORT): PORT, (Transport.UDP, PORT): PORT}
        asked = len(router.asked)
        await asyncio.sleep(LIFETIME / 2 - 10)
        assert len(router.asked) == asked
        await asyncio.sleep(20)
        assert len(router.asked) == asked + 2

    assert play(scenario, ways=(way,)).open == {}


def test_what_the_router_opens_is_what_others_are_told():
    async def scenario(session, router):
        await until(lambda: mapped(session))
        assert session.network.facts.announced_port == 40_000
        assert session.port == PORT
        router.refusal = 2
        await asyncio.sleep(LIFETIME)
        assert session.network.facts.announced_port == PORT
        assert session.network.facts.mapping.problem == (
            "the router refuses by PCP: it does not allow it; 10.0.0.1 does not answer; the router does not speak UPnP"
        )
        router.refusal = 0
        await asyncio.sleep(2 * LIFETIME)
        assert session.network.facts.announced_port == 40_000

    play(scenario, outer_ports={(Transport.TCP, PORT): 40_000})


def test_another_port_of_ours_is_opened_and_the_old_one_closed():
    async def scenario(session, router):
        await until(lambda: len(router.open) == 2)
        await session.network.set_port(7000)
        await until(lambda: mapped(session) == 7000)
        assert router.open == {(Transport.TCP, 7000): 7000, (Transport.UDP, 7000): 7000}

    assert play(scenario, ways=("UPnP",)).open == {}


def test_mapping_is_turned_off_and_on():
    async def scenario(session, router):
        await until(lambda: mapped(session))
        await session.network.set_port_mapping(wanted=False)
        assert router.open == {}
        assert session.network.facts.mapping is None
        assert session.network.facts.announced_port == PORT
        await session.network.set_port_mapping(wanted=True)
        await until(lambda: mapped(session) == 40_000)

    play(scenario, outer_ports={(Transport.TCP, PORT): 40_000})


def test_lost_datagrams_are_sent_again_and_a_silent_router_is_asked_later():
    async def scenario(session, router):
        await until(lambda: mapped(session))
        assert not router.lost

    play(scenario, lost=3)

    async def silent(session, router):
        await until(lambda: session.network.facts.mapping.problem)
        router.ways = ("NAT-PMP",)
        await asyncio.sleep(RETRY + 1)
        await until(lambda: mapped(session))

    play(silent, ways=())


@pytest.mark.parametrize(("lifetime", "renewals"), [(1, 60), (1 << 31, 1)], ids=["none", "for ever"])
def test_no_lifetime_makes_us_pester_or_forget_the_router(lifetime, renewals):
    async def scenario(session, router):
        await until(lambda: mapped(session))
        asked = len(router.asked)
        await asyncio.sleep(3_600)
        assert renewals - 2 <= (len(router.asked) - asked) // 2 <= renewals + 2

    play(scenario, ways=("NAT-PMP",), lifetime=lifetime)


def test_a_router_that_leases_for_ever_alone_is_asked_so():
    async def scenario(session, router):
        await until(lambda: len(router.open) == 2)
        assert router.asked[:2] == [("UPnP", "TCP", PORT, PORT, LIFETIME), ("UPnP", "TCP", PORT, PORT, 0)]

    assert play(scenario, ways=("UPnP",), fault=igd.PERMANENT_ONLY).open == {}


def test_a_port_that_is_anothers_is_left_for_one_by_chance():
    async def scenario(session, router):
        await until(lambda: mapped(session))
        assert mapped(session) != PORT
        assert session.network.facts.announced_port == mapped(session)

    play(scenario, ways=("UPnP",), fault=igd.CONFLICT, fault_once=True)

    async def in_vain(session, router):
        await until(lambda: session.network.facts.mapping.problem)
        assert session.network.facts.mapping.problem == "the ports of the router that were tried are others'"
        assert len(router.asked) == OTHER_PORTS

    play(in_vain, ways=("UPnP",), fault=igd.CONFLICT)


@pytest.mark.parametrize(
    ("router", "problem"),
    [
        ({"location": "http://10.0.0.9/x"}, "does not speak UPnP"),
        ({"location": "https://10.0.0.1/x"}, "does not speak UPnP"),
        ({"location": "file:///etc/passwd"}, "does not speak UPnP"),
        ({"control": "http://10.0.0.9/control"}, "another host than the router's"),
        ({"base": "<URLBase>http://10.0.0.9/</URLBase>"}, "another host than the router's"),
        ({"service": "urn:schemas-upnp-org:service:Other:1"}, "the router maps no ports"),
        ({"document": b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>'}, "a document type"),
        ({"document": b'<!DOCTYPE r SYSTEM "http://10.0.0.9/x"><r/>'}, "a document type"),
        ({"document": b"<r>" * 40}, "too deep"),
        ({"document": b"<r>" + b" " * igd.MAX_XML + b"</r>"}, "larger than"),
        ({"document": b"\xff\xfe\x00"}, "no XML"),
        ({"fault": 606}, "606 No & never"),
    ],
    ids=["host", "https", "file", "control", "base", "service", "entity", "external", "deep", "long", "junk", "fault"],
)
def test_hostile_routers_get_nothing(router, problem):
    async def scenario(session, router):
        await until(lambda: session.network.facts.mapping.problem)
        assert problem in session.network.facts.mapping.problem

    play(scenario, ways=("UPnP",), **router)


@asynccontextmanager
async def on_loopback(**router):
    host = "127.0.0.86"
    settings = replace(SETTINGS, port=0, bind=("127.0.0.1",), gateway=Gateway(host, "127.0.0.1"))
    async with FakeRouter(AsyncioNetwork(), host, **router) as fake, Session(settings) as session:
        yield session, fake
    assert fake.open == {}


@pytest.mark.parametrize("way", ["PCP", "UPnP"])
async def test_real_sockets_ask_a_router_on_loopback(way, monkeypatch):
    monkeypatch.setattr(nat, "TRIES", 1)
    async with on_loopback(ways=(way,)) as (session, router), asyncio.timeout(30):
        while len(router.open) < 2:
            await asyncio.sleep(0.02)
        assert router.open == {(Transport.TCP, session.port): session.port, (Transport.UDP, session.port): session.port}
        while session.network.facts.mapping.outer_port is None:
            await asyncio.sleep(0.02)
        assert session.network.facts.mapping.way == way


async def test_a_session_on_loopback_asks_no_router_of_the_machine():
    settings = replace(SETTINGS, port=0, bind=("127.0.0.1",), gateway=None)
    async with Session(settings) as session:
        assert session.network.facts.mapping is None
