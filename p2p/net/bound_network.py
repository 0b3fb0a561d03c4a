"""The network port held to one interface: whatever is opened is opened on an address of it, or not at all.

The rule: nothing goes by another way. The device itself is set on the sockets underneath (`AsyncioNetwork.device`);
here every near end becomes the interface's address, and names are looked up over it too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from p2p.errors import NetworkError
from p2p.ids import Address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from p2p.net.interface_binding import InterfaceBinding
    from p2p.net.network import Answerer, Datagrams, FirstAnswerer, Interface, Listener, Network, Stream


class BoundNetwork:
    """A `Network`. `look_up` finds the addresses of a host name without leaving the interface; names have none
    without it."""

    def __init__(
        self,
        below: Network,
        binding: InterfaceBinding,
        look_up: Callable[[str, int], Awaitable[list[Address]]] | None = None,
    ) -> None:
        self._below = below
        self._binding = binding
        self._look_up = look_up

    async def connect(self, remote: Address, *, local: Address | None = None) -> Stream:
        if local is None:
            return await self._below.connect(remote, local=Address(self._binding.local(ipv6=remote.is_ipv6), 0))
        return await self._below.connect(remote, local=self._near(local))

    async def listen(self, local: Address, on_stream: Callable[[Stream], None]) -> Listener:
        return await self._below.listen(self._near(local), on_stream)

    async def listen_answering(
        self, local: Address, answer: FirstAnswerer, on_stream: Callable[[Stream, bytes], None]
    ) -> Listener:
        return await self._below.listen_answering(self._near(local), answer, on_stream)

    async def open_datagrams(self, local: Address, on_datagram: Callable[[bytes, Address], None]) -> Datagrams:
        return await self._below.open_datagrams(self._near(local), on_datagram)

    async def open_answering(self, local: Address, answer: Answerer) -> Datagrams:
        return await self._below.open_answering(self._near(local), answer)

    async def open_multicast(
        self,
        group: Address,
        on_datagram: Callable[[bytes, Address], None],
        *,
        interface: str | None = None,
        source: str | None = None,
    ) -> Datagrams:
        if interface not in (None, self._binding.name):
            raise NetworkError(f"only the interface {self._binding.name} is used")
        local = self._binding.local(ipv6=group.is_ipv6) if source is None else source
        return await self._below.open_multicast(group, on_datagram, interface=self._binding.name, source=local)

    def multicast_interfaces(self) -> list[Interface]:
        """The one, if it has an address and carries multicast."""
        if self._binding.obstacle is not None:
            return []
        return [each for each in self._below.multicast_interfaces() if each.name == self._binding.name]

    async def resolve(self, host: str, port: int) -> list[Address]:
        with suppress(ValueError):
            return [Address.parse(host, port)]
        if self._binding.obstacle is not None:
            raise NetworkError(self._binding.obstacle)
        if self._look_up is None:
            raise NetworkError("names are not looked up")
        found = await self._look_up(host, port)
        return [each for each in found if self._binding.addresses.of(ipv6=each.is_ipv6) is not None] or found

    def _near(self, local: Address) -> Address:
        return Address(self._binding.local_for(local.host), local.port)
