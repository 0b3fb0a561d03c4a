"""What in an announce cannot be true, or is seldom honest: each finding with its reason, for the operator.

The rule: a finding takes at most the credit for the upload of this one announce; downloads are charged all the same.
Judging the member is the operator's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tracker.private.accounts import Place, Rise
    from tracker.private.rules import CheatRules

SHORTEST: Final = 10.0
"""Seconds a speed is measured over at the least: two announces in a row say nothing about one."""


class Cheat(StrEnum):
    SPEED = "impossible speed"
    JUMP = "counter jump"
    FIRST_SIGHT = "counters at first sight"
    NOBODY = "upload to nobody"
    PEER_ID = "peer id in two places"
    NETWORKS = "passkey in many places"
    COUNTER = "impossible counter"


class Finding(NamedTuple):
    kind: Cheat
    detail: str
    takes_credit: bool


def judge_rise(rise: Rise, longest: float, rules: CheatRules) -> list[Finding]:
    """Speeds and jumps. `longest` is how many seconds between two announces are believed to be one run."""
    found: list[Finding] = []
    seconds = min(max(rise.seconds, SHORTEST), longest)
    for what, size in (("uploaded", rise.uploaded), ("downloaded", rise.downloaded)):
        is_credit = what == "uploaded"
        if size > rules.max_rise:
            found.append(Finding(Cheat.JUMP, f"{what} {size} bytes more than the announce before", is_credit))
        elif size > rules.max_speed * seconds:
            speed = round(size / seconds)
            found.append(Finding(Cheat.SPEED, f"{what} {size} bytes in {seconds:.0f} s, {speed} a second", is_credit))
    return found


def judge_first(uploaded: int, downloaded: int, rules: CheatRules) -> list[Finding]:
    """Of a client that was not known and did not say that it starts."""
    if max(uploaded, downloaded) <= rules.first_sight:
        return []
    return [
        Finding(
            Cheat.FIRST_SIGHT, f"came with {uploaded} bytes uploaded and {downloaded} downloaded", takes_credit=False
        )
    ]


def judge_audience(rise: Rise, rules: CheatRules) -> list[Finding]:
    """Of an upload while nobody else was seen to download the torrent."""
    if rise.uploaded <= rules.nobody:
        return []
    return [Finding(Cheat.NOBODY, f"uploaded {rise.uploaded} bytes while nobody downloaded", takes_credit=False)]


def is_other_client(before: Place, key: int, source: str) -> bool:
    """Whether a peer id now speaks from another address with another key: two clients, not one that moved (BEP 7)."""
    return before.source != source and before.key != key
