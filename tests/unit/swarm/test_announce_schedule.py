from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec.announce import AnnounceEvent, AnnounceReply, ScrapeEntry
from p2p.errors import TrackerError
from p2p.swarm.announce import (
    BACKOFF,
    BACKOFF_MAX,
    MAX_TRACKERS,
    MIN_WAIT,
    UNREGISTERED_FOR,
    UNREGISTERED_RETRY,
    USUAL_MIN_INTERVAL,
    AnnounceJob,
    AnnounceSchedule,
    TrackerState,
)

STARTED, COMPLETED, STOPPED, NONE = (
    AnnounceEvent.STARTED,
    AnnounceEvent.COMPLETED,
    AnnounceEvent.STOPPED,
    AnnounceEvent.NONE,
)


def make(*tiers: list[str], private: bool = False, seed: int = 0) -> AnnounceSchedule:
    return AnnounceSchedule(
        [[f"http://{name}/announce" for name in tier] for tier in tiers], private=private, rng=Random(seed)
    )


def name(job: AnnounceJob) -> str:
    return job.url.split("/")[2]


def reply(interval: float = 1_800.0, min_interval: float | None = None, **more: int) -> AnnounceReply:
    return AnnounceReply(interval=interval, min_interval=min_interval, **more)


def due(schedule: AnnounceSchedule, now: float) -> list[tuple[str, AnnounceEvent]]:
    return [(name(job), job.event) for job in schedule.due(now)]


def answer_all(schedule: AnnounceSchedule, now: float, interval: float = 1_800.0) -> list[tuple[str, AnnounceEvent]]:
    jobs = schedule.due(now)
    for job in jobs:
        schedule.on_reply(job, reply(interval), now)
    return [(name(job), job.event) for job in jobs]


def test_a_life() -> None:
    schedule = make(["a"])
    assert schedule.next_due(5.0) == 5.0
    (job,) = schedule.due(5.0)
    assert (name(job), job.event) == ("a", STARTED)
    assert schedule.due(6.0) == []
    assert schedule.next_due(6.0) is None
    assert schedule.on_reply(job, reply(), 7.0) is False
    assert schedule.next_due(8.0) == 1_807.0
    assert schedule.due(1_806.9) == []
    assert answer_all(schedule, 1_807.0) == [("a", NONE)]
    schedule.on_completed(2_000.0)
    assert schedule.next_due(2_000.0) == 2_000.0
    assert answer_all(schedule, 2_000.0) == [("a", COMPLETED)]
    schedule.on_completed(2_001.0)
    assert schedule.due(2_001.0) == []
    assert [(name(job), job.event, job.num_want) for job in schedule.stop_jobs()] == [("a", STOPPED, 0)]
    assert schedule.stop_jobs() == []
    assert schedule.next_due(1e9) is None
    assert schedule.due(1e9) == []


def test_a_restart_begins_with_started_and_does_not_complete_twice() -> None:
    schedule = make(["a"])
    answer_all(schedule, 0.0)
    schedule.on_completed(1.0)
    answer_all(schedule, 1.0)
    schedule.stop_jobs()
    schedule.start(100.0)
    schedule.on_completed(100.0)
    assert answer_all(schedule, 100.0) == [("a", STARTED)]
    assert schedule.due(101.0) == []
    assert len(schedule.stop_jobs()) == 1


def test_a_torrent_that_was_complete_from_the_start_says_no_completed() -> None:
    schedule = make(["a"])
    schedule.on_completed(0.0)
    assert answer_all(schedule, 0.0) == [("a", STARTED)]
    assert schedule.due(1.0) == []


def test_completing_while_started_is_under_way_is_told_after_it() -> None:
    schedule = make(["a"])
    (job,) = schedule.due(0.0)
    schedule.on_completed(1.0)
    schedule.on_reply(job, reply(), 2.0)
    assert answer_all(schedule, 2.0) == [("a", COMPLETED)]


