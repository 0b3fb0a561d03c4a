"""The methods of the RPC that are about the session: settings, statistics, groups, and questions about the machine."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from p2p.daemon import session_fields
from p2p.daemon.arguments import MAX_LIMIT, Arguments
from p2p.daemon.rpc_errors import Code, RpcError, invalid
from p2p.daemon.torrent_change import MAX_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from p2p.daemon.dialects import Call
    from p2p.daemon.methods import Method
    from p2p.daemon.names import Json
    from p2p.daemon.ports import Library

MAX_GROUPS: Final = 1_000
"""Groups that one call may name."""

_IP_PROTOCOLS: Final = ("ipv4", "ipv6")


class SessionMethods:
    """`session_id` is the token of the HTTP handshake, `version` this program's own; `extensions` names our methods."""

    def __init__(self, session_id: str, version: str, extensions: Iterable[str] = ()) -> None:
        self._told: dict[str, Json] = {
            **session_fields.CONSTANT,
            "session_id": session_id,
            "starling_extensions": [*sorted(extensions)],
            "starling_version": version,
            "version": f"{session_fields.COMPATIBLE} (starling-{version})",
        }

    def methods(self) -> dict[str, Method]:
        """By name."""
        return {
            "session_get": self.session_get,
            "session_set": session_set,
            "session_stats": session_stats,
            "session_close": session_close,
            "free_space": free_space,
            "port_test": port_test,
            "blocklist_update": blocklist_update,
            "group_get": group_get,
            "group_set": group_set,
        }

    async def session_get(self, call: Call, library: Library) -> dict[str, Json]:
        return session_fields.told({**library.settings(), **self._told}, call.arguments.get("fields"), call.dialect)


async def session_set(call: Call, library: Library) -> dict[str, Json]:
    changes = session_fields.checked(call.arguments)
    if changes:
        await library.set_settings(changes)
    return {}


async def session_stats(call: Call, library: Library) -> dict[str, Json]:  # noqa: ARG001 - the shape of a method
    statistics = library.statistics()
    return {
        "active_torrent_count": statistics.active_torrent_count,
        "paused_torrent_count": statistics.paused_torrent_count,
        "torrent_count": statistics.torrent_count,
        "download_speed": statistics.download_speed,
        "upload_speed": statistics.upload_speed,
        "current_stats": dataclasses.asdict(statistics.current),
        "cumulative_stats": dataclasses.asdict(statistics.cumulative),
    }


async def session_close(call: Call, library: Library) -> dict[str, Json]:  # noqa: ARG001 - the shape of a method
    library.close()
    return {}


async def free_space(call: Call, library: Library) -> dict[str, Json]:
    path = Arguments(call.arguments).location("path")
    if path is None:
        raise RpcError(Code.PATH_NOT_ABSOLUTE, "path must be given")
    space = await library.free_space(path)
    return {"path": path, "size_bytes": space.free, "total_size": space.total}


async def port_test(call: Call, library: Library) -> dict[str, Json]:
    protocol = Arguments(call.arguments).text("ip_protocol")
    if protocol is not None and protocol not in _IP_PROTOCOLS:
        raise invalid("ip_protocol must be ipv4 or ipv6")
    answer: dict[str, Json] = {"port_is_open": await library.test_port(protocol)}
    if protocol is not None:
        answer["ip_protocol"] = protocol
    return answer


async def blocklist_update(call: Call, library: Library) -> dict[str, Json]:  # noqa: ARG001 - the shape of a method
    return {"blocklist_size": await library.update_blocklist()}


async def group_get(call: Call, library: Library) -> dict[str, Json]:
    asked = call.arguments.get("group")
    names = asked if isinstance(asked, list) else [asked]
    if len(names) > MAX_GROUPS or not all(isinstance(name, str) for name in names if name is not None):
        raise invalid(f"group must be the name of a group, or a list of at most {MAX_GROUPS}")
    every = asked is None or not names
    return {"group": [dataclasses.asdict(group) for group in library.groups() if every or group.name in names]}


async def group_set(call: Call, library: Library) -> dict[str, Json]:
    arguments = Arguments(call.arguments)
    name = arguments.text("name", MAX_GROUP)
    if not name or not name.isprintable():
        raise invalid("name must be the name of a group")
    changes: dict[str, Json] = {}
    for key in ("honors_session_limits", "speed_limit_down_enabled", "speed_limit_up_enabled"):
        if (switch := arguments.boolean(key)) is not None:
            changes[key] = switch
    for key in ("speed_limit_down", "speed_limit_up"):
        if (limit := arguments.integer(key, 0, MAX_LIMIT)) is not None:
            changes[key] = limit
    await library.set_group(name, changes)
    return {}
