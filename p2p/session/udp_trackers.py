"""The session's door to UDP trackers: sockets, names and timers around the sans-IO client.

A name with addresses of both families is asked by both at once (BEP 7), as the peers of a reply are of the family that
was asked. The first answer waits for the other a moment only, and an address that stays silent beside one that answers
is left alone for a while.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from p2p.codec.udp_tracker import MAX_URL_DATA
from p2p.errors import NetworkError, TrackerError
from p2p.ids import Address
from p2p.session.announce_merge import merge_replies
from p2p.swarm.announce_udp import UdpAnnounceDone, UdpEvent, UdpFailed, UdpScrapeDone, UdpTrackerClient

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from p2p.codec.announce import AnnounceReply, AnnounceRequest, ScrapeEntry
    from p2p.ids import InfoHash
    from p2p.net.network import Datagrams, Network

RESOLVE_TIMEOUT: Final = 10.0
"""Seconds for a name: resolvers give up after about as long."""
RESOLVED_LIFE: Final = 300.0
"""Seconds a name's addresses are kept, so that a thousand torrents of one tracker ask once."""
MAX_RESOLVED: Final = 256
GRACE: Final = 1.0
"""Seconds the other family has left once one has answered: two round trips around the world."""
SILENT_FOR: Final = 900.0
"""Seconds an address that was silent beside one that answered is not asked again."""


class _Target(NamedTuple):
    host: str
    port: int
    url_data: bytes


