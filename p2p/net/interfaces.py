"""The network interfaces of this host: those that local discovery can use, and the addresses of one by its name.

Local discovery needs an interface that is up and carries multicast (BEP 14).
"""

from __future__ import annotations

import ipaddress
import socket

import psutil

from p2p.errors import NetworkError
from p2p.net.network import Interface


def multicast_interfaces() -> list[Interface]:
    """In the system's order; loopback is among them only where somebody let it carry multicast.

    Raises NetworkError where the system does not tell.
    """
    try:
        states, addresses = psutil.net_if_stats(), psutil.net_if_addrs()
    except (OSError, psutil.Error) as error:
        raise NetworkError(f"the system does not tell its network interfaces: {error}") from error
    found = []
    for name, state in states.items():
        if not state.isup or "multicast" not in state.flags.split(","):
            continue
        places = (_place(each.address, each.netmask) for each in addresses.get(name, ()))
        found.append(Interface(name, tuple(place for place in places if place is not None)))
    return found


def addresses_of(name: str) -> list[str]:
    """The IP addresses of the interface of that name, if it is up; none where there is no such interface.

    Raises NetworkError where the system does not tell.
    """
    try:
        state = psutil.net_if_stats().get(name)
        addresses = psutil.net_if_addrs().get(name, ()) if state is not None and state.isup else ()
    except (OSError, psutil.Error) as error:
        raise NetworkError(f"the system does not tell its network interfaces: {error}") from error
    return [each.address for each in addresses if each.family in (socket.AF_INET, socket.AF_INET6)]


def places_of(name: str | None) -> list[ipaddress.IPv4Interface]:
    """The IPv4 addresses of the interface of that name, or of all, with their networks. Raises NetworkError as
    `addresses_of`."""
    try:
        known = psutil.net_if_addrs()
        addresses = known.get(name, ()) if name is not None else [each for its in known.values() for each in its]
    except (OSError, psutil.Error) as error:
        raise NetworkError(f"the system does not tell its network interfaces: {error}") from error
    places = (_place(each.address, each.netmask) for each in addresses)
    return [place for place in places if isinstance(place, ipaddress.IPv4Interface)]


def _place(address: str, netmask: str | None) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    """An IP address and its network; None for what is neither, as the addresses of the link are."""
    try:
        host = ipaddress.ip_address(address.partition("%")[0])
        if netmask is None:
            return ipaddress.ip_interface(host)
        bits = int(ipaddress.ip_address(netmask)).bit_count()
        return ipaddress.ip_interface(f"{host}/{bits}")
    except ValueError:
        return None
