"""Any history of facts and picks, against a model that keeps every block's state in a plain dict."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from p2p.ids import BLOCK_SIZE, Block
from p2p.swarm.bitfield import Bitfield
from p2p.swarm.piece_picker import ENDGAME_BATCH, ENDGAME_IDLE, MOST_ASKERS, RANDOM_FIRST, PickMode, PiecePicker

PIECES = 20
LAST = BLOCK_SIZE + 1_000
PIECE = 3 * BLOCK_SIZE
RECEIVED = "received"

pieces = st.integers(0, PIECES - 1)
fields = st.sets(pieces)


def size_of(piece):
    return LAST if piece == PIECES - 1 else PIECE


def blocks_of(piece):
    return [
        Block(piece, begin, min(BLOCK_SIZE, size_of(piece) - begin)) for begin in range(0, size_of(piece), BLOCK_SIZE)
    ]


def field_of(members):
    field = Bitfield(PIECES)
    for piece in sorted(members):
        field.add(piece)
    return field


class PickerMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 1_000), members=st.lists(fields, max_size=4), had=fields)
    def start(self, seed, members, had):
        self.picker = PiecePicker(PIECES, size_of, rng=random.Random(seed))
        self.now = 0.0
        self.next_key = 0
        self.peers = {}
        self.suggested = {}
        self.have = set()
        self.priority = [4] * PIECES
        self.blocks = {piece: {block: [] for block in blocks_of(piece)} for piece in range(PIECES)}
        self.verify_many(had)
        for peer, has in enumerate(members):
            self.join()
            self.set_bitfield(peer, has)

    # What the model says.

    def complete(self, piece):
        return all(state is RECEIVED for state in self.blocks[piece].values())

    def fresh(self, piece):
        return piece not in self.have and not any(self.blocks[piece].values())

    def free_blocks(self, of_pieces):
        return [
            block
            for piece in of_pieces
            if piece not in self.have and self.priority[piece]
            for block, state in self.blocks[piece].items()
            if state == []
        ]

    def availability(self, piece):
        return sum(piece in has for has in self.peers.values())

    def endgame(self):
        anywhere = set().union(*self.peers.values()) if self.peers else set()
        unfinished = [p for p in range(PIECES) if p not in self.have and not self.fresh(p) and not self.complete(p)]
        return bool(unfinished) and not self.free_blocks(sorted(anywhere))

    def forget(self, piece):
        self.blocks[piece] = {block: [] for block in blocks_of(piece)}

    def asked(self):
        return [
            (peer, block)
            for piece in range(PIECES)
            for block, state in self.blocks[piece].items()
            if state is not RECEIVED
            for peer in state
        ]

    # Facts.

    @rule()
    def join(self):
        if len(self.peers) < 5:
            self.picker.on_peer_joined(self.next_key)
            self.peers[self.next_key] = set()
            self.suggested[self.next_key] = set()
            self.next_key += 1

    def some_peer(self, data):
        return data.draw(st.sampled_from(sorted(self.peers)))

    @precondition(lambda self: self.peers)
    @rule(data=st.data())
    def leave(self, data):
        self.remove(self.some_peer(data))

    def remove(self, peer):
        self.picker.on_peer_left(peer)
        del self.peers[peer]
        for asker, block in self.asked():
            if asker == peer:
                self.blocks[block.piece][block].remove(peer)

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), members=fields)
    def bitfield(self, data, members):
        self.set_bitfield(self.some_peer(data), members)

    def set_bitfield(self, peer, members):
        self.picker.on_peer_bitfield(peer, field_of(members))
        self.peers[peer] = set(members)

    @precondition(lambda self: self.peers)
    @rule(data=st.data())
    def have_all(self, data):
        peer = self.some_peer(data)
        self.picker.on_peer_have_all(peer)
        self.peers[peer] = set(range(PIECES))

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), members=st.lists(pieces, min_size=1, max_size=PIECES))
    def have_messages(self, data, members):
        peer = self.some_peer(data)
        for piece in members:
            self.add_piece(peer, piece)

    def add_piece(self, peer, piece):
        self.picker.on_peer_have(peer, piece)
        self.peers[peer].add(piece)

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), piece=pieces)
    def suggest(self, data, piece):
        peer = self.some_peer(data)
        self.picker.on_suggested(peer, piece)
        self.suggested[peer].add(piece)

    @rule(piece=pieces, priority=st.integers(0, 7))
    def prioritise(self, piece, priority):
        self.picker.set_priority(piece, priority)
        self.priority[piece] = priority

    @rule(priorities=st.lists(st.sampled_from([0, 1, 4, 4, 4, 7]), min_size=PIECES, max_size=PIECES))
    def prioritise_all(self, priorities):
        self.picker.set_priorities(bytes(priorities))
        self.priority = list(priorities)

    @rule(mode=st.sampled_from(PickMode))
    def set_mode(self, mode):
        self.picker.mode = mode

    @rule(seconds=st.sampled_from([1.0, 30.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(piece=pieces)
    def verify_any(self, piece):
        self.picker.on_piece_verified(piece)
        self.have.add(piece)
        self.forget(piece)

    @rule(members=st.sets(pieces, max_size=3))
    def verify_many(self, members):
        self.picker.on_pieces_verified(field_of(members))
        for piece in members:
            self.have.add(piece)
            self.forget(piece)

    @rule(piece=pieces)
    def fail(self, piece):
        self.picker.on_piece_failed(piece)
        self.forget(piece)

    @rule(piece=pieces)
    def lose(self, piece):
        self.picker.on_piece_lost(piece)
        self.have.discard(piece)

    @rule()
    def settle(self):
        """Every complete piece turns out good."""
        for piece in range(PIECES):
            if piece not in self.have and self.complete(piece):
                self.verify_any(piece)

    # Blocks.

    @precondition(lambda self: self.asked())
    @rule(data=st.data(), how_many=st.integers(1, 6))
    def receive(self, data, how_many):
        for _ in range(how_many):
            if asked := self.asked():
                self.deliver(*data.draw(st.sampled_from(asked)))

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), piece=pieces)
    def receive_unasked(self, data, piece):
        self.deliver(self.some_peer(data), data.draw(st.sampled_from(blocks_of(piece))))

    def deliver(self, peer, block):
        piece = block.piece
        state = self.blocks[piece][block]
        welcome = piece not in self.have and (self.priority[piece] or not self.fresh(piece)) and state is not RECEIVED
        outcome = self.picker.on_block_received(peer, block)
        assert outcome.new == bool(welcome)
        if welcome:
            assert list(outcome.cancel_at) == [asker for asker in state if asker != peer]
            self.blocks[piece][block] = RECEIVED
            assert outcome.piece_complete == self.complete(piece)
        else:
            assert outcome == (False, False, ())

    @precondition(lambda self: self.peers)
    @rule(
        data=st.data(), block=st.builds(Block, st.integers(-1, PIECES), st.integers(-1, PIECE), st.integers(0, PIECE))
    )
    def receive_nonsense(self, data, block):
        if not 0 <= block.piece < PIECES or block not in self.blocks[block.piece]:
            assert self.picker.on_block_received(self.some_peer(data), block) == (False, False, ())
            self.picker.on_request_dropped(self.some_peer(data), block)

    @precondition(lambda self: self.asked())
    @rule(data=st.data())
    def drop(self, data):
        self.drop_request(*data.draw(st.sampled_from(self.asked())))

    def drop_request(self, peer, block):
        self.picker.on_request_dropped(peer, block)
        self.picker.on_request_dropped(peer, block)
        self.blocks[block.piece][block].remove(peer)

    # Decisions.

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), count=st.integers(1, 12))
    def pick(self, data, count):
        self.pick_for(self.some_peer(data), count)

    def pick_for(self, peer, count):
        fresh = {piece for piece in range(PIECES) if self.fresh(piece)}
        endgame = self.endgame() and sum(asker == peer for asker, _ in self.asked()) <= ENDGAME_IDLE
        blocks = self.picker.pick(peer, count, now=self.now)
        self.check_blocks(peer, blocks, count)
        again = [block for block in blocks if self.blocks[block.piece][block]]
        assert not again or (endgame and len(again) == len(blocks) <= ENDGAME_BATCH)
        self.check_starts(peer, [piece for piece in dict.fromkeys(block.piece for block in blocks) if piece in fresh])
        askable = [
            block
            for block in (block for piece in self.peers[peer] for block in self.blocks[piece])
            if self.priority[block.piece] and self.blocks[block.piece][block] not in ([], RECEIVED)
            if peer not in self.blocks[block.piece][block] and len(self.blocks[block.piece][block]) < MOST_ASKERS
        ]
        idle = all(asker != peer for asker, _ in self.asked())
        if again or (endgame and idle and not blocks):
            assert len(again) == min(count, len(askable), ENDGAME_BATCH)
        self.ask(peer, blocks)
        if not again and len(blocks) < count:
            assert not self.free_blocks(sorted(self.peers[peer]))

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), count=st.integers(1, 12), only=st.lists(st.integers(-1, PIECES + 1), max_size=4))
    def pick_only(self, data, count, only):
        peer = self.some_peer(data)
        blocks = self.picker.pick(peer, count, now=self.now, only=only)
        self.check_blocks(peer, blocks, count)
        assert all(block.piece in only for block in blocks)
        assert not any(self.blocks[block.piece][block] for block in blocks)
        self.ask(peer, blocks)
        if len(blocks) < count:
            assert not self.free_blocks(sorted(self.peers[peer].intersection(only)))

    @precondition(lambda self: self.peers)
    @rule(seed=st.integers(0, 1_000), steps=st.integers(1, 60), loss=st.sampled_from([0.0, 0.2]))
    def traffic(self, seed, steps, loss):
        """A long stretch of ordinary life."""
        rng = random.Random(seed)
        for _ in range(steps):
            match rng.randrange(9):
                case 0 | 1 | 2:
                    self.pick_for(rng.choice(list(self.peers)), rng.choice([1, 2, 4, 16]))
                case 3 | 4 | 5 if asked := self.asked():
                    (self.drop_request if rng.random() < loss else self.deliver)(*rng.choice(asked))
                case 6:
                    self.add_piece(rng.choice(list(self.peers)), rng.randrange(PIECES))
                case 7:
                    self.settle()
                case 8 if rng.random() < 0.3:
                    has = {piece for piece in range(PIECES) if rng.random() < 0.6}
                    self.set_bitfield(rng.choice(list(self.peers)), has)

    def check_blocks(self, peer, blocks, count):
        assert len(blocks) == len(set(blocks)) <= count
        for block in blocks:
            assert type(block) is Block
            assert block.piece in self.peers[peer]
            assert block.piece not in self.have
            assert self.priority[block.piece]
            state = self.blocks[block.piece][block]
            assert state is not RECEIVED
            assert peer not in state
            assert len(state) < MOST_ASKERS

    def check_starts(self, peer, started):
        """Fresh pieces were begun best first."""
        candidates = {p for p in self.peers[peer] if self.fresh(p) and self.priority[p]}
        for piece in started:
            highest = max(self.priority[p] for p in candidates)
            assert self.priority[piece] == highest
            best = {p for p in candidates if self.priority[p] == highest}
            if self.picker.mode is PickMode.SEQUENTIAL:
                assert piece == min(best)
            elif suggested := best & self.suggested[peer]:
                assert piece in suggested
            elif len(self.have) >= RANDOM_FIRST:
                assert self.availability(piece) == min(self.availability(p) for p in best)
            candidates.remove(piece)

    def ask(self, peer, blocks):
        for block in blocks:
            self.blocks[block.piece][block].append(peer)

    @invariant()
    def holds(self):
        picker = self.picker
        picker.check_invariants()
        left = {piece for piece in range(PIECES) if self.priority[piece] and piece not in self.have}
        assert set(picker.have) == self.have
        assert picker.wanted_left == len(left)
        assert picker.endgame == self.endgame()
        assert [picker.priority(piece) for piece in range(PIECES)] == self.priority
        assert list(picker.availability_map()) == [self.availability(piece) for piece in range(PIECES)]
        for peer, has in self.peers.items():
            assert set(picker.peer_bitfield(peer)) == has
            assert picker.interesting(peer) == bool(has & left)


PickerMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestPickerMachine = PickerMachine.TestCase


@pytest.mark.parametrize("seed", range(40))
def test_long_histories(seed):
    """The same checks along walks far longer than a search for small counterexamples takes."""
    rng = random.Random(seed)

    def some_pieces():
        return {piece for piece in range(PIECES) if rng.random() < 0.6}

    run = PickerMachine()
    run.start(seed, [some_pieces() for _ in range(4)], some_pieces())
    for _ in range(25):
        for piece in some_pieces():
            run.lose(piece)
        match rng.randrange(7):
            case 0:
                run.prioritise_all(rng.choices([0, 1, 4, 4, 4, 7], k=PIECES))
            case 1:
                run.prioritise_all([4] * PIECES)
            case 2:
                run.prioritise(rng.randrange(PIECES), rng.randrange(8))
            case 3:
                run.set_mode(rng.choice([PickMode.RAREST_FIRST, PickMode.RAREST_FIRST, PickMode.SEQUENTIAL]))
            case 4:
                run.fail(rng.randrange(PIECES))
            case 5 if len(run.peers) > 2:
                run.remove(rng.choice(list(run.peers)))
            case _:
                run.join()
        run.wait(rng.choice([1.0, 30.0]))
        run.set_bitfield(rng.choice(list(run.peers)), some_pieces())
        run.holds()
        run.traffic(rng.randrange(1_000_000), 30, rng.choice([0.0, 0.2]))
        run.holds()
