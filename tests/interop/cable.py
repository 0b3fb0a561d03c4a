"""Two networks of a test's own, joined by a cable: machines that are neighbours, over IPv4 and IPv6, and nothing else.

Multicast goes from one to the other as on any local network. Root makes them directly, anyone else in a user namespace.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Self

from namespaces import Namespace

NEAR, FAR = "10.78.0.1", "10.78.0.2"
NEAR_IPV6, FAR_IPV6 = "fd78::1", "fd78::2"

_SET_UP = "ip link set lo up && echo ready && exec cat"

_PLUG_IN = """
set -e
ip addr add {host}/24 dev {end}
ip -6 addr add {host_ipv6}/64 dev {end} nodad
ip link set {end} up
ip route add 239.0.0.0/8 dev {end}
"""
"""Clients that join a group on no interface of their choice go where the route leads."""


class Cable:
    """Two namespaces, `near` and `far`. Entering it raises PermissionError where the system allows none."""

    def __init__(self) -> None:
        self.near = Namespace(set_up=_SET_UP)
        self.far = Namespace(set_up=_SET_UP, beside=self.near)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.near)
            await stack.enter_async_context(self.far)
            lay = ("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.far.pid))
            said = await self.near.output(*lay)
            for end, namespace, host, host_ipv6 in (
                ("near", self.near, NEAR, NEAR_IPV6),
                ("far", self.far, FAR, FAR_IPV6),
            ):
                plug_in = _PLUG_IN.format(end=end, host=host, host_ipv6=host_ipv6)
                said += await namespace.output("sh", "-c", plug_in)
            if said:
                raise PermissionError(f"no cable between network namespaces: {said.strip()}")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    def tails(self) -> str:
        """The last words of every program, for the report of a failed test."""
        return f"{self.near.tails()}\n{self.far.tails()}"
