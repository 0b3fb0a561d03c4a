"""Routers that open a port for us, by whichever of three ways they speak: PCP, NAT-PMP, UPnP.

The rule: one router is asked, at its own address; nothing that it or anybody else answers makes us speak to another
host. A router is asked again within seconds where a datagram may be lost, and given up after a few.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from p2p.codec import igd, port_control
from p2p.codec.port_control import PortGrant, Refusal, Transport
from p2p.errors import NetworkError, RemoteProtocolError
from p2p.ids import Address
from p2p.net.small_http import Answer, exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from p2p.net.network import Datagrams, Network

T = TypeVar("T")

FIRST_WAIT: Final = 0.25
"""Seconds until a datagram is sent again; doubled from there on (RFC 6886, section 3.1)."""

TRIES: Final = 4
"""A router on the same link that has not answered within four seconds does not speak it."""

HTTP_TIMEOUT: Final = 10.0
"""Seconds for one request: small routers take some."""

SEARCH_TIME: Final = 3.0
"""Seconds for answers to a search: devices wait up to two (MX) before they answer."""

DESCRIPTION: Final = "Starling"
"""What a mapping is called in a router's own pages."""


class Router(Protocol):
    """A router that was found to speak one of the ways."""

    way: str
    """What a user calls it."""

    async def map(self, transport: Transport, inner_port: int, outer_port: int, lifetime: int) -> PortGrant:
        """Open a port, `outer_port` if it can be, or renew it. Raises NetworkError with the router's reason."""

    async def unmap(self, grant: PortGrant) -> None:
        """Close it again. Raises NetworkError."""

    async def outer_host(self) -> str | None:
        """The router's outer address; None where it does not say."""


class NatPmpRouter:
    """RFC 6886."""

    way = "NAT-PMP"

    def __init__(self, network: Network, place: Address) -> None:
        self._network = network
        self._place = place

    async def map(self, transport: Transport, inner_port: int, outer_port: int, lifetime: int) -> PortGrant:
        request = port_control.encode_nat_pmp_map(transport, inner_port, outer_port, lifetime)

        def read(datagram: bytes) -> PortGrant | Refusal:
            answer = port_control.decode_nat_pmp_map(datagram, transport)
            if isinstance(answer, PortGrant) and answer.inner_port != inner_port:
                raise RemoteProtocolError("an answer of NAT-PMP to another request")
            return answer

        return _granted(await ask(self._network, self._place, request, read), self.way)

    async def unmap(self, grant: PortGrant) -> None:
        request = port_control.encode_nat_pmp_map(grant.transport, grant.inner_port, 0, 0)
        await ask(
            self._network, self._place, request, lambda data: port_control.decode_nat_pmp_map(data, grant.transport)
        )

    async def outer_host(self) -> str | None:
        request = port_control.encode_nat_pmp_address()
        answer = await ask(self._network, self._place, request, port_control.decode_nat_pmp_address)
        return None if isinstance(answer, Refusal) else answer


class PcpRouter:
    """RFC 6887. `client` is our address as the router sees it, `nonce` that of all our mappings."""

    way = "PCP"

    def __init__(self, network: Network, place: Address, *, client: str, nonce: bytes) -> None:
        self._network = network
        self._place = place
        self._client = client
        self._nonce = nonce
        self._outer_host: str | None = None

    async def map(self, transport: Transport, inner_port: int, outer_port: int, lifetime: int) -> PortGrant:
        grant = _granted(await self._ask(transport, inner_port, outer_port, lifetime), self.way)
        self._outer_host = grant.outer_host
        return grant

    async def unmap(self, grant: PortGrant) -> None:
        await self._ask(grant.transport, grant.inner_port, 0, 0)

    async def outer_host(self) -> str | None:
        return self._outer_host

    async def _ask(self, transport: Transport, inner_port: int, outer_port: int, lifetime: int) -> PortGrant | Refusal:
        request = port_control.encode_pcp_map(
            transport, inner_port, outer_port, lifetime, client=self._client, nonce=self._nonce
        )
        return await ask(
            self._network,
            self._place,
            request,
            lambda data: port_control.decode_pcp_map(data, transport, inner_port, self._nonce),
            local=self._client,
        )


