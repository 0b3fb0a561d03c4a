"""A home network of a test's own: a machine behind a router, the router, and a machine outside.

The router is miniupnpd over nftables, as home routers run it; nothing that comes from outside passes it unless it was
asked to let it in. Root makes the networks directly, anyone else in a user namespace.
"""

from __future__ import annotations

import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from namespaces import Namespace

INSIDE, ROUTER = "10.82.0.2", "10.82.0.1"
OUTER, OUTSIDE = "11.82.0.1", "11.82.0.2"
"""In these namespaces alone: the router opens ports only where its outer address is a public one."""

_SET_UP = "ip link set lo up && echo ready && exec cat"

_PLUG_IN = """
set -e
ip link set {device} addrgenmode none
ip addr add {host}/24 dev {device}
ip link set {device} up
"""
_RULES = """
table inet filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "lan0" accept
    jump miniupnpd
  }
  chain miniupnpd { }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    jump prerouting_miniupnpd
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    jump postrouting_miniupnpd
    oifname "wan0" masquerade
  }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
"""
_CONFIG = """
ext_ifname=wan0
ext_ip={outer}
listening_ip=lan0
http_port=5000
enable_upnp=yes
enable_natpmp={control}
secure_mode=yes
uuid=5c7b8a52-1f0e-4a55-9d6e-0123456789ab
min_lifetime=120
max_lifetime=86400
allow 1024-65535 10.82.0.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


class HomeNetwork:
    """See the module's head. With `control` the router speaks PCP and NAT-PMP beside UPnP. Entering raises
    PermissionError where the system allows no such network."""

    def __init__(self, folder: Path, *, control: bool) -> None:
        self.router = Namespace(set_up=_SET_UP)
        self.inside = Namespace(set_up=_SET_UP, beside=self.router)
        self.outside = Namespace(set_up=_SET_UP, beside=self.router)
        self._folder = folder
        self._control = control
        self._stack = AsyncExitStack()

    @staticmethod
    def missing() -> str | None:
        for program in ("miniupnpd", "nft"):
            if shutil.which(program) is None and not Path(f"/usr/sbin/{program}").exists():
                return f"{program} is not installed"
        return None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for namespace in (self.router, self.inside, self.outside):
                await stack.enter_async_context(namespace)
            await self._build()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    async def _build(self) -> None:
        router, inside, outside = self.router, self.inside, self.outside
        said = ""
        for device, other, namespace, near, far in (
            ("lan0", "home0", inside, ROUTER, INSIDE),
            ("wan0", "net0", outside, OUTER, OUTSIDE),
        ):
            said += await router.output(
                *("ip", "link", "add", device, "type", "veth", "peer", "name", other, "netns", str(namespace.pid))
            )
            said += await router.output("sh", "-c", _PLUG_IN.format(device=device, host=near))
            said += await namespace.output("sh", "-c", _PLUG_IN.format(device=other, host=far))
        said += await inside.output("ip", "route", "add", "default", "via", ROUTER)
        said += await router.output("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        rules, config = self._folder / "rules.nft", self._folder / "miniupnpd.conf"
        rules.write_text(_RULES)
        config.write_text(_CONFIG.format(outer=OUTER, control="yes" if self._control else "no"))
        said += await router.output("/usr/sbin/nft", "-f", rules)
        if said:
            raise PermissionError(f"no home network: {said.strip()}")
        daemon = await router.start(
            "router", "/usr/sbin/miniupnpd", "-d", "-f", config, "-P", self._folder / "miniupnpd.pid"
        )
        await daemon.line("HTTP listening on port")

    async def forwards(self) -> str:
        """What the router lets in, as nftables tells it."""
        return await self.router.output("/usr/sbin/nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd")

    def tails(self) -> str:
        """The last words of every program, for the report of a failed test."""
        return "\n".join(each.tails() for each in (self.router, self.inside, self.outside))
