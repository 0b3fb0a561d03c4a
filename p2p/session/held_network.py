"""Network and HTTP of a session that is held to one interface of this machine, put together.

Names are asked for over the interface too. The rule: a name server of this machine itself (as those of systemd-resolved
and of containers are) passes questions on by whatever way it likes; so it is asked only where the user names it.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.aiohttp_client import AiohttpClient
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.bound_network import BoundNetwork
from p2p.net.http_hold import HttpHold
from p2p.net.interface_binding import InterfaceBinding
from p2p.net.interfaces import addresses_of
from p2p.net.name_servers import PORT, NameServers, servers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESOLV_CONF: Final = Path("/etc/resolv.conf")


def hold_to_interface(
    name: str, name_servers: Sequence[str], secrets: Callable[[int], bytes]
) -> tuple[BoundNetwork, AiohttpClient, InterfaceBinding]:
    """The network, the HTTP client, and what they are held by. `name_servers` are IP addresses; none for the
    system's."""
    binding = InterfaceBinding(name, addresses_of)
    below = AsyncioNetwork(device=name)
    held = BoundNetwork(below, binding)
    of_this_machine = NameServers(
        AsyncioNetwork(), lambda: [each for each in _named(name_servers) if _is_loopback(each)], secrets=secrets
    )
    over_interface = NameServers(held, lambda: _elsewhere(name_servers), secrets=secrets)

    async def look_up(host: str, port: int) -> list[Address]:
        names = of_this_machine if any(map(_is_loopback, _named(name_servers))) else over_interface
        return await names.look_up(host, port)

    network = BoundNetwork(below, binding, look_up)
    return network, AiohttpClient(hold=HttpHold(binding, network.resolve)), binding


def _named(name_servers: Sequence[str]) -> list[Address]:
    return [Address.parse(each, PORT) for each in name_servers]


def _elsewhere(name_servers: Sequence[str]) -> list[Address]:
    """The name servers to ask over the interface. Raises NetworkError where the system has but some of this machine."""
    if name_servers:
        return _named(name_servers)
    try:
        found = servers_of(RESOLV_CONF.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise NetworkError(f"{RESOLV_CONF}: {(error.strerror or 'cannot be read').lower()}") from error
    servers = [each for each in found if not _is_loopback(each)]
    if found and not servers:
        raise NetworkError(
            f"the name server {found[0].host} is on this machine and could ask by any way: "
            "name the one to ask (--name-server)"
        )
    return servers


def _is_loopback(address: Address) -> bool:
    return ipaddress.ip_address(address.host).is_loopback
