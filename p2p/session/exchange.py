"""What goes on between us and the peers of one torrent: facts come in from connections, decisions go out to them.

The deciders are pure (`PiecePicker`, `RequestQueue`, `SmartBan`); this module gives them facts and carries out what
they return. After each input the picker is asked once, and a turn's requests leave in one batch. What peers ask of us
is for `Serving`, and the blocks that they send are for `Storing`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Final

from p2p.ids import BLOCK_SIZE, Block, InfoHash, PieceIndex
from p2p.session.peer_task import EndKind, Peer
from p2p.session.serving import ALLOWED_FAST, Serving
from p2p.session.storing import Storing
from p2p.swarm.ask_budget import AskBudget
from p2p.swarm.bitfield import Bitfield
from p2p.swarm.rate import RateMeter
from p2p.swarm.request_queue import BlockMatch
from p2p.wire import events as wire

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from p2p.errors import StorageError
    from p2p.session.arrivals import Arrival
    from p2p.session.dht_announcer import DhtAnnouncer
    from p2p.session.extensions import TorrentExtensions
    from p2p.session.piece_store import PieceStore
    from p2p.session.scope import Scope
    from p2p.session.throttle import Throttle
    from p2p.session.uploads import Uploads
    from p2p.swarm.bans import SmartBan
    from p2p.swarm.choking.policy import ChokingPolicy
    from p2p.swarm.piece_picker import PiecePicker
    from p2p.wire.arena import ArenaPool
    from p2p.wire.extension import ExtensionHandshake

OUR_REQUEST_QUEUE: Final = 2_000
"""`reqq` we tell: requests we queue for a peer. libtorrent trusts no more than this either."""

MAX_UNASKED: Final = 64
"""Blocks nobody asked for that a peer may send before it goes: a cancel crossing its block is no crime, a flood is."""

MAX_REJECTS: Final = 16
"""Rejects within a tick after which a peer is asked no more until the next: to ask at once is ping-pong."""


# A block from its three numbers in C: about a third of the cost of `Block(...)`.
_new_block = partial(tuple.__new__, Block)


class Exchange:
    """The swarm of one torrent, as far as we are connected to it."""

    def __init__(
        self,
        *,
        store: PieceStore,
        arenas: ArenaPool,
        picker: PiecePicker,
        choker: ChokingPolicy,
        bans: SmartBan,
        uploads: Uploads,
        scope: Scope,
        rng: random.Random,
        info_hash: InfoHash,
        extensions: TorrentExtensions,
        extension_handshake: Callable[[Peer], ExtensionHandshake],
        down: Throttle,
        up: Throttle,
        on_piece: Callable[[PieceIndex], None],
        on_ban: Callable[[str, str], None],
        on_storage_error: Callable[[StorageError], None],
        dht: DhtAnnouncer | None = None,
    ) -> None:
        self.store = store
        self.picker = picker
        self.peers: dict[int, Peer] = {}
        self.rate_down = RateMeter()
        self.rate_up = RateMeter()
        self.downloaded = 0
        self.uploaded = 0
        self.wasted = 0
        self.corrupt = 0
        self._bans = bans
        self._extensions = extensions
        self._extension_handshake = extension_handshake
        self._on_piece = on_piece
        self._on_ban = on_ban
        self.dht = dht
        """The torrent's part in the DHT; None while it has none."""
        self.serving = Serving(
            peers=self.peers,
            picker=picker,
            piece_size=store.piece_size,
            choker=choker,
            uploads=uploads,
            rng=rng,
            info_hash=info_hash,
            up=up,
        )
        self.storing = Storing(
            store=store, arenas=arenas, scope=scope, on_stored=self._on_stored, on_error=on_storage_error
        )
        self._down = down
        self._budget = AskBudget()
        self._offered_fast: dict[int, list[int]] = {}
        self._rejects: dict[int, int] = {}
        """Requests refused since the last tick, by peer; those who refuse none are not in it."""
        self.wanted_size = 0
        self.done_size = 0
        """Bytes of the wanted pieces, and of those that are had."""
        self._measure()
        self._stopped = False

    def _measure(self) -> None:
        picker, size = self.picker, self.store.piece_size
        wanted = [piece for piece in range(picker.have.size) if picker.priority(piece)]
        self.wanted_size = sum(map(size, wanted))
        self.done_size = sum(size(piece) for piece in wanted if picker.have[piece])

    def set_priorities(self, priorities: bytes, now: float) -> None:
        """Other pieces are wanted from now on, or in another order. What is asked for already may still come."""
        was_seeding = self.seeding
        self.picker.set_priorities(priorities)
        self._measure()
        for peer in list(self.peers.values()):
            if peer.ended.done():
                continue
            if was_seeding != self.seeding and peer.handshake.extension:  # whether we only upload (BEP 21)
                peer.wire.send_extension_handshake(self._extension_handshake(peer))
            self._drop_if_pointless(peer)
        self._ask_everyone(now)

    # -- peers come and go

    @property
    def seeding(self) -> bool:
        """Nothing that is wanted is missing."""
        return self.picker.wanted_left == 0

    def busy(self, now: float) -> bool:
        """Whether somebody is connected, or something moved a moment ago."""
        if self.peers or self.storing.backlog:
            return True
        if self.rate_up.silent and self.rate_down.silent:
            return False
        return self.rate_up.rate(now) > 0 or self.rate_down.rate(now) > 0

    def attach(self, peer: Peer) -> None:
        """Greet a peer whose handshake is done, and begin to read it."""
        self.peers[peer.key] = peer
        self.picker.on_peer_joined(peer.key)
        have = self.picker.have
        if peer.wire.fast and have.complete:
            peer.wire.send_have_all()
        elif peer.wire.fast and have.count == 0:
            peer.wire.send_have_none()
        elif have.count:
            peer.wire.send_bitfield(have.to_bytes())
        if peer.handshake.extension:
            peer.wire.send_extension_handshake(self._extension_handshake(peer))
        if self.dht is not None:
            self.dht.greet(peer)
        self._extensions.attach(peer, self._now())
        self.serving.greet(peer)
        peer.start()

    def adopt(self, peer: Peer, events: Sequence[wire.Event], now: float) -> None:
        """Take over a peer that was greeted before the torrent was known; `events` are what it has said of pieces.

        It heard then that we have nothing, and offers that may no longer hold.
        """
        self.peers[peer.key] = peer
        self.picker.on_peer_joined(peer.key)
        peer.hand_over(self)
        for piece in self.picker.have:
            peer.wire.send_have(PieceIndex(piece))
        if peer.handshake.extension:
            peer.wire.send_extension_handshake(self._extension_handshake(peer))
        if self.dht is not None:
            self.dht.greet(peer)
        if peer.wire.peer_interested:
            self.serving.on_interest(peer)
        self.on_peer_events(peer, events, now)

    def detach(self, peer: Peer) -> None:
        """Forget a peer; what it was asked for is asked of others at once."""
        if self.peers.pop(peer.key, None) is None:
            return
        self._offered_fast.pop(peer.key, None)
        self._extensions.detach(peer)
        self.storing.forget(peer)
        self.serving.forget(peer)
        self.serving.on_interest(peer)
        had_requests = peer.requests.outstanding > 0
        self.picker.on_peer_left(peer.key)
        peer.release()
        if had_requests and not self._stopped:
            self._ask_everyone(self._now())

    def stop(self) -> None:
        """End every connection; nothing is asked or served from here on."""
        self._stopped = True
        self.serving.stop()
        for peer in list(self.peers.values()):
            peer.end(EndKind.OURS, "stopping")

    # -- facts from peers

    def on_peer_events(self, peer: Peer, events: Sequence[wire.Event], now: float) -> None:
        """One input of one peer, then that peer's turn."""
        payload = peer.wire.payload_received - peer.payload_counted
        if payload:
            peer.payload_counted += payload
            peer.rate_from.on_bytes(payload, now)
            self.rate_down.on_bytes(payload, now)
            self.downloaded += payload
        rest = iter(events)
        try:
            for event in rest:
                if type(event) is wire.BlocksReceived:
                    self._on_run(peer, event, now)
                elif type(event) is wire.BlockReceived:
                    self._on_block(peer, event, now)
                else:
                    self._on_event(peer, event, now)
                if peer.ended.done():
                    return
        finally:
            self._release(peer, rest)
        self._take_turn(peer, now)

    def _release(self, peer: Peer, rest: Iterator[wire.Event]) -> None:
        for event in rest:
            if type(event) is wire.BlockReceived or type(event) is wire.BlocksReceived:
                size = len(event.view)
                event.arena.unpin(-(-size // BLOCK_SIZE))
                peer.wasted += size
                self.wasted += size

    def _take_turn(self, peer: Peer, now: float) -> None:
        self.serving.fill(now, seeding=self.seeding)
        self._show_interest(peer)
        self._ask(peer, now)
        if peer.hurried or peer.uploads:
            peer.flush()

    def _show_interest(self, peer: Peer) -> None:
        if self.picker.interesting(peer.key):
            if not peer.wire.am_interested:
                peer.wire.send_interested()
        elif peer.wire.am_interested:
            peer.wire.send_not_interested()

    def _ask(self, peer: Peer, now: float) -> None:
        if self.storing.disk_full is not None or self._stopped:
            return
        if self._rejects.get(peer.key, 0) >= MAX_REJECTS:
            return
        only: list[int] | None = None
        if peer.wire.peer_choking:
            only = self._offered_fast.get(peer.key)
            if not only:
                return
        room = peer.requests.room(now)
        limit = self._down.limit
        if limit is not None:
            own = peer.requests.outstanding
            room = min(room, self._budget.room(limit, asked=self._asked(), own=own))
        if room <= 0:
            return
        blocks = self.picker.pick(peer.key, room, now=now, only=only)
        if blocks:
            if not peer.wire.am_interested:
                peer.wire.send_interested()
            peer.requests.on_requested(blocks, now)
            peer.wire.send_requests(blocks)

    def _asked(self) -> list[int]:
        return [peer.requests.outstanding for peer in self.peers.values()]

    def _ask_everyone(self, now: float) -> None:
        for peer in list(self.peers.values()):
            if not peer.ended.done():
                self._show_interest(peer)
                self._ask(peer, now)
                peer.flush()

    def _on_run(self, peer: Peer, event: wire.BlocksReceived, now: float) -> None:
        """Blocks that follow each other: at once where all were asked of this peer alone, else one by one."""
        piece, begin, count = event.piece, event.begin, event.blocks
        size = count * BLOCK_SIZE
        complete = self.picker.on_run_received(peer.key, piece, begin, count)
        if complete is None:
            rest = event.each()
            try:
                for single in rest:
                    self._on_block(peer, single, now)
                    if peer.ended.done():
                        return
            finally:
                self._release(peer, rest)
            return
        begins = range(begin, begin + size, BLOCK_SIZE)
        blocks = map(_new_block, zip(repeat(piece), begins, repeat(BLOCK_SIZE), strict=False))
        peer.requests.on_blocks(blocks, count, size, now)
        self.storing.add(event, peer)
        if complete:
            self.storing.on_whole(piece)

    def _on_block(self, peer: Peer, event: wire.BlockReceived, now: float) -> None:
        length = event.length
        block = Block(event.piece, event.begin, length)
        try:
            match = peer.requests.on_block(block, now)
            outcome = None if match is BlockMatch.UNASKED else self.picker.on_block_received(peer.key, block)
        except BaseException:
            event.arena.unpin()
            raise
        if outcome is None:
            event.arena.unpin()
            peer.unasked += 1
            peer.wasted += length
            self.wasted += length
            if peer.unasked > MAX_UNASKED:
                peer.end(EndKind.MISBEHAVED, "sent blocks that nobody asked for")
            return
        if outcome.new:
            self.storing.add(event, peer)
        else:
            event.arena.unpin()
            peer.wasted += length
            self.wasted += length
        for other in outcome.cancel_at:
            asked = self.peers.get(other)
            if asked is not None:
                asked.requests.cancel(block)
                asked.wire.send_cancel(block)
                asked.flush()
        if outcome.piece_complete:
            self.storing.on_whole(event.piece)

    def _on_event(self, peer: Peer, event: wire.Event, now: float) -> None:
        match event:
            case wire.HaveReceived(piece=piece):
                self.picker.on_peer_have(peer.key, piece)
                self._drop_if_pointless(peer)
            case wire.RequestReceived(block=block):
                self.serving.on_request(peer, block)
            case wire.CancelReceived(block=block):
                self.serving.on_cancel(peer, block)
            case wire.Unchoked():
                pass  # the turn that follows asks
            case wire.Choked():
                for block in peer.requests.on_choked(peer.wire.fast):
                    self.picker.on_request_dropped(peer.key, block)
            case wire.Interested():
                self.serving.on_interest(peer)
            case wire.NotInterested():
                self.serving.on_interest(peer)
            case wire.BitfieldReceived(data=data):
                self.picker.on_peer_bitfield(peer.key, Bitfield.from_bytes(data, self.picker.have.size))
                self._drop_if_pointless(peer)
            case wire.HaveAll():
                self.picker.on_peer_have_all(peer.key)
                self._drop_if_pointless(peer)
            case wire.HaveNone():
                pass
            case wire.RejectReceived(block=block):
                if peer.requests.on_rejected(block):
                    self.picker.on_request_dropped(peer.key, block)
                self._rejects[peer.key] = self._rejects.get(peer.key, 0) + 1
                offered = self._offered_fast.get(peer.key)
                if offered is not None and block.piece in offered:
                    offered.remove(block.piece)
            case wire.AllowedFast(piece=piece):
                offered = self._offered_fast.setdefault(peer.key, [])
                if piece not in offered and len(offered) < 2 * ALLOWED_FAST:
                    offered.append(piece)
            case wire.Suggested(piece=piece):
                self.picker.on_suggested(peer.key, piece)
            case wire.ExtensionHandshakeReceived(handshake=handshake):
                if handshake.request_queue is not None:
                    peer.requests.set_limit(handshake.request_queue)
                self._extensions.on_extension_handshake(peer, now)
                self._drop_if_pointless(peer)
            case wire.HashRequestReceived(request=request):
                self._extensions.on_hash_request(peer, request, now)
            case wire.ExtensionMessage(name=name, payload=payload):
                self._extensions.on_extension_message(peer, name, payload, now)
            case wire.PortReceived(port=port):
                if self.dht is not None:
                    self.dht.on_port(peer, port)
            case _:
                pass  # hashes that were never asked for

    def _drop_if_pointless(self, peer: Peer) -> None:
        if not self.seeding:
            return
        extension = peer.wire.peer_extension
        if self.picker.peer_bitfield(peer.key).complete or (extension is not None and extension.upload_only):
            peer.end(EndKind.POINTLESS, "both sides want nothing")

    # -- what peers ask of their exchange

    def refill(self, peer: Peer, queued: int) -> None:
        self.serving.refill(peer, queued)

    def may_read(self, peer: Peer) -> bool:
        return self.storing.may_read(peer)

    def on_sent(self, peer: Peer, payload: int, now: float) -> None:  # noqa: ARG002 - the port's shape
        self.uploaded += payload
        self.rate_up.on_bytes(payload, now)

    # -- pieces

    def _on_stored(self, piece: PieceIndex, arrival: Arrival, good: bool) -> None:  # noqa: FBT001 - the verdict
        if good:
            proven = self._bans.on_piece_verified(piece, arrival.evidence)
            self._on_verified(piece)
        else:
            self.corrupt += arrival.size
            proven = self._bans.on_piece_failed(piece, arrival.evidence())
            self.picker.on_piece_failed(piece)
            if not proven:
                self.picker.on_sender_sought(piece)
        for host in proven:
            self._ban(host, f"sent bad blocks of piece {piece}")
        if not good:
            self._ask_everyone(self._now())

    def _ban(self, host: str, reason: str) -> None:
        self._on_ban(host, reason)
        for peer in list(self.peers.values()):
            if peer.address.host == host:
                peer.end(EndKind.BANNED, reason)

    def _on_verified(self, piece: PieceIndex) -> None:
        self.picker.on_piece_verified(piece)
        self.serving.on_offer()
        if self.picker.priority(piece):
            self.done_size += self.store.piece_size(piece)
        seeding = self.seeding
        for peer in list(self.peers.values()):
            if peer.ended.done():
                continue
            wire = peer.wire
            waits = wire.am_choking and wire.peer_interested
            if not seeding and (waits or self.picker.peer_bitfield(peer.key)[piece]):
                # No news that it acts on, as it has the piece or may ask for none: it leaves with what is sent next, at
                # the next tick at the latest. A packet of its own for each piece and peer would cost both sides more
                # than asking for the piece.
                peer.send_unhurried_have(piece)
            else:
                wire.send_have(piece)
            if wire.am_interested and not self.picker.interesting(peer.key):
                peer.wire.send_not_interested()
            if seeding:
                self._drop_if_pointless(peer)
                if peer.handshake.extension:  # from now on we only upload (BEP 21)
                    peer.wire.send_extension_handshake(self._extension_handshake(peer))
            if peer.hurried:
                peer.flush()
        self._on_piece(piece)

    # -- time

    def on_tick(self, now: float) -> None:
        """About once a second: timeouts, keep-alives, the choking round, a second chance to ask."""
        self._rejects.clear()
        limit = self._down.limit
        for peer in list(self.peers.values()):
            if peer.ended.done():
                continue
            if peer.reading and peer.wire.timed_out(now):
                peer.end(EndKind.BROKEN, "silent for too long")
                continue
            # While we do not read, silence says nothing about the peer; at a limit of 0 nothing will ever come.
            if peer.requests.outstanding and (peer.reading or limit == 0):
                for block in peer.requests.on_timer(now):
                    self.picker.on_request_dropped(peer.key, block)
            peer.on_tick()
            if peer.wire.keep_alive_due(now):
                peer.wire.send_keep_alive()
        self._extensions.on_tick(now)
        self.serving.on_tick(now, seeding=self.seeding, upload_rate=self.rate_up.rate(now))
        if limit:
            askable = [peer for peer in self.peers.values() if peer.wire.am_interested and not peer.wire.peer_choking]
            self._budget.on_tick(limit, outstanding=sum(self._asked()), peers=len(askable), slack=self._down.slack(now))
        self._ask_everyone(now)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
