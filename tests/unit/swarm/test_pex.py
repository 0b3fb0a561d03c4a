"""Peer exchange: what is told and how often, what is heard, and floods (BEP 11)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from p2p.ids import Address
from p2p.swarm.pex import BURST, INTERVAL, MAX_EARLY, MAX_ENTRIES, MAX_FIRST, PexIn, PexOut


def somebody(number):
    return Address(f"10.{number // 65_536}.{number // 256 % 256}.{number % 256}", 6881)


def many(count, first=0):
    return [somebody(number) for number in range(first, first + count)]


def test_a_newcomer_is_told_of_who_is_there_but_not_of_itself():
    out = PexOut()
    for key in range(3):
        out.on_contact(key, somebody(key), key)
    out.on_listener(1, 0.0)
    ((key, change),) = out.due(0.0)
    assert key == 1
    assert change.added == ((somebody(0), 0), (somebody(2), 2))
    assert change.dropped == ()
    assert out.due(INTERVAL) == []


def test_changes_are_told_once_a_minute_and_what_comes_and_goes_between_is_not():
    out = PexOut()
    out.on_contact(0, somebody(0), 0)
    out.on_listener(9, 0.0)
    assert out.due(0.0)
    out.on_contact(1, somebody(1), 0)
    out.on_contact(2, somebody(2), 0)
    out.on_left(2)
    out.on_left(0)
    assert out.due(INTERVAL - 1) == []
    ((_, change),) = out.due(INTERVAL)
    assert change == (((somebody(1), 0),), (somebody(0),))
    assert out.due(2 * INTERVAL) == []
    out.on_contact(3, somebody(3), 0)
    assert out.due(2 * INTERVAL + 1)


def test_a_message_holds_no_more_than_the_specification_allows():
    out = PexOut()
    for key in range(300):
        out.on_contact(key, somebody(key), 0)
    out.on_listener(999, 0.0)
    sizes = []
    for minute in range(6):
        sizes += [len(change.added) for _, change in out.due(minute * INTERVAL)]
    assert sizes == [MAX_FIRST, MAX_ENTRIES, MAX_ENTRIES, MAX_ENTRIES, MAX_ENTRIES]
    for key in range(300):
        out.on_left(key)
    ((_, change),) = out.due(10 * INTERVAL)
    assert (len(change.added), len(change.dropped)) == (0, MAX_ENTRIES)


class Exchange(RuleBasedStateMachine):
    """One listener's picture of the swarm follows the swarm."""

    @initialize()
    def begin(self):
        self.out, self.now, self.present, self.believed, self.last = PexOut(), 0.0, {}, {}, None
        self.out.on_listener(999, 0.0)

    @rule(key=st.integers(0, 200))
    def join(self, key):
        self.present[key] = somebody(key)
        self.out.on_contact(key, somebody(key), 0)

    @rule(key=st.integers(0, 200))
    def leave(self, key):
        self.present.pop(key, None)
        self.out.on_left(key)

    @rule(seconds=st.sampled_from([1.0, 30.0, 60.0, 90.0]))
    def wait(self, seconds):
        self.now += seconds
        for _, change in self.out.due(self.now):
            assert self.last is None or self.now - self.last >= INTERVAL
            assert len(change.added) <= (MAX_FIRST if self.last is None else MAX_ENTRIES)
            assert len(change.dropped) <= MAX_ENTRIES
            self.last = self.now
            for address, _ in change.added:
                assert address not in self.believed
                self.believed[address] = None
            for address in change.dropped:
                del self.believed[address]

    @invariant()
    def in_the_end_it_is_right(self):
        if hasattr(self, "now") and self.now > 3_000:
            for _ in range(5):
                self.wait(60.0)
            assert set(self.believed) == set(self.present.values())


TestExchange = Exchange.TestCase
TestExchange.settings = settings(max_examples=30, stateful_step_count=60, deadline=None)


def test_the_pace_of_the_specification_is_heard_and_its_jitter_forgiven():
    heard = PexIn()
    for minute in range(200):
        verdict = heard.on_message(1, "10.0.0.1", many(3, minute), minute * (INTERVAL - 10))
        assert verdict == (tuple(many(3, minute)), False)


def test_a_flood_is_not_heard_and_in_the_end_misbehaviour():
    heard = PexIn()
    verdicts = [heard.on_message(1, "10.0.0.1", many(50, 50 * n), n * 0.1) for n in range(50)]
    assert sum(bool(verdict.addresses) for verdict in verdicts) == BURST
    assert [verdict.misbehaved for verdict in verdicts].index(True) == BURST + MAX_EARLY
    heard.on_left(1)
    assert heard.on_message(1, "10.0.0.1", many(1), 6.0).addresses


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3_000), max_size=400))
def test_one_address_a_host_and_only_so_many_are_heard(numbers):
    heard = PexIn()
    addresses = [Address(somebody(number).host, 1 + number % 7) for number in numbers]
    first = heard.on_message(1, "10.0.0.1", addresses, 0.0).addresses
    second = heard.on_message(1, "10.0.0.1", addresses, INTERVAL).addresses
    assert len(first) == min(len({address.host for address in addresses}), MAX_FIRST)
    assert len({address.host for address in first}) == len(first)
    assert len(second) == min(len({address.host for address in addresses}), MAX_ENTRIES)


def test_a_message_is_heard_up_to_its_bound_and_one_port_of_a_host():
    heard = PexIn()
    assert len(heard.on_message(1, "10.0.0.1", many(MAX_FIRST + 200), 0.0).addresses) == MAX_FIRST
    assert len(heard.on_message(1, "10.0.0.1", many(MAX_ENTRIES + 200), INTERVAL).addresses) == MAX_ENTRIES
    ports = [Address("10.0.0.2", port) for port in range(1, 30)]
    assert PexIn().on_message(1, "10.0.0.1", ports, 0.0).addresses == (ports[0],)


def test_addresses_of_a_private_network_are_heard_from_one_only():
    told = [Address("192.168.1.1", 1), Address("127.0.0.1", 2), Address("8.8.8.8", 3), Address("fd00::1", 4)]
    assert PexIn().on_message(1, "1.1.1.1", told, 0.0).addresses == (Address("8.8.8.8", 3),)
    assert PexIn().on_message(1, "192.168.1.9", told, 0.0).addresses == tuple(told)
