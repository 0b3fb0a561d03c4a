"""The methods of the RPC that are about torrents."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from p2p.daemon.arguments import MAX_IDS, Arguments, file_name, inner_path
from p2p.daemon.fields import MAX_FIELDS, Columns
from p2p.daemon.names import Dialect, torrent_key
from p2p.daemon.ports import UNCHANGED, Addition, Content, SourceKind, Start, Step
from p2p.daemon.rpc_errors import Code, RpcError, invalid
from p2p.daemon.torrent_change import edited_trackers, edits_trackers, read_change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.deltas import Delta
    from p2p.daemon.dialects import Call
    from p2p.daemon.methods import Method
    from p2p.daemon.names import Json
    from p2p.daemon.ports import Library, Managed

RECENTLY_ACTIVE: Final = ("recently-active", "recently_active")
_HEX: Final = frozenset("0123456789abcdef")
_HASH_LENGTHS: Final = (40, 64)


def selected(library: Library, ids: Json) -> Sequence[Managed]:
    """The torrents that `ids` names, each once: all without one; none for an empty list. Unknown ones are skipped.

    Raises RpcError for what can be no name of a torrent.
    """
    if ids is None:
        return library.torrents()
    if isinstance(ids, str) and ids in RECENTLY_ACTIVE:
        return _by_number(library, library.recent())
    names = ids if isinstance(ids, list) else [ids]
    if len(names) > MAX_IDS:
        raise invalid(f"ids names {len(names)} torrents, and {MAX_IDS} are allowed")
    found = {torrent.id: torrent for torrent in (_find(library, name) for name in names) if torrent is not None}
    return list(found.values())


def _find(library: Library, name: Json) -> Managed | None:
    if isinstance(name, bool):
        raise invalid("ids must be numbers or info-hashes")
    if isinstance(name, int):
        return library.by_id(name)
    if isinstance(name, float):
        return library.by_id(int(name)) if name.is_integer() else None
    if isinstance(name, str):
        lower = name.lower()
        return library.by_hash(lower) if len(lower) in _HASH_LENGTHS and _HEX.issuperset(lower) else None
    raise invalid("ids must be numbers or info-hashes")


def _by_number(library: Library, delta: Delta) -> list[Managed]:
    return [torrent for torrent in map(library.by_id, delta.changed) if torrent is not None]


def _one(library: Library, ids: Json) -> Managed:
    torrents = selected(library, ids)
    if ids is None or len(torrents) != 1:
        raise invalid("ids must name one torrent that is here")
    return torrents[0]


async def torrent_get(call: Call, library: Library) -> dict[str, Json]:
    """Fields of torrents; with `starling_since` only of those that changed after that revision, and what went."""
    arguments = Arguments(call.arguments)
    asked = arguments.raw("fields")
    if not isinstance(asked, list) or len(asked) > MAX_FIELDS:
        raise invalid(f"fields must be a list of at most {MAX_FIELDS} names")
    columns = Columns.of((name for name in asked if isinstance(name, str)), call.dialect)
    shape = arguments.raw("format")
    if shape not in (None, "objects", "table"):
        raise invalid("format must be objects or table")
    ids = arguments.raw("ids")
    answer: dict[str, Json] = {}
    since = arguments.integer("starling_since", 0, 1 << 62)
    if since is not None:
        if ids is not None:
            raise invalid("ids and starling_since exclude each other")
        delta = library.since(since)
        torrents = library.torrents() if delta.full else _by_number(library, delta)
        answer = {"starling_revision": delta.revision, "starling_full": delta.full, "removed": list(delta.removed)}
    elif isinstance(ids, str) and ids in RECENTLY_ACTIVE:
        delta = library.recent()
        torrents = _by_number(library, delta)
        answer = {"removed": list(delta.removed)}
    else:
        torrents = selected(library, ids)
    answer["torrents"] = columns.table(torrents) if shape == "table" else columns.objects(torrents)
    return answer


async def torrent_set(call: Call, library: Library) -> dict[str, Json]:
    arguments = Arguments(call.arguments)
    change = read_change(arguments)
    torrents = selected(library, arguments.raw("ids"))
    if change.trackers is UNCHANGED and edits_trackers(arguments):
        edited = [(each, edited_trackers(arguments, each.trackers())) for each in torrents]
        for torrent, tiers in edited:
            await library.change([torrent], dataclasses.replace(change, trackers=tiers))
    else:
        await library.change(torrents, change)
    return {}


async def torrent_add(call: Call, library: Library) -> dict[str, Json]:
    arguments = Arguments(call.arguments)
    kind, source = _source(arguments)
    added = await library.add(
        Addition(
            kind=kind,
            source=source,
            download_dir=arguments.location("download_dir"),
            paused=arguments.boolean("paused"),
            cookies=_cookies(arguments),
            change=read_change(arguments),
        )
    )
    torrent = added.torrent
    told: dict[str, Json] = {"id": torrent.id, "name": torrent.name, "hash_string": torrent.hash_string}
    if call.dialect is Dialect.LEGACY:
        told = {torrent_key(name): value for name, value in told.items()}
    return {"torrent_duplicate" if added.duplicate else "torrent_added": told}


def _source(arguments: Arguments) -> tuple[SourceKind, bytes]:
    metainfo = arguments.metainfo("metainfo")
    if metainfo:
        return SourceKind.METAINFO, metainfo
    name = arguments.text("filename")
    if not name:
        raise invalid("either filename or metainfo must be given")
    lower = name[:8].lower()
    if lower.startswith("magnet:"):
        return SourceKind.MAGNET, name.encode("utf-8", "replace")
    if lower.startswith(("http://", "https://")):
        return SourceKind.URL, name.encode("utf-8", "replace")
    path = arguments.location("filename")
    if path is None:
        raise RpcError(Code.PATH_NOT_ABSOLUTE, "filename must be a magnet link, a URL or an absolute path")
    return SourceKind.PATH, path.encode()


def _cookies(arguments: Arguments) -> str:
    cookies = arguments.text("cookies") or ""
    if not cookies.isascii() or not cookies.isprintable():
        raise invalid("cookies must be printable ASCII")  # they go into a header
    return cookies


async def torrent_remove(call: Call, library: Library) -> dict[str, Json]:
    arguments = Arguments(call.arguments)
    delete = arguments.boolean("delete_local_data")
    await library.remove(selected(library, arguments.raw("ids")), Content.DELETE if delete else Content.KEEP)
    return {}


async def torrent_start(call: Call, library: Library) -> dict[str, Json]:
    await library.start(selected(library, call.arguments.get("ids")), Start.QUEUED)
    return {}


async def torrent_start_now(call: Call, library: Library) -> dict[str, Json]:
    await library.start(selected(library, call.arguments.get("ids")), Start.NOW)
    return {}


async def torrent_stop(call: Call, library: Library) -> dict[str, Json]:
    await library.stop(selected(library, call.arguments.get("ids")))
    return {}


async def torrent_verify(call: Call, library: Library) -> dict[str, Json]:
    await library.verify(selected(library, call.arguments.get("ids")))
    return {}


async def torrent_reannounce(call: Call, library: Library) -> dict[str, Json]:
    await library.reannounce(selected(library, call.arguments.get("ids")))
    return {}


async def torrent_set_location(call: Call, library: Library) -> dict[str, Json]:
    arguments = Arguments(call.arguments)
    location = arguments.location("location")
    if location is None:
        raise RpcError(Code.PATH_NOT_ABSOLUTE, "location must be given")
    content = Content.MOVE if arguments.boolean("move") else Content.FIND
    await library.set_location(selected(library, arguments.raw("ids")), location, content)
    return {}


async def torrent_rename_path(call: Call, library: Library) -> dict[str, Json]:
    arguments = Arguments(call.arguments)
    path, name = inner_path("path", arguments.raw("path")), file_name("name", arguments.raw("name"))
    torrent = _one(library, arguments.raw("ids"))
    await library.rename(torrent, path, name)
    return {"path": path, "name": name, "id": torrent.id}


def _queue_move(step: Step) -> Method:
    async def queue_move(call: Call, library: Library) -> dict[str, Json]:
        arguments = Arguments(call.arguments)
        await library.move_in_queue(selected(library, arguments.raw("ids")), step)
        return {}

    return queue_move


def torrent_methods() -> dict[str, Method]:
    """By name."""
    return {
        "torrent_get": torrent_get,
        "torrent_set": torrent_set,
        "torrent_add": torrent_add,
        "torrent_remove": torrent_remove,
        "torrent_start": torrent_start,
        "torrent_start_now": torrent_start_now,
        "torrent_stop": torrent_stop,
        "torrent_verify": torrent_verify,
        "torrent_reannounce": torrent_reannounce,
        "torrent_set_location": torrent_set_location,
        "torrent_rename_path": torrent_rename_path,
        **{f"queue_move_{step.value}": _queue_move(step) for step in Step},
    }
