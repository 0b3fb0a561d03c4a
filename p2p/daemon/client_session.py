"""The session of a daemon from afar: settings, statistics, bandwidth groups, and questions about its machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2p.daemon.client_errors import BadAnswerError
from p2p.daemon.client_server import SLOW_TIMEOUT, ServerCalls
from p2p.daemon.client_values import Group, Space, Statistics, Totals
from p2p.daemon.names import Dialect, session_key
from p2p.daemon.shapes import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.names import Json


class SessionCalls(ServerCalls):
    """Every method raises a ClientError."""

    async def settings(self) -> dict[str, Json]:
        """Every setting under its snake_case name."""
        told = await self.transport.call("session_get")
        if told.get("encryption") == "tolerated":
            told["encryption"] = "allowed"
        return told

    async def set_settings(self, changes: Mapping[str, Json]) -> None:
        """Change settings, by their snake_case names."""
        given = dict(changes)
        if self.transport.dialect is Dialect.LEGACY and given.get("encryption") == "allowed":
            given["encryption"] = "tolerated"
        await self.transport.call("session_set", given)

    async def statistics(self) -> Statistics:
        told = await self.transport.call("session_stats")
        count = Reader(_Counts).one(told)
        return Statistics(
            active_torrent_count=count.active_torrent_count,
            paused_torrent_count=count.paused_torrent_count,
            torrent_count=count.torrent_count,
            download_speed=count.download_speed,
            upload_speed=count.upload_speed,
            current=count.current_stats,
            cumulative=count.cumulative_stats,
        )

    async def free_space(self, path: str) -> Space:
        """Room in a folder of the daemon's machine. `total` is 0 where the server does not tell."""
        told = await self.transport.call("free_space", {"path": path})
        free, total = told.get("size_bytes"), told.get("total_size")
        if not isinstance(free, int) or free < 0:
            raise BadAnswerError(f"the daemon does not tell the room in {path}")
        return Space(free=free, total=total if isinstance(total, int) else 0)

    async def test_port(self) -> bool:
        """Whether peers reach the daemon from outside."""
        return (await self.transport.call("port_test", timeout=SLOW_TIMEOUT)).get("port_is_open") is True

    async def update_blocklist(self) -> int:
        """How many rules there are now."""
        size = (await self.transport.call("blocklist_update", timeout=SLOW_TIMEOUT)).get("blocklist_size")
        return size if isinstance(size, int) else 0

    async def groups(self) -> tuple[Group, ...]:
        key = session_key if self.transport.dialect is Dialect.LEGACY else str
        return Reader(Group, key).every((await self.transport.call("group_get")).get("group"))

    async def set_group(self, name: str, changes: Mapping[str, Json]) -> None:
        await self.transport.call("group_set", {**changes, "name": name})

    async def close(self) -> None:
        """End the daemon."""
        await self.transport.call("session_close")


@dataclass(frozen=True, slots=True)
class _Counts:
    active_torrent_count: int = 0
    paused_torrent_count: int = 0
    torrent_count: int = 0
    download_speed: int = 0
    upload_speed: int = 0
    current_stats: Totals = field(default_factory=Totals)
    cumulative_stats: Totals = field(default_factory=Totals)
