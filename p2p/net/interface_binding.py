"""One network interface that everything goes through, by name: which addresses of it are used, as they come and go.

The rule: it fails closed. Where the interface has no address of a family, nothing of that family is sent or taken, and
whoever tries is told why; no other route is ever taken instead. An address in use is kept for as long as the interface
has it, so that the temporary ones that IPv6 adds beside it move nobody.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAME: Final = re.compile(r"[^\s/\x00]{1,15}")
"""What the kernel takes for a name (IFNAMSIZ is 16, with the NUL)."""


class Addresses(NamedTuple):
    """The addresses of an interface that are used; None for a family that it has none of."""

    ipv4: str | None = None
    ipv6: str | None = None

    def of(self, *, ipv6: bool) -> str | None:
        """The address of one family."""
        return self.ipv6 if ipv6 else self.ipv4


def is_interface_name(text: str) -> bool:
    """Whether a network interface could have this name."""
    return _NAME.fullmatch(text) is not None and text not in (".", "..")


def choose(present: Addresses, seen: Sequence[str]) -> Addresses:
    """Which of the interface's addresses to use from now on; those in `present` as long as they are among them.

    Otherwise the first that others can reach us by: a global one before a private one, and none of the link alone.
    What is no IP address is passed over.
    """
    found: list[IPv4Address | IPv6Address] = []
    for text in seen:
        try:
            found.append(ip_address(text))
        except ValueError:
            continue
    return Addresses(
        _best(present.ipv4, [each for each in found if isinstance(each, IPv4Address)]),
        _best(present.ipv6, [each for each in found if isinstance(each, IPv6Address) and each.scope_id is None]),
    )


def _best(present: str | None, found: Sequence[IPv4Address | IPv6Address]) -> str | None:
    usable = [each for each in found if not (each.is_link_local or each.is_multicast or each.is_unspecified)]
    if present is not None and ip_address(present) in usable:
        return present
    usable.sort(key=lambda each: not each.is_global)
    return str(usable[0]) if usable else None


class InterfaceBinding:
    """See the module's head. `look` gives the addresses that the interface has now, none where it is gone."""

    def __init__(self, name: str, look: Callable[[str], Sequence[str]]) -> None:
        self.name = name
        self.addresses = Addresses()
        """Those in use since `refresh` looked last."""
        self._look = look

    def refresh(self) -> bool:
        """Look again; whether anything has changed."""
        try:
            seen = self._look(self.name)
        except NetworkError:
            seen = ()
        before, self.addresses = self.addresses, choose(self.addresses, seen)
        return self.addresses != before

    @property
    def obstacle(self) -> str | None:
        """Why nothing can be sent, in one line; None where something can."""
        if self.addresses == Addresses():
            return f"the interface {self.name} has no address"
        return None

    def local(self, *, ipv6: bool) -> str:
        """The address to send from and to listen on. Raises NetworkError where there is none of the family."""
        host = self.addresses.of(ipv6=ipv6)
        if host is None:
            family = "IPv6" if ipv6 else "IPv4"
            raise NetworkError(self.obstacle or f"the interface {self.name} has no {family} address")
        return host

    def local_for(self, host: str) -> str:
        """The address to use where `host` was asked for: one of the interface's own, or unspecified."""
        local = self.local(ipv6=":" in host)
        if host not in ("0.0.0.0", "::", local):  # noqa: S104 - a comparison
            raise NetworkError(f"cannot assign requested address: the interface {self.name} does not use {host}")
        return local
