"""The session's DHT node: sockets, names, timers and a file around the sans-IO node.

async with DhtService(network, rng=rng, secret=secret, bootstrap=[("router.example", 6881)]) as dht:
    async for peers in dht.get_peers(info_hash):
        ...

One node serves all torrents of a session, over IPv4 and IPv6 on one port. Its table is saved now and then and at the
end, and a start takes it up again, so that a search can begin before any name is resolved.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, TypeVar

from p2p.dht.events import Announced, Event, IdChanged, Joined, PeersFound, PingFailed, Pong, SearchDone
from p2p.dht.node import DhtNode
from p2p.dht.node_id import random_id
from p2p.dht.state import MAX_STATE, SavedTable
from p2p.disk.state_lock import take_lock
from p2p.disk.whole_files import read_whole, replace_whole
from p2p.errors import DhtError, MissingContentError, NetworkError, StateLockedError, StorageError
from p2p.ids import Address
from p2p.session.scope import Scope

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from p2p.dht.events import NodeView
    from p2p.disk.state_lock import StateLock
    from p2p.ids import InfoHash, NodeId
    from p2p.net.network import Datagrams, Network

log = logging.getLogger(__name__)

_Outcome = TypeVar("_Outcome", SearchDone, Announced)

SAVE_INTERVAL: Final = 300.0
"""Seconds between saves: a table lasts hours, so a crash loses little."""
RESOLVE_TIMEOUT: Final = 10.0
RESOLVE_AGAIN: Final = 60.0
"""Seconds until a name that was not found is looked up again, while we have not joined."""
PATIENCE: Final = 15.0
"""Seconds that a search waits for somebody to be known; the rest of joining it shares."""
PORT_TRIES: Final = 20
"""Ports tried for one that is free in both families."""
MAX_HELD: Final = 256
"""Datagrams held back, with when they came, while whoever was told of something runs."""
MAX_NAMES: Final = 64
"""Names to join by: the user's, and those of torrents (BEP 5, `nodes`)."""


