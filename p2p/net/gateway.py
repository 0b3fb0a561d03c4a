"""Which router this host's routes lead to, and which address of ours it sees."""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import IPv4Address, IPv4Interface, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.errors import NetworkError
from p2p.net.interfaces import places_of

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUTES: Final = Path("/proc/net/route")

_UP_BY_GATEWAY: Final = 0x3
"""RTF_UP and RTF_GATEWAY of route.h."""


class Gateway(NamedTuple):
    """A router and the address of ours on its network; empty where that is to be found out."""

    host: str
    client: str = ""


def find_gateway(interface: str | None) -> Gateway:
    """The router of the default route, over `interface` alone if one is named. Raises NetworkError with why none is
    known. IPv4, where routers translate; Linux tells it, other systems' routes are not read."""
    try:
        routes = ROUTES.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise NetworkError("this system does not tell its routes: name the router") from error
    for name, host in default_routes(routes):
        if interface is None or name == interface:
            client = client_for(host, places_of(name))
            if client is not None:
                return Gateway(host, client)
    raise NetworkError("no route leads to a router" if interface is None else f"no route of {interface} has a router")


def client_at(router: str) -> str:
    """Which of this host's addresses is on the router's network. Raises NetworkError where none is."""
    try:
        place = ip_address(router)
    except ValueError as error:
        raise NetworkError(f"{router} is no IP address") from error
    for each in places_of(None):
        if place in each.network:
            return str(each.ip)
    raise NetworkError(f"no address of this machine is on the network of the router {router}")


def default_routes(text: str, *, byteorder: str = sys.byteorder) -> list[tuple[str, str]]:
    """Interface and router of the default routes in the format of /proc/net/route, the preferred first.

    Lines that are none are passed over. The kernel writes addresses in the machine's byte order.
    """
    form = "<I" if byteorder == "little" else ">I"
    found: list[tuple[int, str, str]] = []
    for line in text.splitlines()[1:10_000]:
        words = line.split()
        try:
            name, target, router, flags, metric, mask = words[0], words[1], words[2], words[3], words[6], words[7]
            if int(target, 16) or int(mask, 16) or int(flags, 16) & _UP_BY_GATEWAY != _UP_BY_GATEWAY:
                continue
            found.append((int(metric), name, socket.inet_ntoa(struct.pack(form, int(router, 16)))))
        except (IndexError, ValueError, struct.error):
            continue
    return [(name, router) for _, name, router in sorted(found, key=lambda each: each[0])]


def client_for(router: str, places: Sequence[IPv4Interface]) -> str | None:
    """Which of our addresses is on the router's network; the first where none is."""
    for place in places:
        if IPv4Address(router) in place.network:
            return str(place.ip)
    return str(places[0].ip) if places else None