@pytest.mark.parametrize("cancelled", [False, True])
def test_completing_before_a_tracker_heard_started_is_not_told(cancelled: bool) -> None:
    schedule = make(["a"])
    (job,) = schedule.due(0.0)
    schedule.on_completed(1.0)
    if cancelled:
        schedule.on_cancelled(job)
    else:
        schedule.on_failure(job, TrackerError("down"), 2.0)
    assert answer_all(schedule, 100.0) == [("a", STARTED)]
    assert schedule.due(100.0) == []


def test_a_failed_completed_is_told_again() -> None:
    schedule = make(["a"])
    answer_all(schedule, 0.0)
    schedule.on_completed(1.0)
    (job,) = schedule.due(1.0)
    schedule.on_failure(job, TrackerError("down"), 1.0)
    assert answer_all(schedule, 100.0) == [("a", COMPLETED)]


def test_a_completed_not_told_yet_goes_before_stopped() -> None:
    schedule = make(["a"])
    answer_all(schedule, 0.0)
    schedule.on_completed(1.0)
    assert [job.event for job in schedule.stop_jobs()] == [COMPLETED, STOPPED]


def test_public_torrents_announce_to_every_tier() -> None:
    assert due(make(["a"], ["b"], ["c"]), 0.0) == [("a", STARTED), ("b", STARTED), ("c", STARTED)]


def test_the_next_of_a_tier_is_tried_at_once_and_a_success_moves_to_the_front() -> None:
    schedule = make(["a", "b", "c"])
    order = [url.split("/")[2] for url in schedule.tiers[0]]
    (first,) = schedule.due(0.0)
    assert name(first) == order[0]
    schedule.on_failure(first, TrackerError("down"), 1.0)
    (second,) = schedule.due(1.0)
    assert name(second) == order[1]
    schedule.on_reply(second, reply(), 2.0)
    assert [url.split("/")[2] for url in schedule.tiers[0]] == [order[1], order[0], order[2]]
    assert schedule.next_due(3.0) == 1_802.0  # the failed one is no longer asked
    (again,) = schedule.due(1_802.0)
    assert name(again) == order[1]
    schedule.on_failure(again, TrackerError("down"), 1_803.0)
    assert due(schedule, 1_803.0) == [(order[0], STARTED)]  # BEP 12: from the front on


def test_a_tier_is_shuffled_and_tiers_keep_their_order() -> None:
    orders = {make(["a", "b", "c"], ["d"], seed=seed).tiers for seed in range(40)}
    assert len(orders) == 6
    assert all(tiers[1] == ("http://d/announce",) for tiers in orders)


def test_private_torrents_use_one_tracker_at_a_time_and_stay_with_it() -> None:
    schedule = make(["a"], ["b"], private=True)
    (job,) = schedule.due(0.0)
    assert name(job) == "a"
    assert schedule.on_reply(job, reply(), 0.0) is False
    (job,) = schedule.due(1_800.0)
    schedule.on_failure(job, TrackerError("down"), 1_800.0)
    (job,) = schedule.due(1_800.0)
    assert (name(job), job.event) == ("b", STARTED)
    assert schedule.on_reply(job, reply(), 1_801.0) is True  # drop the peers of the other tracker
    (job,) = schedule.due(3_601.0)
    assert name(job) == "b"  # though a has rested by now
    assert schedule.on_reply(job, reply(), 3_601.0) is False
    assert sorted(name(job) for job in schedule.stop_jobs()) == ["a", "b"]


def test_failures_rest_longer_each_time_with_some_chance() -> None:
    schedule = make(["a"])
    now, rests = 0.0, []
    for _ in range(15):
        (job,) = schedule.due(now)
        assert job.event is STARTED
        schedule.on_failure(job, TrackerError("down"), now)
        next_due = schedule.next_due(now)
        assert next_due is not None
        rests.append(next_due - now)
        now = next_due
    for failure, rest in enumerate(rests):
        full = min(BACKOFF * 2**failure, BACKOFF_MAX)
        assert 0.75 * full <= rest <= full
    assert schedule.stop_jobs() == []


