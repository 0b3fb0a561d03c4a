"""Where a daemon is, from what a person writes.

`host`, `host:port`, `port`, an IPv6 address with or without brackets, and whole URLs (`http://user@host:port/path`,
https as well). The rule: a password has no place in it, since command lines are seen by everybody on the machine.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from p2p.errors import ConfigError

DEFAULT_PORT: Final = 9091
RPC_PATH: Final = "/transmission/rpc"

MAX_ADDRESS: Final = 2048
"""Letters: more than any browser's address line is asked to hold."""

_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\U0010ffff\"'<>\\^`{|}]")


@dataclass(frozen=True, slots=True)
class Server:
    """`root` is the URL without its path, `path` the RPC's. `user` is None where none is named."""

    root: str
    path: str = RPC_PATH
    user: str | None = None

    @property
    def url(self) -> str:
        """Of the RPC."""
        return self.root + self.path

    def page(self, name: str) -> str:
        """The URL of a page beside the RPC, such as `/events`."""
        return f"{self.root}{self.path.removesuffix(RPC_PATH) if self.path.endswith(RPC_PATH) else ''}{name}"

    @classmethod
    def parse(cls, text: str) -> Server:
        """Raises ConfigError for what is no address."""
        given = text.strip()
        if not given or len(given) > MAX_ADDRESS or _UNSAFE.search(given):
            raise ConfigError(f"{text[:100]!r} is no address of a daemon")
        if given.isdecimal():
            given = f"localhost:{given}"
        scheme, parted, rest = given.partition("://")
        if not parted:
            scheme, rest = "http", _bracketed(given)
        try:
            parts = urlsplit(f"{scheme.lower()}://{rest}")
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"{text[:100]!r} is no address of a daemon") from error
        if parts.scheme not in _PORTS or parts.query or parts.fragment:
            raise ConfigError(f"{text[:100]!r} is no http or https URL of a daemon")
        if parts.password is not None:
            raise ConfigError("a password has no place in an address, where others can read it")
        if port is None:
            port = _PORTS[parts.scheme] if parted else DEFAULT_PORT
        user = None if parts.username is None else unquote(parts.username)
        return cls(f"{parts.scheme}://{_host(parts, text)}:{port}", _path(parts.path), user)


def _bracketed(given: str) -> str:
    """An IPv6 address that stands alone as a URL has it."""
    try:
        return f"[{ipaddress.IPv6Address(given)}]"
    except ValueError:
        return given


def _host(parts: SplitResult, text: str) -> str:
    host = parts.hostname or ""
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host)}]"
        except ValueError as error:
            raise ConfigError(f"{text[:100]!r} names no host") from error
    if not _HOST.fullmatch(host):
        raise ConfigError(f"{text[:100]!r} names no host")
    return host


def _path(path: str) -> str:
    """The RPC's: the usual one where none is given, as Transmission's own clients complete it otherwise."""
    bare = path.rstrip("/")
    if not bare:
        return RPC_PATH
    return bare if bare.endswith("/rpc") else f"{bare}/rpc"