class UdpTrackers:
    """Shared by the torrents of a session. Sockets open with the first use of their family."""

    def __init__(self, network: Network, *, rng: random.Random, bind: Sequence[str] = ("0.0.0.0", "::")) -> None:  # noqa: S104 - any interface unless told
        """`bind` are the IP addresses to send from, the first of each family; a family without one is not used."""
        self._network = network
        self._client = UdpTrackerClient(rng)
        self._bind = {":" in host: Address(host, 0) for host in reversed(bind)}
        self._sockets: dict[bool, Datagrams] = {}  # by whether it is IPv6
        self._opening: dict[bool, asyncio.Lock] = {}
        self._resolved: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._silent_until: dict[Address, float] = {}
        self._waiting: dict[int, asyncio.Future[UdpEvent]] = {}
        self._next_job = 0
        self._timer: asyncio.Handle | None = None
        self._due = 0.0
        """When it rings; uvloop's handles of what is due at once cannot tell."""
        self._closed = asyncio.Event()

    async def announce(self, url: str, request: AnnounceRequest) -> AnnounceReply:
        """Announce to the tracker at a `udp://host:port/...` URL. Raises TrackerError, after two minutes at most."""
        target = _parse(url)

        def ask(job: int, address: Address, now: float) -> None:
            self._client.announce(job, address, target.url_data, request, now)

        events = await self._ask_all(target, ask)
        return merge_replies([event.reply for event in events if isinstance(event, UdpAnnounceDone)])

    async def scrape(self, url: str, info_hashes: Sequence[InfoHash]) -> tuple[ScrapeEntry, ...]:
        """Counts of 1 to 74 torrents, in order. Raises TrackerError, after two minutes at most."""
        target = _parse(url)

        def ask(job: int, address: Address, now: float) -> None:
            self._client.scrape(job, address, info_hashes, now)

        events = await self._ask_all(target, ask)
        return next(event.entries for event in events if isinstance(event, UdpScrapeDone))

    def reopen(self) -> None:
        """The network is another: what is under way fails, and what is asked from now on is asked by new sockets, of
        names looked up anew."""
        self._fail_all("the network has changed")
        for datagrams in self._sockets.values():
            datagrams.close()
        self._sockets.clear()
        self._resolved.clear()
        self._silent_until.clear()

    def close(self) -> None:
        """Close the sockets; whatever is under way fails. Idempotent."""
        self._closed.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._fail_all("the session is closing")
        for datagrams in self._sockets.values():
            datagrams.close()
        self._sockets.clear()

    def _fail_all(self, why: str) -> None:
        for job, future in list(self._waiting.items()):
            if not future.done():
                future.set_result(UdpFailed(job, TrackerError(why)))

    async def _ask_all(self, target: _Target, ask: Callable[[int, Address, float], None]) -> list[UdpEvent]:
        """The answers of each family's address, at least one. Raises the first failure if there is none."""
        addresses = await self._addresses(target)
        loop = asyncio.get_running_loop()
        asked: dict[Address, tuple[int, asyncio.Future[UdpEvent]]] = {}
        error = TrackerError(f"no way to send to {target.host}")
        for address in addresses:
            try:
                await self._open(ipv6=address.is_ipv6)
            except NetworkError as cause:
                error = TrackerError(f"cannot send to {target.host}: {cause}")
                continue
            self._next_job += 1
            future: asyncio.Future[UdpEvent] = loop.create_future()
            self._waiting[self._next_job] = future
            asked[address] = self._next_job, future
            ask(self._next_job, address, loop.time())
        self._pump()
        try:
            return await self._gather(asked, error)
        finally:
            for job, _ in asked.values():
                self._waiting.pop(job, None)
                self._client.cancel(job)
            self._pump()

    async def _gather(
        self, asked: dict[Address, tuple[int, asyncio.Future[UdpEvent]]], error: TrackerError
    ) -> list[UdpEvent]:
        loop = asyncio.get_running_loop()
        pending = [future for _, future in asked.values()]
        deadline: float | None = None
        while pending:
            wait = None if deadline is None else max(deadline - loop.time(), 0.0)
            await asyncio.wait(pending, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if deadline is not None and loop.time() >= deadline:
                break
            pending = [future for future in pending if not future.done()]
            if deadline is None and any(_answer(future) for _, future in asked.values()):
                deadline = loop.time() + GRACE
        answers = [answer for _, future in asked.values() if (answer := _answer(future)) is not None]
        if answers:
            for address, (_, future) in asked.items():
                if _answer(future) is None:
                    self._silent_until[address] = loop.time() + SILENT_FOR
                else:
                    self._silent_until.pop(address, None)
            return answers
        failures = [future.result() for _, future in asked.values()]
        raise next((failure.error for failure in failures if isinstance(failure, UdpFailed)), error)

    async def _addresses(self, target: _Target) -> list[Address]:
        """The best address of each family we may send from."""
        loop = asyncio.get_running_loop()
        until, addresses = self._resolved.get((target.host, target.port), (0.0, []))
        if until <= loop.time() or not addresses:
            try:
                async with asyncio.timeout(RESOLVE_TIMEOUT):
                    addresses = await self._network.resolve(target.host, target.port)
            except NetworkError as error:
                raise TrackerError(f"cannot find {target.host}: {error}") from error
            except TimeoutError as error:
                raise TrackerError(f"cannot find {target.host}: no answer in {RESOLVE_TIMEOUT:.0f} s") from error
            self._resolved[target.host, target.port] = loop.time() + RESOLVED_LIFE, addresses
            if len(self._resolved) > MAX_RESOLVED:
                del self._resolved[next(iter(self._resolved))]
        self._silent_until = {each: until for each, until in self._silent_until.items() if until > loop.time()}
        best: dict[bool, Address] = {}
        for address in addresses:
            if address.is_ipv6 in self._bind:
                best.setdefault(address.is_ipv6, address)
        heard = [address for address in best.values() if address not in self._silent_until]
        return heard or list(best.values())

    async def _open(self, *, ipv6: bool) -> None:
        async with self._opening.setdefault(ipv6, asyncio.Lock()):
            if self._closed.is_set():
                raise NetworkError("the session is closing")
            if ipv6 not in self._sockets:
                datagrams = await self._network.open_datagrams(self._bind[ipv6], self._on_datagram)
                if self._closed.is_set():
                    datagrams.close()
                    raise NetworkError("the session is closing")
                self._sockets[ipv6] = datagrams

    def _on_datagram(self, data: bytes, address: Address) -> None:
        self._client.receive_datagram(data, address, asyncio.get_running_loop().time())
        self._pump()

    def _on_timer(self) -> None:
        self._timer = None
        self._client.on_timer(asyncio.get_running_loop().time())
        self._pump()

    def _pump(self) -> None:
        """Carry out what the client wants: datagrams, outcomes, the timer."""
        for data, address in self._client.datagrams_to_send():
            datagrams = self._sockets.get(address.is_ipv6)
            if datagrams is not None:
                datagrams.send(data, address)
        while (event := self._client.next_event()) is not None:
            future = self._waiting.get(event.job)
            if future is not None and not future.done():
                future.set_result(event)
        due = None if self._closed.is_set() else self._client.next_timer()
        if self._timer is not None and self._due != due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and due is not None:
            self._due = due
            self._timer = asyncio.get_running_loop().call_at(due, self._on_timer)


def _answer(future: asyncio.Future[UdpEvent]) -> UdpEvent | None:
    if not future.done() or isinstance(future.result(), UdpFailed):
        return None
    return future.result()


def _parse(url: str) -> _Target:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TrackerError("the tracker's URL is broken") from error
    if not host or not port:
        raise TrackerError("the tracker's URL names no host and port")
    url_data = (parts.path + (f"?{parts.query}" if parts.query else "")).encode("utf-8", "replace")
    if len(url_data) > MAX_URL_DATA:
        raise TrackerError("the tracker's URL is too long")
    return _Target(host, port, url_data)