def test_the_trackers_own_word_on_retrying_is_kept() -> None:
    schedule = make(["a"], ["b"])
    first, second = schedule.due(0.0)
    schedule.on_failure(first, TrackerError("Overloaded", retry_in=300.0), 0.0)
    schedule.on_failure(second, TrackerError("Not a tracker", retry_in=math.inf), 0.0)
    assert schedule.next_due(1.0) == 300.0
    schedule.reannounce(1.0)
    assert schedule.next_due(1.0) == 300.0
    assert answer_all(schedule, 300.0) == [("a", STARTED)]
    assert [seen.state for seen in schedule.snapshot()] == [TrackerState.WORKING, TrackerState.REFUSED]


def test_a_new_torrent_unknown_to_its_site_is_retried_soon_and_an_old_one_is_not() -> None:
    schedule = make(["a"])
    now = 0.0
    while now < UNREGISTERED_FOR:
        (job,) = schedule.due(now)
        schedule.on_failure(job, TrackerError("Torrent not registered with this tracker."), now)
        assert schedule.next_due(now) == now + UNREGISTERED_RETRY
        now += UNREGISTERED_RETRY
    (job,) = schedule.due(now)
    schedule.on_failure(job, TrackerError("Unregistered torrent"), now)
    rest = schedule.next_due(now)
    assert rest is not None
    assert rest - now > 1_000


def test_early_announces_keep_the_minimum_interval() -> None:
    schedule = make(["a"])
    (job,) = schedule.due(0.0)
    schedule.on_reply(job, reply(1_800.0, 900.0), 0.0)
    schedule.on_more_peers_wanted(10.0)
    assert schedule.next_due(10.0) == 900.0
    schedule.reannounce(20.0)
    assert schedule.next_due(20.0) == 900.0
    (job,) = schedule.due(900.0)
    schedule.on_reply(job, reply(1_800.0), 900.0)
    schedule.on_more_peers_wanted(901.0)
    assert schedule.next_due(901.0) == 900.0 + USUAL_MIN_INTERVAL
    schedule.reannounce(901.0)  # that minimum was a guess of ours, which a user may overrule
    assert schedule.next_due(901.0) == 900.0 + MIN_WAIT
    schedule.reannounce(1_500.0)
    assert schedule.next_due(1_500.0) == 1_500.0


def test_a_user_need_not_wait_for_a_failed_tracker_to_rest() -> None:
    schedule = make(["a"])
    for now in (0.0, 100.0, 200.0, 400.0):
        (job,) = schedule.due(now)
        schedule.on_failure(job, TrackerError("down"), now)
    schedule.reannounce(402.0)
    assert schedule.next_due(402.0) == 400.0 + MIN_WAIT


@pytest.mark.parametrize(("interval", "least"), [(1.0, None), (1.0, 0.5), (5.0, 700.0)])
def test_a_tracker_cannot_make_us_hammer_it(interval: float, least: float | None) -> None:
    schedule = make(["a"])
    (job,) = schedule.due(0.0)
    schedule.on_reply(job, reply(interval, least), 0.0)
    schedule.reannounce(0.0)
    assert schedule.next_due(0.0) == max(least or 0.0, MIN_WAIT)


def test_edited_trackers_keep_their_state_and_removed_ones_are_told_stopped() -> None:
    schedule = make(["a"], ["b"])
    answer_all(schedule, 0.0)
    schedule.set_tiers([["http://b/announce"], ["http://c/announce"]])
    assert schedule.next_due(1.0) == 1.0
    assert due(schedule, 1.0) == [("a", STOPPED), ("c", STARTED)]
    assert [seen.url for seen in schedule.snapshot()] == ["http://b/announce", "http://c/announce"]
    assert schedule.next_due(1.0) == 1_800.0
    assert [(name(job), job.event) for job in schedule.stop_jobs()] == [("b", STOPPED)]


@pytest.mark.parametrize("private", [True, False])
def test_a_private_torrent_that_loses_the_tracker_of_its_peers_drops_them_once(private: bool) -> None:
    schedule = make(["a"], ["b"], private=private)
    (job, *_) = schedule.due(0.0)
    schedule.on_reply(job, reply(), 0.0)
    used, other = (job.url, "http://c/announce")
    assert not schedule.set_tiers([[other], [used]])
    assert schedule.set_tiers([[other]]) is private
    assert not schedule.set_tiers([["http://d/announce"]])
    (job,) = [job for job in schedule.due(1.0) if job.event is STARTED]
    assert not schedule.on_reply(job, reply(), 2.0)


