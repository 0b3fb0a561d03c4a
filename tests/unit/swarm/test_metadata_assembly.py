"""Metadata from honest and lying peers: the right bytes in the end, the liars named, nobody honest among them."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.swarm.metadata_assembly import (
    MAX_COPIES,
    MAX_METADATA,
    MAX_UNASKED,
    PATIENCE,
    PIECE_SIZE,
    PIPELINE,
    REQUEST_TIMEOUT,
    REST,
    TAKEOVER,
    MetadataAssembly,
    Verdict,
    judge_info,
)


def info_of(size, seed=1):
    return random.Random(seed).randbytes(size)


def assembly_for(info):
    return MetadataAssembly(hash_v1=hashlib.sha1(info).digest(), hash_v2=None)


def part(info, piece):
    return info[piece * PIECE_SIZE : (piece + 1) * PIECE_SIZE]


class Honest:
    lies = False

    def __init__(self, info, delay=0.1):
        self.info, self.size, self.delay = info, len(info), delay

    def __repr__(self):
        return f"{type(self).__name__}({self.size}, {self.delay})"

    def answer(self, piece):
        return part(self.info, piece)


class Corrupt(Honest):
    lies = True

    def answer(self, piece):
        return bytes(len(part(self.info, piece)))


class CorruptSometimes(Honest):
    lies = True

    def answer(self, piece):
        return part(self.info, piece) if piece % 2 else bytes(len(part(self.info, piece)))


class WrongSize(Honest):
    lies = True

    def __init__(self, info, size, delay=0.1):
        super().__init__(info, delay)
        self.size = size

    def answer(self, piece):
        return bytes(min(PIECE_SIZE, self.size - piece * PIECE_SIZE))


class Silent(Honest):
    def answer(self, piece):
        return None


class Rejecting(Honest):
    def answer(self, piece):
        return False


def play(assembly, peers, until=3_000.0):
    """Serve every request after its peer's delay. Returns info, when, and the liars named; convicted peers are gone."""
    now, pending, liars, here = 0.0, [], [], {}
    for key, peer in enumerate(peers):
        assert assembly.on_offer(key, peer.size)
        here[key] = peer
    serial = 0
    while now < until:
        for key, piece in assembly.next_requests(now):
            assert 0 <= piece * PIECE_SIZE < here[key].size
            serial += 1
            pending.append((now + here[key].delay, serial, key, piece))
            if here[key].delay < REQUEST_TIMEOUT:
                assert sum(entry[2] == key for entry in pending) <= PIPELINE
        pending.sort()
        timer = assembly.next_timer(now)
        if not pending and timer is None:
            return None, now, liars
        if not pending or (timer is not None and timer < pending[0][0]):
            now = max(timer, now + 1e-6)
            continue
        now, _, key, piece = pending.pop(0)
        if key not in here:
            continue
        answer = here[key].answer(piece)
        if answer is None:
            continue
        if answer is False:
            assembly.on_reject(key, piece, now)
            continue
        outcome = assembly.on_piece(key, piece, here[key].size, answer, now)
        for liar in outcome.liars:
            liars.append(liar)
            here.pop(liar, None)
        if outcome.info is not None:
            return outcome.info, now, liars
    return None, now, liars


def test_pieces_come_from_several_peers_at_once():
    info = info_of(40 * PIECE_SIZE + 5)
    alone = play(assembly_for(info), [Honest(info)])
    together = play(assembly_for(info), [Honest(info) for _ in range(4)])
    assert alone[0] == together[0] == info
    assert together[1] < alone[1] / 3
    assert together[2] == []


@pytest.mark.parametrize("size", [1, PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, 5 * PIECE_SIZE])
def test_metadata_of_any_size_comes_whole(size):
    info = info_of(size)
    assert play(assembly_for(info), [Honest(info)])[0] == info


