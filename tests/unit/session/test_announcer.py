from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from p2p.codec import bencode
from p2p.codec.announce import AnnounceEvent, AnnounceReply, AnnounceRequest
from p2p.codec.http_tracker import decode_announce, encode_announce_compact, encode_failure
from p2p.errors import TrackerError
from p2p.ids import Address, InfoHash, PeerId
from p2p.session.agenda import Agenda
from p2p.session.announcer import HTTP_TIMEOUT, LINGER, AnnounceFacts, Announcer
from p2p.session.host_gates import HostGates
from p2p.session.scope import Scope
from p2p.simulation.virtual_loop import run
from p2p.swarm.announce import AnnounceSchedule, TrackerState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

V1, V2 = InfoHash(b"1" * 20), InfoHash(b"2" * 20)
PEERS = (Address("10.1.0.1", 1), Address("10.1.0.2", 2))
GOOD = encode_announce_compact(AnnounceReply(interval=1_800.0, seeders=1, leechers=2, peers=PEERS))


class Heard(dict[str, str]):
    """An announce as a tracker's log has it."""


class FakeHttp:
    """Trackers by host: a body, an error to raise, or a coroutine function that makes either."""

    def __init__(self, **hosts: bytes | Exception | Callable[[str], Awaitable[bytes]]) -> None:
        self.hosts = hosts
        self.heard: list[Heard] = []
        self.urls: list[str] = []
        self.under_way = 0
        self.most_under_way = 0

    async def get(
        self,
        url: str,
        *,
        timeout: float,
        max_body: int,
        headers: dict[str, str] | None = None,
        local: str | None = None,
    ) -> bytes:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise TrackerError("not a URL") from error
        assert parts.hostname is not None
        query = {key: value[0] for key, value in parse_qs(parts.query, encoding="latin-1").items()}
        self.heard.append(
            Heard(query, host=parts.hostname, path=parts.path, at=str(round(asyncio.get_running_loop().time(), 3)))
        )
        self.urls.append(url)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        answer = self.hosts[parts.hostname.split(".")[0]]
        try:
            async with asyncio.timeout(timeout):
                body = await answer(url) if callable(answer) else answer
        except TimeoutError as error:
            raise TrackerError("the tracker did not answer in time") from error
        finally:
            self.under_way -= 1
        if isinstance(body, Exception):
            raise body
        return body

    async def close(self) -> None: ...

    def events(self, host: str) -> list[str]:
        return [heard.get("event", "") for heard in self.heard if heard["host"] == host]


class FakeUdp:
    def __init__(self) -> None:
        self.heard: list[tuple[str, AnnounceRequest]] = []

    async def announce(self, url: str, request: AnnounceRequest) -> AnnounceReply:
        self.heard.append((url, request))
        return AnnounceReply(interval=600.0, seeders=9, leechers=9, peers=PEERS)


class Bench:
    """An announcer with everything around it faked; use inside `run`."""

    def __init__(
        self,
        http: FakeHttp,
        *tiers: Sequence[str],
        private: bool = False,
        hashes: Sequence[InfoHash] = (V1,),
        **facts: int,
    ) -> None:
        self.http = http
        self.udp = FakeUdp()
        self.schedule = AnnounceSchedule(
            [[url if "://" in url else f"http://{url}/announce" for url in tier] for tier in tiers],
            private=private,
            rng=Random(0),
        )
        self.replies: list[list[Address]] = []
        self.switches = 0
        self.facts = {"uploaded": 10, "downloaded": 20, "left": 30, "port": 6881, "key": 0xABCD, **facts}
        self.hashes = hashes
        self.gates = HostGates()
        self.announcer = Announcer(
            schedule=self.schedule,
            http=self.http,
            udp=self.udp,  # type: ignore[arg-type]  # a fake
            gates=self.gates,
            facts=self.get_facts,
            on_reply=lambda peers, _: self.replies.append(peers),
            on_switch=self.on_switch,
            clock=asyncio.get_running_loop().time,
            agenda=Agenda(),
        )
        self._stopped = asyncio.Event()
        self.task = asyncio.ensure_future(self._live())

    async def _live(self) -> None:
        async with Scope() as scope:
            self.announcer.start(scope)
            await self._stopped.wait()

    def get_facts(self) -> AnnounceFacts:
        return AnnounceFacts(peer_id=PeerId(b"p" * 20), info_hashes=self.hashes, **self.facts)

    def on_switch(self) -> None:
        self.switches += 1

    async def stop(self, timeout: float = 5.0) -> float:
        began = asyncio.get_running_loop().time()
        try:
            await self.announcer.stop(timeout)
        finally:
            self._stopped.set()
        await self.task
        return asyncio.get_running_loop().time() - began


async def never(_: str) -> bytes:
    await asyncio.sleep(1e9)
    return b""


def after(seconds: float, body: bytes = GOOD) -> Callable[[str], Awaitable[bytes]]:
    async def answer(_: str) -> bytes:
        await asyncio.sleep(seconds)
        return body

    return answer


