"""The server that a client speaks to: what it is, asked once for as long as it is the same process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.client_errors import BadAnswerError
from p2p.daemon.client_transport import TIMEOUT, Transport
from p2p.daemon.client_values import ServerInfo

if TYPE_CHECKING:
    from p2p.daemon.client_address import Server

SLOW_TIMEOUT: Final = 120.0
"""Seconds for what makes the daemon ask somebody else: the port test, the blocklist, a torrent behind a URL."""


class ServerCalls:
    """`timeout` is seconds for a usual call. Every method raises a ClientError."""

    def __init__(self, server: Server, *, password: str | None = None, timeout: float = TIMEOUT) -> None:
        self.transport = Transport(server, password=password, timeout=timeout)
        self._info: ServerInfo | None = None
        self._info_of = -1

    async def info(self) -> ServerInfo:
        """What answers; asked once for as long as the server is the same process."""
        if self._info is None or self._info_of != self.transport.generation:
            asked = ["version", "rpc_version", "rpc_version_semver", "starling_version", "starling_extensions"]
            told = await self.transport.call("session_get", {"fields": list(asked)})
            version, number = told.get("version"), told.get("rpc_version")
            if not isinstance(version, str) or not isinstance(number, int):
                raise BadAnswerError(f"{self.transport.server.url} does not tell its version")
            starling, extensions = told.get("starling_version"), told.get("starling_extensions")
            semver = told.get("rpc_version_semver")
            self._info = ServerInfo(
                version=version,
                rpc_version=number,
                rpc_version_semver=semver if isinstance(semver, str) else "",
                starling=starling if isinstance(starling, str) else "",
                extensions=frozenset(each for each in extensions if isinstance(each, str))
                if isinstance(extensions, list)
                else frozenset(),
            )
            self._info_of = self.transport.generation
        return self._info