def test_a_lone_liar_is_convicted_by_the_hash():
    info = info_of(3 * PIECE_SIZE)
    assert play(assembly_for(info), [Corrupt(info)])[::2] == (None, [0])


@pytest.mark.parametrize("kind", [Corrupt, CorruptSometimes])
def test_a_liar_among_honest_peers_is_found_and_they_stay(kind):
    info = info_of(20 * PIECE_SIZE)
    found, _, liars = play(assembly_for(info), [Honest(info), kind(info, 0.01), Honest(info)])
    assert found == info
    assert liars == [1]


def test_claims_of_absurd_sizes_hold_nothing_up():
    info = info_of(20 * PIECE_SIZE)
    peers = [WrongSize(info, size, 0.01) for size in (1, MAX_METADATA, 3 * PIECE_SIZE, len(info) + 1)]
    found, when, liars = play(assembly_for(info), [*peers, Honest(info)])
    assert found == info
    assert when < 4 * PATIENCE
    assert set(liars) == {0, 1, 2, 3}


def test_a_crowd_that_claims_another_size_and_never_sends_makes_room():
    info = info_of(20 * PIECE_SIZE)
    crowd = [WrongSize(info, size) for size in (MAX_METADATA, MAX_METADATA - 1) for _ in range(4)]
    for liar in crowd:
        liar.answer = lambda piece: None
    found, when, liars = play(assembly_for(info), [*crowd, Honest(info)])
    assert found == info
    assert when < 2 * PATIENCE
    assert set(liars) == set(range(8))


def test_who_drips_cannot_hold_a_place_for_ever():
    info = info_of(20 * PIECE_SIZE)
    drip = [WrongSize(info, size, REQUEST_TIMEOUT - 1) for size in (MAX_METADATA, MAX_METADATA - 1, MAX_METADATA - 2)]
    found, when, _ = play(assembly_for(info), [*drip, *drip, Honest(info)])
    assert found == info
    assert when < 4 * PATIENCE


def test_silent_and_rejecting_peers_are_passed_over():
    info = info_of(10 * PIECE_SIZE)
    found, when, liars = play(assembly_for(info), [Silent(info), Rejecting(info), Honest(info)])
    assert found == info
    assert liars == []
    assert when < REQUEST_TIMEOUT + TAKEOVER


def test_a_peer_that_rejects_is_asked_again_later():
    info = info_of(PIECE_SIZE)
    assembly = assembly_for(info)
    assembly.on_offer(1, len(info))
    assert assembly.next_requests(0.0) == [(1, 0)]
    assembly.on_reject(1, 0, 1.0)
    assert assembly.next_requests(2.0) == []
    assert assembly.next_timer(2.0) == 1.0 + REST
    assert assembly.next_requests(1.0 + REST) == [(1, 0)]
    assert assembly.on_piece(1, 0, None, info, 30.0).info == info
    assert assembly.next_requests(31.0) == []
    assert assembly.next_timer(31.0) is None


def test_an_answer_that_comes_late_is_still_of_use():
    info = info_of(PIECE_SIZE)
    assembly = assembly_for(info)
    assembly.on_offer(1, len(info))
    assembly.next_requests(0.0)
    assert assembly.next_requests(REQUEST_TIMEOUT) == []
    assert assembly.on_piece(1, 0, len(info), info, REQUEST_TIMEOUT + 1).info == info


def test_what_a_peer_that_left_was_asked_is_asked_of_others():
    info = info_of(2 * PIECE_SIZE)
    assembly = assembly_for(info)
    assembly.on_offer(1, len(info))
    assert assembly.next_requests(0.0) == [(1, 0), (1, 1)]
    assembly.on_piece(1, 0, len(info), part(info, 0), 0.1)
    assembly.on_left(1)
    assert assembly.next_timer(0.2) is None
    assembly.on_offer(2, len(info))
    assert (2, 1) in assembly.next_requests(1.0)


