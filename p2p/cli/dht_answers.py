"""What the DHT answered to a question, for people and for programs: peers as they come, then the nodes that were asked.

The rule: peers are lines of their own on stdout, so that they can be piped; tables follow on a terminal, or where they
are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.table import Table

from p2p.cli.console import say, say_json
from p2p.cli.reporters import live_console
from p2p.quantities import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.cli.console import Json
    from p2p.dht.events import Announced, NodeAsked, PeersFound, SearchDone, Traffic
    from p2p.ids import Address, InfoHash

PLAIN_WIDTH = 100
"""Columns of a table that goes to no terminal: what an IPv6 address takes beside the figures."""


class SearchView(Protocol):
    """Shows a search."""

    peers: dict[Address, None]
    """Those shown so far."""

    def show_peers(self, found: PeersFound) -> None: ...

    def show_end(self, done: SearchDone) -> None: ...

    def close(self, traffic: Traffic) -> None:
        """Nothing follows."""


def make_search_view(*, as_json: bool, nodes: bool) -> SearchView:
    """The form that suits stdout; `nodes` asks for the nodes in any case."""
    return _JsonSearch() if as_json else _PlainSearch(_tables(nodes=nodes))


def show_announced(told: Sequence[tuple[InfoHash, Announced]], port: int, *, as_json: bool, nodes: bool) -> None:
    """Who has noted an announce of `port`."""
    stored = sum(announced.stored for _, announced in told)
    asked = sum(announced.asked for _, announced in told)
    if as_json:
        for _, announced in told:
            for node_id, address, noted in announced.nodes:
                say_json({"event": "node", "address": str(address), "node_id": node_id.hex(), "noted": noted})
        say_json({"event": "announced", "port": port, "stored": stored, "asked": asked})
        return
    console = _tables(nodes=nodes)
    if console is not None:
        table = _table("near", "node", "id", "noted")
        for info_hash, announced in told:
            for node_id, address, noted in announced.nodes:
                table.add_row(_near(info_hash, node_id), str(address), node_id.hex()[:12], "yes" if noted else "no")
        console.print(table)
    say(f"{stored:,} of {asked:,} nodes have noted port {port}")


class _JsonSearch:
    """An object for each peer, each node asked, and the end."""

    def __init__(self) -> None:
        self.peers: dict[Address, None] = {}
        self._ends: list[SearchDone] = []

    def show_peers(self, found: PeersFound) -> None:
        source = None if found.source is None else str(found.source)
        for address in found.peers:
            if address not in self.peers:
                self.peers[address] = None
                say_json({"event": "peer", "host": address.host, "port": address.port, "told_by": source})

    def show_end(self, done: SearchDone) -> None:
        self._ends.append(done)
        for node in done.trail:
            where: dict[str, Json] = {
                "address": str(node.address),
                "node_id": node.node_id.hex(),
                "bits": node.bits,
                "hop": node.hop,
            }
            say_json({"event": "node", **where, "took": node.took, "peers": node.peers, "nodes": node.nodes})

    def close(self, traffic: Traffic) -> None:
        search: dict[str, Json] = {
            "asked": sum(done.asked for done in self._ends),
            "answered": sum(done.answered for done in self._ends),
            "hops": max((done.hops for done in self._ends), default=0),
            "took": sum(done.took for done in self._ends),
        }
        total: dict[str, Json] = {"queries": traffic.queries_sent, "answers": traffic.responses_received}
        say_json({"event": "done", "peers": len(self.peers), **search, **total})


class _PlainSearch:
    """A line for each peer; the nodes asked, where there is a console for tables."""

    def __init__(self, tables: Console | None) -> None:
        self.peers: dict[Address, None] = {}
        self._tables = tables

    def show_peers(self, found: PeersFound) -> None:
        for address in found.peers:
            if address not in self.peers:
                self.peers[address] = None
                say(str(address))

    def show_end(self, done: SearchDone) -> None:
        if self._tables is None:
            return
        table = _table("hop", "near", "node", "id", "ms", "peers", "nodes")
        for node in done.trail:
            table.add_row(*_row(node))
        self._tables.print()
        self._tables.print(table)
        went = f"{count(done.peers, 'peer')} in {count(done.hops, 'hop')} and {1_000 * done.took:.0f} ms"
        say(f"{went}; {count(done.asked, 'node')} asked, {done.answered:,} answered")

    def close(self, traffic: Traffic) -> None:
        if self._tables is not None:
            say(f"with joining: {traffic.queries_sent:,} queries, {traffic.responses_received:,} answers")


def _tables(*, nodes: bool) -> Console | None:
    """Where tables go: to a terminal, and elsewhere only if the nodes are asked for."""
    console = live_console()
    if console is None and nodes:
        return Console(markup=False, highlight=False, emoji=False, width=PLAIN_WIDTH)
    return console


def _table(*names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in names:
        figure = name in ("hop", "near", "ms", "peers", "nodes")
        table.add_column(name, justify="right" if figure else "left", no_wrap=True, overflow="fold")
    return table


def _row(node: NodeAsked) -> tuple[str, ...]:
    known = str(node.hop), f"{node.bits} bits", str(node.address), node.node_id.hex()[:12]
    if node.took is None:
        return (*known, "-", "", "")
    return (*known, _milliseconds(node.took), str(node.peers or ""), str(node.nodes or ""))


def _milliseconds(seconds: float) -> str:
    """Whole ones: event loops count no finer."""
    return f"{1_000 * seconds:.0f}" if seconds >= 0.001 else "<1"


def _near(target: bytes, node_id: bytes) -> str:
    """How many bits an id shares with a target."""
    differing = (int.from_bytes(target[:20], "big") ^ int.from_bytes(node_id, "big")).bit_length()
    return f"{160 - differing} bits"
