"""Lookups in a DHT on loopback, a fifth of its nodes dead: Starling's beside libtorrent's, in one run, in turn.

Two networks of 200 nodes run at once, one of Starling's and one of libtorrent's, each node with a UDP port of its own
at 127.0.i.1. A tenth of each are the askers, in a process of their own; the others are spread over processes alike.
Peers are announced, a fifth of the nodes are killed, and then each hash is looked up once by each kind of asker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

NODES_PROGRAM = Path(__file__).with_name("dht_nodes.py")
LINE_LIMIT = 1 << 20
PATIENCE = 60.0
"""Seconds that a process may take for anything but a lookup."""
TAIL = 0.15
"""Seconds that a lookup may run on before the next begins; it is waited for, but beside others, in the end."""
LONGEST = 30.0
"""Seconds waited for the ends of lookups."""
INTRODUCED = 25
"""Nodes that all are told of at a time: fewer than ours ping in one turn."""
PAUSE = 2.1
"""Seconds between turns of introductions: what ours take."""
DEAD_EVERY = 5
ASKERS_EVERY = 10
WARMING = 3
"""Lookups of each asker that do not count, before nodes die."""
PEER_PORT = 10_000
"""Of the first announced peer; the next has the next."""
KINDS = ("starling", "libtorrent")

Event = dict[str, Any]


class Nodes:
    """A process of nodes: its answers as they come."""

    def __init__(self, kind: str, hosts: Sequence[str]) -> None:
        self.kind = kind
        self.hosts = list(hosts)
        self.addresses: list[tuple[str, int]] = []
        self.ends: dict[str, Event] = {}
        self.running = 0
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._idle = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(NODES_PROGRAM),
            self.kind,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.kill()

    async def kill(self) -> None:
        """End it as a power cut does: nobody is told."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            event = json.loads(line)
            if event["event"] == "end":
                self.ends[event["info_hash"]] = event
                self.running -= 1
                self._idle.set()
            else:
                self._events.put_nowait(event)
        self._events.put_nowait(None)

    async def ask(self, patience: float = PATIENCE, **command: object) -> Event:
        """Give a command; its answer. SystemExit where there is none."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        try:
            async with asyncio.timeout(patience):
                event = await self._events.get()
        except TimeoutError:
            event = None
        if event is None or event["event"] == "error":
            raise SystemExit(f"error: {self.kind} nodes, {command['do']}: {event or 'ended or fell silent'}")
        return event

    async def look_up(self, host: str, info_hash: str, peer: tuple[str, int]) -> float | None:
        """Look a hash up: seconds to its peer, None without it. Returns at the end of the search, or after TAIL."""
        self.running += 1
        self._idle.clear()
        first = await self.ask(LONGEST, do="look_up", host=host, info_hash=info_hash, peer=peer)
        await self.idle(TAIL)
        took: float | None = first["took"]
        return took

    async def idle(self, patience: float) -> None:
        """Wait until no search runs, or so many seconds."""
        try:
            async with asyncio.timeout(patience):
                while self.running:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            return  # those that run on are seen at the end


class Network:
    """Nodes of one kind that have joined one another: askers, others, and those that will die."""

    def __init__(self, kind: str, size: int, rng: random.Random) -> None:
        numbers = range(1, size + 1)
        dead = [number for number in numbers if number % DEAD_EVERY == 0]
        askers = [number for number in numbers if number % ASKERS_EVERY == 1]
        others = [number for number in numbers if number not in {*dead, *askers}]
        rng.shuffle(others)
        self.kind = kind
        self.dead = Nodes(kind, _hosts(dead))
        self.askers = Nodes(kind, _hosts(askers))
        self.others = [Nodes(kind, _hosts(others[0::2])), Nodes(kind, _hosts(others[1::2]))]
        self.addresses: list[tuple[str, int]] = []
        """In order of joining."""

    @property
    def all(self) -> list[Nodes]:
        return [*self.others, self.dead, self.askers]

    async def open(self, stack: AsyncExitStack) -> None:
        for nodes in self.all:
            await stack.enter_async_context(nodes)
            hosts = list(nodes.hosts)
            if not self.addresses:
                await self._open(nodes, [hosts.pop(0)])
            await self._open(nodes, hosts)

    async def _open(self, nodes: Nodes, hosts: list[str]) -> None:
        opened = (await nodes.ask(do="open", hosts=hosts, bootstrap=self.addresses[:1]))["nodes"]
        self.addresses += [(host, port) for host, port in opened]
        nodes.addresses += [(host, port) for host, port in opened]


def _hosts(numbers: Iterable[int]) -> list[str]:
    return [f"127.0.{number}.1" for number in numbers]


async def settle(networks: Iterable[Network], rng: random.Random) -> None:
    """Tell all nodes of all others, some at a time, as a long time in a network would. Left alone, libtorrent's stay
    with the one they joined by for long, and ours meet a third in the first minute.
    """
    networks = list(networks)
    left = {network.kind: rng.sample(network.addresses, len(network.addresses)) for network in networks}
    while any(left.values()):
        for network in networks:
            some, left[network.kind] = left[network.kind][:INTRODUCED], left[network.kind][INTRODUCED:]
            for nodes in network.all:
                await nodes.ask(do="introduce", nodes=some)
        await asyncio.sleep(PAUSE)


@dataclass(frozen=True, slots=True)
class Found:
    """One lookup. Seconds; None for what did not happen, or is not told."""

    first: float | None
    end: float | None
    asked: int
    hops: int | None


async def tables(nodes: Nodes) -> list[int]:
    sizes: list[int] = (await nodes.ask(do="tables"))["sizes"]
    return sizes


async def run(args: argparse.Namespace) -> dict[str, list[Found]]:
    rng = random.Random(args.seed)
    networks = {kind: Network(kind, args.nodes, rng) for kind in args.kind or KINDS}
    say = _progress
    async with AsyncExitStack() as stack:
        for network in networks.values():
            await network.open(stack)
            say(f"{network.kind}: {len(network.addresses)} nodes")
        await settle(networks.values(), rng)
        warming = WARMING * args.nodes // ASKERS_EVERY
        hashes = [rng.randbytes(20).hex() for _ in range(warming + args.lookups)]
        peers: dict[str, dict[str, tuple[str, int]]] = {}
        for kind, network in networks.items():
            sizes = sorted([size for nodes in network.all for size in await tables(nodes)])
            say(f"{kind}: {statistics.median(sizes)} nodes in the middle table, {sizes[0]} in the smallest")
            peers[kind] = {}
            for number, info_hash in enumerate(hashes):
                nodes = network.others[number % 2]
                host, _ = rng.choice(nodes.addresses)
                await nodes.ask(do="announce", host=host, info_hash=info_hash, port=PEER_PORT + number)
                peers[kind][info_hash] = (host, PEER_PORT + number)
        await asyncio.sleep(args.settle)
        for network in networks.values():  # so that all know how long answers take when nobody else asks
            for number, info_hash in enumerate(hashes[:warming]):
                host = network.askers.hosts[number % len(network.askers.hosts)]
                await network.askers.look_up(host, info_hash, peers[network.kind][info_hash])
            await network.dead.kill()
        del hashes[:warming]
        firsts: dict[str, dict[str, float | None]] = {kind: {} for kind in networks}
        for number, info_hash in enumerate(hashes):
            for kind in sorted(networks, reverse=bool(number % 2)):
                askers = networks[kind].askers
                host = askers.hosts[number % len(askers.hosts)]
                firsts[kind][info_hash] = await askers.look_up(host, info_hash, peers[kind][info_hash])
        for kind, network in networks.items():
            await network.askers.idle(LONGEST)
            if stalls := (await network.askers.ask(do="tables")).get("stalls"):
                say(f"{kind}: a query counts as stalled after {1_000 * statistics.median(stalls):.0f} ms")
        return {
            kind: [found(firsts[kind][info_hash], networks[kind].askers.ends.get(info_hash)) for info_hash in hashes]
            for kind in networks
        }


def found(first: float | None, end: Event | None) -> Found:
    if end is None:
        return Found(first, None, 0, None)
    return Found(first, end["took"], end["asked"], end.get("hops"))


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def milliseconds(values: Iterable[float | None], measure: Callable[[Sequence[float]], float]) -> str:
    known = [value for value in values if value is not None]
    return f"{1_000 * measure(known):.2f}" if known else "-"


def table(results: dict[str, list[Found]]) -> str:
    head = ("nodes", "first peers ms, median", "p95", "whole lookup ms, median", "p95", "queries", "hops", "found")
    rows = []
    for kind, lookups in results.items():
        firsts, ends = [each.first for each in lookups], [each.end for each in lookups]
        hops = [each.hops for each in lookups if each.hops is not None]
        rows.append(
            (
                kind,
                milliseconds(firsts, statistics.median),
                milliseconds(firsts, lambda values: quantile(values, 0.95)),
                milliseconds(ends, statistics.median),
                milliseconds(ends, lambda values: quantile(values, 0.95)),
                f"{statistics.median(each.asked for each in lookups):.0f}",
                f"{statistics.mean(hops):.2f}" if hops else "-",
                f"{sum(first is not None for first in firsts)} of {len(lookups)}",
            )
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=200, help="nodes of each network, up to 250 (200)")
    parser.add_argument("--lookups", type=int, default=200, help="lookups of each (200)")
    parser.add_argument("--seed", type=int, default=1, help="of hashes, and of who announces (1)")
    parser.add_argument("--settle", type=float, default=5.0, help="seconds to announce (5)")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only these (both)")
    parser.add_argument("--json", action="store_true", help="every lookup as JSON instead of the table")
    args = parser.parse_args()
    results = asyncio.run(run(args))
    if args.json:
        print(json.dumps({kind: [asdict(each) for each in lookups] for kind, lookups in results.items()}))
    else:
        print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