@pytest.mark.parametrize(
    ("total", "content"), [(2 * PIECE_SIZE, 5), (2 * PIECE_SIZE + 1, PIECE_SIZE), (None, PIECE_SIZE - 1)]
)
def test_a_piece_that_contradicts_the_claim_convicts(total, content):
    info = info_of(2 * PIECE_SIZE)
    assembly = assembly_for(info)
    assembly.on_offer(1, len(info))
    assembly.next_requests(0.0)
    assert assembly.on_piece(1, 0, total, bytes(content), 0.1).liars == (1,)
    assert not assembly.next_requests(1.0)


def test_another_size_than_before_is_a_lie():
    assembly = assembly_for(b"x")
    assert assembly.on_offer(1, 5)
    assert assembly.on_offer(1, 5)
    assert not assembly.on_offer(1, 6)
    assert assembly.on_offer(2, 0)
    assert assembly.on_offer(3, MAX_METADATA + 1)
    assert {key for key, _ in assembly.next_requests(0.0)} == {1}
    alone = assembly_for(b"x")
    assert alone.on_offer(1, MAX_METADATA + 1)
    assert alone.next_requests(0.0) == []


def test_however_many_sizes_are_claimed_few_copies_take_memory():
    assembly = assembly_for(b"x")
    for key in range(1, 50):
        assembly.on_offer(key, MAX_METADATA - key)
    assert len({key for key, _ in assembly.next_requests(0.0)}) == MAX_COPIES


def test_pieces_nobody_asked_for_are_dropped_and_a_flood_of_them_convicts():
    info = info_of(PIECE_SIZE)
    assembly = assembly_for(info)
    assembly.on_offer(1, len(info))
    for _ in range(MAX_UNASKED):
        assert assembly.on_piece(1, 7, len(info), info, 0.0).liars == ()
    assert assembly.on_piece(1, 7, len(info), info, 0.0).liars == (1,)
    assert assembly.on_piece(99, 0, 1, b"x", 0.0).liars == ()


def test_a_link_of_two_torrents_is_told_from_a_lie():
    info, other = b"info", b"other"
    v1, v2 = hashlib.sha1(info).digest(), hashlib.sha256(info).digest()
    assert judge_info(info, hash_v1=v1, hash_v2=v2) is Verdict.RIGHT
    assert judge_info(info, hash_v1=None, hash_v2=v2) is Verdict.RIGHT
    assert judge_info(other, hash_v1=v1, hash_v2=v2) is Verdict.WRONG
    assembly = MetadataAssembly(hash_v1=v1, hash_v2=hashlib.sha256(other).digest())
    assembly.on_offer(1, len(info))
    assembly.next_requests(0.0)
    outcome = assembly.on_piece(1, 0, len(info), info, 0.1)
    assert outcome.contradiction
    assert outcome.liars == ()
    assert outcome.info is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_honest_peer_is_enough_and_never_blamed(data):
    info = info_of(data.draw(st.integers(1, 12 * PIECE_SIZE)), 7)
    delays = st.sampled_from([0.01, 0.1, 1.0, 3.0, 12.0])
    bad = st.one_of(
        st.builds(Corrupt, st.just(info), delays),
        st.builds(CorruptSometimes, st.just(info), delays),
        st.builds(WrongSize, st.just(info), st.integers(1, 20 * PIECE_SIZE), delays),
        st.builds(Silent, st.just(info), delays),
        st.builds(Rejecting, st.just(info), delays),
    )
    peers = data.draw(st.lists(bad, max_size=6))
    honest = [Honest(info, data.draw(st.sampled_from([0.05, 2.0]))) for _ in range(data.draw(st.integers(1, 2)))]
    mixed = data.draw(st.permutations([*peers, *honest]))
    found, _, liars = play(assembly_for(info), mixed, until=20_000.0)
    assert found == info
    assert not [key for key in liars if not mixed[key].lies and mixed[key].size == len(info)]
