"""Who may run in a queue, for any torrents, sizes and times."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from p2p.session.queue import Admission, Rules, Runner, admit, stalled, surplus

NOW = 10_000.0

rules = st.builds(Rules, st.none() | st.integers(0, 6), st.none() | st.floats(0, 5_000))
runners = st.lists(st.tuples(st.floats(0, NOW), st.booleans()), max_size=8).map(
    lambda facts: [Runner(key, quiet, free) for key, (quiet, free) in enumerate(facts)]
)
waiting = st.integers(0, 8).map(lambda count: list(range(100, 100 + count)))


def holding(some, of, now):
    return [runner for runner in some if not stalled(runner.quiet_since, of, now)]


@given(waiting, runners, rules)
def test_room_goes_to_the_first_in_the_queue_and_no_more_than_there_is(waits, runs, of):
    start = admit(waits, runs, of, NOW).start
    assert list(start) == waits[: len(start)]
    if of.size is None:
        assert len(start) == len(waits)
        return
    room = max(0, of.size - len(holding(runs, of, NOW)))
    assert len(start) == min(len(waits), room)


@given(waiting, runners, rules)
def test_it_is_worth_asking_again_when_it_is_said_to_be_and_not_before(waits, runs, of):
    admission = admit(waits, runs, of, NOW)
    left = waits[len(admission.start) :]
    after = [*runs, *(Runner(key, NOW) for key in admission.start)]
    if not left or not of.size or of.stalled_after is None:
        assert admission.look_at == math.inf
        return
    if of.stalled_after > 1e-3 and admission.look_at > NOW + 1e-3:
        assert not admit(left, after, of, admission.look_at - 1e-3).start
    assert admit(left, after, of, max(NOW, admission.look_at) + 1e-3).start


@given(runners, rules)
def test_a_smaller_size_puts_back_the_last_but_none_that_was_started_now_or_is_stalled(runs, of):
    back = surplus(runs, of, NOW)
    if of.size is None:
        assert back == ()
        return
    places = holding(runs, of, NOW)
    may_go = [runner.key for runner in places if not runner.free]
    assert list(back) == may_go[::-1][: max(0, len(places) - of.size)]


def test_an_example():
    of = Rules(size=2, stalled_after=60)
    runs = [Runner(1, quiet_since=NOW - 61), Runner(2, quiet_since=NOW - 10)]
    assert admit([3, 4], runs, of, NOW) == Admission((3,), NOW + 50)
    assert admit([3, 4], runs, Rules(None), NOW) == Admission((3, 4), math.inf)
    assert admit([3], runs, Rules(size=0, stalled_after=60), NOW) == Admission((), math.inf)
    assert surplus([*runs, Runner(3, NOW)], Rules(size=1, stalled_after=60), NOW) == (3,)