class UpnpRouter:
    """WANIPConnection 1 and 2, WANPPPConnection 1. `client` is our address on the router's network."""

    way = "UPnP"

    def __init__(self, network: Network, control: igd.Control, *, client: str) -> None:
        self._network = network
        self._control = control
        self._client = client

    async def map(self, transport: Transport, inner_port: int, outer_port: int, lifetime: int) -> PortGrant:
        outer_port = outer_port or inner_port
        answer = await self._add(transport, inner_port, outer_port, lifetime)
        if isinstance(answer, igd.Fault) and answer.code == igd.PERMANENT_ONLY:
            answer = await self._add(transport, inner_port, outer_port, 0)
        if isinstance(answer, igd.Fault) and answer.code == igd.SAME_PORT_ONLY and outer_port != inner_port:
            outer_port = inner_port
            answer = await self._add(transport, inner_port, outer_port, lifetime)
        if isinstance(answer, igd.Fault):
            raise (
                PortTakenError(answer.reason)
                if answer.code == igd.CONFLICT
                else NetworkError(f"the router refuses by UPnP: {answer.reason}")
            )
        return PortGrant(transport, inner_port, outer_port, lifetime)

    async def _add(
        self, transport: Transport, inner_port: int, outer_port: int, lifetime: int
    ) -> dict[str, str] | igd.Fault:
        return await self._call(
            "AddPortMapping",
            {
                "NewRemoteHost": "",
                "NewExternalPort": outer_port,
                "NewProtocol": transport.name,
                "NewInternalPort": inner_port,
                "NewInternalClient": self._client,
                "NewEnabled": 1,
                "NewPortMappingDescription": DESCRIPTION,
                "NewLeaseDuration": lifetime,
            },
        )

    async def unmap(self, grant: PortGrant) -> None:
        arguments = {"NewRemoteHost": "", "NewExternalPort": grant.outer_port, "NewProtocol": grant.transport.name}
        await self._call("DeletePortMapping", arguments)

    async def outer_host(self) -> str | None:
        answer = await self._call("GetExternalIPAddress", {})
        if isinstance(answer, igd.Fault):
            return None
        try:
            return Address.parse(answer.get("NewExternalIPAddress", ""), 0).host
        except ValueError:
            return None

    async def _call(self, action: str, arguments: Mapping[str, object]) -> dict[str, str] | igd.Fault:
        headers, body = igd.encode_call(self._control.service, action, arguments)
        answer = await _bounded(self._network, "POST", self._control.url, headers, body)
        try:
            return igd.decode_answer(answer.status, answer.body)
        except RemoteProtocolError as error:
            raise NetworkError(f"the router answers by UPnP with {error}") from error


class PortTakenError(NetworkError):
    """The outer port is somebody else's."""


async def find_upnp(network: Network, router: str, places: tuple[Address, ...]) -> UpnpRouter:
    """Search the gateway at the host `router` by asking at `places`, and read what it is. Raises NetworkError."""
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_datagram(datagram: bytes, source: Address) -> None:
        if source.host != router or found.done():
            return
        try:
            found.set_result(igd.decode_search(datagram, router))
        except RemoteProtocolError:
            return

    sockets: list[Datagrams] = []
    try:
        for ipv6 in dict.fromkeys(place.is_ipv6 for place in places):
            near = Address("::" if ipv6 else "0.0.0.0", 0)  # noqa: S104 - any of ours
            sockets.append(await network.open_datagrams(near, on_datagram))
        for place in places:
            for what in igd.SEARCHED:
                for datagrams in sockets:
                    if datagrams.local.is_ipv6 == place.is_ipv6:
                        datagrams.send(igd.encode_search(place, what), place)
        async with asyncio.timeout(SEARCH_TIME):
            url = await found
    except TimeoutError:
        raise NetworkError("the router does not speak UPnP") from None
    finally:
        for datagrams in sockets:
            datagrams.close()
    answer = await _bounded(network, "GET", url, {}, b"")
    if answer.status != 200:
        raise NetworkError(f"the router answers by UPnP with HTTP {answer.status}")
    try:
        control = igd.decode_description(answer.body, url)
    except RemoteProtocolError as error:
        raise NetworkError(f"the router describes itself by UPnP with {error}") from error
    return UpnpRouter(network, control, client=answer.local.host)


async def ask(
    network: Network, place: Address, request: bytes, read: Callable[[bytes], T], *, local: str | None = None
) -> T:
    """Send a datagram until `read` takes an answer from `place`. Raises NetworkError if none comes in time."""
    answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def on_datagram(datagram: bytes, source: Address) -> None:
        if source != place or answer.done():
            return
        try:
            answer.set_result(read(datagram))
        except RemoteProtocolError:
            return

    near = local or ("::" if place.is_ipv6 else "0.0.0.0")  # noqa: S104 - any of ours
    datagrams = await network.open_datagrams(Address(near, 0), on_datagram)
    try:
        for attempt in range(TRIES):
            datagrams.send(request, place)
            answered, _ = await asyncio.wait([answer], timeout=FIRST_WAIT * 2**attempt)
            if answered:
                return answer.result()
    finally:
        datagrams.close()
    raise NetworkError(f"{place.host} does not answer")


def _granted(answer: PortGrant | Refusal, way: str) -> PortGrant:
    if isinstance(answer, Refusal):
        raise NetworkError(f"the router refuses by {way}: {answer.reason}")
    if not answer.outer_port or not answer.lifetime:
        raise NetworkError(f"the router grants nothing by {way}")
    return answer


async def _bounded(network: Network, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    try:
        async with asyncio.timeout(HTTP_TIMEOUT):
            return await exchange(network, method, url, max_body=igd.MAX_XML, headers=headers, body=body)
    except TimeoutError:
        raise NetworkError("the router does not answer by UPnP") from None
