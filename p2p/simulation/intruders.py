"""Peers of a simulated swarm that only pretend to share: they follow a script on lines that they make to everybody.

The rule: what they send is allowed message by message, so nothing but the bounds of the engine stands against it; what
the protocol forbids is for tests of single connections. They are met by those they call, and no tracker knows them.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from p2p.errors import NetworkError
from p2p.ids import BLOCK_SIZE, Address, PeerId
from p2p.session.scope import Scope
from p2p.simulation.scripted_peer import ScriptedPeer
from p2p.wire import messages as wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from p2p.simulation.scripted_peer import ScriptedLine
    from p2p.simulation.sim_network import SimHost
    from p2p.simulation.world import SimWorld

IntruderScript: TypeAlias = "Callable[[ScriptedLine, SimWorld], Awaitable[None]]"

PORT: Final = 6_882
CALL_INTERVAL: Final = 5.0
"""Seconds between looks at who has come, and who has hung up."""

FLOOD_INTERVAL: Final = 0.5
FLOOD_REQUESTS: Final = 100
"""Requests in a burst, far more than are answered, and fewer than one may have waiting."""

CROWD: Final = 20
"""Identities of a crowd on one host; each calls everybody."""

ROOM: Final = 1 << 16


def encode(kind: int, payload: bytes = b"") -> bytes:
    """A message of the peer wire protocol, whatever it says."""
    return struct.pack(">IB", 1 + len(payload), kind) + payload


async def flood(line: ScriptedLine, world: SimWorld) -> None:
    """Wants and wants not, claims pieces, asks for the same again and again, and throws away what it gets."""
    pieces = range(min(world.metainfo.piece_count, FLOOD_REQUESTS))
    haves = b"".join(encode(wire.HAVE, struct.pack(">I", piece)) for piece in pieces)
    first = min(BLOCK_SIZE, world.metainfo.layout.piece_size(0))
    asks = b"".join(encode(wire.REQUEST, struct.pack(">III", 0, 0, first - number)) for number in range(FLOOD_REQUESTS))
    turns = (encode(wire.NOT_INTERESTED) + encode(wire.INTERESTED)) * FLOOD_REQUESTS
    while True:
        await line.send(haves + turns + asks)
        await _read_for(line, FLOOD_INTERVAL)


async def crowd(line: ScriptedLine, world: SimWorld) -> None:  # noqa: ARG001 - the behaviours' shape
    """Wants what everybody has, and takes nothing once it may."""
    while True:
        await _read_for(line, CALL_INTERVAL)


async def _read_for(line: ScriptedLine, seconds: float) -> None:
    """Throw away what came in the meantime. NetworkError at the end of the connection."""
    await asyncio.sleep(seconds)
    room = memoryview(bytearray(ROOM))
    while (count := line.stream.receive_into([room])) is not None:
        if count == 0:
            raise NetworkError("closed by the peer")


class Intruder:
    """One host that calls every session of a world, each with `lines` identities, and plays `script` on each line.

    An async context manager. Who hung up is called again, `tries` times a line at the most.
    """

    def __init__(self, world: SimWorld, host: SimHost, script: IntruderScript, *, lines: int, tries: int = 5) -> None:
        self._world = world
        self._script = script
        self._lines = lines
        self._tries = tries
        self._live: dict[Address, int] = {}
        self._called: dict[Address, int] = {}
        self._scope = Scope()
        self._peer = ScriptedPeer(host, PORT, self._follow)

    @property
    def connections(self) -> int:
        """Lines that were made, in all."""
        return self._peer.connections

    @property
    def live(self) -> int:
        """Lines that stand."""
        return sum(self._live.values())

    async def __aenter__(self) -> Intruder:
        await self._peer.__aenter__()
        await self._scope.__aenter__()
        self._scope.start(self._call_all(), name="intruder")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._scope.__aexit__(kind, error, trace)
        await self._peer.__aexit__(kind, error, trace)

    async def _call_all(self) -> None:
        while True:
            for peer in list(self._world.peers):
                missing = self._lines - self._live.get(peer.address, 0)
                allowed = self._lines * self._tries - self._called.get(peer.address, 0)
                for _ in range(min(missing, allowed)):
                    await self._call(peer.address)
            await asyncio.sleep(CALL_INTERVAL)

    async def _call(self, address: Address) -> None:
        self._called[address] = self._called.get(address, 0) + 1
        with suppress(NetworkError):  # it has left, or takes nobody
            await self._peer.call(address)

    async def _follow(self, line: ScriptedLine) -> None:
        remote = line.stream.remote
        self._live[remote] = self._live.get(remote, 0) + 1
        try:
            name = f"-XX0001-{line.stream.local.port:05d}".encode()
            await line.shake(self._world.metainfo.wire_info_hashes()[0], PeerId(name.ljust(20, b"-")))
            await line.receive_handshake()
            await line.send(encode(wire.HAVE_NONE) + encode(wire.INTERESTED))
            await self._script(line, self._world)
        finally:
            self._live[remote] -= 1
