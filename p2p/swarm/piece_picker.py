"""Which blocks to ask of whom: rarest first, with strict priorities, shared partial pieces and an endgame. No I/O.

What a peer is asked, in this order, and why:

1. The free blocks of pieces it already works on: finished pieces can be verified and traded, and one sender a piece
   tells who sent bad data.
2. Of a seed among leechers, fresh pieces that only seeds have, if few enough pieces are open: what a seed sends that
   leechers have already, they all wait for the longer.
3. Whole fresh pieces, if there is room in its queue for at least one and few enough pieces are open.
4. The free blocks of pieces others began: abandoned ones first, then by priority and least missing. A piece open for
   STALE_AFTER seconds comes before fresh pieces for every peer, so that a slow peer cannot sit on a rare one.
5. Fresh pieces: the highest priority, then the fewest peers, equals by chance. The first few pieces are drawn without
   regard to rarity, because the rarest are the slowest to get and a newcomer has nothing to trade (Cohen 2003).
6. Endgame, once every wanted block that anybody has is asked for: blocks asked of others, by chance, few at a time,
   and only of a peer that has next to nothing left to do.

A piece is had, open (partial or being verified) or fresh (which includes unwanted), and only fresh ones can be started.
Whole-torrent questions are integer operations (see `availability`), single-piece facts are array accesses, so no call
walks over all pieces in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.errors import RemoteProtocolError
from p2p.ids import BLOCK_SIZE, Block, PieceIndex
from p2p.swarm.block_outcome import BlockOutcome
from p2p.swarm.crowd import Crowd, PickerPeer
from p2p.swarm.fresh_pieces import RANDOM_FIRST, FreshPieces
from p2p.swarm.lone_pieces import LonePieces
from p2p.swarm.partial_piece import PartialPiece, PeerKey
from p2p.swarm.pick_mode import PickMode
from p2p.swarm.piece_states import PieceStates

if TYPE_CHECKING:
    import random
    from array import array
    from collections.abc import Callable, Sequence

    from p2p.swarm.bitfield import Bitfield

__all__ = ["Block", "PeerKey", "PickMode", "PieceIndex", "PiecePicker"]

STALE_AFTER: Final = 20.0
"""Seconds after which an open piece is everybody's: more than a healthy peer needs for a piece of common size."""

MOST_ASKERS: Final = 3
"""Peers asked for one block in endgame: each beyond the second mostly adds waste."""

ENDGAME_IDLE: Final = 4
"""Requests a peer may still have out when it is asked what others were: a busy one only repeats what is on its way."""

ENDGAME_BATCH: Final = 16
"""Blocks asked again in one pick: what arrives meanwhile need not be asked twice."""

_OLD: Final = BlockOutcome(new=False, piece_complete=False, cancel_at=())
_NEW: Final = BlockOutcome(new=True, piece_complete=False, cancel_at=())
_COMPLETE: Final = BlockOutcome(new=True, piece_complete=True, cancel_at=())


