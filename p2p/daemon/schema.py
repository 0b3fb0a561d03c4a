"""The machine-readable schema of the RPC (`/schema`): JSON Schema 2020-12, generated from the tables that answer.

Under `methods` stand, by JSON-RPC's names, what each takes (`params`) and brings (`result`); under `events` what
`/events` tells; under `$defs` torrents and the session in both dialects.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import orjson

from p2p.daemon import client_events, fields, session_fields
from p2p.daemon.client_values import TorrentChanges
from p2p.daemon.names import Dialect, session_key, torrent_key
from p2p.daemon.own_facts import LogLine
from p2p.daemon.own_methods import OWN_METHODS
from p2p.daemon.ports import Group, Totals
from p2p.daemon.shapes import schema_of
from p2p.version import VERSION

if TYPE_CHECKING:
    from p2p.daemon.names import Json

    Schema = dict[str, Json]

_NUMBER: Final[Schema] = {"type": "integer"}
_TEXT: Final[Schema] = {"type": "string"}
_SWITCH: Final[Schema] = {"type": "boolean"}
_NUMBERS: Final[Schema] = {"type": "array", "items": _NUMBER}
_NAMES: Final[Schema] = {"type": "array", "items": _TEXT}
_IDS: Final[Schema] = {
    "description": "numbers and info-hashes; `recently_active`; without it all torrents",
    "anyOf": [_NUMBER, _TEXT, {"type": "array", "items": {"type": ["integer", "string"]}}],
}
_ADDED: Final[Schema] = {
    "type": "object",
    "properties": {"id": _NUMBER, "name": _TEXT, "hash_string": _TEXT},
    "required": ["id", "name", "hash_string"],
    "additionalProperties": False,
}


def _object(properties: Schema, required: tuple[str, ...] | None = None, *, closed: bool = True) -> Schema:
    """All of `properties` are required unless told otherwise."""
    needed = properties if required is None else required
    return {
        "type": "object",
        "properties": properties,
        "required": [*needed],
        "additionalProperties": not closed,
    }


def _torrent(dialect: Dialect) -> Schema:
    key = torrent_key if dialect is Dialect.LEGACY else str
    # In the legacy dialect a field is answered by the name it was asked by, of which there are several.
    return _object(
        {key(field.name): field.schema(dialect) for field in fields.FIELDS}, (), closed=dialect is Dialect.JSON_RPC
    )


def _session(dialect: Dialect) -> Schema:
    key = session_key if dialect is Dialect.LEGACY else str
    return _object({key(setting.name): _setting(setting) for setting in session_fields.SETTINGS}, ())


def _setting(setting: session_fields.Setting) -> Schema:
    schema: Schema = {"type": setting.kind}
    return {**schema, "items": _TEXT} if setting.kind == "array" else schema


def _changes() -> Schema:
    """What `torrent_set` takes beside `ids`."""
    whole = schema_of(TorrentChanges)["properties"]
    return {**(whole if isinstance(whole, dict) else {}), "tracker_list": _TEXT, "location": _TEXT}


_ABOUT_TORRENTS: Final = (
    "torrent_start",
    "torrent_start_now",
    "torrent_stop",
    "torrent_verify",
    "torrent_reannounce",
    *(f"queue_move_{step}" for step in ("top", "up", "down", "bottom")),
)


def _methods() -> dict[str, tuple[Schema, Schema]]:
    """Of Transmission's: params and result, by name. Params that are not named are skipped."""
    nothing = _object({})
    torrents: Schema = {
        "anyOf": [
            {"type": "array", "items": {"$ref": "#/$defs/torrent"}},
            {"type": "array", "items": {"type": "array"}, "minItems": 1},
        ]
    }
    statistics: Schema = {
        **dict.fromkeys(
            ("active_torrent_count", "paused_torrent_count", "torrent_count", "download_speed", "upload_speed"), _NUMBER
        ),
        "current_stats": schema_of(Totals),
        "cumulative_stats": schema_of(Totals),
    }
    ids: Schema = {"ids": _IDS}
    group = schema_of(Group)["properties"]
    changes = _changes()
    return {
        **{name: (_object(ids, (), closed=False), nothing) for name in _ABOUT_TORRENTS},
        "torrent_get": (
            _object(
                {
                    **ids,
                    "fields": _NAMES,
                    "format": {"enum": ["objects", "table"]},
                    "starling_since": _NUMBER,
                },
                ("fields",),
                closed=False,
            ),
            _object(
                {"torrents": torrents, "removed": _NUMBERS, "starling_revision": _NUMBER, "starling_full": _SWITCH},
                ("torrents",),
            ),
        ),
        "torrent_set": (_object({**ids, **changes}, (), closed=False), nothing),
        "torrent_add": (
            _object(
                {
                    **changes,
                    **dict.fromkeys(("metainfo", "filename", "download_dir", "cookies"), _TEXT),
                    "paused": _SWITCH,
                },
                (),
                closed=False,
            ),
            {
                "oneOf": [
                    _object({"torrent_added": _ADDED}),
                    _object({"torrent_duplicate": _ADDED}),
                ]
            },
        ),
        "torrent_remove": (_object({**ids, "delete_local_data": _SWITCH}, (), closed=False), nothing),
        "torrent_set_location": (
            _object({**ids, "location": _TEXT, "move": _SWITCH}, ("location",), closed=False),
            nothing,
        ),
        "torrent_rename_path": (
            _object({**ids, "path": _TEXT, "name": _TEXT}, closed=False),
            _object({"path": _TEXT, "name": _TEXT, "id": _NUMBER}),
        ),
        "session_get": (_object({"fields": _NAMES}, (), closed=False), {"$ref": "#/$defs/session"}),
        "session_set": (
            _object(
                {each.name: _setting(each) for each in session_fields.SETTINGS if each.check is not None},
                (),
                closed=False,
            ),
            nothing,
        ),
        "session_stats": (_object({}, closed=False), _object(statistics)),
        "session_close": (_object({}, closed=False), nothing),
        "free_space": (
            _object({"path": _TEXT}, closed=False),
            _object({"path": _TEXT, "size_bytes": _NUMBER, "total_size": _NUMBER}),
        ),
        "port_test": (
            _object({"ip_protocol": {"enum": ["ipv4", "ipv6"]}}, (), closed=False),
            _object({"port_is_open": _SWITCH, "ip_protocol": _TEXT}, ("port_is_open",)),
        ),
        "blocklist_update": (_object({}, closed=False), _object({"blocklist_size": _NUMBER})),
        "group_get": (
            _object({"group": {"anyOf": [_TEXT, _NAMES]}}, (), closed=False),
            _object({"group": {"type": "array", "items": schema_of(Group)}}),
        ),
        "group_set": (_object(group if isinstance(group, dict) else {}, ("name",), closed=False), nothing),
    }


