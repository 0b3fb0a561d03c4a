from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest

from p2p.codec.announce import AnnounceEvent, AnnounceReply, AnnounceRequest, ScrapeEntry
from p2p.codec.udp_tracker import (
    ConnectRequest,
    ConnectResponse,
    ErrorResponse,
    Response,
    UdpAnnounceRequest,
    UdpAnnounceResponse,
    UdpScrapeRequest,
    UdpScrapeResponse,
    decode_request,
    encode_response,
)
from p2p.errors import TrackerError
from p2p.ids import Address, InfoHash, PeerId
from p2p.session.udp_trackers import GRACE, UdpTrackers
from p2p.simulation.sim_network import SimHost, SimInternet, SimNetwork
from p2p.simulation.virtual_loop import run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from p2p.net.network import Datagrams

V4, V6 = "10.0.0.9", "2001:db8::9"
PEER4, PEER6 = Address("10.1.1.1", 1), Address("2001:db8::1:1", 1)
HASH = InfoHash(b"h" * 20)


def request(event: AnnounceEvent = AnnounceEvent.STARTED) -> AnnounceRequest:
    return AnnounceRequest(
        info_hash=HASH, peer_id=PeerId(b"p" * 20), port=1, uploaded=0, downloaded=0, left=1, event=event
    )


class UdpTracker:
    """A tracker on a simulated host that answers everything with `answer`, or nothing."""

    def __init__(self, host: SimHost, *, answer: str = "peers") -> None:
        self.network = SimNetwork(host)
        self.answer = answer
        self.heard: list[tuple[str, float]] = []
        self.sockets: list[Datagrams] = []
        self.urls: list[bytes] = []

    async def listen(self, host: str) -> None:
        box: list[Datagrams] = []
        box.append(await self.network.open_datagrams(Address(host, 6969), lambda data, to: self.on(box[0], data, to)))
        self.sockets += box

    def on(self, socket: Datagrams, data: bytes, source: Address) -> None:
        asked = decode_request(data)
        now = asyncio.get_running_loop().time()
        self.heard.append((type(asked).__name__, now))
        response: Response
        match asked:
            case _ if self.answer == "silence":
                return
            case ConnectRequest(tid):
                response = ConnectResponse(tid, 7)
            case UdpAnnounceRequest(_, tid, announce, url_data):
                self.urls.append(url_data)
                peers = (PEER6 if source.is_ipv6 else PEER4,)
                reply = AnnounceReply(interval=60.0 + announce.port, seeders=3, leechers=4, peers=peers)
                response = UdpAnnounceResponse(tid, reply)
            case UdpScrapeRequest(_, tid, hashes):
                response = UdpScrapeResponse(tid, tuple(ScrapeEntry(1, 2, 3) for _ in hashes))
        if self.answer == "error" and not isinstance(asked, ConnectRequest):
            response = ErrorResponse(asked.transaction_id, "unregistered torrent")
        socket.send(encode_response(response), source)


class World:
    def __init__(self) -> None:
        self.internet = SimInternet(Random(0))
        self.client = self.internet.host(["10.0.0.1", "2001:db8::11"])
        self.udp = UdpTrackers(SimNetwork(self.client), rng=Random(1))
        self.internet.name("t.example", V4, V6)
        self.tracker = UdpTracker(self.internet.host([V4, V6]))


def in_world(scenario: Callable[[World], Coroutine[object, object, None]]) -> float:
    """Run the scenario; the virtual seconds it took."""

    async def main() -> float:
        world = World()
        await scenario(world)
        world.udp.close()
        for socket in world.tracker.sockets:
            socket.close()
        return asyncio.get_running_loop().time()

    return run(main(), until=10_000.0)


def test_both_families_are_asked_and_their_peers_joined() -> None:
    async def scenario(world: World) -> None:
        await world.tracker.listen(V4)
        await world.tracker.listen(V6)
        reply = await world.udp.announce("udp://t.example:6969/announce?key=1", request())
        assert reply.peers == (PEER4, PEER6)
        assert (reply.seeders, reply.leechers, reply.interval) == (3, 4, 61.0)
        assert world.tracker.urls == [b"/announce?key=1"] * 2

    assert in_world(scenario) < GRACE


def test_a_silent_family_costs_a_moment_once() -> None:
    async def scenario(world: World) -> None:
        await world.tracker.listen(V4)
        loop = asyncio.get_running_loop()
        for most in (GRACE + 1.0, 1.0):
            began = loop.time()
            reply = await world.udp.announce("udp://t.example:6969", request())
            assert reply.peers == (PEER4,)
            assert loop.time() - began < most
        assert world.tracker.urls == [b"", b""]

    in_world(scenario)


def test_many_announces_share_one_connect() -> None:
    async def scenario(world: World) -> None:
        await world.tracker.listen(V4)
        url = f"udp://{V4}:6969"
        await asyncio.gather(*(world.udp.announce(url, request()) for _ in range(20)))
        kinds = [kind for kind, _ in world.tracker.heard]
        assert kinds == ["ConnectRequest"] + ["UdpAnnounceRequest"] * 20

    in_world(scenario)


