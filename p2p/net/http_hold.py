"""Holds the HTTP client to one interface: its sockets are bound to it, and names are looked up over it.

The rule is that of `InterfaceBinding`: it fails closed, and nothing goes by another route.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractResolver, ResolveResult

from p2p.errors import NetworkError
from p2p.net.device import hold_to_device

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import AddrInfoType

    from p2p.ids import Address
    from p2p.net.interface_binding import Addresses, InterfaceBinding


class HttpHold(AbstractResolver):
    """See the module's head. `resolve` finds the addresses of a name without leaving the interface."""

    def __init__(self, binding: InterfaceBinding, resolve: Callable[[str, int], Awaitable[list[Address]]]) -> None:
        self._binding = binding
        self._resolve = resolve

    @property
    def addresses(self) -> Addresses:
        """Those that connections are made from."""
        return self._binding.addresses

    def require(self) -> None:
        """Raises NetworkError where nothing can be sent."""
        if self._binding.obstacle is not None:
            raise NetworkError(self._binding.obstacle)

    def open(self, target: AddrInfoType) -> socket.socket:
        """A socket for `target` that can go by no other interface. Raises OSError."""
        family, kind, protocol = target[:3]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            hold_to_device(sock, self._binding.name)
            sock.bind((self._binding.local(ipv6=family == socket.AF_INET6), 0))
        except NetworkError as error:
            sock.close()
            raise OSError(str(error)) from error
        except BaseException:
            sock.close()
            raise
        return sock

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            found = await self._resolve(host, port)
        except NetworkError as error:
            raise OSError(str(error)) from error
        results: list[ResolveResult] = []
        for address in found:
            kind = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
            if family in (kind, socket.AF_UNSPEC):
                results.append(
                    ResolveResult(
                        hostname=host,
                        host=address.host,
                        port=port,
                        family=kind,
                        proto=socket.IPPROTO_TCP,
                        flags=socket.AI_NUMERICHOST,
                    )
                )
        return results

    async def close(self) -> None:
        """Nothing is held open."""
