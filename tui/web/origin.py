"""Whose requests are answered: by the name they reach us by, and by the page of whom a browser makes them for. Pure.

The rules: a name that is neither localhost, an IP address, nor one that was allowed is answered nothing, since that is
how DNS rebinding looks from here (a stranger's page under a name of its own that leads to us). What changes something
and what opens a terminal must come from a page of this very host and port, and browsers always say so in `Origin`;
other programs have no cookie that another's page could make use of, but no terminal either without saying it.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from p2p.daemon.access import AllowedHosts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_AUTHORITY: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
"""Of a URL, with no user: what browsers send as `Host`."""

_SCHEMES: Final = ("http", "https")


class Asked(Enum):
    """What a request is for."""

    PAGE = auto()
    CHANGE = auto()
    SOCKET = auto()


class Refusal(Enum):
    """Why a request is not answered."""

    NAME = "this name is not one that this is reached by; --web-host allows it"
    ORIGIN = "pages of other origins have no part in this"


class Reach:
    """`names` may be in `Host` beside localhost and IP addresses, with stars for any letters."""

    def __init__(self, names: Sequence[str]) -> None:
        self._hosts = AllowedHosts(names)

    def refusal(self, asked: Asked, headers: Mapping[str, str]) -> Refusal | None:
        """Why this must not be answered, if so. `headers` are looked up by their usual names."""
        host = headers.get("Host", "").lower()
        if not _AUTHORITY.fullmatch(host) or not self._hosts.allow(host):
            return Refusal.NAME
        origin = headers.get("Origin")
        if origin is not None:
            return None if is_own(origin, host) else Refusal.ORIGIN
        if asked is not Asked.PAGE:
            return Refusal.ORIGIN
        # To follow a link to us from elsewhere is nobody's harm; to have our answers as parts of another page is.
        strange = headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        return Refusal.ORIGIN if strange and headers.get("Sec-Fetch-Mode") != "navigate" else None


def is_own(origin: str, host: str) -> bool:
    """Whether an `Origin` is of pages from the very host and port in `Host`."""
    scheme, parted, authority = origin.lower().partition("://")
    return bool(parted) and scheme in _SCHEMES and bool(host) and authority == host.lower()


def is_encrypted(headers: Mapping[str, str]) -> bool:
    """Whether the page was loaded over HTTPS, from a proxy before us: its cookie must never go another way."""
    return headers.get("Origin", "").lower().startswith("https://")
