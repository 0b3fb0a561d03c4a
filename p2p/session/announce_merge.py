"""Several replies to one announce: both info-hashes of a hybrid torrent, both address families of a tracker's name."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from p2p.codec.announce import AnnounceReply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Number = TypeVar("_Number", int, float)


def merge_replies(replies: Sequence[AnnounceReply]) -> AnnounceReply:
    """One reply out of one or more: all peers, the longest intervals, the highest counts, the first of each text.

    Counts are of overlapping swarms, so their sum would count most peers twice.
    """
    if len(replies) == 1:
        return replies[0]
    return AnnounceReply(
        interval=max(reply.interval for reply in replies),
        min_interval=_highest(reply.min_interval for reply in replies),
        seeders=_highest(reply.seeders for reply in replies),
        leechers=_highest(reply.leechers for reply in replies),
        completed=_highest(reply.completed for reply in replies),
        peers=tuple(dict.fromkeys(chain.from_iterable(reply.peers for reply in replies))),
        tracker_id=next((reply.tracker_id for reply in replies if reply.tracker_id), None),
        warning=next((reply.warning for reply in replies if reply.warning), None),
        external_ip=next((reply.external_ip for reply in replies if reply.external_ip), None),
    )


def _highest(values: Iterable[_Number | None]) -> _Number | None:
    return max((value for value in values if value is not None), default=None)
