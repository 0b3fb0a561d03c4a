"""What a daemon has around it: room on disk, the DHT's nodes. Asked for beside the session's figures, now and then.

The rule: what a daemon does not tell is None or nothing, and keeps the rest from nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from typing import TypeVar

    from p2p.daemon.client import Client, Filesystem, Space
    from p2p.daemon.names import Json

    T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Around:
    """`space` is where downloads go; `nodes` are those of the DHT that are good, None where it is off or not told."""

    space: Space | None = None
    nodes: int | None = None
    filesystems: tuple[Filesystem, ...] = ()


async def look_around(client: Client, settings: Mapping[str, Json]) -> Around:
    """Raises StarlingError where the daemon does not answer at all."""
    space = await _told(client.free_space(str(settings.get("download_dir", ""))))
    if not (await client.info()).ours:
        return Around(space)
    disk = await _told(client.own.disk())
    dht = await _told(client.own.dht()) if settings.get("dht_enabled") is True else None
    nodes = None if dht is None or not dht.is_running else sum(family.good for family in dht.families)
    return Around(space, nodes, () if disk is None else disk.filesystems)


async def _told(question: Awaitable[T]) -> T | None:
    """None where the daemon does not know such a question, or what it is about is not there yet."""
    from p2p.daemon.client import BadAnswerError, RefusedError, UnsupportedError  # noqa: PLC0415 - loaded by now

    try:
        return await question
    except (BadAnswerError, RefusedError, UnsupportedError):
        return None