def test_a_dead_tracker_fails_in_bounded_time() -> None:
    async def scenario(world: World) -> None:
        world.tracker.answer = "silence"
        await world.tracker.listen(V4)
        with pytest.raises(TrackerError, match="did not answer"):
            await world.udp.announce(f"udp://{V4}:6969", request())
        assert [round(at) for _, at in world.tracker.heard] == [0, 15, 45]

    assert in_world(scenario) == pytest.approx(105.0, abs=0.5)


def test_a_refusal_is_told_at_once() -> None:
    async def scenario(world: World) -> None:
        world.tracker.answer = "error"
        await world.tracker.listen(V4)
        await world.tracker.listen(V6)
        with pytest.raises(TrackerError, match="unregistered torrent"):
            await world.udp.announce("udp://t.example:6969", request())

    assert in_world(scenario) < 1.0


@pytest.mark.parametrize(
    "url",
    [
        "udp://t.example",
        "udp://:6969",
        "udp://t.example:99999",
        "udp://t.example:0/x",
        "udp://[::1:6969",
        "udp://nowhere.example:1",
        "udp://t.example:6969/" + "x" * 3_000,
        "udp:",
    ],
)
def test_urls_that_lead_nowhere_are_refused(url: str) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(TrackerError):
            await world.udp.announce(url, request())

    in_world(scenario)


def test_names_are_asked_once_in_a_while() -> None:
    asked: list[str] = []

    class Counting(SimNetwork):
        async def resolve(self, host: str, port: int) -> list[Address]:
            asked.append(host)
            return await super().resolve(host, port)

    async def scenario(world: World) -> None:
        await world.tracker.listen(V4)
        world.udp = UdpTrackers(Counting(world.client), rng=Random(1), bind=["0.0.0.0"])
        for _ in range(3):
            await world.udp.announce("udp://t.example:6969", request())
        assert asked == ["t.example"]
        await asyncio.sleep(400)
        await world.udp.announce("udp://t.example:6969", request())
        assert asked == ["t.example"] * 2

    in_world(scenario)


def test_a_resolver_that_hangs_is_given_up() -> None:
    class Hanging(SimNetwork):
        async def resolve(self, host: str, port: int) -> list[Address]:
            await asyncio.sleep(1e6)
            return []

    async def scenario(world: World) -> None:
        world.udp = UdpTrackers(Hanging(world.client), rng=Random(1))
        with pytest.raises(TrackerError, match=r"cannot find t\.example"):
            await world.udp.announce("udp://t.example:6969", request())

    assert in_world(scenario) == pytest.approx(10.0)


def test_a_family_we_do_not_bind_is_not_used() -> None:
    async def scenario(world: World) -> None:
        await world.tracker.listen(V4)
        await world.tracker.listen(V6)
        world.udp = UdpTrackers(SimNetwork(world.client), rng=Random(1), bind=["2001:db8::11"])
        assert (await world.udp.announce("udp://t.example:6969", request())).peers == (PEER6,)
        with pytest.raises(TrackerError, match="no way to send"):
            await world.udp.announce(f"udp://{V4}:6969", request())

    in_world(scenario)


def test_scrape() -> None:
    async def scenario(world: World) -> None:
        await world.tracker.listen(V4)
        entries = await world.udp.scrape(f"udp://{V4}:6969", [HASH, InfoHash(b"i" * 20)])
        assert entries == (ScrapeEntry(1, 2, 3), ScrapeEntry(1, 2, 3))

    in_world(scenario)


def test_cancelling_forgets_the_query() -> None:
    async def scenario(world: World) -> None:
        task = asyncio.ensure_future(world.udp.announce(f"udp://{V4}:6969", request()))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert world.udp._waiting == {}
        assert world.udp._timer is None

    in_world(scenario)


def test_closing_ends_what_is_under_way_and_refuses_more() -> None:
    async def scenario(world: World) -> None:
        task = asyncio.ensure_future(world.udp.announce(f"udp://{V4}:6969", request()))
        await asyncio.sleep(1.0)
        world.udp.close()
        world.udp.close()
        with pytest.raises(TrackerError, match="closing"):
            await task
        with pytest.raises(TrackerError, match="closing"):
            await world.udp.announce(f"udp://{V4}:6969", request())

    in_world(scenario)


def test_loss_is_survived() -> None:
    async def scenario(world: World) -> None:
        await world.tracker.listen(V4)
        world.internet.loss = 0.3
        outcomes = await asyncio.gather(
            *(world.udp.announce(f"udp://{V4}:6969", request()) for _ in range(50)), return_exceptions=True
        )
        assert sum(isinstance(outcome, AnnounceReply) for outcome in outcomes) > 35

    in_world(scenario)
