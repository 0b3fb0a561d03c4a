"""Pieces as two maps of characters: what is here, and how many peers have it. Pure.

The rule: a cell stands for as many pieces as are needed for all to be seen; of those that it stands for it tells how
many are here, and how often the rarest is among peers. Each level has a character of its own: no colour is needed.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.quantities import count, format_size
from tui.columns import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.own_facts import PieceMap

Cell = tuple[str, str]
"""A character, and the class of its style."""

_BYTES: Final = tuple(bytes(byte >> shift & 1 for shift in range(7, -1, -1)) for byte in range(256))
"""The bits of each byte, the high one first."""

MOST_PIECES: Final = 4_000_000
"""That are drawn: half of what a torrent file of the largest size can name."""

HERE_LEGEND: Final = "█ here  ▓▒░ some of them  · not here"
AMONG_LEGEND: Final = "█ 8 peers or more  ▓ 4  ▒ 2  ░ 1  · nobody"

_NOT: Final[Cell] = ("·", "piece--none")


@dataclass(frozen=True, slots=True)
class Pieces:
    """One byte a piece: 1 for what is here, and how many peers have it."""

    have: bytes
    among: bytes
    size: int
    copies: float

    def __len__(self) -> int:
        return len(self.have)


def read_pieces(told: PieceMap) -> Pieces | None:
    """None where there are none yet, or what is told is no map."""
    try:
        bits = base64.b64decode(told.pieces, validate=True)
        among = base64.b64decode(told.availability, validate=True)
    except (binascii.Error, ValueError):
        return None
    number = min(told.piece_count, 8 * len(bits), MOST_PIECES)
    if number <= 0:
        return None
    have = b"".join(_BYTES[byte] for byte in bits[: -(-number // 8)])[:number]
    return Pieces(have, among[:number].ljust(number, b"\0"), told.piece_size, told.distributed_copies)


def cells_here(pieces: Pieces, room: int) -> list[Cell]:
    """What is here, in at most `room` cells."""
    return [_here(pieces.have[first:last]) for first, last in _groups(len(pieces), room)]


def _here(group: bytes) -> Cell:
    part = sum(group) / len(group)
    if part >= 1:
        return ("█", "piece--here")
    if part <= 0:
        return _NOT
    return ("▓" if part >= 2 / 3 else "▒" if part >= 1 / 3 else "░", "piece--some")


def cells_among(pieces: Pieces, room: int) -> list[Cell]:
    """How many peers have the rarest, in at most `room` cells. What nobody has is bad only where we lack it too."""
    return [
        _among(min(pieces.among[first:last]), pieces.have[first:last], pieces.among[first:last])
        for first, last in _groups(len(pieces), room)
    ]


def _among(rarest: int, have: bytes, among: bytes) -> Cell:
    if rarest == 0:
        lost = any(not number and not here for number, here in zip(among, have, strict=True))
        return ("·", "piece--lost" if lost else "piece--none")
    if rarest == 1:
        return ("░", "piece--rare")
    return ("▒" if rarest < 4 else "▓" if rarest < 8 else "█", "piece--some" if rarest < 4 else "piece--here")


def _groups(number: int, room: int) -> Sequence[tuple[int, int]]:
    if room <= 0:
        return []
    group = -(-number // room)
    return [(first, min(number, first + group)) for first in range(0, number, group)]


def summary(pieces: Pieces) -> str:
    """How many are here, and what keeps the rest away."""
    here = sum(pieces.have)
    lost = sum(not number and not have for number, have in zip(pieces.among, pieces.have, strict=True))
    rare = sum(number == 1 and not have for number, have in zip(pieces.among, pieces.have, strict=True))
    parts = [f"{here:,} of {count(len(pieces), 'piece')} of {format_size(pieces.size)}, {percent(here / len(pieces))}"]
    if pieces.copies > 0:
        parts.append(f"{pieces.copies:.2f} copies")
    if here < len(pieces):
        parts.append(f"missing: {rare:,} with one peer, {lost:,} with nobody")
    return "  ".join(parts)
