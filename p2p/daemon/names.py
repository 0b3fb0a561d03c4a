"""How things are called in each dialect of the RPC.

The rule: inside, everything has its snake_case name, which is also JSON-RPC's. The legacy dialect says methods and
session keys in kebab-case and torrent keys in camelCase, but for the names in the tables below, which history left.
What a legacy request calls something is understood in all three forms, since clients mix them.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What JSON can say. Numbers are finite."""

MAX_NAME: Final = 64
"""Letters of a key: the longest in use has half as many, and a longer one is not worth the look."""


class Dialect(Enum):
    LEGACY = "legacy"
    JSON_RPC = "json-rpc"


TORRENT_LEGACY: Final = {
    "file_count": "file-count",
    "peer_limit": "peer-limit",
    "primary_mime_type": "primary-mime-type",
    "sequential_download": "sequential_download",
    "sequential_download_from_piece": "sequential_download_from_piece",
    "begin_piece": "begin_piece",
    "end_piece": "end_piece",
    "downloader_count": "downloader_count",
    "webseeds_ex": "webseeds_ex",
    "is_utp": "isUTP",
    "peer_id": "peer_id",
    "bytes_to_client": "bytes_to_client",
    "bytes_to_peer": "bytes_to_peer",
}
"""Keys of torrents, and of what is in them, that are not camelCase in the legacy dialect."""

SESSION_LEGACY: Final = {
    "seed_ratio_limit": "seedRatioLimit",
    "seed_ratio_limited": "seedRatioLimited",
    "cache_size_mib": "cache-size-mb",
    "sequential_download": "sequential_download",
    "preferred_transports": "preferred_transports",
    # of session-stats
    "active_torrent_count": "activeTorrentCount",
    "paused_torrent_count": "pausedTorrentCount",
    "torrent_count": "torrentCount",
    "download_speed": "downloadSpeed",
    "upload_speed": "uploadSpeed",
    "uploaded_bytes": "uploadedBytes",
    "downloaded_bytes": "downloadedBytes",
    "files_added": "filesAdded",
    "session_count": "sessionCount",
    "seconds_active": "secondsActive",
    # of free-space, port-test, groups, torrent-add
    "total_size": "total_size",
    "ip_protocol": "ip_protocol",
    "honors_session_limits": "honorsSessionLimits",
    "hash_string": "hashString",
}
"""Keys of all other answers that are not kebab-case in the legacy dialect."""

_SYNONYMS: Final = {
    "cache_size_mb": "cache_size_mib",
    "is_u_t_p": "is_utp",
    "sitename": "sitename",
}
"""Names that come out of `canonical`'s rule otherwise than they are called here."""

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def camel(name: str) -> str:
    """`rate_to_peer` as `rateToPeer`."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def torrent_key(name: str) -> str:
    """What the legacy dialect calls a key of a torrent. Names of our own (`starling_...`) are the same in both."""
    if name.startswith("starling_"):
        return name
    return TORRENT_LEGACY.get(name) or camel(name)


def session_key(name: str) -> str:
    """What the legacy dialect calls any other key."""
    if name.startswith("starling_"):
        return name
    return SESSION_LEGACY.get(name) or name.replace("_", "-")


def canonical(name: str) -> str:
    """A legacy name of any form as its snake_case one. Names that are too long to be any come back as they are."""
    if len(name) > MAX_NAME:
        return name
    snake = _HUMP.sub("_", name).replace("-", "_").lower()
    return _SYNONYMS.get(snake, snake)


def understood(given: Mapping[str, Json], dialect: Dialect) -> dict[str, Json]:
    """The arguments of a call under their snake_case names. Of two names for one the last counts."""
    if dialect is Dialect.JSON_RPC:
        return dict(given)
    return {canonical(name): value for name, value in given.items()}


def spoken(answer: Json, dialect: Dialect) -> Json:
    """An answer as a dialect calls its keys, all but `torrents`, which are in their dialect already."""
    if dialect is Dialect.JSON_RPC:
        return answer
    if isinstance(answer, dict):
        return {
            session_key(name): value if name == "torrents" else spoken(value, dialect) for name, value in answer.items()
        }
    if isinstance(answer, list):
        return [spoken(value, dialect) for value in answer]
    return answer
