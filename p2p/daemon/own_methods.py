"""The methods of the RPC beyond Transmission's, under names that begin with `starling_`, in one table.

The rule: reads answer from memory. Arguments and answers are called the same in both dialects, and every answer is a
value of `p2p.daemon.own_facts`, from which its schema is generated.
"""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from p2p.daemon.arguments import MAX_LIMIT, MAX_TEXT, Arguments, as_text, tiers_of
from p2p.daemon.creation import Wanted
from p2p.daemon.own_facts import (
    ChokingFacts,
    CreatedFile,
    Creation,
    CreationFacts,
    DhtFacts,
    DiskFacts,
    LogFacts,
    PieceMap,
    RateHistory,
    TrackerHealthFacts,
)
from p2p.daemon.removals import RemovalFacts, Restored
from p2p.daemon.rpc_errors import invalid
from p2p.daemon.shapes import told
from p2p.daemon.torrent_methods import selected
from p2p.metainfo.urls import MAX_URLS
from p2p.operation.log_lines import LogLevel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from p2p.daemon.dialects import Call
    from p2p.daemon.methods import Method
    from p2p.daemon.monitor import Monitor
    from p2p.daemon.names import Json
    from p2p.daemon.ports import Library, Managed
    from p2p.metainfo.metainfo import Version

Ask: TypeAlias = "Callable[[Arguments, Library, Monitor], Awaitable[Any]]"

MAX_LINES: Final = 2_000
_MAX_PIECE: Final = 1 << 30
_VERSIONS: Final[dict[str, Version]] = {"1": "1", "2": "2", "hybrid": "hybrid"}
_LEVELS: Final = [level.value for level in LogLevel]


@dataclass(frozen=True, slots=True)
class OwnMethod:
    """`arguments` are JSON Schemas by name, `needed` those that must be there; `answer` is the kind of value."""

    name: str
    about: str
    answer: type
    ask: Ask
    arguments: Mapping[str, dict[str, Json]]
    needed: tuple[str, ...] = ()


def _one(arguments: Arguments, library: Library) -> Managed:
    ids = arguments.raw("ids")
    torrents = [] if ids is None else selected(library, ids)
    if len(torrents) != 1:
        raise invalid("ids must name one torrent that is here")
    return torrents[0]


async def _choking(arguments: Arguments, library: Library, monitor: Monitor) -> ChokingFacts:  # noqa: ARG001
    return _one(arguments, library).starling_choking()


async def _pieces(arguments: Arguments, library: Library, monitor: Monitor) -> PieceMap:  # noqa: ARG001
    return _one(arguments, library).starling_pieces()


async def _dht(arguments: Arguments, library: Library, monitor: Monitor) -> DhtFacts:  # noqa: ARG001
    return monitor.dht()


async def _disk(arguments: Arguments, library: Library, monitor: Monitor) -> DiskFacts:  # noqa: ARG001
    return monitor.disk()


async def _trackers(arguments: Arguments, library: Library, monitor: Monitor) -> TrackerHealthFacts:  # noqa: ARG001
    return monitor.trackers()


async def _history(arguments: Arguments, library: Library, monitor: Monitor) -> RateHistory:
    return monitor.rates(_one(arguments, library).id if "ids" in arguments else None)


async def _log_get(arguments: Arguments, library: Library, monitor: Monitor) -> LogFacts:  # noqa: ARG001
    since = arguments.integer("since", 0, 1 << 62)
    count = arguments.integer("count", 0, MAX_LINES)
    level = _level(arguments)
    least = logging.NOTSET if level is None else level.number
    return monitor.log_lines(since or 0, least, MAX_LINES if count is None else count)


async def _log_set(arguments: Arguments, library: Library, monitor: Monitor) -> LogFacts:  # noqa: ARG001
    level = _level(arguments)
    if level is None:
        raise invalid(f"level must be one of {', '.join(_LEVELS)}")
    monitor.set_log_level(level)
    return monitor.log_lines(0, logging.NOTSET, 0)


def _level(arguments: Arguments) -> LogLevel | None:
    asked = arguments.text("level")
    if asked is None:
        return None
    try:
        return LogLevel(asked)
    except ValueError as error:
        raise invalid(f"level must be one of {', '.join(_LEVELS)}") from error


async def _create_start(arguments: Arguments, library: Library, monitor: Monitor) -> Creation:  # noqa: ARG001
    path = arguments.location("path")
    if path is None:
        raise invalid("path must be given")
    version = _VERSIONS.get(arguments.text("version") or "1")
    if version is None:
        raise invalid(f"version must be one of {', '.join(_VERSIONS)}")
    trackers = arguments.raw("tracker_list")
    return monitor.creations.start(
        Wanted(
            path=path,
            output=arguments.location("output"),
            seed=arguments.boolean("seed") or False,
            version=version,
            piece_length=arguments.integer("piece_length", 1, _MAX_PIECE),
            tiers=() if trackers is None else tiers_of("tracker_list", trackers),
            web_seeds=_texts(arguments, "web_seeds"),
            private=arguments.boolean("private") or False,
            source=arguments.text("source"),
            comment=arguments.text("comment"),
        )
    )


