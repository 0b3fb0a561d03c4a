"""What peers ask of us and who gets it: the choking round, pieces for choked newcomers, cancels, refusals.

`Choker` decides who is unchoked; this module gives it the facts, tells peers of its decisions, and judges each request
(BEP 3, BEP 6). What is granted waits in the peer's `uploads`, and `Uploads` moves it into the connection machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.ids import Block, InfoHash, PieceIndex
from p2p.session.peer_task import EndKind, Peer
from p2p.session.uploads import MAX_UPLOAD_QUEUE, Uploads, rejected
from p2p.swarm.choker import ChokePeer, ChokeRound
from p2p.swarm.opening import Opening
from p2p.swarm.spread import Spread
from p2p.wire.allowed_fast import allowed_fast_set

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from p2p.session.throttle import Throttle
    from p2p.swarm.choking.policy import ChokingPolicy
    from p2p.swarm.piece_picker import PiecePicker

ALLOWED_FAST: Final = 5
"""Pieces a choked newcomer may have (BEP 6), fewer in small torrents so that choking keeps its meaning."""

FAST_TIMES: Final = 2
"""How often a choked peer may have what it is allowed: once, and as much again for what went wrong."""


class Serving:
    """The upload side of one torrent. `peers` are those of the exchange, as they come and go."""

    def __init__(
        self,
        *,
        peers: dict[int, Peer],
        picker: PiecePicker,
        piece_size: Callable[[int], int],
        choker: ChokingPolicy,
        uploads: Uploads,
        rng: random.Random,
        info_hash: InfoHash,
        up: Throttle,
    ) -> None:
        self.choker = choker
        self._peers = peers
        self._picker = picker
        self._piece_size = piece_size
        self._uploads = uploads
        self._rng = rng
        self._info_hash = info_hash
        self._up = up
        self._allowed_fast: dict[int, frozenset[int]] = {}
        self._fast_left: dict[int, int] = {}
        """Bytes that each peer may still ask for while it is choked."""
        self._to_fill = False
        self._all_used = False
        """Every slot was in use when last looked, and none was given up since."""
        self._to_look = False
        self._opening = Opening()
        self._spread = Spread(picker.have.size)
        self._stopped = False

    # -- peers come and go

    def greet(self, peer: Peer) -> None:
        """Offer a newcomer some pieces that it may have while it is choked.

        Of those that nobody but seeds has, it gets none: a crowd of newcomers, of one network all the same few, would
        take what those that hold a slot should have had.
        """
        have = self._picker.have
        if not peer.wire.fast or peer.address.is_ipv6 or not have.count:
            return
        count = min(ALLOWED_FAST, have.size // 50)
        offered = allowed_fast_set(peer.address.host, self._info_hash, have.size, count) if count else []
        offered = [piece for piece in offered if self._picker.spread(piece)]
        self._allowed_fast[peer.key] = frozenset(offered)
        self._fast_left[peer.key] = FAST_TIMES * sum(map(self._piece_size, offered))
        for piece in offered:
            peer.wire.send_allowed_fast(PieceIndex(piece))

    def forget(self, peer: Peer) -> None:
        self._allowed_fast.pop(peer.key, None)
        self._fast_left.pop(peer.key, None)
        self._uploads.forget(peer)
        self._spread.on_left(peer.key)

    def stop(self) -> None:
        """From here on every request is refused."""
        self._stopped = True

    # -- requests

    def on_request(self, peer: Peer, block: Block) -> None:
        if not self._may_have(peer, block) or self._stopped or not self._picker.have[block.piece]:
            rejected(peer, [block])
        elif len(peer.uploads) >= MAX_UPLOAD_QUEUE:
            if not peer.wire.fast:
                peer.end(EndKind.MISBEHAVED, f"asked for more than {MAX_UPLOAD_QUEUE} blocks at once")
                return
            rejected(peer, [block])
        else:
            peer.uploads[block] = None
            if self._picker.have.complete and self._spread.on_request(peer.key, block.piece):
                self._suggest(peer)

    def _suggest(self, peer: Peer) -> None:
        """As a seed, tell the peer what to take next."""
        if peer.wire.fast and self._picker.have.complete:
            piece = self._spread.suggest(peer.key, self._picker.among_leechers(), self._rng)
            if piece is not None:
                peer.wire.send_suggest(PieceIndex(piece))

    def _may_have(self, peer: Peer, block: Block) -> bool:
        if not peer.wire.am_choking:
            return True
        left = self._fast_left.get(peer.key, 0)
        if left < block.length or block.piece not in self._allowed_fast[peer.key]:
            return False
        self._fast_left[peer.key] = left - block.length
        return True

    def on_cancel(self, peer: Peer, block: Block) -> None:
        if block not in peer.uploads:
            return
        if peer.wire.fast:
            rejected(peer, [block])
        else:  # the machine forgot the request as it read the cancel; what it holds now was asked anew after that
            del peer.uploads[block]

    def refill(self, peer: Peer, queued: int) -> None:
        """Move what was granted to `peer` into its connection machine, until that holds `queued` bytes."""
        self._uploads.refill(peer, queued)

    # -- choking

    def on_interest(self, peer: Peer) -> None:
        """A peer began or ceased to want what we have, or is gone: where that leaves somebody waiting beside a slot
        that nobody uses, `fill` looks at the end of the turn."""
        if not peer.wire.am_choking:
            self._all_used = False
            self._to_fill = True
        elif peer.wire.peer_interested and not self._all_used:
            self._to_fill = True

    def fill(self, now: float, *, seeding: bool) -> None:
        """Give slots that nobody uses to those who wait for one, if that may have changed in this turn."""
        if not self._to_fill:
            return
        self._to_fill = False
        used = waiting = 0
        for peer in self._peers.values():
            if peer.wire.peer_interested and not peer.ended.done():
                if peer.wire.am_choking:
                    waiting += 1
                else:
                    used += 1
        if waiting:
            self._hold(now, seeding=seeding)
        look, self._to_look = self._to_look, False
        self._all_used = used > self.choker.slots  # one more than these is given
        if waiting and (look or not self._all_used):
            self._apply(self.choker.fill(self._choke_peers(now), now, self._rng, seeding=seeding), now)

    def on_offer(self) -> None:
        """We have more to give, or time has passed: in the beginning that opens slots."""
        if self._opening.running:
            self._to_fill = True
            self._all_used = False

    def on_tick(self, now: float, *, seeding: bool, upload_rate: float) -> None:
        """About once a second: the choking round, the slots that time opens, and as a seed a look at who passes on what
        it gets. `upload_rate` is what goes out, in bytes a second."""
        self.choke_if_due(now, seeding=seeding, upload_rate=upload_rate)
        self.on_offer()
        if seeding:
            self._to_fill = self._to_look = True
        self.fill(now, seeding=seeding)

    def _hold(self, now: float, *, seeding: bool) -> None:
        if self._opening.running:
            given = self._picker.among_leechers().bit_count() if seeding else self._picker.have.count
            self.choker.hold(self._opening.most(given, now))

    def choke_if_due(self, now: float, *, seeding: bool, upload_rate: float) -> None:
        """Play the choking round when its time has come. `upload_rate` is what goes out, in bytes a second."""
        if now < self.choker.next_round:
            return
        peers = self._choke_peers(now)
        if any(peer.interested for peer in peers):
            self._hold(now, seeding=seeding)
        self._all_used = False  # there may be more slots from now on, or less in them
        decision = self.choker.round(
            peers,
            now,
            self._rng,
            seeding=seeding,
            upload_rate=upload_rate,
            upload_limit=self._up.limit,
        )
        self._apply(decision, now)

    def _choke_peers(self, now: float) -> list[ChokePeer]:
        picker = self._picker
        once = picker.held_once() if picker.have.complete else 0
        return [
            ChokePeer(
                key=peer.key,
                interested=peer.wire.peer_interested,
                choked=peer.wire.am_choking,
                snubbed=peer.requests.snubbed,
                rate_from=peer.rate_from.rate(now),
                rate_to=peer.rate_to.rate(now),
                joined=peer.connected_at,
                unchoked_at=peer.last_unchoked,
                sent_since_unchoke=peer.sent_since_unchoke,
                alone=(picker.peer_mask(peer.key) & once).bit_count() if once else 0,
            )
            for peer in self._peers.values()
            if not peer.ended.done()
        ]

    def _apply(self, decision: ChokeRound, now: float) -> None:
        for key in decision.choke:
            peer = self._peers.get(key)
            if peer is None or peer.ended.done() or peer.wire.am_choking:
                continue
            peer.wire.send_choke()
            self._spread.on_left(key)
            allowed = self._allowed_fast.get(key, frozenset())
            rejected(peer, [block for block in peer.uploads if block.piece not in allowed])
            peer.flush()
        for key in decision.unchoke:
            peer = self._peers.get(key)
            if peer is None or peer.ended.done() or not peer.wire.am_choking:
                continue
            self._suggest(peer)
            peer.wire.send_unchoke()
            peer.last_unchoked = now
            peer.sent_since_unchoke = 0
            peer.flush()
