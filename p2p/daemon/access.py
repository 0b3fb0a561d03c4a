"""Who may speak to the RPC: by address, by the name they reach us by, by password, and by how often they guessed.

The rule: names are checked against DNS rebinding, where a page of a stranger's makes a browser speak to us under a name
of its own; with a password that cannot happen, since browsers send it to the name they learned it for alone. Whoever
guesses passwords waits, twice as long after each wrong one. Pure: time is an argument.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

FREE_GUESSES: Final = 5
"""Wrong passwords in a row that cost nothing: people mistype."""

LONGEST_LOCK: Final = 900.0
"""Seconds: long enough that guessing is hopeless, short enough that a person comes back."""

MAX_GUESSERS: Final = 4096
"""Addresses whose guesses are counted; beyond it the one that guessed longest ago is forgotten."""

MAX_CREDENTIALS: Final = 1024
"""Bytes of a user's name and password together."""

_COST, _BLOCK, _LANES = 1 << 14, 8, 1
"""Of scrypt (RFC 7914): some fifty milliseconds and 16 MiB a guess."""

_SALT: Final = 16
_LONGEST_HOST: Final = 253


def hash_password(password: str, salt: bytes) -> str:
    """How a password is kept: `scrypt:SALT:HASH`, in hex. `salt` is 16 random bytes. Takes some fifty milliseconds."""
    return f"scrypt:{salt.hex()}:{_scrypt(password, salt).hex()}"


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=_COST, r=_BLOCK, p=_LANES)


@dataclass(frozen=True, slots=True)
class Login:
    """A user's name and the hash of the password, as `hash_password` makes it."""

    user: str
    password_hash: str

    def __post_init__(self) -> None:
        """Raises ConfigError for what is no hash."""
        scheme, _, rest = self.password_hash.partition(":")
        salt, _, digest = rest.partition(":")
        try:
            fits = scheme == "scrypt" and len(bytes.fromhex(salt)) == _SALT and len(bytes.fromhex(digest)) == 64
        except ValueError:
            fits = False
        if not fits:
            raise ConfigError("the hash of the RPC's password is not of the form scrypt:SALT:HASH")

    def matches(self, user: str, password: str) -> bool:
        """Whether they are right. Takes as long either way, some fifty milliseconds."""
        _, salt, digest = self.password_hash.split(":")
        right = hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), bytes.fromhex(digest))
        return hmac.compare_digest(user.encode("utf-8", "replace"), self.user.encode("utf-8", "replace")) and right


def basic_credentials(header: str) -> tuple[str, str] | None:
    """User and password of an `Authorization` header (RFC 7617), None for one that has none."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 2 * MAX_CREDENTIALS:
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


class Guesses:
    """Wrong passwords by the network they came from: an address, or the /64 of an IPv6 one, which is one subscriber."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def locked_for(self, address: str, now: float) -> float:
        """Seconds until this address may try again; 0.0 if it may."""
        _, until = self._wrong.get(_network(address), (0, now))
        return max(0.0, until - now)

    def on_wrong(self, address: str, now: float) -> None:
        network = _network(address)
        count = self._wrong.pop(network, (0, 0.0))[0] + 1
        lock = 0.0 if count < FREE_GUESSES else min(LONGEST_LOCK, 2.0 ** min(count - FREE_GUESSES, 10))
        self._wrong[network] = (count, now + lock)
        if len(self._wrong) > MAX_GUESSERS:
            self._wrong.popitem(last=False)

    def on_right(self, address: str) -> None:
        self._wrong.pop(_network(address), None)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return address


class AllowedAddresses:
    """Networks (`192.168.0.0/16`), addresses, and addresses with stars (`192.168.*.*`), any of which is enough."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Raises ConfigError for what is none of them."""
        self._networks = []
        self._globs = []
        for pattern in patterns:
            if "*" in pattern:
                self._globs.append(pattern)
                continue
            try:
                self._networks.append(ipaddress.ip_network(pattern, strict=False))
            except ValueError as error:
                raise ConfigError(f"{pattern!r} is no address or network of those that may use the RPC") from error

    def allow(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks) or any(
            fnmatch.fnmatchcase(str(parsed), glob) for glob in self._globs
        )


class AllowedHosts:
    """Names that we may be reached by, with stars for any letters; localhost and IP addresses always may be."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = tuple(pattern.lower().rstrip(".") for pattern in patterns)

    def allow(self, header: str) -> bool:
        """Whether a `Host` header may be answered."""
        if len(header) > _LONGEST_HOST + 8:  # a port, and brackets
            return False
        host = header.strip().lower()
        if host.startswith("["):
            host = host[1:].partition("]")[0]
        elif host.count(":") == 1:
            host = host.partition(":")[0]
        host = host.rstrip(".")
        if host == "localhost":
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return any(fnmatch.fnmatchcase(host, pattern) for pattern in self._patterns)
        return True


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