def _texts(arguments: Arguments, name: str) -> tuple[str, ...]:
    value = arguments.raw(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_URLS:
        raise invalid(f"{name} must be a list of at most {MAX_URLS} texts")
    return tuple(as_text(name, each, MAX_TEXT) for each in value)


async def _create_get(arguments: Arguments, library: Library, monitor: Monitor) -> CreationFacts:  # noqa: ARG001
    job = arguments.integer("job", 0, MAX_LIMIT)
    return CreationFacts(monitor.creations.all() if job is None else (monitor.creations.one(job),))


async def _create_cancel(arguments: Arguments, library: Library, monitor: Monitor) -> Creation:  # noqa: ARG001
    return monitor.creations.cancel(_job(arguments))


async def _create_file(arguments: Arguments, library: Library, monitor: Monitor) -> CreatedFile:  # noqa: ARG001
    job = _job(arguments)
    return CreatedFile(job, base64.b64encode(await monitor.creations.file(job)).decode())


async def _removals(arguments: Arguments, library: Library, monitor: Monitor) -> RemovalFacts:  # noqa: ARG001
    return RemovalFacts(library.removals())


async def _undo(arguments: Arguments, library: Library, monitor: Monitor) -> Restored:  # noqa: ARG001
    return Restored(tuple(torrent.id for torrent in await library.undo_removal(_removal_names(arguments))))


async def _purge(arguments: Arguments, library: Library, monitor: Monitor) -> RemovalFacts:  # noqa: ARG001
    await library.purge_removal(_removal_names(arguments))
    return RemovalFacts(library.removals())


def _removal_names(arguments: Arguments) -> tuple[str, ...] | None:
    return _texts(arguments, "names") if "names" in arguments else None


def _job(arguments: Arguments) -> int:
    job = arguments.integer("job", 0, MAX_LIMIT)
    if job is None:
        raise invalid("job must be given")
    return job


_TEXT: Final[dict[str, Json]] = {"type": "string"}
_SWITCH: Final[dict[str, Json]] = {"type": "boolean"}
_JOB: Final[dict[str, Json]] = {"type": "integer", "minimum": 0}
_NAMES: Final[dict[str, Json]] = {"type": "array", "items": _TEXT, "maxItems": MAX_URLS}
_IDS: Final[dict[str, Json]] = {
    "type": ["integer", "string", "array"],
    "items": {"type": ["integer", "string"]},
    "description": "one torrent, by number or info-hash",
}
_LEVEL: Final[dict[str, Json]] = {"type": "string", "enum": [*_LEVELS]}

OWN_METHODS: Final = (
    OwnMethod(
        "starling_choking_get", "The choking round of a torrent", ChokingFacts, _choking, {"ids": _IDS}, ("ids",)
    ),
    OwnMethod("starling_create_cancel", "Give up making a torrent", Creation, _create_cancel, {"job": _JOB}, ("job",)),
    OwnMethod(
        "starling_create_file", "The torrent file that was made", CreatedFile, _create_file, {"job": _JOB}, ("job",)
    ),
    OwnMethod("starling_create_get", "Torrents being made, and made", CreationFacts, _create_get, {"job": _JOB}),
    OwnMethod(
        "starling_create_start",
        "Make a torrent of a file or folder of the daemon's machine",
        Creation,
        _create_start,
        {
            "path": _TEXT,
            "output": _TEXT,
            "seed": _SWITCH,
            "version": {"type": "string", "enum": [*_VERSIONS]},
            "piece_length": {"type": "integer", "minimum": 1, "maximum": _MAX_PIECE},
            "tracker_list": _TEXT,
            "web_seeds": {"type": "array", "items": _TEXT, "maxItems": MAX_URLS},
            "private": _SWITCH,
            "source": _TEXT,
            "comment": _TEXT,
        },
        ("path",),
    ),
    OwnMethod("starling_dht_get", "The DHT node", DhtFacts, _dht, {}),
    OwnMethod("starling_disk_get", "The disk's jobs and filesystems", DiskFacts, _disk, {}),
    OwnMethod(
        "starling_history_get", "Rates over time, of the session or a torrent", RateHistory, _history, {"ids": _IDS}
    ),
    OwnMethod(
        "starling_log_get",
        "The last lines of the log",
        LogFacts,
        _log_get,
        {"since": _JOB, "level": _LEVEL, "count": {"type": "integer", "minimum": 0, "maximum": MAX_LINES}},
    ),
    OwnMethod("starling_log_set", "The least level that is logged", LogFacts, _log_set, {"level": _LEVEL}, ("level",)),
    OwnMethod("starling_pieces_get", "The pieces of a torrent", PieceMap, _pieces, {"ids": _IDS}, ("ids",)),
    OwnMethod(
        "starling_removal_purge", "Delete removed content before its time", RemovalFacts, _purge, {"names": _NAMES}
    ),
    OwnMethod(
        "starling_removal_undo",
        "Bring back what was removed with its content, the last if none is named",
        Restored,
        _undo,
        {"names": _NAMES},
    ),
    OwnMethod("starling_removals_get", "Removals that can be undone", RemovalFacts, _removals, {}),
    OwnMethod("starling_trackers_get", "How trackers' hosts answer", TrackerHealthFacts, _trackers, {}),
)
"""All of them, in alphabetical order."""


def own_methods(monitor: Monitor) -> dict[str, Method]:
    """By name."""
    return {method.name: _answering(method.ask, monitor) for method in OWN_METHODS}


def _answering(ask: Ask, monitor: Monitor) -> Method:
    async def answer(call: Call, library: Library) -> dict[str, Json]:
        value = told(await ask(Arguments(call.arguments), library, monitor))
        if not isinstance(value, dict):
            raise TypeError("the answer of an own method is an object")
        return value

    return answer