class DhtService:
    """See the module's head. Entering raises NetworkError when no socket can be opened.

    `secret` is 16 bytes or more that nobody can guess, `bind` the IP addresses to use, the first of each family.
    `state_path` is where the table is kept, by one node at a time; None keeps none. A `read_only` node asks and never
    answers (BEP 43). Hosts that the user `refuses` are neither asked nor heard.
    """

    def __init__(
        self,
        network: Network,
        *,
        rng: random.Random,
        secret: bytes,
        port: int = 0,
        bind: Sequence[str] = ("0.0.0.0", "::"),  # noqa: S104 - a node that nobody can reach is no node
        bootstrap: Sequence[tuple[str, int]] = (),
        state_path: Path | None = None,
        read_only: bool = False,
        refuses: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.port = port
        """Where other nodes reach us; the one that was chosen, once entered."""
        self._network = network
        self._rng = rng
        self._secret = secret
        self._bind = {":" in host: host for host in reversed(bind)}
        self._names = dict.fromkeys(bootstrap)
        self._state_path = state_path
        self._read_only = read_only
        self._refuses = refuses
        self._scope = Scope()
        self._sockets: dict[bool, Datagrams] = {}
        self._joined = asyncio.Event()
        self._searches: dict[int, asyncio.Queue[Event | None]] = {}  # None: it will never end
        self._pings: dict[int, asyncio.Future[Pong]] = {}
        self._held: deque[tuple[bytes, Address, float]] = deque()
        self._holding = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._lock: StateLock | None = None
        self._node: DhtNode | None = None

    async def __aenter__(self) -> DhtService:
        try:
            saved = await self._load()
            self._sockets = await self._open_sockets(self.port)
        except BaseException:
            _close(self._sockets)
            self._unlock()
            raise
        now = _now()
        ids: dict[bool, NodeId] = {
            ipv6: saved.ids[ipv6] if ipv6 in saved.ids else random_id(self._rng) for ipv6 in self._sockets
        }
        self._node = DhtNode(ids, rng=self._rng, secret=self._secret, now=now, read_only=self._read_only)
        self._node.restore(saved, now)
        await self._scope.__aenter__()
        if self._node.contact_count:
            self._node.bootstrap([], now)
        self._pump()
        for host, port in self._names:
            self._start_resolving(host, port)
        if self._state_path is not None:
            self._scope.start(self._save_now_and_then(self._state_path), name="dht save")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._scope.__aexit__(kind, error, trace)
        finally:
            _close(self._sockets)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._abandon()
            try:
                if self._state_path is not None and self._node is not None:
                    await self._save(self._state_path)
            finally:
                self._unlock()

    async def rebind(self, port: int) -> None:
        """Go on at another port, as the node that we are and with whom we know. Raises NetworkError where no socket can
        be opened there; then all is as it was."""
        opened = await self._open_sockets(port)
        if not self._sockets:  # closed meanwhile
            _close(opened)
            return
        old, self._sockets = self._sockets, opened
        _close(old)

    async def ready(self) -> None:
        """Wait until we have joined the network: the nodes nearest to us have answered."""
        await self._joined.wait()

    @property
    def is_ready(self) -> bool:
        return self._joined.is_set()

    async def get_peers(
        self, info_hash: InfoHash, *, announce_port: int | None = None
    ) -> AsyncGenerator[list[Address], None]:
        """Search for peers; lists of new ones as they are found, until the search ends. Close it to end it early.

        With `announce_port` the nodes nearest to the hash are told, in the end, that we take connections there; none is
        told if it is closed before. While nobody is known it waits PATIENCE seconds for that, then finds nothing.
        Raises DhtError once closed.
        """
        async with aclosing(self.search(info_hash, announce_port=announce_port)) as search:
            async for event in search:
                if isinstance(event, PeersFound):
                    yield list(event.peers)

    async def search(
        self, info_hash: InfoHash, *, announce_port: int | None = None
    ) -> AsyncGenerator[PeersFound | SearchDone, None]:
        """As `get_peers`, with who told of the peers, and last how the search went."""
        await self._know_somebody()
        if announce_port is None:
            number = self._open.get_peers(info_hash, _now())
        else:
            number = self._open.announce(info_hash, announce_port, _now())
        queue = self._listen(number)
        ended = False
        try:
            while True:
                match await queue.get():
                    case PeersFound() as found:
                        yield found
                    case SearchDone() as done:
                        ended = True
                        yield done
                        return
                    case None:
                        raise _closing()
        finally:
            self._searches.pop(number, None)
            if (announce_port is None or not ended) and self._sockets:
                self._open.cancel(number, _now())
                self._pump()

    async def announce(self, info_hash: InfoHash, port: int, *, implied_port: bool = False) -> Announced:
        """Tell the nodes nearest to the hash that we take connections at `port`; how many have confirmed it.

        With `implied_port` they note the port that our datagrams come from. Raises DhtError once closed.
        """
        await self._know_somebody()
        number = self._open.announce(info_hash, port, _now(), implied_port=implied_port)
        return await self._outcome(number, Announced)

    async def find_node(self, target: NodeId) -> SearchDone:
        """The nodes nearest to an id. Raises DhtError once closed."""
        await self._know_somebody()
        return await self._outcome(self._open.find_node(target, _now()), SearchDone)

    async def ping(self, address: Address) -> Pong:
        """Ping a node. Raises DhtError if it answers with an error or not at all."""
        number = self._open.ping(address, _now())
        future: asyncio.Future[Pong] = asyncio.get_running_loop().create_future()
        self._pings[number] = future
        self._pump()
        try:
            return await future
        finally:
            self._pings.pop(number, None)

    def add_node(self, address: Address) -> None:
        """There may be a node here: what a peer's `port` message says (BEP 5)."""
        if self._sockets:
            self._open.add_node(address, _now())
            self._pump()

    def add_bootstrap(self, host: str, port: int) -> None:
        """Join by way of this host too: what a torrent's `nodes` say (BEP 5). Nothing, once MAX_NAMES are known."""
        if (host, port) not in self._names and len(self._names) < MAX_NAMES and not self._scope.closing:
            self._names[host, port] = None
            if self._node is not None:
                self._start_resolving(host, port)

    def snapshot(self) -> NodeView:
        """How the node stands."""
        return self._open.snapshot(_now())

    @property
    def _open(self) -> DhtNode:
        if self._node is None or not self._sockets:
            raise DhtError("the DHT node is not running")
        return self._node

    async def _know_somebody(self) -> None:
        if not self._open.contact_count and not self._joined.is_set():
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._joined.wait()
            except TimeoutError:
                log.debug("no DHT node has answered in %.0f s", PATIENCE)

    def _listen(self, number: int) -> asyncio.Queue[Event | None]:
        """The queue that a search's events go to; what it asks first goes out."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._searches[number] = queue
        self._pump()
        return queue

    async def _outcome(self, number: int, kind: type[_Outcome]) -> _Outcome:
        """Wait for the last event of a search."""
        queue = self._listen(number)
        try:
            while True:
                event = await queue.get()
                if isinstance(event, kind):
                    return event
                if event is None:
                    raise _closing()
        finally:
            self._searches.pop(number, None)
            if self._sockets:
                self._open.cancel(number, _now())
                self._pump()

    def _on_datagram(self, datagram: bytes, address: Address) -> None:
        if self._refuses(address.host):
            return
        if self._holding and len(self._held) < MAX_HELD:
            self._held.append((datagram, address, _now()))
        elif self._node is not None:
            self._node.receive_datagram(datagram, address, _now())
            self._pump()

    def _hold(self) -> None:
        """Let whoever has just been told of something run before anything else is sent or read: answers come in bursts,
        and peers are worth more now than the rest of the burst.
        """
        if not self._holding:
            self._holding = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._holding = False
        if self._sockets:
            self._pump()
        while self._held and self._sockets and not self._holding:
            self._open.receive_datagram(*self._held.popleft())
            self._pump()

    def _on_timer(self) -> None:
        self._timer = None
        if self._node is not None:
            self._node.on_timer(_now())
            self._pump()

    def _pump(self) -> None:
        """Carry out what the node wants: datagrams, events, the timer. Once somebody was told of something, the rest
        waits until they have run.
        """
        node = self._open
        while not self._holding:
            ready = node.datagrams_to_send()
            for datagram, address in ready:
                datagrams = self._sockets.get(address.is_ipv6)
                if datagrams is not None and not self._refuses(address.host):
                    datagrams.send(datagram, address)
            event = node.next_event()
            if event is not None:
                self._on_event(event)
            elif not ready:
                break
        else:
            return
        due = node.next_timer()
        if self._timer is not None:
            if self._due <= due:
                return  # it comes early and sets the next: cheaper than a new timer a datagram
            self._timer.cancel()
        self._due = due
        self._timer = asyncio.get_running_loop().call_at(due, self._on_timer)

    def _on_event(self, event: Event) -> None:
        match event:
            case PeersFound(search=number) | SearchDone(search=number) | Announced(search=number):
                queue = self._searches.get(number)
                if queue is not None:
                    queue.put_nowait(event)
                    self._hold()
            case Pong(ping=number):
                future = self._pings.get(number)
                if future is not None and not future.done():
                    future.set_result(event)
            case PingFailed(ping=number, error=error):
                future = self._pings.get(number)
                if future is not None and not future.done():
                    future.set_exception(error)
            case Joined(answered=answered):
                if answered:
                    self._joined.set()
            case IdChanged(node_id=node_id):
                log.debug("our DHT node is %s now, which is for the address that others see", node_id.hex())

    def _abandon(self) -> None:
        """Nobody will be answered any more."""
        for queue in self._searches.values():
            queue.put_nowait(None)
        for future in self._pings.values():
            if not future.done():
                future.set_exception(_closing())

    async def _open_sockets(self, wanted: int) -> dict[bool, Datagrams]:
        """Open a socket in each family, on one port. Raises NetworkError if none can be opened."""
        for tries_left in reversed(range(PORT_TRIES)):
            sockets, failure = await self._open_at(wanted)
            if not sockets:
                raise NetworkError(f"no DHT socket can be opened: {failure}")
            if failure is None or wanted or not tries_left:  # a host without IPv6 has none on any port
                self.port = next(iter(sockets.values())).local.port
                return sockets
            _close(sockets)
        raise NetworkError("no DHT socket can be opened")

    async def _open_at(self, port: int) -> tuple[dict[bool, Datagrams], NetworkError | None]:
        """The sockets that open, by family, and why one did not."""
        sockets: dict[bool, Datagrams] = {}
        failure = None
        try:
            for ipv6, host in sorted(self._bind.items()):
                try:
                    sockets[ipv6] = await self._network.open_datagrams(Address(host, port), self._on_datagram)
                except NetworkError as error:
                    failure = error
                    continue
                port = sockets[ipv6].local.port
        except asyncio.CancelledError:
            _close(sockets)
            raise
        return sockets, failure

    def _start_resolving(self, host: str, port: int) -> None:
        self._scope.start(self._resolve(host, port), name=f"dht bootstrap {host}")

    async def _resolve(self, host: str, port: int) -> None:
        """Find the addresses of a host to join by, and join; again while nothing is found and we have not joined."""
        while True:
            try:
                async with asyncio.timeout(RESOLVE_TIMEOUT):
                    addresses = await self._network.resolve(host, port)
            except (NetworkError, TimeoutError) as error:
                log.debug("cannot find the DHT node %s: %s", host, error)
            else:
                self._open.bootstrap(addresses, _now())
                self._pump()
                return
            await asyncio.sleep(RESOLVE_AGAIN)
            if self._joined.is_set():
                return

    async def _load(self) -> SavedTable:
        """The table saved last; an empty one if there is none or it is damaged.

        While another process has it, its nodes without its id, and nothing is saved: no two nodes are one.
        """
        if self._state_path is None:
            return SavedTable()
        path = self._state_path
        try:
            self._lock = take_lock(path.with_name(f"{path.name}.lock"), "another process runs the node of this table")
        except StateLockedError as error:
            log.info("the DHT node takes an id of its own: %s", error)
            self._state_path = None
        except StorageError as error:
            log.debug("the DHT table is not locked: %s", error)
        try:
            saved = SavedTable.decode(await read_whole(path, MAX_STATE + 1))
            return saved if self._state_path is not None else SavedTable(nodes=saved.nodes)
        except MissingContentError:
            return SavedTable()
        except (StorageError, DhtError) as error:
            log.warning("the DHT begins anew: %s", error)
            return SavedTable()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def _save_now_and_then(self, path: Path) -> None:
        while True:
            await asyncio.sleep(SAVE_INTERVAL)
            await self._save(path)

    async def _save(self, path: Path) -> None:
        """Save the table, unless it is empty: then what was saved before is worth more."""
        if self._node is None or not self._node.contact_count:
            return
        try:
            await replace_whole(path, self._node.saved(_now()).encode())
        except StorageError as error:
            log.warning("the DHT table cannot be saved: %s", error)


def _close(sockets: dict[bool, Datagrams]) -> None:
    for datagrams in sockets.values():
        datagrams.close()
    sockets.clear()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _closing() -> DhtError:
    return DhtError("the DHT node is closing")
