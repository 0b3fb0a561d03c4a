"""The outside as the engine sees it, in one value: network, HTTP, hash jobs, chance, secrets, and the wall clock.

Made here for production; the laboratory makes its own. Nothing else in the library reads a clock or draws by chance.
Time for deciders is the running loop's `time()`; `wall` is only for what is shown or kept.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from p2p.disk.free_space import endless_room, room_at
from p2p.disk.meter import DiskMeter
from p2p.swarm.choking import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from p2p.disk.free_space import Room
    from p2p.disk.hasher import Hasher
    from p2p.disk.journal import PieceJournal
    from p2p.disk.places import Places
    from p2p.disk.storage import Storage
    from p2p.metainfo.layout import Layout
    from p2p.net.http import HttpClient
    from p2p.net.interface_binding import InterfaceBinding
    from p2p.net.network import Network
    from p2p.swarm.choking.policy import PolicyFactory


class StorageFactory(Protocol):
    """Makes the storage of one torrent."""

    def __call__(
        self, layout: Layout, places: Places, wanted: Callable[[int], bool], journal: PieceJournal | None
    ) -> Storage: ...


@dataclass(frozen=True, slots=True)
class Environment:
    """See the module's head. `secrets(n)` returns n bytes nobody can guess; `wall()` is seconds since the epoch."""

    network: Network
    http: HttpClient
    hasher: Hasher
    storage: StorageFactory
    rng: random.Random
    secrets: Callable[[int], bytes]
    wall: Callable[[], float]
    room: Callable[[Path], Room] = endless_room
    """The filesystem that a folder is on, or will be; blocks. Raises StorageError."""

    disk: DiskMeter = field(default_factory=DiskMeter)
    """How the jobs of `storage` go."""

    choking: Mapping[str, PolicyFactory] = field(default_factory=lambda: POLICIES)
    """The choking policies there are, by the names that settings call them by."""

    interface: InterfaceBinding | None = None
    """The network interface that `network` and `http` are held to, if they are."""


def real_environment(
    *, hash_workers: int | None, open_files: int, interface: str | None = None, name_servers: Sequence[str] = ()
) -> Environment:
    """The environment of a process on a real machine, whose network is held to `interface` if one is named (see
    `p2p.session.held_network`). The session that made it closes `http` and `hasher`."""
    # Imported here: who uses the library for its parsers, or simulates, does not pay for an HTTP client.
    from p2p.disk.file_storage import FileStorage  # noqa: PLC0415
    from p2p.disk.open_files import OpenFiles  # noqa: PLC0415
    from p2p.disk.thread_hasher import ThreadHasher  # noqa: PLC0415
    from p2p.net.aiohttp_client import AiohttpClient  # noqa: PLC0415
    from p2p.net.asyncio_network import AsyncioNetwork  # noqa: PLC0415

    hasher = ThreadHasher(hash_workers if hash_workers is not None else max(2, os.cpu_count() or 2))
    files = OpenFiles(limit=open_files)
    disk = DiskMeter()

    def storage(layout: Layout, places: Places, wanted: Callable[[int], bool], journal: PieceJournal | None) -> Storage:
        return FileStorage(layout, places, hasher=hasher, files=files, wanted=wanted, journal=journal, meter=disk)

    network: Network = AsyncioNetwork()
    http: HttpClient = AiohttpClient()
    binding = None
    if interface is not None:
        from p2p.session.held_network import hold_to_interface  # noqa: PLC0415

        network, http, binding = hold_to_interface(interface, name_servers, os.urandom)  # noqa: TID251
    return Environment(
        network=network,
        http=http,
        hasher=hasher,
        storage=storage,
        rng=random.Random(os.urandom(32)),  # noqa: TID251 - the one place where chance enters
        secrets=os.urandom,  # noqa: TID251 - and secrets
        wall=time.time,  # noqa: TID251 - and the date
        room=room_at,
        disk=disk,
        interface=binding,
    )
