"""Where peers reach us: one port in every family, and the handshake of each stranger that comes.

The rule: a stranger costs a socket until it has said which torrent it wants; how many may be silent is bounded, in all
and by host.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError, RemoteProtocolError
from p2p.ids import Address
from p2p.session.encryption import acceptable
from p2p.session.handshaking import open_incoming
from p2p.session.stream_io import read_exactly
from p2p.wire.handshake import HANDSHAKE_SIZE, Handshake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.net.network import Listener, Stream
    from p2p.session.handshaking import Opened
    from p2p.session.scope import Scope
    from p2p.session.services import Services
    from p2p.session.swarm_names import SwarmNames

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT: Final = 10.0
MAX_SHAKING: Final = 200
"""Strangers that may be silent at once: each holds a socket and nothing else."""

MAX_SHAKING_HOST: Final = 50
"""The same from one host, so that one cannot keep all others out."""

PORT_TRIES: Final = 20
"""Ports tried for one that is free in both families."""


class Listening:
    """See the module's head. Strangers' tasks are in `scope`; who has named a torrent of `names` is that torrent's."""

    def __init__(self, services: Services, names: SwarmNames, scope: Scope) -> None:
        self._services = services
        self._names = names
        self._scope = scope
        self._listeners: list[Listener] = []
        self._shaking: dict[str, int] = {}

    @property
    def shaking(self) -> int:
        """Strangers that have not said yet what they want."""
        return sum(self._shaking.values())

    def close(self) -> None:
        """Listen no more; those that came stay."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def listen_anew(self) -> None:
        """Listen as the settings say now, and then no more as they said before.

        Raises NetworkError when it cannot; then all is as it was.
        """
        old, self._listeners = self._listeners, []
        try:
            await self.listen()
        except NetworkError:
            self._listeners = old
            raise
        for listener in old:
            listener.close()

    async def listen(self, again_at: int = 0) -> None:
        """Listen on the same port in every family. With port 0 the system chooses, and the others must follow; unless
        it is to be the port `again_at`, which was chosen before.

        Raises NetworkError when it cannot.
        """
        services = self._services
        network, settings = services.environment.network, services.settings
        wanted = settings.port or again_at
        tries = PORT_TRIES if wanted == 0 else 1
        for attempt in range(1, tries + 1):
            port = wanted
            refusals: list[str] = []
            refused: list[str] = []
            for host in settings.bind:
                try:
                    listener = await network.listen(Address(host, port), self._on_stream)
                except NetworkError as error:
                    refusals.append(f"cannot listen on {Address(host, port)}: {error}")
                    refused.append(host)
                else:
                    self._listeners.append(listener)
                    port = listener.local.port
            # A machine without IPv6 refuses that family on every port: then one family has to do.
            if self._listeners and (not refusals or (attempt == tries and not await self._any_listens(refused))):
                services.port = port
                return
            if attempt == tries:
                raise NetworkError("; ".join(refusals))
            self.close()

    async def _any_listens(self, hosts: Sequence[str]) -> bool:
        """Whether one of `hosts` can be listened on at some port, so that it was the port that was refused."""
        for host in hosts:
            with suppress(NetworkError):
                (await self._services.environment.network.listen(Address(host, 0), self._on_stream)).close()
                return True
        return False

    # -- strangers

    def _on_stream(self, stream: Stream) -> None:
        host = stream.remote.host
        if self._services.refuses(host):
            stream.abort()
            return
        crowded = self.shaking >= MAX_SHAKING or self._shaking.get(host, 0) >= MAX_SHAKING_HOST
        if crowded or self._scope.closing or not self._services.slots.may_accept:
            stream.abort()
            return
        self._shaking[host] = self._shaking.get(host, 0) + 1
        task = self._scope.start(self._receive(stream), name=f"stranger {stream.remote}")
        task.add_done_callback(lambda task: self._on_shaken(task, stream))

    def _on_shaken(self, task: asyncio.Task[None], stream: Stream) -> None:
        host = stream.remote.host
        self._shaking[host] -= 1
        if not self._shaking[host]:
            del self._shaking[host]
        if task.cancelled():  # also where the task never came to its first step
            stream.abort()

    async def _receive(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                opened, theirs = await self._shake(stream)
        except (NetworkError, RemoteProtocolError, TimeoutError) as error:
            log.debug("a stranger at %s went: %s", stream.remote, error)
            stream.abort()
            return
        except asyncio.CancelledError:
            stream.abort()
            raise
        torrent = self._names.find(theirs.info_hash)
        if torrent is None:
            stream.abort()
        else:
            torrent.accept(opened, theirs)

    async def _shake(self, stream: Stream) -> tuple[Opened, Handshake]:
        services, names = self._services, self._names
        accept = acceptable(services.settings.encryption)
        opened = await open_incoming(stream, accept, names.by_skey, services.environment.secrets)
        theirs = Handshake.parse(await read_exactly(opened.stream, HANDSHAKE_SIZE))
        if opened.skey is not None and names.find(opened.skey) is not names.find(theirs.info_hash):
            raise RemoteProtocolError("the peer asks for one torrent in the encrypted handshake, for another inside")
        return opened, theirs