def rpc_schema() -> Schema:
    """The whole document."""
    methods: Schema = {
        name: {"params": params, "result": result} for name, (params, result) in sorted(_methods().items())
    }
    for own in OWN_METHODS:
        params = _object({**own.arguments}, own.needed, closed=False)
        methods[own.name] = {"description": own.about, "params": params, "result": schema_of(own.answer)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The RPC of Starling's daemon",
        "version": VERSION,
        "methods": methods,
        "events": _events(),
        "$defs": {
            "torrent": _torrent(Dialect.JSON_RPC),
            "torrent_legacy": _torrent(Dialect.LEGACY),
            "session": _session(Dialect.JSON_RPC),
            "session_legacy": _session(Dialect.LEGACY),
        },
    }


def _events() -> Schema:
    kinds = {
        "hello": client_events.Hello,
        "added": client_events.TorrentsAdded,
        "changed": client_events.TorrentsChanged,
        "removed": client_events.TorrentsRemoved,
        "completed": client_events.TorrentCompleted,
        "metadata": client_events.MetadataArrived,
        "error": client_events.TorrentFailed,
        "log": LogLine,
        "resync": client_events.Resync,
    }
    changed: Schema = {"changed": {"type": "object"}}
    return {**{name: schema_of(kind) for name, kind in kinds.items()}, "settings": _object(changed)}


@cache
def schema_text() -> bytes:
    """The document as it is served."""
    return orjson.dumps(rpc_schema())
