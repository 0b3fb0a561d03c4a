from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.swarm.debt import CREDIT, owes

sizes = st.integers(0, 1 << 40)


def test_the_first_piece_is_free() -> None:
    assert not owes(sent=1 << 18, received=0, piece_length=1 << 18)
    assert owes(sent=(1 << 18) + 1, received=0, piece_length=1 << 18)


@given(sent=sizes, received=sizes, piece=st.integers(1, 1 << 28))
def test_who_gave_as_much_as_it_got_never_owes(sent: int, received: int, piece: int) -> None:
    assert not owes(sent=min(sent, received), received=received, piece_length=piece)
    if owes(sent=sent, received=received, piece_length=piece):
        assert not owes(sent=sent, received=received + -(-sent // CREDIT), piece_length=piece)
