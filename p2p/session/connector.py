"""Makes connections for one torrent: takes candidates within the slots, shakes hands, and runs each peer to its end.

A peer that reached us and one that we reached end in the same place. Two connections between the same two peers are one
too many: both sides keep the one that the peer with the higher id began, so a cross-connection never closes both. Ids
are not secret, so one that comes from elsewhere proves nothing and displaces nobody who is alive.

Where encryption leaves more than one way to begin, a peer that was reached and did not shake hands is tried the next
way, over a connection of its own within the same slot; the way that worked is the first when it is tried again.

No host holds more than its share of a torrent's connections, and when all are taken, those over which nothing moves
make room.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError, RemoteProtocolError
from p2p.session.encryption import attempts
from p2p.session.handshaking import Opened, open_outgoing
from p2p.session.peer_task import EndKind, Peer, PeerEnd
from p2p.session.stream_io import read_exactly, write_all
from p2p.swarm.peer_list import PeerList, PeerSource
from p2p.wire.handshake import HANDSHAKE_SIZE, Handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import Address, InfoHash, PeerId
    from p2p.net.network import Network, Stream
    from p2p.session.agenda import Agenda
    from p2p.session.encryption import Attempt, Encryption
    from p2p.session.scope import Scope
    from p2p.session.slots import Slots

CONNECT_TIMEOUT: Final = 10.0
"""Seconds for a connection: a reachable peer answers in three, and dead ones must not hold the slots."""

HANDSHAKE_TIMEOUT: Final = 10.0
REACH_TIMEOUT: Final = CONNECT_TIMEOUT + 2 * HANDSHAKE_TIMEOUT
"""Seconds for a peer over all ways to begin: who was reached once is reached quickly a second time, or not worth it."""

MAX_WAYS: Final = 1_000
"""Peers whose way to begin is remembered; a torrent meets fewer in hours."""

HOST_SHARE: Final = 0.5
"""Of a torrent's connections, the part that may come from one host: many peers can share an address, but not crowd out
all others."""

IDLE_AFTER: Final = 120.0
"""Seconds a connection may be idle before it makes room for another peer: four optimistic turns without a block."""

ROOM_INTERVAL: Final = 10.0
"""Seconds between connections that are given up for candidates, so that a full torrent does not churn."""

CROSSING: Final = 10.0
"""Seconds within which two connections of the same pair may have been begun without knowing of each other."""

SILENT: Final = 60.0
"""Seconds of silence after which a connection may be replaced from another address: its peer may have moved."""

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
        upgrade: InfoHash | None,
        handshake: Callable[[InfoHash], Handshake],
        make_peer: Callable[[Opened, Handshake, Address, PeerSource | None], Peer],
        attach: Callable[[Peer], None],
        detach: Callable[[Peer], None],
        candidates: Callable[[int, float], list[Address]],
        bind: Callable[[Address], Address | None],
        encryption: Encryption,
        secrets: Callable[[int], bytes],
        max_peers: int,
        key: int,
        agenda: Agenda,
    ) -> None:
        self._network = network
        self._scope = scope
        self._slots = slots
        self._peer_list = peer_list
        self._own_id = own_id
        self._info_hashes = tuple(info_hashes)
        self._upgrade = upgrade
        self._handshake = handshake
        self._make_peer = make_peer
        self._attach = attach
        self._detach = detach
        self._candidates = candidates
        self._bind = bind
        self._attempts = attempts(encryption)
        self._secrets = secrets
        self._ways: dict[Address, Attempt] = {}  # only of those with whom the first did not work
        self._renamed: dict[Address, None] = {}
        """Who is greeted under the version 2 name: libtorrent upgrades no encrypted connection, and who was told of
        that name alone knows no other."""
        self._max_peers = max_peers
        self._key = key
        self._by_id: dict[PeerId, Peer] = {}
        self._connecting = 0
        self._misbehaved: dict[str, int] = {}
        self._agenda = agenda
        self._stopping = False
        self._next_room = 0.0

    def stop(self) -> None:
        """Begin nothing further."""
        self._stopping = True
        self._agenda.forget(self)
        self._leave_line()

    def on_names(self, info_hashes: Sequence[InfoHash], upgrade: InfoHash | None) -> None:
        """The torrent's names from now on: peers are greeted under the first, and may go on under `upgrade`."""
        self._info_hashes = tuple(info_hashes)
        self._upgrade = upgrade

    def on_name_of(self, address: Address, info_hash: InfoHash) -> None:
        """The peer there goes by this name of ours, perhaps by no other."""
        if info_hash == self._upgrade:
            self._rename(address)

    def set_encryption(self, encryption: Encryption) -> None:
        """How connections begin from now on."""
        self._attempts = attempts(encryption)
        self._ways.clear()

    def set_max_peers(self, count: int) -> None:
        """Have no more connections than this; those above it end, the least useful first."""
        self._max_peers = count
        now = asyncio.get_running_loop().time()
        connected = [peer for peer in self._by_id.values() if not peer.ended.done()]
        for peer in surplus(connected, len(connected) - count, now):
            peer.end(EndKind.OURS, "fewer peers are wanted")
        self.wake()

    def wake(self) -> None:
        """There may be somebody new to connect to, or room."""
        if not self._stopping:
            self._agenda.set(self, asyncio.get_running_loop().time(), self._act)

    def _act(self) -> None:
        """Connect to candidates as far as there is room, and come back when there will be another."""
        if self._stopping or self._scope.closing:
            self._leave_line()
            return
        now = asyncio.get_running_loop().time()
        while self._slots.may_connect and not self._full:
            chosen = self._candidates(1, now)
            if not chosen:
                break
            self._begin(chosen[0])
        due = None
        if self._full:
            due = self._make_room_for_candidates(now)
        elif not self._slots.may_connect:
            self._slots.wait(self._key, self.wake)
        else:
            due = self._peer_list.next_candidate_time(now)
            self._slots.wake_next()  # a slot that this torrent has no use for
        if due is not None:
            self._agenda.set(self, max(due, now + 0.1), self._act)

    def _leave_line(self) -> None:
        self._slots.forget(self._key)
        self._slots.wake_next()  # it may have been this one's turn

    @property
    def _full(self) -> bool:
        return len(self._by_id) + self._connecting >= self._max_peers

    def _begin(self, address: Address) -> None:
        self._peer_list.on_connecting(address)
        self._connecting += 1
        self._slots.on_connecting()
        done = _Once(self._on_connecting_over)
        task = self._scope.start(self._connect(address, done), name=f"peer {address}")
        task.add_done_callback(lambda _: done())  # a task that is cancelled before its first step runs nothing

    def _on_connecting_over(self) -> None:
        self._connecting -= 1
        self._slots.on_connecting_done()

    def _make_room_for_candidates(self, now: float) -> float | None:
        """All connections are taken: give up an idle one if somebody waits; when to look again."""
        if now < self._next_room:
            return self._next_room
        due = self._peer_list.next_candidate_time(now)
        if due is None or due > now:
            return due
        self._next_room = now + ROOM_INTERVAL
        self._make_room(now)
        return self._next_room

    def _make_room(self, now: float) -> bool:
        """End the least useful idle connection: one that never moved a block first, then of the most crowded host."""
        idle = [peer for peer in self._by_id.values() if _is_idle(peer, now)]
        if not idle:
            return False
        crowd: dict[str, int] = {}
        for host in self._hosts():
            crowd[host] = crowd.get(host, 0) + 1
        worst = min(
            idle,
            key=lambda peer: (peer.rate_from.total + peer.rate_to.total > 0, -crowd[peer.address.host], peer.key),
        )
        worst.end(EndKind.OURS, "made room for another peer")
        return True

    def _hosts(self) -> list[str]:
        return [peer.address.host for peer in self._by_id.values()]

    async def _connect(self, address: Address, done: Callable[[], None]) -> None:
        try:
            try:
                async with asyncio.timeout(REACH_TIMEOUT):
                    opened, theirs = await self._reach(address)
            finally:
                done()
        except (NetworkError, RemoteProtocolError, TimeoutError):
            self._peer_list.on_failed(address, asyncio.get_running_loop().time())
            self.wake()
            return
        await self._run_peer(opened, theirs, address, None)

    async def _reach(self, address: Address) -> tuple[Opened, Handshake]:
        """Connect and shake hands, one way after the other. Raises why the last of them failed."""
        known = self._ways.get(address)
        *others, last = sorted(self._attempts, key=lambda attempt: attempt == known, reverse=True)
        for attempt in others:
            with suppress(_NoHandshakeError):
                return await self._reach_by(address, attempt)
        return await self._reach_by(address, last)

    async def _reach_by(self, address: Address, attempt: Attempt) -> tuple[Opened, Handshake]:
        """Raises _NoHandshakeError where the peer was reached, so that another attempt may do better."""
        async with asyncio.timeout(CONNECT_TIMEOUT):
            stream = await self._network.connect(address, local=self._bind(address))
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                opened, theirs = await self._shake(stream, attempt, self._name_for(address))
        except (NetworkError, RemoteProtocolError, TimeoutError) as error:
            stream.abort()
            raise _NoHandshakeError(str(error)) from error
        except asyncio.CancelledError:
            stream.abort()
            raise
        self._remember(address, attempt)
        return opened, theirs

    def _name_for(self, address: Address) -> InfoHash:
        return self._upgrade if self._upgrade is not None and address in self._renamed else self._info_hashes[0]

    async def _shake(self, stream: Stream, attempt: Attempt, info_hash: InfoHash) -> tuple[Opened, Handshake]:
        ours = self._handshake(info_hash)
        hello = ours.encode()
        opened = await open_outgoing(stream, attempt, info_hash, hello, self._secrets)
        theirs = Handshake.parse(await read_exactly(opened.stream, HANDSHAKE_SIZE))
        if theirs.info_hash not in self._info_hashes:
            raise RemoteProtocolError("the peer answered for another torrent")
        return opened, theirs

    def _rename(self, address: Address) -> None:
        self._renamed.pop(address, None)
        self._renamed[address] = None
        if len(self._renamed) > MAX_WAYS:
            del self._renamed[next(iter(self._renamed))]

    def _remember(self, address: Address, attempt: Attempt) -> None:
        self._ways.pop(address, None)
        if attempt != self._attempts[0]:
            self._ways[address] = attempt
            if len(self._ways) > MAX_WAYS:
                del self._ways[next(iter(self._ways))]

    async def accept(self, opened: Opened, theirs: Handshake) -> None:
        """Answer a peer that reached us and asked for this torrent, and run it to its end."""
        stream = opened.stream
        address = stream.remote
        if self._stopping or self._peer_list.is_banned(address.host) or not self._has_place_for(address.host):
            stream.abort()
            return
        if theirs.v2 and self._handshake(theirs.info_hash).v2 and self._upgrade is not None:
            theirs = replace(theirs, info_hash=self._upgrade)  # BEP 52, Upgrade Path: both go on under that name
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                await write_all(stream, self._handshake(theirs.info_hash).encode())
        except (NetworkError, TimeoutError):
            stream.abort()
            return
        except asyncio.CancelledError:
            stream.abort()
            raise
        await self._run_peer(opened, theirs, address, PeerSource.INCOMING)

    def _has_place_for(self, host: str) -> bool:
        if self._hosts().count(host) >= max(1, int(self._max_peers * HOST_SHARE)):
            return False
        if len(self._by_id) < self._max_peers:
            return True
        now = asyncio.get_running_loop().time()
        if now >= self._next_room and self._make_room(now):
            self._next_room = now + ROOM_INTERVAL
        return False  # the place is free once the other has gone; whoever wants it comes again

    async def _run_peer(self, opened: Opened, theirs: Handshake, address: Address, source: PeerSource | None) -> None:
        """`source` is INCOMING for a peer that reached us, None for one from the list."""
        stream = opened.stream
        if theirs.peer_id == self._own_id:
            stream.abort()
            if source is None:
                self._peer_list.on_self(address)
                self.wake()
            return
        if source is None and address not in self._peer_list:
            stream.abort()  # forgotten while it was being connected: banned, or of no source that a private torrent has
            self.wake()
            return
        loop = asyncio.get_running_loop()
        existing = self._by_id.get(theirs.peer_id)
        if existing is not None and not self._replaces(existing, theirs.peer_id, address, incoming=source is not None):
            stream.abort()
            if source is None:
                self._peer_list.on_duplicate(address, loop.time())
                self.wake()
            return
        if existing is not None:
            existing.end(EndKind.DUPLICATE, "connected twice")
        peer = self._make_peer(opened, theirs, address, source)
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

    def _replaces(self, existing: Peer, their_id: PeerId, address: Address, *, incoming: bool) -> bool:
        if existing.ended.done():
            return True
        now = asyncio.get_running_loop().time()
        if existing.address.host != address.host:
            crossing = existing.address.is_ipv6 != address.is_ipv6 and now - existing.connected_at < CROSSING
            if not crossing:
                return now - existing.wire.last_received > SILENT
        if existing.incoming == incoming:
            return False
        they_win = their_id > self._own_id
        return they_win == incoming

    def _on_end(self, peer: Peer, end: PeerEnd, now: float) -> None:
        address = peer.address
        if end.kind is EndKind.RENAMED and peer.listens_at is not None:
            self._rename(peer.listens_at)
            self._peer_list.on_renamed(peer.listens_at, now)
        elif not peer.incoming:
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


def surplus(peers: Sequence[Peer], count: int, now: float) -> list[Peer]:
    """Those `count` that would be missed the least: nothing moves over them, or never did; of equals the newest."""
    if count <= 0:
        return []

    def worth(peer: Peer) -> tuple[float, int, float]:
        rate = peer.rate_from.rate(now) + peer.rate_to.rate(now)
        return rate, peer.rate_from.total + peer.rate_to.total, -peer.connected_at

    return sorted(peers, key=worth)[:count]


class _NoHandshakeError(NetworkError):
    """The peer was reached, and did not shake hands."""


class _Once:
    """Calls `action` the first time it is called."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action

    def __call__(self) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()


def _is_idle(peer: Peer, now: float) -> bool:
    return (
        now - peer.connected_at > IDLE_AFTER
        and not peer.ended.done()
        and peer.rate_from.rate(now) == 0
        and peer.rate_to.rate(now) == 0
    )
