"""What `torrent_set` and `torrent_add` say about how a torrent is to be handled, read into one value.

Trackers can be given as a whole (`tracker_list`), or added, removed and replaced one by one: the old form, which
clients in use still send, and which depends on the trackers that a torrent has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from p2p.daemon.arguments import MAX_LIMIT, announce_url, as_integer, tiers_of
from p2p.daemon.ports import UNCHANGED, FileChange, GoalMode, Priority, TorrentChange
from p2p.daemon.rpc_errors import Code, RpcError, invalid
from p2p.metainfo.urls import MAX_URLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.arguments import Arguments
    from p2p.daemon.names import Json
    from p2p.daemon.ports import Missing, TrackerFacts

    Tiers = tuple[tuple[str, ...], ...]

_T = TypeVar("_T")

MAX_GROUP: Final = 100
"""Letters of a bandwidth group's name."""

MAX_PEERS: Final = 65_535
_TRACKER_EDITS: Final = ("tracker_add", "tracker_remove", "tracker_replace")


def read_change(arguments: Arguments) -> TorrentChange:
    """All but the one by one edits of trackers. Raises RpcError."""
    trackers: Tiers | Missing = UNCHANGED
    if "tracker_list" in arguments:
        trackers = tiers_of("tracker_list", arguments.raw("tracker_list"))
    return TorrentChange(
        bandwidth_priority=_or_unchanged(arguments.choice("bandwidth_priority", Priority)),
        download_limit=_or_unchanged(arguments.integer("download_limit", 0, MAX_LIMIT)),
        download_limited=_or_unchanged(arguments.boolean("download_limited")),
        upload_limit=_or_unchanged(arguments.integer("upload_limit", 0, MAX_LIMIT)),
        upload_limited=_or_unchanged(arguments.boolean("upload_limited")),
        honors_session_limits=_or_unchanged(arguments.boolean("honors_session_limits")),
        group=_or_unchanged(arguments.text("group", MAX_GROUP)),
        labels=_or_unchanged(arguments.labels("labels")),
        peer_limit=_or_unchanged(arguments.integer("peer_limit", 1, MAX_PEERS)),
        queue_position=_or_unchanged(arguments.integer("queue_position", 0, MAX_LIMIT)),
        seed_idle_limit=_or_unchanged(arguments.integer("seed_idle_limit", 0, MAX_LIMIT)),
        seed_idle_mode=_or_unchanged(arguments.choice("seed_idle_mode", GoalMode)),
        seed_ratio_limit=_or_unchanged(arguments.number("seed_ratio_limit", 0, MAX_LIMIT)),
        seed_ratio_mode=_or_unchanged(arguments.choice("seed_ratio_mode", GoalMode)),
        starling_seed_time_limit=_or_unchanged(arguments.integer("starling_seed_time_limit", 0, MAX_LIMIT)),
        starling_seed_time_mode=_or_unchanged(arguments.choice("starling_seed_time_mode", GoalMode)),
        sequential_download=_or_unchanged(arguments.boolean("sequential_download")),
        trackers=trackers,
        location=_or_unchanged(arguments.location("location")),
        files=FileChange(
            wanted=arguments.indices("files_wanted"),
            unwanted=arguments.indices("files_unwanted"),
            high=arguments.indices("priority_high"),
            normal=arguments.indices("priority_normal"),
            low=arguments.indices("priority_low"),
        ),
    )


def _or_unchanged(value: _T | None) -> _T | Missing:
    return UNCHANGED if value is None else value


def edits_trackers(arguments: Arguments) -> bool:
    """Whether trackers are to be edited one by one."""
    return any(name in arguments for name in _TRACKER_EDITS)


def edited_trackers(arguments: Arguments, trackers: Sequence[TrackerFacts]) -> Tiers:
    """The tiers of a torrent with those `trackers` after `tracker_remove`, `tracker_replace` and `tracker_add`, in this
    order. Raises RpcError for a tracker that is not there."""
    tiers: dict[int, dict[int, str]] = {}
    for tracker in trackers:
        tiers.setdefault(tracker.tier, {})[tracker.id] = tracker.announce
    for each in _list(arguments, "tracker_remove"):
        _tier_of("tracker_remove", tiers, each).pop(as_integer("tracker_remove", each, 0, MAX_LIMIT))
    replaced = _list(arguments, "tracker_replace")
    if len(replaced) % 2:
        raise invalid("tracker_replace must be a list of pairs of a tracker's id and its new URL")
    for each, url in zip(replaced[::2], replaced[1::2], strict=True):
        tier = _tier_of("tracker_replace", tiers, each)
        tier[as_integer("tracker_replace", each, 0, MAX_LIMIT)] = announce_url("tracker_replace", url)
    known = {url for tier in tiers.values() for url in tier.values()}
    added = dict.fromkeys(announce_url("tracker_add", each) for each in _list(arguments, "tracker_add"))
    after = [*(tuple(tier.values()) for tier in tiers.values()), *((url,) for url in added if url not in known)]
    if sum(map(len, after)) > MAX_URLS:
        raise RpcError(Code.SET_ANNOUNCE_LIST, f"a torrent has at most {MAX_URLS} trackers")
    return tuple(tier for tier in after if tier)


def _list(arguments: Arguments, name: str) -> list[Json]:
    value = arguments.raw(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > 2 * MAX_URLS:
        raise invalid(f"{name} must be a list of at most {2 * MAX_URLS} items")
    return value


def _tier_of(name: str, tiers: dict[int, dict[int, str]], given: Json) -> dict[int, str]:
    number = as_integer(name, given, 0, MAX_LIMIT)
    for tier in tiers.values():
        if number in tier:
            return tier
    raise RpcError(Code.SET_ANNOUNCE_LIST, f"{name}: there is no tracker {number}")
