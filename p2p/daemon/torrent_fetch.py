"""Torrents that clients name by URL: fetched with bounds, and led on by redirects as far as is safe.

The rule: who may call the RPC may name any place, since indexers (Jackett, Prowlarr) run on this machine or network.
A redirect is the word of a stranger: it may lead out, and on, and to a magnet link, but never from outside into this
network. Cookies go to the host that they were given for, and nowhere else.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from p2p.codec.bencode import MAX_SIZE
from p2p.daemon.rpc_errors import Code, RpcError
from p2p.disk.refusals import printable
from p2p.errors import NetworkError, TrackerError
from p2p.net.http import MAX_REDIRECTS, RedirectedError

if TYPE_CHECKING:
    from p2p.net.http import HttpClient
    from p2p.net.network import Network

TIMEOUT: Final = 60.0
"""Seconds for all of it, redirects too: indexers ask others in turn, and clients wait for two minutes."""

AT_ONCE: Final = 8
"""Fetches at once; a client that names more waits for its turn."""


class TorrentFetch:
    """See the module's head."""

    def __init__(self, http: HttpClient, network: Network) -> None:
        self._http = http
        self._network = network
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def get(self, url: str, cookies: str = "") -> bytes | str:
        """The bytes of a torrent file, or the magnet link that a redirect ends at. Raises RpcError."""
        try:
            async with asyncio.timeout(TIMEOUT), self._turns:
                return await self._follow(url, cookies)
        except TimeoutError as error:
            raise _refusal(url, f"no answer within {TIMEOUT:.0f} s") from error
        except TrackerError as error:
            raise _refusal(url, str(error)) from error

    async def _follow(self, url: str, cookies: str) -> bytes | str:
        first, place = _origin(url), url
        outside = False
        for _ in range(MAX_REDIRECTS + 1):
            inside = await self._is_inside(place)
            if outside and inside:
                raise TrackerError("a redirect leads from outside into this network")
            outside = outside or not inside
            headers = {"Cookie": cookies} if cookies and _origin(place) == first else None
            try:
                return await self._http.get(place, timeout=TIMEOUT, max_body=MAX_SIZE, headers=headers, redirects=0)
            except RedirectedError as error:
                place = error.location
            if place[:7].lower() == "magnet:":
                return place
        raise TrackerError(f"more than {MAX_REDIRECTS} redirects")

    async def _is_inside(self, url: str) -> bool:
        """Whether any address of the URL's host is of this machine or of a private network."""
        scheme, host, port = _origin(url)
        if scheme not in ("http", "https") or not host:
            raise TrackerError("only http and https are followed")
        try:
            addresses = await self._network.resolve(host, port)
        except NetworkError as error:
            raise TrackerError(f"no address for {host}") from error
        return any(not ipaddress.ip_address(each.host).is_global for each in addresses)


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise TrackerError("not a URL") from error
    return parts.scheme.lower(), parts.hostname or "", port


def _refusal(url: str, reason: str) -> RpcError:
    """Names the host alone: what stands behind it is often a key."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return RpcError(Code.HTTP, f"{printable(host)[:100]}: {reason}" if host else reason)
