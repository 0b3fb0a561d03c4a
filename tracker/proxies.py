"""Who asks, where a proxy asks for somebody (X-Forwarded-For; Forwarded, RFC 7239).

The rules: only a proxy of the configuration is believed, and what anybody else says of itself is ignored. Each proxy
appends whom it saw, so the last that is no proxy of ours is the client. A proxy writes one of the two fields and passes
the other on as the client sent it: where both are there and tell of two clients, nobody is believed.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from p2p.errors import TrackerError
from p2p.ids import Address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.operation.config_values import IpNetwork

LISTS: Final = frozenset(("x-forwarded-for", "forwarded"))
"""The two fields. Given several times, each is one list, as HTTP has it."""

_PAIR: Final = re.compile(
    r"[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)="
    r"(?:([!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+)|\"((?:[^\"\\]|\\.)*)\"))?[ \t]*(;|,|$)"
)
"""One `name=value` and what follows it. Colons and brackets stand in quotes by the RFC, and often do not."""

_NODE: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+)(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)")
"""An address, perhaps with a port: `[IPv6]`, IPv4, or IPv6 as it is."""


class Proxies:
    """The proxies in front of the tracker."""

    __slots__ = ("_networks",)

    def __init__(self, networks: Sequence[IpNetwork] = ()) -> None:
        self._networks = tuple(networks)

    def __contains__(self, host: str) -> bool:
        """Whether the host of a connection is a proxy of ours."""
        if not self._networks:
            return False
        address = ipaddress.ip_address(host)
        return any(address in network for network in self._networks)

    def asker(self, host: str, forwarded_for: str | None, forwarded: str | None) -> str:
        """The host a request is from that came from `host` with these fields.

        Raises TrackerError where a proxy of ours does not tell.
        """
        if (forwarded_for is None and forwarded is None) or host not in self:
            return host
        told = []
        if forwarded_for is not None:
            told.append(self._client([_host(each) for each in forwarded_for.split(",")]))
        if forwarded is not None:
            told.append(self._client(_forwarded_hosts(forwarded)))
        client = told[0]
        if client is None or told[-1] != client:
            raise TrackerError("the proxy does not tell who asks")
        return client

    def _client(self, hosts: Sequence[str | None]) -> str | None:
        host = None
        for host in reversed(hosts):
            if host is None or host not in self:
                break
        return host


def _forwarded_hosts(text: str) -> list[str | None]:
    """The `for` of each element of a Forwarded field, None for one without it and for the rest of a broken field."""
    hosts: list[str | None] = []
    at, host = 0, None
    while True:
        found = _PAIR.match(text, at)
        if found is None:
            return [*hosts, None]
        name, token, quoted, end = found.groups()
        if name is not None and name.lower() == "for":
            host = _host(token if token is not None else quoted)
        if end != ";":
            hosts.append(host)
            host = None
        if not end:
            return hosts
        at = found.end()


def _host(text: str) -> str | None:
    """The address of a node in its canonical form; None for a name, `unknown` and whatever else."""
    found = _NODE.fullmatch(text.strip(" \t"))
    if found is None:
        return None
    try:
        return Address.parse(found[1] or found[2] or found[3], 0).host
    except ValueError:
        return None
