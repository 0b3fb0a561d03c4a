"""The choking policies: what each gives slots for, and what holds for all of them."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from p2p.swarm.choker import ChokePeer
from p2p.swarm.choking import DEFAULT, POLICIES


def peer(key, *, gives=0.0, takes=0.0, choked=True, interested=True, since=None):
    return ChokePeer(
        key=key,
        interested=interested,
        choked=choked,
        snubbed=False,
        rate_from=gives,
        rate_to=takes,
        joined=0.0,
        unchoked_at=since,
    )


def play(policy, peers, *, seeding=False, now=0.0, rng=None, limit=None):
    return policy.round(peers, now, rng or Random(1), seeding=seeding, upload_rate=1e6, upload_limit=limit)


def unchoked(policy, peers, **how):
    answer = play(policy, peers, **how)
    held = {one.key for one in peers if not one.choked}
    return (held | set(answer.unchoke)) - set(answer.choke)


def test_the_default_is_one_of_them():
    assert DEFAULT in POLICIES


@pytest.mark.parametrize("name", list(POLICIES))
@pytest.mark.parametrize("seeding", [False, True])
def test_none_gives_more_slots_than_it_has_or_any_to_those_who_want_nothing(name, seeding):
    rng = Random(3)
    policy = POLICIES[name](slots=4)
    peers = [
        peer(key, gives=rng.choice([0, 1e3, 1e5]), takes=rng.choice([0, 1e4]), interested=key % 3 > 0)
        for key in range(20)
    ]
    for now in (0.0, 10.0, 20.0):
        chosen = unchoked(policy, peers, seeding=seeding, now=now, rng=rng)
        assert len(chosen) == 5
        assert all(peers[key].interested for key in chosen)
    policy = POLICIES[name](slots=4)
    assert len(policy.fill(peers, 30.0, rng, seeding=seeding).unchoke) == 5


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "proportional"])
def test_tit_for_tat_keeps_the_best_givers(name):
    peers = [peer(key, gives=1_000.0 * key) for key in range(10)]
    assert {6, 7, 8, 9} <= unchoked(POLICIES[name](slots=4), peers)


def test_a_seed_after_cohen_keeps_the_fastest_takers():
    peers = [peer(key, takes=1_000.0 * key, choked=False, since=0.0) for key in range(1, 6)]
    peers += [peer(key) for key in range(10, 15)]
    assert {2, 3, 4, 5} <= unchoked(POLICIES["cohen"](slots=4), peers, seeding=True, now=200.0)
    # By turns those whose turn is over go.
    assert unchoked(POLICIES[DEFAULT](slots=4), peers, seeding=True, now=200.0) == set(range(10, 15))


def test_shares_are_in_proportion_to_what_peers_give():
    policy = POLICIES["proportional"](slots=1)
    rng = Random(5)
    peers = [peer(0, gives=1e4), peer(1, gives=3e4), peer(2, gives=6e4)]
    turns = Counter()
    for index in range(3_000):
        (first,) = [key for key in play(policy, peers, now=10.0 * index, rng=rng).unchoke if key not in policy._granted]
        turns[first] += 1
    assert turns[0] / 3_000 == pytest.approx(0.1, abs=0.03)
    assert turns[2] / 3_000 == pytest.approx(0.6, abs=0.04)


def test_slots_follow_what_each_carries():
    policy = POLICIES["rate-based"](slots=None)
    rich = [peer(key, gives=1e5, takes=50_000.0, choked=False, since=0.0) for key in range(12)]
    play(policy, rich)
    assert policy.slots == 12
    # The third would have to carry six KiB a second.
    poor = [peer(0, takes=9e4, choked=False), peer(1, takes=5e3, choked=False), peer(2, takes=5e3, choked=False)]
    play(policy, poor, now=10.0)
    assert policy.slots == 2
    policy.set_slots(7)
    play(policy, rich, now=20.0)
    assert policy.slots == 7