def test_a_life() -> None:
    async def main() -> None:
        bench = Bench(FakeHttp(a=GOOD), ["a"])
        await asyncio.sleep(2_000)
        bench.schedule.on_completed(2_000.0)
        bench.facts["left"] = 0
        bench.announcer.wake()
        await asyncio.sleep(100)
        assert await bench.stop() < 1.0
        heard = bench.http.heard
        assert [(each.get("event", ""), each["at"], each["left"]) for each in heard] == [
            ("started", "0.0", "30"),
            ("", "1800.0", "30"),
            ("completed", "2000.0", "0"),
            ("stopped", "2100.0", "0"),
        ]
        assert heard[0]["info_hash"] == "1" * 20
        assert (heard[0]["uploaded"], heard[0]["downloaded"], heard[0]["key"]) == ("10", "20", "0000ABCD")
        assert heard[-1]["numwant"] == "0"
        assert bench.replies == [list(PEERS)] * 3
        assert bench.announcer.snapshot()[0].seeders == 1

    run(main())


def test_cancelling_run_leaves_nothing_behind_and_stop_still_says_goodbye() -> None:
    async def main() -> None:
        bench = Bench(FakeHttp(a=GOOD, b=never), ["a"], ["b"])
        await asyncio.sleep(1)
        bench.task.cancel()
        await asyncio.wait([bench.task])
        assert bench.http.under_way == 0
        await bench.announcer.stop(5.0)
        assert bench.http.events("a") == ["started", "stopped"]
        assert bench.http.events("b") == ["started"]

    run(main())


BAD_ANSWERS = [
    TrackerError("status 404"),
    TrackerError("too many redirects"),
    TrackerError("no such host"),
    b"",
    b"<html>",
    b"i5e",
    b"d5:peers3:abce",
    b"d8:intervali-5e",
    encode_failure("go away"),
    bencode.encode({b"peers": [{b"ip": 5}]}),
    b"d" * 100_000,
]


@pytest.mark.parametrize("bad", BAD_ANSWERS, ids=range(len(BAD_ANSWERS)))
def test_bad_answers_are_shown_and_tried_again(bad: bytes | Exception) -> None:
    async def main() -> None:
        http = FakeHttp(a=bad)
        bench = Bench(http, ["a"])
        await asyncio.sleep(300)
        assert 4 <= len(http.heard) <= 6
        (seen,) = bench.announcer.snapshot()
        assert seen.state is TrackerState.FAILING
        assert seen.error
        http.hosts["a"] = GOOD
        await asyncio.sleep(700)
        assert bench.announcer.snapshot()[0].state is TrackerState.WORKING
        assert bench.announcer.snapshot()[0].error is None
        health = bench.gates.health.hosts["a"]
        assert (health.failed, health.failures_in_row) == (len(http.heard) - health.answered, 0)
        assert health.answered
        assert health.last_error
        await bench.stop()
        assert http.events("a")[-1] == "stopped"
        assert set(http.events("a")[:-1]) == {"started"}

    run(main())


def test_a_tracker_that_never_answers_starves_nobody() -> None:
    async def main() -> None:
        bench = Bench(FakeHttp(dead=never, a=GOOD), ["dead"], ["a"])
        await asyncio.sleep(1)
        assert bench.replies == [list(PEERS)]
        await asyncio.sleep(HTTP_TIMEOUT)
        assert bench.announcer.snapshot()[0].state is TrackerState.FAILING
        assert await bench.stop() <= LINGER + 0.1

    run(main())


def test_stop_is_bounded_when_trackers_died_meanwhile() -> None:
    async def main() -> None:
        http = FakeHttp(a=GOOD, b=GOOD)
        bench = Bench(http, ["a"], ["b"])
        await asyncio.sleep(1)
        http.hosts["a"] = never
        assert await bench.stop(5.0) == pytest.approx(5.0)
        assert http.under_way == 0
        assert http.events("b") == ["started", "stopped"]

    run(main())


def test_stop_tells_a_short_download_in_full() -> None:
    async def main() -> None:
        bench = Bench(FakeHttp(a=after(0.5)), ["a"])
        await asyncio.sleep(0.1)
        bench.schedule.on_completed(0.1)
        await bench.stop()
        assert bench.http.events("a") == ["started", "completed", "stopped"]

    run(main())


def test_stop_before_anything_was_announced() -> None:
    async def main() -> None:
        bench = Bench(FakeHttp(a=GOOD), ["a"])
        await bench.stop()
        await bench.stop()
        assert bench.http.heard == []

    run(main())


def test_stop_that_is_cancelled_obeys() -> None:
    async def main() -> None:
        http = FakeHttp(a=GOOD)
        bench = Bench(http, ["a"])
        await asyncio.sleep(1)
        http.hosts["a"] = never
        stop = asyncio.ensure_future(bench.stop(60.0))
        await asyncio.sleep(1)
        stop.cancel()
        await asyncio.wait([stop])
        assert stop.cancelled()
        assert http.under_way == 0
        await bench.task

    run(main())


