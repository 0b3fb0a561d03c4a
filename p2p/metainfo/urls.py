"""Tracker addresses, web seeds and hosts as torrents and magnet links carry them (BEP 5, 9, 12, 19).

The rule: what could not be contacted, or could make a log or terminal lie, is left out rather than kept; a torrent is
not refused for one bad address among its good ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from p2p.ids import Address

if TYPE_CHECKING:
    from collections.abc import Iterable

Endpoint: TypeAlias = "tuple[str, int]"
"""A host name, or an IP literal in canonical form, and a port."""

MAX_URL: Final = 4_096
"""Bytes of a URL. Private trackers' passkeys stay far below; most servers refuse more than 8 KiB in a request line."""

MAX_URLS: Final = 256
"""Trackers, and web seeds, of one torrent: announcing to more is of no use, and each costs a task."""

MAX_ENDPOINTS: Final = 256
"""DHT nodes or peers of one torrent, for the same reason."""

_TRACKER_SCHEMES: Final = frozenset({"http", "https", "udp", "ws", "wss"})
_SEED_SCHEMES: Final = frozenset({"http", "https", "ftp"})
_CLEAN = re.compile(r"[!-~\u00a1-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\U0010ffff]+")
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")


def tracker_urls(texts: Iterable[str]) -> tuple[str, ...]:
    """The usable trackers among `texts`, each once, in order, at most MAX_URLS."""
    return _usable(texts, _TRACKER_SCHEMES)


def web_seed_urls(texts: Iterable[str]) -> tuple[str, ...]:
    """The usable web seeds among `texts`, each once, in order, at most MAX_URLS."""
    return _usable(texts, _SEED_SCHEMES)


def endpoint(host: str, port: int) -> Endpoint | None:
    """Host and port if they could be connected to, an IP literal made canonical; else None."""
    if not 1 <= port <= 65_535:
        return None
    try:
        address = Address.parse(host, port)
    except ValueError:
        return (host, port) if _HOST.fullmatch(host) and not host.replace(".", "").isdigit() else None
    return (address.host, address.port)


def parse_endpoint(text: str) -> Endpoint | None:
    """`host:port`, `1.2.3.4:port` or `[v6]:port` (BEP 9, `x.pe`) as an endpoint, None for anything else."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            return None
    elif ":" in host:
        return None
    if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5):
        return None
    return endpoint(host, int(port))


def endpoint_text(place: Endpoint) -> str:
    """`host:port`, with an IPv6 literal in brackets."""
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _usable(texts: Iterable[str], schemes: frozenset[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for text in texts:
        if len(found) == MAX_URLS:
            break
        url = text.strip()
        if _is_usable(url, schemes):
            found[url] = None
    return tuple(found)


def _is_usable(url: str, schemes: frozenset[str]) -> bool:
    if len(url) > MAX_URL or not _CLEAN.fullmatch(url):
        return False
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:  # a port that is no number, an unclosed bracket
        return False
    return split.scheme in schemes and bool(split.hostname) and port != 0