class PiecePicker:
    """Decides for one torrent of `piece_count` pieces, 1 or more. `piece_size(i)` is piece i's size in bytes.

    Facts about a peer that never joined, or left, are the caller's bug and raise KeyError, except that blocks may
    arrive and requests may be dropped late: those are welcome or ignored.
    """

    def __init__(self, piece_count: int, piece_size: Callable[[int], int], *, rng: random.Random) -> None:
        if piece_count < 1:
            raise ValueError("a torrent has at least one piece")
        self._size = piece_count
        self._piece_size = piece_size
        self._rng = rng
        self._states = PieceStates(piece_count)
        self._crowd = Crowd(self._states)
        self._fresh = FreshPieces(self._states, self._crowd, rng=rng)
        self._peers = self._crowd.peers
        self._open: dict[int, PartialPiece] = {}
        # The open pieces that have free blocks, in the order they got some; those of priority 0 among them.
        self._sharable: dict[int, PartialPiece] = {}
        self._lone = LonePieces()
        self._verifying = 0
        self._busy_peers = 0

    # Facts about peers.

    def on_peer_joined(self, peer: PeerKey) -> None:
        """A peer connected; it has nothing until it says so. ValueError for a key below 0 or in use."""
        self._crowd.join(peer)

    def on_peer_left(self, peer: PeerKey) -> None:
        """A peer disconnected; what was asked of it is free again."""
        gone = self._peers[peer]
        if gone.asked:
            self._busy_peers -= 1
        for partial in gone.work.values():
            partial.drop_all(peer)
            self._after_drop(partial)
        self._crowd.leave(gone)

    def on_peer_bitfield(self, peer: PeerKey, have: Bitfield) -> None:
        """The peer has exactly these pieces. ValueError if the field is not of this torrent's size."""
        if have.size != self._size:
            raise ValueError(f"a bitfield of {have.size} pieces in a torrent of {self._size}")
        self._crowd.set_have(self._peers[peer], have.copy())

    def on_peer_have_all(self, peer: PeerKey) -> None:
        """The peer has every piece (BEP 6)."""
        self._crowd.set_have_all(self._peers[peer])

    def on_peer_have(self, peer: PeerKey, piece: int) -> None:
        """The peer has one piece more. RemoteProtocolError if there is no such piece."""
        if not 0 <= piece < self._size:
            raise RemoteProtocolError(f"have for piece {piece} of {self._size}")
        self._crowd.add_piece(self._peers[peer], piece)

    def on_suggested(self, peer: PeerKey, piece: int) -> None:
        """The peer would like to be asked for this piece (BEP 6). RemoteProtocolError if there is no such piece."""
        if not 0 <= piece < self._size:
            raise RemoteProtocolError(f"suggestion of piece {piece} of {self._size}")
        self._peers[peer].suggest(piece)

    # Facts about pieces.

    def on_piece_verified(self, piece: int) -> None:
        """We have the piece, from whatever source; requests still out for it are forgotten."""
        if self.have[piece]:
            return
        self._close(piece)
        self._lone.forget(piece)
        wanted = self._states.lacks(piece)
        self._states.on_verified(piece)
        if wanted:
            self._crowd.change_interest(piece, -1)
        if self.have.count == RANDOM_FIRST:
            self._states.epoch += 1

    def on_pieces_verified(self, pieces: Bitfield) -> None:
        """We have all these pieces: a check of the whole content or a saved state, taken in at once.

        ValueError if the field is not of this torrent's size.
        """
        if pieces.size != self._size:
            raise ValueError(f"a bitfield of {pieces.size} pieces in a torrent of {self._size}")
        for piece in [piece for piece in self._open if pieces[piece]]:
            self._close(piece)
        self._states.on_all_verified(pieces.mask())
        self._crowd.recount_interest()

    def on_piece_failed(self, piece: int) -> None:
        """The piece's data was bad or could not be kept: all its blocks are wanted anew."""
        if piece in self._open:
            self._close(piece)
            self._states.on_dropped(piece)

    def on_sender_sought(self, piece: int) -> None:
        """Several peers sent a piece that failed: one at a time sends all of it, see `lone_pieces`."""
        self._lone.seek(piece)

    def on_piece_lost(self, piece: int) -> None:
        """A piece we had is gone or changed on disk."""
        if not self.have[piece]:
            return
        self._states.on_lost(piece)
        if self._states.lacks(piece):
            self._crowd.change_interest(piece, 1)

    def set_priority(self, piece: int, priority: int) -> None:
        """0 is unwanted, 1 to 7 is wanted, 4 is where every piece begins. ValueError for any other."""
        before = self._states.lacks(piece)
        self._states.set_priority(piece, priority)
        after = self._states.lacks(piece)
        if before != after:
            self._crowd.change_interest(piece, 1 if after else -1)

    def set_priorities(self, priorities: Sequence[int] | bytes) -> None:
        """A priority for every piece, as in `set_priority`. ValueError for a wrong number of them."""
        self._states.set_priorities(priorities)
        self._crowd.recount_interest()

    @property
    def mode(self) -> PickMode:
        return self._fresh.mode

    @mode.setter
    def mode(self, mode: PickMode) -> None:
        self._fresh.mode = mode
        self._states.epoch += 1

    # Facts about blocks.

    def on_block_received(self, peer: PeerKey, block: Block) -> BlockOutcome:
        """A block came from `peer`, whether it was still asked for or not."""
        piece = block.piece
        partial = self._open.get(piece)
        if partial is None:
            partial = self._reopen(block)
            if partial is None:
                return _OLD
        index = None if partial.alone and peer not in partial.workers else partial.index_of(block)
        askers = None if index is None else partial.receive(index)
        if askers is None:
            return _OLD
        for asker in askers:
            self._count_answers(asker, 1)
        if not partial.free:
            self._sharable.pop(piece, None)
        complete = partial.complete
        if complete:
            self._verifying += 1
        if not askers or askers == (peer,):
            return _COMPLETE if complete else _NEW
        return BlockOutcome(
            new=True, piece_complete=complete, cancel_at=tuple(asker for asker in askers if asker != peer)
        )

    def on_run_received(self, peer: PeerKey, piece: PieceIndex, begin: int, count: int) -> bool | None:
        """Full blocks came from `peer`, `count` of them from `begin` on: whether the piece is complete with them.

        None, and nothing is changed, if not each of them was asked of this peer and of nobody else; then tell of them
        one by one.
        """
        partial = self._open.get(piece)
        if partial is None or begin % BLOCK_SIZE or not partial.receive_run(peer, begin // BLOCK_SIZE, count):
            return None
        self._count_answers(peer, count)
        if not partial.free:
            self._sharable.pop(piece, None)
        if partial.complete:
            self._verifying += 1
        return partial.complete

    def _reopen(self, block: Block) -> PartialPiece | None:
        """Work on the fresh piece that a late block belongs to; None if that is no piece we lack."""
        piece = block.piece
        if not 0 <= piece < self._size or not self._states.lacks(piece) or piece in self._lone:
            return None
        partial = PartialPiece(piece, self._piece_size(piece), 0.0)
        if partial.index_of(block) is None:
            return None
        self._add_open(partial)
        return partial

    def on_request_dropped(self, peer: PeerKey, block: Block) -> None:
        """The peer will not send the block: choke, reject, timeout or cancel. Ignored if it is not asked of it."""
        partial = self._open.get(block.piece)
        index = None if partial is None else partial.index_of(block)
        if partial is not None and index is not None and partial.drop(peer, index):
            self._count_answers(peer, 1)
            self._after_drop(partial)

    def _count_answers(self, peer: PeerKey, count: int) -> None:
        known = self._peers[peer]
        known.asked -= count
        if not known.asked:
            self._busy_peers -= 1

    def _after_drop(self, partial: PartialPiece) -> None:
        if partial.untouched or (partial.alone and partial.idle):
            self._close(partial.piece)
            self._states.on_dropped(partial.piece)
            if partial.alone and partial.piece in self._lone:
                self._lone.on_given_up(partial.piece)
        elif partial.sharable:
            self._sharable[partial.piece] = partial

    def _add_open(self, partial: PartialPiece) -> None:
        self._open[partial.piece] = partial
        self._sharable[partial.piece] = partial
        self._states.on_opened(partial.piece)

    def _close(self, piece: int) -> None:
        """Forget the work on a piece, if there is any."""
        partial = self._open.pop(piece, None)
        if partial is None:
            return
        self._sharable.pop(piece, None)
        if partial.complete:
            self._verifying -= 1
        for key, asked in partial.workers.items():
            known = self._peers[key]
            del known.work[piece]
            if asked:
                known.asked -= asked
                if not known.asked:
                    self._busy_peers -= 1

    # Decisions.

    def pick(self, peer: PeerKey, count: int, *, now: float = 0.0, only: Sequence[int] | None = None) -> list[Block]:
        """Up to `count` blocks to ask of `peer` now; they count as asked from here on.

        `only` limits the choice to these pieces (the allowed fast set while choked, BEP 6). `now` is in seconds.
        """
        known = self._peers[peer]
        blocks: list[Block] = []
        if count <= 0 or not self._crowd.interesting(known):
            return blocks
        if only is not None:
            self._pick_only(known, only, blocks, count, now)
        else:
            self._pick_own(known, blocks, count)
            if len(blocks) < count:
                self._pick_further(known, blocks, count, now)
        if blocks:
            if not known.asked:
                self._busy_peers += 1
            known.asked += len(blocks)
        return blocks

    def _take(self, known: PickerPeer, partial: PartialPiece, blocks: list[Block], count: int) -> None:
        blocks += partial.take(known.key, count - len(blocks))
        known.work[partial.piece] = partial
        if not partial.sharable:
            self._sharable.pop(partial.piece, None)

    def _start(self, known: PickerPeer, piece: int, blocks: list[Block], count: int, now: float) -> None:
        partial = PartialPiece(piece, self._piece_size(piece), now, alone=piece in self._lone)
        self._add_open(partial)
        self._take(known, partial, blocks, count)

    def _pick_only(self, known: PickerPeer, only: Sequence[int], blocks: list[Block], count: int, now: float) -> None:
        for piece in only:
            if len(blocks) >= count:
                return
            if not 0 <= piece < self._size or not known.have[piece] or not self._states.priority(piece):
                continue
            if piece in self._sharable:
                self._take(known, self._sharable[piece], blocks, count)
            elif self._states.is_fresh(piece):
                self._start(known, piece, blocks, count, now)

    def _pick_own(self, known: PickerPeer, blocks: list[Block], count: int) -> None:
        for piece, partial in known.work.items():
            if partial.free and self._states.priority(piece) and known.have[piece]:
                self._take(known, partial, blocks, count)
                if len(blocks) >= count:
                    return

    def _pick_further(self, known: PickerPeer, blocks: list[Block], count: int, now: float) -> None:
        # One and a half times the peers at work: each has its own piece, and every second one is about to end.
        few_open = 2 * (len(self._open) - self._verifying) < 3 * (self._busy_peers + 1)
        whole = self._piece_size(0) // BLOCK_SIZE if few_open and self._fresh.mode is PickMode.RAREST_FIRST else 0
        if self._sharable:
            self._pick_shared(known, blocks, count, now - STALE_AFTER if whole else now)
        if whole and known.seed and len(self._peers) > self._crowd.availability.seeds:
            self._pick_scarce(known, blocks, count, now)
        while whole and count - len(blocks) >= whole:
            piece = self._fresh.next(known)
            if piece is None:
                break
            self._start(known, piece, blocks, count, now)
        if self._sharable and whole and len(blocks) < count:
            self._pick_shared(known, blocks, count, now)
        while len(blocks) < count:
            piece = self._fresh.next(known)
            if piece is None:
                break
            self._start(known, piece, blocks, count, now)
        if not blocks and known.asked <= ENDGAME_IDLE and self.endgame:
            self._pick_again(known, blocks, count)

    def _pick_scarce(self, known: PickerPeer, blocks: list[Block], count: int, now: float) -> None:
        """Fresh pieces that only seeds have, of one of them, where others are connected that lack them too."""
        while len(blocks) < count:
            piece = self._fresh.next(known)
            if piece is None:
                return
            if self.spread(piece):
                self._fresh.put_back(known, piece)
                return
            self._start(known, piece, blocks, count, now)

    def _pick_shared(self, known: PickerPeer, blocks: list[Block], count: int, before: float) -> None:
        """Free blocks of open pieces that are abandoned or were started no later than `before`."""
        priority = self._states.priority
        have = known.have
        shared = [
            partial
            for piece, partial in self._sharable.items()
            if (partial.started <= before or partial.idle) and priority(piece) and have[piece]
        ]
        if self._fresh.mode is PickMode.SEQUENTIAL:
            shared.sort(key=lambda partial: (-priority(partial.piece), partial.piece))
        else:
            shared.sort(key=lambda partial: (not partial.idle, -priority(partial.piece), partial.free))
        for partial in shared:
            if len(blocks) >= count:
                return
            self._take(known, partial, blocks, count)

    @property
    def endgame(self) -> bool:
        """Every wanted block that a connected peer has is received or asked for, and some are not received yet."""
        states = self._states
        if len(self._open) == self._verifying:
            return False
        anywhere = self._crowd.availability.anywhere()
        return not states.can_start_any(anywhere) and not any(
            states.priority(piece) and anywhere & states.bit(piece) for piece in self._sharable
        )

    def _pick_again(self, known: PickerPeer, blocks: list[Block], count: int) -> None:
        """Blocks asked of others, each as likely as any other of the pieces looked at."""
        count = min(count, ENDGAME_BATCH)
        pieces = [
            partial
            for piece, partial in self._open.items()
            if not (partial.complete or partial.alone) and self._states.priority(piece) and known.have[piece]
        ]
        turn = int(self._rng.random() * len(pieces))
        askable: list[tuple[PartialPiece, int]] = []
        for partial in pieces[turn:] + pieces[:turn]:
            askable += [(partial, index) for index in partial.askable_again(known.key, MOST_ASKERS)]
            if len(askable) >= 4 * count:
                break
        for partial, index in self._rng.sample(askable, min(count, len(askable))):
            blocks.append(partial.ask_again(known.key, index))
            known.work[partial.piece] = partial

    # Views.

    @property
    def have(self) -> Bitfield:
        """The pieces we have, verified. Live; not to be changed."""
        return self._states.have

    @property
    def wanted_left(self) -> int:
        """How many pieces are wanted and not had; O(1)."""
        return self._states.wanted_left

    def priority(self, piece: int) -> int:
        return self._states.priority(piece)

    def interesting(self, peer: PeerKey) -> bool:
        """Whether the peer has a piece that we want and lack; O(1)."""
        known = self._peers[peer]
        return bool(self._states.wanted_left if known.seed else known.interest)

    def peer_bitfield(self, peer: PeerKey) -> Bitfield:
        """What the peer has. Live; not to be changed."""
        return self._peers[peer].have

    def availability(self, piece: int) -> int:
        """Connected peers that have the piece."""
        return self._crowd.availability.of(piece)

    def spread(self, piece: int) -> bool:
        """Whether a connected peer has the piece that lacks others."""
        return self._crowd.availability.of(piece) > self._crowd.availability.seeds

    def among_leechers(self) -> int:
        """Mask of the pieces that at least one connected peer has that lacks others."""
        return self._crowd.availability.among_leechers()

    def held_once(self) -> int:
        """Mask of the pieces that exactly one connected peer has that lacks others."""
        return self._crowd.availability.held_once()

    def peer_mask(self, peer: PeerKey) -> int:
        """What the peer has, as a mask."""
        return self._peers[peer].mask()

    def availability_map(self) -> array[int]:
        """Connected peers that have each piece."""
        return self._crowd.availability.counts()

    def distributed_copies(self) -> float:
        """Whole copies among the connected peers and us: the least count, plus the share of pieces above it."""
        return self._crowd.availability.copies(self.have.mask())

    def check_invariants(self) -> None:
        """Raises AssertionError if anything counted twice differs. Walks over everything: for tests."""
        self._states.check_invariants(list(self._open))
        self._crowd.check_invariants()
        asked = dict.fromkeys(self._peers, 0)
        for piece, partial in self._open.items():
            partial.check_invariants()
            if partial.untouched or partial.sharable != (piece in self._sharable):
                raise AssertionError(f"piece {piece}: untouched, or wrongly in or out of the sharable ones")
            for key, count in partial.workers.items():
                asked[key] += count
                if self._peers[key].work.get(piece) is not partial:
                    raise AssertionError(f"piece {piece}: peer {key} works on it and does not know")
        if self._sharable.keys() - self._open.keys():
            raise AssertionError("a sharable piece that is not open")
        if self._verifying != sum(partial.complete for partial in self._open.values()):
            raise AssertionError("miscounted the pieces being verified")
        if asked != {key: known.asked for key, known in self._peers.items()}:
            raise AssertionError("miscounted the blocks asked of a peer")
        if self._busy_peers != sum(count > 0 for count in asked.values()):
            raise AssertionError("miscounted the peers at work")
        for key, known in self._peers.items():
            if any(key not in partial.workers for partial in known.work.values()):
                raise AssertionError(f"peer {key} works on a piece that does not know")