def test_a_reply_for_a_tracker_that_was_removed_is_ignored() -> None:
    schedule = make(["a"])
    (job,) = schedule.due(0.0)
    schedule.set_tiers([["http://b/announce"]])
    assert schedule.on_reply(job, reply(), 1.0) is False
    schedule.on_failure(job, TrackerError("x"), 1.0)
    assert due(schedule, 1.0) == [("b", STARTED)]


def test_the_trackers_id_is_given_back() -> None:
    schedule = make(["a"])
    (job,) = schedule.due(0.0)
    schedule.on_reply(job, AnnounceReply(interval=60.0, tracker_id=b"xyz"), 0.0)
    (job,) = schedule.due(60.0)
    assert job.tracker_id == b"xyz"
    schedule.on_reply(job, reply(60.0), 60.0)
    assert [job.tracker_id for job in schedule.stop_jobs()] == [b"xyz"]


def test_snapshot_tells_what_is_known() -> None:
    schedule = make(["a"], ["b"])
    assert [seen.state for seen in schedule.snapshot()] == [TrackerState.WAITING] * 2
    first, second = schedule.due(0.0)
    assert [seen.state for seen in schedule.snapshot()] == [TrackerState.ANNOUNCING] * 2
    answer = AnnounceReply(interval=1_800.0, seeders=5, leechers=7, completed=9, warning="slow down")
    schedule.on_reply(first, answer, 1.0)
    schedule.on_failure(second, TrackerError("no answer"), 1.0)
    seen, failed = schedule.snapshot()
    assert (seen.state, seen.seeders, seen.leechers, seen.completed, seen.warning) == (
        TrackerState.WORKING,
        5,
        7,
        9,
        "slow down",
    )
    assert (seen.tier, seen.last_announce, seen.next_announce, seen.error) == (0, 0.0, 1_801.0, None)
    assert (failed.state, failed.error, failed.failures) == (TrackerState.FAILING, "no answer", 1)
    assert failed.next_announce == schedule.next_due(2.0)
    schedule.on_scrape(first.url, ScrapeEntry(seeders=1, completed=2, leechers=3))
    seen = schedule.snapshot()[0]
    assert (seen.seeders, seen.leechers, seen.completed) == (1, 3, 2)


def test_odd_lists_of_trackers() -> None:
    schedule = AnnounceSchedule(
        [["wss://a/", "gopher://b"], [], ["http://c/", "http://c/"]], private=False, rng=Random(0)
    )
    assert due(schedule, 0.0) == [("c", STARTED)]
    states = [seen.state for seen in schedule.snapshot()]
    assert states == [TrackerState.REFUSED, TrackerState.REFUSED, TrackerState.ANNOUNCING]
    many = AnnounceSchedule([[f"http://h{i}/" for i in range(1_000)]], private=True, rng=Random(0))
    assert len(many.snapshot()) == MAX_TRACKERS
    nothing = AnnounceSchedule([], private=True, rng=Random(0))
    assert nothing.next_due(0.0) is None
    assert nothing.due(0.0) == nothing.stop_jobs() == []


class Tracker:
    """What one tracker saw and said."""

    def __init__(self) -> None:
        self.accepted: list[AnnounceEvent] = []
        self.last_reply: tuple[float, float] | None = None
        self.in_flight = False

    def on_announce(self, job: AnnounceJob, now: float, complete: bool) -> None:
        assert not self.in_flight
        self.in_flight = True
        if not self.accepted:
            assert job.event is STARTED
        else:
            assert job.event is not STARTED
        if job.event is COMPLETED:
            assert complete
            assert COMPLETED not in self.accepted
        if job.event is NONE and self.last_reply is not None:
            at, least = self.last_reply
            assert now >= at + least


