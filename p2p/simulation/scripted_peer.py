"""A peer that follows a script instead of the rules: it speaks the bytes of the peer wire protocol, right or wrong.

A script is a coroutine over a `ScriptedLine`; it runs once for each connection, made or accepted. When it returns or
the other side goes, the connection is closed. Nothing here checks what is sent.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.errors import NetworkError
from p2p.ids import Address, Block, InfoHash, PeerId, PieceIndex
from p2p.session.scope import Scope
from p2p.session.stream_io import read_exactly, write_all
from p2p.wire import messages as wire
from p2p.wire.handshake import HANDSHAKE_SIZE, Handshake

if TYPE_CHECKING:
    from types import TracebackType

    from p2p.net.network import Listener, Stream
    from p2p.simulation.sim_network import SimHost

MAX_MESSAGE: Final = 1 << 20
"""Bytes of a message that a script can be told of; sessions send far less."""


class Message(NamedTuple):
    """What the other side said. Keep-alives are not reported."""

    kind: int
    payload: bytes

    @property
    def block(self) -> Block:
        """The span that a request, a cancel or a reject names."""
        piece, begin, length = struct.unpack(">III", self.payload)
        return Block(PieceIndex(piece), begin, length)


class ScriptedLine:
    """One connection of a scripted peer."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    async def send(self, data: bytes) -> None:
        """Any bytes at all."""
        await write_all(self.stream, data)

    async def shake(self, info_hash: InfoHash, peer_id: PeerId, *, fast: bool = True) -> None:
        """Send a handshake; theirs is read by `receive_handshake`."""
        ours = Handshake(info_hash=info_hash, peer_id=peer_id, fast=fast, extension=False, dht=False, v2=False)
        await self.send(ours.encode())

    async def receive_handshake(self) -> Handshake:
        return Handshake.parse(await read_exactly(self.stream, HANDSHAKE_SIZE))

    async def receive(self) -> Message:
        """The next message that is no keep-alive. NetworkError at the end of the connection."""
        while True:
            (length,) = struct.unpack(">I", await read_exactly(self.stream, 4))
            if length > MAX_MESSAGE:
                raise NetworkError(f"a message of {length} bytes")
            if length:
                body = await read_exactly(self.stream, length)
                return Message(body[0], body[1:])

    async def receive_kind(self, kind: int) -> Message:
        """The next message of this kind; what comes before it is dropped."""
        while (message := await self.receive()).kind != kind:
            pass
        return message

    async def send_block(self, block: Block, content: bytes) -> None:
        await self.send(wire.encode_block_header(block) + content)


Script = Callable[[ScriptedLine], Awaitable[None]]


class ScriptedPeer:
    """Runs `script` on every connection, as a context manager: leaving it ends them all.

    `connections` counts those that began, `ended` holds why each was over, None where the script came to its end.
    """

    def __init__(self, host: SimHost, port: int, script: Script) -> None:
        self._host = host
        self._port = port
        self._script = script
        self._scope = Scope()
        self._listener: Listener | None = None
        self.connections = 0
        self.ended: list[NetworkError | None] = []

    @property
    def address(self) -> Address:
        return Address(self._host.addresses[0], self._port)

    async def __aenter__(self) -> ScriptedPeer:
        await self._scope.__aenter__()
        self._listener = await self._host.network.listen(Address("0.0.0.0", self._port), self._on_stream)  # noqa: S104
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._scope.__aexit__(kind, error, trace)

    async def call(self, address: Address) -> None:
        """Connect to `address` and run the script there, beside the caller."""
        self._on_stream(await self._host.network.connect(address))

    def _on_stream(self, stream: Stream) -> None:
        self.connections += 1
        self._scope.start(self._follow(stream), name=f"script {self.connections}")

    async def _follow(self, stream: Stream) -> None:
        try:
            await self._script(ScriptedLine(stream))
            self.ended.append(None)
        except NetworkError as error:
            self.ended.append(error)
        finally:
            stream.close()