def test_a_bug_in_the_receiver_is_not_swallowed() -> None:
    async def main() -> None:
        bench = Bench(FakeHttp(a=GOOD), ["a"])

        def broken(_: list[Address], __: AnnounceReply) -> None:
            raise ZeroDivisionError

        bench.announcer._on_reply = broken
        with pytest.raises(ZeroDivisionError):
            await bench.task

    run(main())


def test_a_hybrid_announces_both_hashes_and_counts_its_traffic_once() -> None:
    async def main() -> None:
        other = (PEERS[0], Address("10.1.0.3", 3))
        second = encode_announce_compact(AnnounceReply(interval=900.0, seeders=7, leechers=0, peers=other))

        async def answer(url: str) -> bytes:
            return GOOD if "info_hash=1" in url else second

        bench = Bench(FakeHttp(a=answer), ["a"], hashes=(V1, V2))
        await asyncio.sleep(1)
        assert [(each["info_hash"][0], each["uploaded"], each["left"]) for each in bench.http.heard] == [
            ("1", "10", "30"),
            ("2", "0", "30"),
        ]
        assert bench.replies == [[PEERS[0], PEERS[1], other[1]]]
        (seen,) = bench.announcer.snapshot()
        assert (seen.seeders, seen.leechers, seen.next_announce) == (7, 2, 1_800.0)
        await bench.stop()

    run(main())


def test_a_hybrid_works_where_only_one_hash_is_registered() -> None:
    async def main() -> None:
        async def answer(url: str) -> bytes:
            return GOOD if "info_hash=1" in url else encode_failure("unregistered torrent")

        bench = Bench(FakeHttp(a=answer), ["a"], hashes=(V1, V2))
        await asyncio.sleep(1)
        assert bench.announcer.snapshot()[0].state is TrackerState.WORKING
        await bench.stop()
        assert bench.http.events("a") == ["started", "started", "stopped", "stopped"]

    run(main())


def test_urls_that_are_none_fail_alone() -> None:
    async def main() -> None:
        bench = Bench(FakeHttp(a=GOOD), ["wss://t.example"], ["http://[::1/announce"], ["a"])
        await asyncio.sleep(1)
        states = [seen.state for seen in bench.announcer.snapshot()]
        assert states == [TrackerState.REFUSED, TrackerState.FAILING, TrackerState.WORKING]
        await bench.stop()

    run(main())


def test_udp_announces_are_shaped_like_http_ones() -> None:
    async def main() -> None:
        bench = Bench(FakeHttp(), ["udp://t.example:6969/x"])
        await asyncio.sleep(1)
        await bench.stop()
        assert [(url, request.event) for url, request in bench.udp.heard] == [
            ("udp://t.example:6969/x", AnnounceEvent.STARTED),
            ("udp://t.example:6969/x", AnnounceEvent.STOPPED),
        ]
        assert bench.udp.heard[0][1].left == 30
        assert bench.replies == [list(PEERS)]

    run(main())


def test_a_partial_seed_says_paused() -> None:
    async def main() -> None:
        bench = Bench(FakeHttp(a=GOOD), ["a"], partial_seed=True)
        await asyncio.sleep(1_900)
        await bench.stop()
        assert bench.http.events("a") == ["started", "paused", "stopped"]

    run(main())


def test_passkeys_and_tracker_ids_go_back() -> None:
    async def main() -> None:
        body = encode_announce_compact(AnnounceReply(interval=60.0, seeders=1, leechers=1, tracker_id=b"id 1"))
        bench = Bench(FakeHttp(a=body), ["http://a/announce/0123abc?passkey=x%2Fy"])
        await asyncio.sleep(90)
        await bench.stop()
        assert all(url.startswith("http://a/announce/0123abc?passkey=x%2Fy&") for url in bench.http.urls)
        assert [heard.get("trackerid") for heard in bench.http.heard] == [None, "id 1", "id 1"]

    run(main())


def test_a_private_torrent_that_changes_trackers_is_told_to_drop_peers() -> None:
    async def main() -> None:
        http = FakeHttp(a=GOOD, b=GOOD)
        bench = Bench(http, ["a"], ["b"], private=True)
        await asyncio.sleep(1)
        assert http.events("b") == []
        http.hosts["a"] = TrackerError("down")
        await asyncio.sleep(1_800)
        assert http.events("b") == ["started"]
        assert bench.switches == 1
        await bench.stop()

    run(main())


@pytest.mark.parametrize("scrape", [b"", bencode.encode({b"files": {bytes(V1): {b"complete": 4, b"incomplete": 5}}})])
def test_counts_that_a_reply_lacks_are_scraped(scrape: bytes) -> None:
    async def main() -> None:
        bare = bencode.encode({b"interval": 1_800, b"peers": b""})
        assert decode_announce(bare).seeders is None

        async def answer(url: str) -> bytes:
            return scrape if "/scrape" in url else bare

        bench = Bench(FakeHttp(a=answer), ["a"])
        await asyncio.sleep(1)
        assert [heard["path"] for heard in bench.http.heard] == ["/announce", "/scrape"]
        (seen,) = bench.announcer.snapshot()
        assert (seen.seeders, seen.leechers) == ((4, 5) if scrape else (None, None))
        assert seen.state is TrackerState.WORKING
        await bench.stop()

    run(main())
