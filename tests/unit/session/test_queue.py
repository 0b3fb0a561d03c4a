"""Who may run in a queue, for any torrents, sizes and times."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2p.session.queue import WAKE_INTERVAL, Places, Rules, Runner, stalled, surplus

NOW = 10_000.0

rules = st.builds(Rules, st.none() | st.integers(0, 6), st.none() | st.floats(0, 5_000))
runners = st.lists(st.tuples(st.floats(0, NOW), st.booleans()), max_size=8).map(
    lambda facts: [Runner(key, quiet, free) for key, (quiet, free) in enumerate(facts)]
)


@given(runners, rules)
def test_a_smaller_size_puts_back_the_last_but_none_that_was_started_now_or_is_stalled(runs, of):
    back = surplus(runs, of, NOW)
    if of.size is None:
        assert back == ()
        return
    places = [runner for runner in runs if not stalled(runner.quiet_since, of, NOW)]
    may_go = [runner.key for runner in places if not runner.free]
    assert list(back) == may_go[::-1][: max(0, len(places) - of.size)]


class Line(RuleBasedStateMachine):
    """Torrents begin, end and move payload while time passes; all of them are counted, which `Places` does not do."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.quiet = {}
        self.of = Rules(3, 100.0)
        self.places = Places(self.of, lambda key, now: self.quiet[key])

    @rule(key=st.integers(0, 9))
    def begins(self, key):
        if key not in self.quiet:
            self.quiet[key] = self.now
            self.places.enter(key, self.now)

    @rule(key=st.integers(0, 9))
    def ends(self, key):
        if self.quiet.pop(key, None) is not None:
            self.places.leave(key)

    @rule(key=st.integers(0, 9))
    def moves_payload(self, key):
        if key in self.quiet:
            self.quiet[key] = self.now

    @rule(seconds=st.floats(0, 150))
    def time_passes(self, seconds):
        """In leaps, looking whenever it is said to be worth it: room never comes in between."""
        until = self.now + seconds
        room = self.room_when_all_are_counted(self.now)
        while (look_at := self.places.look_at()) < until:
            if room == 0 and look_at > self.now:
                just_before = max(self.now, math.nextafter(look_at, 0.0))
                assert self.room_when_all_are_counted(just_before) == 0
            self.now = max(self.now, look_at)
            self.places.room(self.now)
            if self.places.look_at() <= look_at:
                break
            room = self.room_when_all_are_counted(self.now)
        self.now = until

    @rule(of=rules)
    def rules_change(self, of):
        self.of = of
        self.places.set_rules(of, self.now)

    def room_when_all_are_counted(self, now):
        if self.of.size is None:
            return None
        return max(0, self.of.size - sum(not stalled(quiet, self.of, now) for quiet in self.quiet.values()))

    @invariant()
    def room_is_as_if_all_were_counted(self):
        self.places.room(self.now)
        self.now += WAKE_INTERVAL  # by then whoever came to life has been seen
        assert self.places.room(self.now) == self.room_when_all_are_counted(self.now)


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_a_place_comes_when_its_holder_has_been_quiet_for_long_enough():
    quiet = {1: NOW - 50, 2: NOW - 10, 3: NOW - 90}
    places = Places(Rules(size=2, stalled_after=60), lambda key, now: quiet[key])
    for key in quiet:
        places.enter(key, NOW)
    assert places.room(NOW) == 0
    assert places.look_at() == NOW + 10
    assert places.room(NOW + 9.9) == 0
    assert places.room(NOW + 10) == 1
    quiet[3] = NOW + 11
    assert places.room(NOW + 11) == 1  # nobody looks at those asleep all the time
    assert places.room(NOW + 10 + WAKE_INTERVAL) == 0
    assert Places(Rules(None), lambda key, now: NOW).room(NOW) is None
    assert Places(Rules(size=0, stalled_after=60), lambda key, now: NOW).look_at() == math.inf
