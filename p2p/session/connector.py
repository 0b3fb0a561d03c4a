"""Makes connections for one torrent: takes candidates within the slots, shakes hands, and runs each peer to its end.

A peer that reached us and one that we reached end in the same place. Two connections between the same two peers are one
too many: both sides keep the one that the peer with the higher id began, so a cross-connection never closes both.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError, RemoteProtocolError
from p2p.session.peer_task import EndKind, Peer, PeerEnd
from p2p.session.stream_io import read_exactly, write_all
from p2p.swarm.peer_list import PeerList, PeerSource
from p2p.wire.handshake import HANDSHAKE_SIZE, Handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import Address, InfoHash, PeerId
    from p2p.net.network import Network, Stream
    from p2p.session.scope import Scope
    from p2p.session.slots import Slots

CONNECT_TIMEOUT: Final = 10.0
"""Seconds for a connection: a reachable peer answers in three, and dead ones must not hold the slots."""

HANDSHAKE_TIMEOUT: Final = 10.0
MISBEHAVIOURS: Final = 3
"""Connections that broke the protocol before a host is banned: one may be an accident of the network."""


class Connector:
    """See the module's head."""

    def __init__(
        self,
        *,
        network: Network,
        scope: Scope,
        slots: Slots,
        peer_list: PeerList,
        own_id: PeerId,
        info_hashes: Sequence[InfoHash],
        handshake: Callable[[InfoHash], Handshake],
        make_peer: Callable[[Stream, Handshake, Address, PeerSource | None], Peer],
        attach: Callable[[Peer], None],
        detach: Callable[[Peer], None],
        candidates: Callable[[int, float], list[Address]],
        bind: Callable[[Address], Address | None],
        max_peers: int,
        key: int,
    ) -> None:
        self._network = network
        self._scope = scope
        self._slots = slots
        self._peer_list = peer_list
        self._own_id = own_id
        self._info_hashes = tuple(info_hashes)
        self._handshake = handshake
        self._make_peer = make_peer
        self._attach = attach
        self._detach = detach
        self._candidates = candidates
        self._bind = bind
        self._max_peers = max_peers
        self._key = key
        self._by_id: dict[PeerId, Peer] = {}
        self._connecting = 0
        self._misbehaved: dict[str, int] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There may be somebody new to connect to, or room."""
        self._wake.set()

    async def run(self) -> None:
        """Connect to candidates for as long as the torrent runs."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._wake.clear()
                now = loop.time()
                while self._slots.may_connect and len(self._by_id) + self._connecting < self._max_peers:
                    chosen = self._candidates(1, now)
                    if not chosen:
                        break
                    self._peer_list.on_connecting(chosen[0])
                    self._connecting += 1
                    self._slots.on_connecting()
                    self._scope.start(self._connect(chosen[0]), name=f"peer {chosen[0]}")
                due = None
                if len(self._by_id) + self._connecting >= self._max_peers:
                    pass  # a peer that ends wakes this
                elif not self._slots.may_connect:
                    self._slots.wait(self._key, self.wake)
                else:
                    due = self._peer_list.next_candidate_time(now)
                try:
                    async with asyncio.timeout_at(None if due is None else max(due, now + 0.1)):
                        await self._wake.wait()
                except TimeoutError:
                    continue  # a back-off is over
        finally:
            self._slots.forget(self._key)

    async def _connect(self, address: Address) -> None:
        loop = asyncio.get_running_loop()
        stream: Stream | None = None
        try:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    stream = await self._network.connect(address, local=self._bind(address))
                async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                    await write_all(stream, self._handshake(self._info_hashes[0]).encode())
                    theirs = Handshake.parse(await read_exactly(stream, HANDSHAKE_SIZE))
                if theirs.info_hash not in self._info_hashes:
                    raise RemoteProtocolError("the peer answered for another torrent")
            finally:
                self._connecting -= 1
                self._slots.on_connecting_done()
        except (NetworkError, RemoteProtocolError, TimeoutError):
            if stream is not None:
                stream.abort()
            self._peer_list.on_failed(address, loop.time())
            self.wake()
            return
        except asyncio.CancelledError:
            if stream is not None:
                stream.abort()
            raise
        await self._run_peer(stream, theirs, address, None)

    async def accept(self, stream: Stream, theirs: Handshake) -> None:
        """Answer a peer that reached us and asked for this torrent, and run it to its end."""
        address = stream.remote
        if self._peer_list.is_banned(address.host) or len(self._by_id) >= self._max_peers:
            stream.abort()
            return
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                await write_all(stream, self._handshake(theirs.info_hash).encode())
        except (NetworkError, TimeoutError):
            stream.abort()
            return
        except asyncio.CancelledError:
            stream.abort()
            raise
        await self._run_peer(stream, theirs, address, PeerSource.INCOMING)

    async def _run_peer(self, stream: Stream, theirs: Handshake, address: Address, source: PeerSource | None) -> None:
        """`source` is INCOMING for a peer that reached us, None for one from the list."""
        if theirs.peer_id == self._own_id:
            stream.abort()
            if source is None:
                self._peer_list.on_self(address)
            return
        loop = asyncio.get_running_loop()
        existing = self._by_id.get(theirs.peer_id)
        if existing is not None and not self._replaces(existing, theirs.peer_id, incoming=source is not None):
            stream.abort()
            if source is None:
                self._peer_list.on_duplicate(address, loop.time())
            return
        if existing is not None:
            existing.end(EndKind.DUPLICATE, "connected twice")
        peer = self._make_peer(stream, theirs, address, source)
        self._by_id[theirs.peer_id] = peer
        self._slots.on_connected()
        if source is None:
            self._peer_list.on_connected(address)
        try:
            self._attach(peer)
            end = await peer.ended
        finally:
            self._slots.on_disconnected()
            if self._by_id.get(theirs.peer_id) is peer:
                del self._by_id[theirs.peer_id]
            self._detach(peer)
        self._on_end(peer, end, loop.time())
        self.wake()

    def _replaces(self, existing: Peer, their_id: PeerId, *, incoming: bool) -> bool:
        if existing.ended.done():
            return True
        if existing.incoming == incoming:
            return False
        they_win = their_id > self._own_id
        return they_win == incoming

    def _on_end(self, peer: Peer, end: PeerEnd, now: float) -> None:
        address = peer.address
        if not peer.incoming:
            if end.kind is EndKind.POINTLESS:
                self._peer_list.on_seed(address)
            fair = end.kind is not EndKind.MISBEHAVED and end.kind is not EndKind.BANNED
            moved = peer.rate_from.total > 0 or peer.rate_to.total > 0
            self._peer_list.on_disconnected(address, now, useful=fair and moved)
        if end.kind is EndKind.MISBEHAVED:
            count = self._misbehaved.pop(address.host, 0) + 1
            self._misbehaved[address.host] = count
            if count >= MISBEHAVIOURS:
                self._peer_list.ban(address.host, end.reason, now)
            if len(self._misbehaved) > 1_000:  # as many hosts as one torrent could meet in hours; the oldest goes
                del self._misbehaved[next(iter(self._misbehaved))]
