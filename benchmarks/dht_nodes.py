"""DHT nodes of one kind in one process, for `dht.py`: commands in as lines of JSON, what happens out in the same form.

`python dht_nodes.py starling|libtorrent`. Each node has a UDP port of its own at one loopback address. A lookup tells
`first` once the peer that is looked for has been handed to the caller, and `end` once the whole search is over; times
are seconds from the call, taken in this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import sys
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

import libtorrent as lt

from p2p.cli import event_loop
from p2p.dht.events import PeersFound, SearchDone
from p2p.ids import Address, InfoHash
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.session.dht_service import DhtService

Command = dict[str, Any]

POLL = 0.002
"""Seconds between looks at whether a search of libtorrent's is over, and at its nodes while nothing is asked."""
SLOW_POLL = 0.05
"""Seconds between looks once a search has lasted for longer than SLOW_AFTER."""
SLOW_AFTER = 0.25


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


# -- ours


class OurNodes:
    """Starling's nodes, on one event loop as its commands run it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._nodes: dict[str, DhtService] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            task = asyncio.create_task(self._carry_out(command))
            self._tasks[task] = None
            task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and task.exception() is not None:
            say(event="error", error=repr(task.exception()))

    async def _carry_out(self, command: Command) -> None:
        match command:
            case {"do": "open", "hosts": hosts, "bootstrap": bootstrap}:
                opened = [await self._open(host, bootstrap) for host in hosts]
                say(event="opened", nodes=opened)
            case {"do": "introduce", "nodes": nodes}:
                for host, node in self._nodes.items():
                    for address in nodes:
                        if address[0] != host:
                            node.add_node(Address(*address))
                say(event="introduced")
            case {"do": "tables"}:
                views = [family for node in self._nodes.values() for family in node.snapshot().families]
                say(event="tables", sizes=[view.good for view in views], stalls=[view.stall_after for view in views])
            case {"do": "announce", "host": host, "info_hash": info_hash, "port": port}:
                announced = await self._nodes[host].announce(InfoHash(bytes.fromhex(info_hash)), port)
                say(event="announced", stored=announced.stored)
            case {"do": "look_up", "host": host, "info_hash": info_hash, "peer": peer}:
                await self._look_up(self._nodes[host], InfoHash(bytes.fromhex(info_hash)), Address(*peer))

    async def _open(self, host: str, bootstrap: list[tuple[str, int]]) -> tuple[str, int]:
        rng = random.Random(host)
        node = DhtService(
            AsyncioNetwork(),
            rng=rng,
            secret=rng.randbytes(16),
            bind=(host,),
            bootstrap=[(name, port) for name, port in bootstrap],
        )
        await self._stack.enter_async_context(node)
        self._nodes[host] = node
        return host, node.port

    async def _look_up(self, node: DhtService, info_hash: InfoHash, wanted: Address) -> None:
        first = None
        began = time.perf_counter()
        async with aclosing(node.search(info_hash)) as search:
            async for event in search:
                match event:
                    case PeersFound(peers=peers) if first is None and wanted in peers:
                        first = time.perf_counter() - began
                        say(event="first", took=first)
                    case SearchDone(asked=asked, answered=answered, hops=hops):
                        end = time.perf_counter() - began
                        if first is None:
                            say(event="first", took=None)
                        facts = {"asked": asked, "answered": answered, "hops": hops}
                        say(event="end", info_hash=info_hash.hex(), took=end, found=first is not None, **facts)


async def run_ours() -> None:
    async with AsyncExitStack() as stack:
        await OurNodes(stack).run()


# -- libtorrent's


@dataclass(slots=True)
class Sought:
    """A search under way in a libtorrent node."""

    host: str
    info_hash: str
    began: float
    peer: tuple[str, int]
    asked: int = 0
    found: bool = False
    look_at: float = 0.0


class TheirNodes:
    """libtorrent's nodes: a session each, which brings threads of its own."""

    def __init__(self) -> None:
        self._nodes: dict[str, lt.session] = {}
        self._searches: list[Sought] = []

    def run(self) -> None:
        pending = b""
        while True:
            ready, _, _ = select.select([0], [], [], POLL if self._searches else None)
            if ready:
                got = os.read(0, 1 << 20)
                if not got:
                    os._exit(0)  # tearing the sessions down takes minutes, and nothing of theirs is kept
                *lines, pending = (pending + got).split(b"\n")
                for line in lines:
                    self._carry_out(json.loads(line))
            self._look_after()

    def _carry_out(self, command: Command) -> None:
        match command:
            case {"do": "open", "hosts": hosts, "bootstrap": bootstrap}:
                say(event="opened", nodes=[self._open(host, bootstrap) for host in hosts])
            case {"do": "introduce", "nodes": nodes}:
                for host, node in self._nodes.items():
                    for address in nodes:
                        if address[0] != host:
                            node.add_dht_node(tuple(address))
                say(event="introduced")
            case {"do": "tables"}:
                say(event="tables", sizes=[self._table_size(node) for node in self._nodes.values()])
            case {"do": "announce", "host": host, "info_hash": info_hash, "port": port}:
                self._nodes[host].dht_announce(lt.sha1_hash(bytes.fromhex(info_hash)), port, 0)
                say(event="announced", stored=0)
            case {"do": "look_up", "host": host, "info_hash": info_hash, "peer": peer}:
                self._look_up(host, info_hash, tuple(peer))

    def _open(self, host: str, bootstrap: list[tuple[str, int]]) -> tuple[str, int]:
        kinds = lt.alert.category_t
        node = lt.session(
            {
                "listen_interfaces": f"{host}:0",
                "enable_dht": True,
                "enable_lsd": False,
                "enable_upnp": False,
                "enable_natpmp": False,
                "dht_bootstrap_nodes": ",".join(f"{name}:{port}" for name, port in bootstrap),
                "dht_restrict_routing_ips": False,
                "dht_restrict_search_ips": False,
                "dht_ignore_dark_internet": False,
                "dht_prefer_verified_node_ids": False,
                "dht_upload_rate_limit": 10_000_000,
                "dht_block_ratelimit": 10_000,
                "alert_mask": kinds.dht_notification | kinds.dht_operation_notification,
            }
        )
        while not node.listen_port():
            time.sleep(POLL)
        self._nodes[host] = node
        return host, node.listen_port()

    def _table_size(self, node: lt.session) -> int:
        node.post_dht_stats()
        while True:
            node.wait_for_alert(1_000)
            for alert in node.pop_alerts():
                if isinstance(alert, lt.dht_stats_alert):
                    return sum(bucket["num_nodes"] for bucket in alert.routing_table)

    def _look_up(self, host: str, info_hash: str, peer: tuple[str, int]) -> None:
        node = self._nodes[host]
        node.pop_alerts()
        target = lt.sha1_hash(bytes.fromhex(info_hash))
        search = Sought(host, info_hash, time.perf_counter(), peer)
        self._searches.append(search)
        node.dht_get_peers(target)
        while not search.found and time.perf_counter() < search.began + 3.0:
            node.wait_for_alert(10)
            self._take_alerts(host)
        if not search.found:
            say(event="first", took=None)

    def _take_alerts(self, host: str) -> None:
        now = time.perf_counter()
        for alert in self._nodes[host].pop_alerts():
            match alert:
                case lt.dht_get_peers_reply_alert():
                    told = str(alert.info_hash)
                    for search in self._searches:
                        if search.host == host and search.info_hash == told and not search.found:
                            search.found = search.peer in [tuple(each) for each in alert.peers()]
                            if search.found:
                                say(event="first", took=now - search.began)
                case lt.dht_outgoing_get_peers_alert():
                    told = str(alert.info_hash)
                    for search in self._searches:
                        search.asked += search.host == host and search.info_hash == told
                case lt.dht_stats_alert():
                    running = sum(each["type"] == "get_peers" for each in alert.active_requests)
                    ours = [search for search in self._searches if search.host == host]
                    for search in ours[: len(ours) - running]:
                        self._searches.remove(search)
                        facts = {"found": search.found, "asked": search.asked}
                        say(event="end", info_hash=search.info_hash, took=now - search.began, **facts)

    def _look_after(self) -> None:
        now = time.perf_counter()
        for host in dict.fromkeys(search.host for search in self._searches):
            self._take_alerts(host)
        for search in self._searches:
            if now >= search.look_at:
                search.look_at = now + (POLL if now < search.began + SLOW_AFTER else SLOW_POLL)
                self._nodes[search.host].post_dht_stats()


if __name__ == "__main__":
    if sys.argv[1] == "starling":
        event_loop.run(run_ours())
    else:
        TheirNodes().run()
