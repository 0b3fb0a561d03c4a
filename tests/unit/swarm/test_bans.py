from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.ids import BLOCK_SIZE, Block, PieceIndex
from p2p.swarm.bans import MAX_BLOCKS, SmartBan

if TYPE_CHECKING:
    from collections.abc import Sequence

PIECE = PieceIndex(7)
Evidence = list[tuple[Block, bytes, str]]


def good(index: int) -> bytes:
    return b"good" + index.to_bytes(4, "big")


def evidence_of(senders: Sequence[str], liars: Sequence[str], rng: Random, piece: PieceIndex = PIECE) -> Evidence:
    return [
        (
            Block(piece, i * BLOCK_SIZE, BLOCK_SIZE),
            b"evil" + rng.randbytes(4) if sender in liars else good(i),
            sender,
        )
        for i, sender in enumerate(senders)
    ]


def test_whoever_sent_all_of_a_failed_piece_is_proven_at_once() -> None:
    bans = SmartBan(b"secret")
    assert bans.on_piece_failed(PIECE, evidence_of(["10.0.0.1"] * 4, ["10.0.0.1"], Random(0))) == ["10.0.0.1"]
    assert bans.on_piece_verified(PIECE, list) == []


hosts = st.integers(1, 6).map(lambda n: f"10.0.0.{n}")


@settings(max_examples=100)
@given(
    rounds=st.lists(st.lists(hosts, min_size=5, max_size=5), min_size=1, max_size=5),
    liars=st.lists(hosts, min_size=1, max_size=3, unique=True),
    honest=st.just("10.0.0.99"),
    seed=st.integers(),
)
def test_liars_are_proven_and_innocents_stay(rounds: list[list[str]], liars: list[str], honest: str, seed: int) -> None:
    rng = Random(seed)
    bans = SmartBan(b"secret")
    proven: list[str] = []
    lied: list[str] = []
    for senders in rounds:
        if any(sender in liars for sender in senders):
            proven += bans.on_piece_failed(PIECE, evidence_of(senders, liars, rng))
            lied += [sender for sender in senders if sender in liars]
    proven += bans.on_piece_verified(PIECE, lambda: evidence_of([honest] * 5, [], rng))
    assert sorted(set(proven)) == sorted(set(lied))
    assert bans.on_piece_verified(PIECE, lambda: evidence_of([honest] * 5, [], rng)) == []


def test_a_piece_that_never_failed_costs_no_digest() -> None:
    def unused() -> Evidence:
        raise AssertionError

    assert SmartBan(b"secret").on_piece_verified(PIECE, unused) == []


def test_forgotten_pieces_prove_nothing() -> None:
    bans = SmartBan(b"secret")
    assert bans.on_piece_failed(PIECE, evidence_of(["a", "b"], ["a"], Random(0))) == []
    bans.forget(PIECE)
    bans.forget(PIECE)
    assert bans.on_piece_verified(PIECE, lambda: evidence_of(["c", "c"], [], Random(0))) == []


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    bans = SmartBan(b"secret")
    rng = Random(0)
    size = 1024
    count = MAX_BLOCKS // size + 3
    for index in range(count):
        bans.on_piece_failed(PieceIndex(index), evidence_of(["a", "b"] * (size // 2), ["a"], rng, PieceIndex(index)))

    def verify(index: int) -> list[str]:
        return bans.on_piece_verified(PieceIndex(index), lambda: evidence_of(["c"] * size, [], rng, PieceIndex(index)))

    assert verify(0) == []
    assert verify(2) == []
    assert verify(3) == ["a"]
    assert verify(count - 1) == ["a"]


def test_one_huge_piece_that_fails_again_and_again_stays_bounded() -> None:
    bans = SmartBan(b"secret")
    rng = Random(0)
    for _ in range(5):
        bans.on_piece_failed(PIECE, evidence_of(["a", "b"] * (MAX_BLOCKS // 4), ["b"], rng))
    assert bans._blocks == MAX_BLOCKS == len(bans._failed[PIECE])
