"""What one call of the piece picker costs in a large swarm, in microseconds.

    python benchmarks/picker.py [--peers 500] [--pieces 1000 100000] [--seed 1]

Half of the peers have everything, the others a random half of it. Each line is the mean of many calls; collection of
garbage is off, as it would blame one call for all.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from typing import TYPE_CHECKING

from p2p.ids import BLOCK_SIZE, Block, PieceIndex
from p2p.swarm.bitfield import Bitfield
from p2p.swarm.piece_picker import PickMode, PiecePicker
from p2p.swarm.request_queue import RequestQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PIECE = 1 << 20


def measure(name: str, call: Callable[..., object], arguments: Sequence[tuple[object, ...]], blocks: int = 0) -> None:
    """Print the mean cost of `call` over the arguments, a block where `blocks` were handled in all."""
    gc.disable()
    begin = time.perf_counter()
    for each in arguments:
        call(*each)
    elapsed = time.perf_counter() - begin
    gc.enable()
    mean = elapsed / (blocks or len(arguments)) * 1e6
    print(f"  {name:44s}{mean:10.2f} us a {'block' if blocks else 'call'}")


def random_field(rng: random.Random, size: int) -> Bitfield:
    return Bitfield.from_mask(rng.getrandbits(size), size)


def swarm(pieces: int, peers: int, seed: int) -> tuple[PiecePicker, random.Random]:
    rng = random.Random(seed)
    picker = PiecePicker(pieces, lambda _: PIECE, rng=rng)
    for peer in range(peers):
        picker.on_peer_joined(peer)
    return picker, rng


def benchmark(pieces: int, peers: int, seed: int) -> None:
    print(f"{pieces} pieces of 1 MiB, {peers} peers")
    picker, rng = swarm(pieces, peers, seed)
    fields = [random_field(rng, pieces) for _ in range(peers // 2)]
    measure("a partial peer's bitfield", picker.on_peer_bitfield, list(enumerate(fields)))
    measure("a seed joins", picker.on_peer_have_all, [(peer,) for peer in range(peers // 2, peers)])
    for piece in rng.sample(range(pieces), min(pieces // 4, 250)):
        picker.on_piece_verified(piece)
    facts = [(peer, piece) for peer in range(peers // 2) for piece in rng.sample(range(pieces), 20)]
    measure("have", picker.on_peer_have, facts)

    picked: list[tuple[int, Block]] = []

    def pick(peer: int, count: int) -> None:
        picked.extend((peer, block) for block in picker.pick(peer, count))

    measure("pick of 16 blocks", pick, [(rng.randrange(peers), 16) for _ in range(min(3_000, pieces // 3))])
    measure("block received", picker.on_block_received, picked, len(picked))
    done = sorted({block.piece for _, block in picked})[:500]
    measure("piece verified", picker.on_piece_verified, [(piece,) for piece in done])

    def have_and_pick(peer: int, piece: int) -> None:
        picker.on_peer_have(peer, piece)
        picker.pick(peer, 1)

    measure("have, and pick of 1 block", have_and_pick, [(p, rng.randrange(pieces)) for p in range(peers // 2)])
    measure("availability map", picker.availability_map, [()] * 5)
    measure("distributed copies", picker.distributed_copies, [()] * 5)
    measure("a peer leaves", picker.on_peer_left, [(peer,) for peer in range(peers)])

    slow, _ = swarm(pieces, peers, seed)
    for peer in range(peers):
        slow.on_peer_bitfield(peer, fields[peer // 2])
    measure("pick of 1 block, all peers slow", slow.pick, [(peer, 1) for _ in range(8) for peer in range(peers)])

    seeds, _ = swarm(pieces, 20, seed)
    for peer in range(20):
        seeds.on_peer_have_all(peer)
    runs = min(200, pieces * (PIECE // BLOCK_SIZE) // 500 // 3)
    measure("pick of 500 blocks from seeds", seeds.pick, [(run % 20, 500) for run in range(runs)], 500 * runs)
    seeds.mode = PickMode.SEQUENTIAL
    measure("the same in order", seeds.pick, [(run % 20, 500) for run in range(runs)], 500 * runs)


def benchmark_queue() -> None:
    print("request queue, 250 requests at once")
    queue = RequestQueue(limit=250)
    blocks = [Block(PieceIndex(piece), 0, BLOCK_SIZE) for piece in range(250)]

    def turn(now: float) -> None:
        queue.on_requested(blocks, now)
        for block in blocks:
            queue.on_block(block, now)

    measure("requested and received", turn, [(turn / 1_000,) for turn in range(400)], 400 * len(blocks))


def main() -> None:
    parser = argparse.ArgumentParser(description="Microseconds a call of the piece picker and request queue.")
    parser.add_argument("--peers", type=int, default=500)
    parser.add_argument("--pieces", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for pieces in args.pieces:
        benchmark(pieces, args.peers, args.seed)
    benchmark_queue()


if __name__ == "__main__":
    main()
