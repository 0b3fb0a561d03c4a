"""A private tracker without threads: the desk over a ledger, and an SQLite file in memory that outlives both."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing, contextmanager

import pytest

from p2p.codec.announce import AnnounceEvent, AnnounceRequest
from p2p.ids import Address
from tracker.private import members, passkeys, torrents
from tracker.private.batch import write
from tracker.private.desk import MemberDesk
from tracker.private.ledger import Ledger
from tracker.private.reading import read_changes, read_everything
from tracker.private.rules import PrivateRules
from tracker.private.schema import STEPS

GIB = 1024**3
START = 1_700_000_000.0
HASH = b"h" * 20


class House:
    """One tracker, its members and their clients. `now` is moved by the test."""

    def __init__(self, rules=None):
        self.rules = rules if rules is not None else PrivateRules()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        for step in STEPS:
            for statement in step:
                self.connection.execute(statement)
        self.rng = random.Random(7)
        self.now = START
        self.runs = 0
        with self.connection:
            passkeys.secret_of(self.connection, self.rng.randbytes)
        self.last_change = 0
        self.start()

    def start(self):
        """A tracker process begins: everything it knows comes from the file."""
        self.runs += 1
        self.ledger = Ledger(self.runs.to_bytes(16, "big"))
        self.desk = MemberDesk(self.ledger, self.rules)
        secret = passkeys.secret_of(self.connection, self.rng.randbytes)
        everything = read_everything(self.connection, secret, self.now)
        self.last_change = everything.last_change
        self.desk.take_in_all(everything)

    def flush(self):
        """Write all that is dirty."""
        while (batch := self.ledger.take_batch(self.now)) is not None:
            write(self.connection, batch)
            self.ledger.on_written()

    def notice(self):
        """Take up what the commands changed."""
        changes = read_changes(self.connection, self.last_change, self.now)
        assert changes is not None
        self.last_change = changes.last_change
        self.desk.take_in(changes)

    def restart(self):
        self.flush()
        self.start()

    def crash(self):
        self.start()

    def member(self, name="ann", **totals):
        """A new member's passkey."""
        _, passkey = members.add(self.connection, name, now=self.now, secrets=self.rng.randbytes, **totals)
        self.notice()
        return passkey

    def torrent(self, *info_hashes, size=GIB):
        torrents.add(self.connection, info_hashes or (HASH,), "a torrent", size=size, now=self.now)
        self.notice()

    def admit(self, passkey, *, host="10.0.0.1", user_agent=None, **fields):
        request = self.request(**fields)
        return self.desk.admit(request, passkey, Address(host, 50_000), user_agent, self.now)

    def announce(self, passkey, *, host="10.0.0.1", user_agent=None, after=0.0, **fields):
        """What the gate says; the accounts are done."""
        self.now += after
        request = self.request(**fields)
        source = Address(host, 50_000)
        admission = self.desk.admit(request, passkey, source, user_agent, self.now)
        self.desk.on_announced(admission, request, source, self.now)
        return admission

    @staticmethod
    def request(event="", **fields):
        fields = {
            "info_hash": HASH,
            "peer_id": b"-TR4000-aaaaaaaaaaaa",
            "port": 6_881,
            "uploaded": 0,
            "downloaded": 0,
            "left": GIB,
            "key": 1,
            **fields,
        }
        return AnnounceRequest(event=AnnounceEvent(event), **fields)

    def totals(self, name="ann"):
        """Credited up and down, actual up and down, as the tracker has them."""
        totals = self.ledger.members[members.find(self.connection, name)].totals
        return totals.uploaded, totals.downloaded, totals.actual_uploaded, totals.actual_downloaded

    def record(self, name="ann"):
        """The member as the file has it, all that is dirty written."""
        self.flush()
        return members.show(self.connection, name)

    def flags(self, name="ann"):
        self.flush()
        return [flag.kind for flag in members.flags(self.connection, name)]


@pytest.fixture
def open_house():
    """Makes houses, and closes them."""
    houses = []

    def opened(rules=None):
        houses.append(House(rules))
        return houses[-1]

    yield opened
    for each in houses:
        each.connection.close()


@pytest.fixture
def house(open_house):
    return open_house()


@pytest.fixture(scope="session")
def house_context():
    """For tests that need a house for each example."""

    @contextmanager
    def opened(rules=None):
        house = House(rules)
        with closing(house.connection):
            yield house

    return opened
