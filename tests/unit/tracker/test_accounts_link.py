"""How processes that take members' connections ask the one that keeps the accounts, both ends in one loop."""

from __future__ import annotations

import asyncio
import contextlib
import random
from http import HTTPStatus

from p2p.codec import compact
from p2p.codec.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker import accounts_link
from tracker.accounts_link import AccountsAsker, AccountsKeeper
from tracker.figures import Traffic
from tracker.gate import Admission
from tracker.gated_logic import GatedLogic
from tracker.http_answers import Announce, Scrape
from tracker.logic import Rules, SwarmLogic
from tracker.memory_store import MemoryStore
from tracker.page_server import PageAnswer, PageRequest
from tracker.siblings import Mailboxes, WorkerPlace

KEY = "k" * 32
HASH = b"h" * 20
SOURCE = Address("192.0.2.7", 5_000)


class Gate:
    """Lets in who knows KEY, with a warning, and remembers what it was told."""

    def __init__(self):
        self.told = []

    def admit(self, request, passkey, source, user_agent, now):
        if passkey != KEY:
            raise TrackerError("Passkey not found", retry_in=120.0)
        return Admission(1, 2, warning="ünlucky")

    def on_announced(self, admission, request, source, now):
        self.told.append((request, source))

    def may_scrape(self, passkey, info_hashes, source, now):
        if passkey != KEY:
            raise TrackerError("Passkey not found")
        return info_hashes


class Tracker:
    """One process that keeps accounts, and others that ask it."""

    def __init__(self, mailboxes, others):
        self.mailboxes = mailboxes
        self.gate = Gate()
        store = MemoryStore(max_torrents=10, max_peers=10_000)
        logic = SwarmLogic(store, rng=random.Random(1), clock=lambda: 5.0, rules=Rules(min_interval=30))
        members = GatedLogic(logic, self.gate, lambda: 1e9)
        self.keeper = AccountsKeeper(WorkerPlace(0, mailboxes, True), members, self.page)
        self.askers = [AccountsAsker(self.place(n), lambda n=n: Traffic(http_announces=n)) for n in others]

    def place(self, number):
        return WorkerPlace(number, self.mailboxes, True)

    async def page(self, request):
        if request.path == "/bug":
            raise ZeroDivisionError
        if request.path == "/wait":
            await asyncio.Event().wait()
        told = f"{request.method} {request.query} {request.headers['cookie']} {request.source}"
        return PageAnswer(HTTPStatus.ACCEPTED, "text/plain", request.body + told.encode(), (("X", "y"),))


@contextlib.asynccontextmanager
async def started(*others):
    mailboxes = Mailboxes(max(others) + 1)
    tracker = Tracker(mailboxes, others)
    try:
        tracker.keeper.open()
        for asker in tracker.askers:
            asker.open()
        yield tracker
    finally:
        for asker in tracker.askers:
            asker.close()
        await tracker.keeper.close()
        mailboxes.close()


async def answer(ask, asked):
    """What `ask` is told."""
    told = asyncio.get_running_loop().create_future()
    ask(asked, told.set_result)
    async with asyncio.timeout(20):
        return await told


def announce(passkey=KEY, source=SOURCE, **fields):
    told = {"info_hash": HASH, "peer_id": b"p" * 20, "port": 9, "uploaded": 3, "downloaded": 4, "left": 5} | fields
    return Announce(AnnounceRequest(**told), passkey, source, "agent/1")


async def test_members_are_answered_by_whomever_they_ask_and_counted_by_one():
    async with started(1, 2) as tracker:
        one, other = tracker.askers
        first = announce(event=AnnounceEvent.STARTED, key=7, tracker_id=b"x", ip="192.0.2.9", num_want=30)
        told = await answer(one.announce, first)
        assert (told.answer.leechers, told.answer.peers, told.warning, told.min_interval) == (1, b"", "ünlucky", 30)
        assert tracker.gate.told == [(first.request, SOURCE)]
        second = announce(source=Address("192.0.2.8", 1), peer_id=b"q" * 20, compact=False)
        told = await answer(other.announce, second)
        assert told.answer.peers == compact.pack(Address("192.0.2.7", 9))
        assert told.ids == [b"p" * 20]
        found = await answer(one.scrape, Scrape((HASH,), KEY, SOURCE))
        assert found == {HASH: ScrapeEntry(0, 0, 2, 2)}
        assert await answer(one.scrape, Scrape((HASH,), KEY, Address("2001:db8::1", 1))) == {
            HASH: ScrapeEntry(0, 0, 0, 0)
        }


async def test_refusals_come_back_in_words():
    async with started(1) as tracker:
        (asker,) = tracker.askers
        for ask, asked in ((asker.announce, announce("wrong")), (asker.scrape, Scrape((HASH,), None, SOURCE))):
            error = await answer(ask, asked)
            assert isinstance(error, TrackerError)
            assert str(error) == "Passkey not found"
        assert (await answer(asker.announce, announce("wrong"))).retry_in == 120.0
        assert tracker.gate.told == []


async def test_a_crowd_that_fills_the_mailboxes_is_answered_to_the_last():
    async with started(1, 2, 3) as tracker:
        asked = [
            (asker, announce(source=Address(f"10.0.{n // 250}.{n % 250}", 1), peer_id=b"%020d" % n))
            for n in range(1_500)
            for asker in tracker.askers
        ]
        async with asyncio.timeout(30):
            told = await asyncio.gather(*(answer(asker.announce, each) for asker, each in asked))
        assert {each.answer.leechers for each in told} == set(range(1, 1_501))
        assert len(tracker.gate.told) == len(asked)


async def test_pages_are_asked_for_and_a_bug_in_one_is_an_answer(caplog):
    async with started(1) as tracker:
        (asker,) = tracker.askers
        request = PageRequest("POST", "/login", "a=b", {"cookie": "c"}, b"body ", SOURCE, False)
        told = await asker.page(request)
        assert told == PageAnswer(HTTPStatus.ACCEPTED, "text/plain", b"body POST a=b c 192.0.2.7:5000", (("X", "y"),))
        assert (await asker.page(request._replace(path="/bug"))).status is HTTPStatus.INTERNAL_SERVER_ERROR
        large = random.Random(1).randbytes(500_000)
        told = await asyncio.gather(*(asker.page(request._replace(body=large[n:])) for n in range(4)))
        assert [each.body.partition(b"POST")[0] for each in told] == [large[n:] for n in range(4)]
        waiting = asyncio.create_task(asker.page(request._replace(path="/wait")))
        assert (await asker.page(request)).status is HTTPStatus.ACCEPTED
        waiting.cancel()
        await asyncio.wait([waiting])
    assert "a page failed" in caplog.text


async def test_what_the_others_have_answered_is_known():
    async with started(4, 5) as tracker, asyncio.timeout(20):
        while sorted(each.http_announces for each in tracker.keeper.traffic) != [4, 5]:
            await asyncio.sleep(0.001)


async def test_who_asked_one_that_died_is_forgotten_and_a_late_answer_is_nobodys(monkeypatch):
    monkeypatch.setattr(accounts_link, "TRAFFIC_PERIOD", 0.01)
    async with started(1) as tracker:
        (asker,) = tracker.askers
        await tracker.keeper.close()
        told = []
        asker.announce(announce(), told.append)
        monkeypatch.setattr(accounts_link, "PATIENCE", 0.0)
        async with asyncio.timeout(20):
            while asker.unanswered:
                await asyncio.sleep(0.001)
        tracker.keeper.open()
        assert (await answer(asker.announce, announce(port=10))).answer.leechers >= 1
        assert told == []