@settings(max_examples=120, deadline=None)
@given(data=st.data(), private=st.booleans(), seed=st.integers(0, 9))
def test_any_history_keeps_the_rules(data: st.DataObject, private: bool, seed: int) -> None:
    shape = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    tiers = [[f"{tier}{i}" for i in range(size)] for tier, size in enumerate(shape)]
    schedule = make(*tiers, private=private, seed=seed)
    trackers = {name: Tracker() for tier in tiers for name in tier}
    now, complete = 0.0, False
    flying: list[AnnounceJob] = []
    for _ in range(data.draw(st.integers(1, 40))):
        next_due = schedule.next_due(now)
        jobs = schedule.due(now)
        assert bool(jobs) == (next_due == now)
        for job in jobs:
            trackers[name(job)].on_announce(job, now, complete)
        flying += jobs
        assert len(flying) <= (1 if private else len(tiers))
        action = data.draw(
            st.sampled_from(["reply", "reply", "fail", "cancel", "wait", "due", "complete", "want", "user"])
        )
        if action in ("reply", "fail", "cancel") and flying:
            job = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
            tracker = trackers[name(job)]
            tracker.in_flight = False
            if action == "reply":
                least = data.draw(st.sampled_from([None, 30.0, 900.0]))
                schedule.on_reply(job, reply(data.draw(st.sampled_from([60.0, 1_800.0])), least), now)
                tracker.accepted.append(job.event)
                tracker.last_reply = now, least or MIN_WAIT
            elif action == "fail":
                retry = data.draw(st.sampled_from([None, None, 60.0, math.inf]))
                schedule.on_failure(job, TrackerError("no", retry_in=retry), now)
            else:
                schedule.on_cancelled(job)
        elif action == "wait":
            now += data.draw(st.floats(0.1, 4_000))
        elif action == "due":
            now = max(now, schedule.next_due(now) or now)
        elif action == "complete":
            complete = True
            schedule.on_completed(now)
        elif action == "want":
            schedule.on_more_peers_wanted(now)
        elif action == "user":
            schedule.reannounce(now)
        for seen in schedule.snapshot():
            assert seen.next_announce is None or math.isfinite(seen.next_announce)
    last = schedule.stop_jobs()
    for job in last:
        assert job.event in (COMPLETED, STOPPED)
        assert job.event is STOPPED or COMPLETED not in trackers[name(job)].accepted
    stopped = [name(job) for job in last if job.event is STOPPED]
    assert len(set(stopped)) == len(stopped)
    assert sorted(stopped) == sorted(each for each, tracker in trackers.items() if STARTED in tracker.accepted)
    assert schedule.next_due(now) is None


def test_a_torrent_is_ill_only_where_every_tracker_refuses() -> None:
    schedule = make(["a"], ["b"])
    assert make().complaint() is None
    assert schedule.complaint() is None
    first, second = schedule.due(0.0)
    schedule.on_failure(first, TrackerError("go away"), 1.0)
    assert schedule.complaint() is None
    schedule.on_failure(second, TrackerError("no such torrent"), 1.0)
    assert schedule.complaint() == "go away"
    (again, _) = schedule.due(60.0)
    schedule.on_reply(again, reply(), 61.0)
    assert schedule.complaint() is None


def test_the_swarm_counts_as_large_as_any_tracker_says() -> None:
    schedule = make(["a"], ["b"])
    assert schedule.counts() == (None, None)
    first, second = schedule.due(0.0)
    schedule.on_reply(first, reply(seeders=5, leechers=1), 1.0)
    schedule.on_reply(second, reply(seeders=2, leechers=7), 1.0)
    assert schedule.counts() == (5, 7)


def test_an_announce_to_a_tracker_that_went_is_not_wanted_any_more() -> None:
    schedule = make(["a"], ["b"])
    (first, second) = schedule.due(0.0)
    assert schedule.wants(first)
    schedule.set_tiers([[second.url]])
    assert not schedule.wants(first)
    assert schedule.wants(second)
    schedule.on_reply(second, reply(), 1.0)
    assert not schedule.wants(second)
