"""How a DHT node is shown: tables drawn anew on a terminal, plain lines elsewhere, JSON for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from p2p.cli.console import say, say_json
from p2p.cli.reporters import live_console
from p2p.quantities import count, format_duration, format_size

if TYPE_CHECKING:
    from p2p.cli.console import Json
    from p2p.dht.events import FamilyView, NodeView

LINE_INTERVAL: Final = 10.0
"""Seconds between plain lines."""

SHOWN_BUCKETS: Final = 12
SHOWN_HASHES: Final = 8
"""Rows of the live tables, so that a node fits a terminal of ordinary height."""


class NodeViewer(Protocol):
    """Shows a node; `now` is the loop's time in seconds."""

    def show(self, view: NodeView, now: float) -> None: ...

    def close(self) -> None:
        """Nothing follows."""


def make_view(port: int, *, as_json: bool) -> NodeViewer:
    """The form that suits stdout, of a node at UDP `port`."""
    if as_json:
        return _JsonView(port)
    console = live_console()
    return _LineView(port) if console is None else _LiveView(port, console)


class _JsonView:
    """An object when the node begins, and its state every second."""

    def __init__(self, port: int) -> None:
        say_json({"event": "listening", "port": port})

    def show(self, view: NodeView, now: float) -> None:  # noqa: ARG002 - the port's shape
        families: list[Json] = [_family_json(family) for family in view.families]
        running = {"searches": view.searches, "waiting": view.waiting}
        say_json({"event": "state", "families": families, "traffic": asdict(view.traffic), **running})

    def close(self) -> None:
        """Everything has been said."""


class _LineView:
    """A line at once, and one every LINE_INTERVAL."""

    def __init__(self, port: int) -> None:
        say(f"listening on UDP port {port}")
        self._due: float | None = None

    def show(self, view: NodeView, now: float) -> None:
        if self._due is None or now >= self._due:
            self._due = now + LINE_INTERVAL
            parts = [f"{_name(family)}: {_nodes(family)}, {_stored(family)}" for family in view.families]
            say("; ".join([*parts, _traffic(view)]))

    def close(self) -> None:
        """Everything has been said."""


class _LiveView:
    def __init__(self, port: int, console: Console) -> None:
        self._port = port
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def show(self, view: NodeView, now: float) -> None:  # noqa: ARG002 - the port's shape
        parts = [part for family in view.families for part in _family_tables(family)]
        foot = Text(f"UDP port {self._port}, {_traffic(view)}, Ctrl-C stops", style="dim")
        self._live.update(Group(*parts, foot), refresh=True)

    def close(self) -> None:
        self._live.stop()


def _family_tables(family: FamilyView) -> list[Text | Table]:
    """Who we are and whom we know in one family, its buckets, and what it stores."""
    outside = "" if family.outside is None else f", seen as {family.outside}"
    parts: list[Text | Table] = [Text(f"{_name(family)}  {family.node_id.hex()}{outside}", style="bold")]
    parts.append(Text(f"{_nodes(family)}, {_stored(family)}{_rtt(family)}"))
    buckets = Table("prefix", "nodes", "good", "waiting", "changed", box=None, padding=(0, 2, 0, 0))
    for bucket in family.buckets[:SHOWN_BUCKETS]:
        cells = (f"{bucket.prefix_bits} bits", bucket.contacts, bucket.good, bucket.waiting)
        buckets.add_row(*map(str, cells), format_duration(bucket.changed))
    parts.append(buckets)
    if family.hashes:
        hashes = Table("info-hash", "peers", box=None, padding=(0, 2, 0, 0))
        for info_hash, peers in family.hashes[:SHOWN_HASHES]:
            hashes.add_row(info_hash.hex(), f"{peers:,}")
        parts.append(hashes)
    return parts


def _family_json(family: FamilyView) -> dict[str, Json]:
    return {
        "ipv6": family.ipv6,
        "node_id": family.node_id.hex(),
        "outside": family.outside,
        "good": family.good,
        "questionable": family.questionable,
        "bad": family.bad,
        "buckets": [asdict(bucket) for bucket in family.buckets],
        "stored_hashes": family.stored_hashes,
        "stored_peers": family.stored_peers,
        "hashes": [{"info_hash": info_hash.hex(), "peers": peers} for info_hash, peers in family.hashes],
        "rtt": family.rtt,
        "stall_after": family.stall_after,
    }


def _name(family: FamilyView) -> str:
    return "IPv6" if family.ipv6 else "IPv4"


def _nodes(family: FamilyView) -> str:
    return f"{family.good:,} good, {family.questionable:,} questionable and {count(family.bad, 'bad node')}"


def _stored(family: FamilyView) -> str:
    return f"{count(family.stored_peers, 'peer')} of {count(family.stored_hashes, 'torrent')} stored"


def _rtt(family: FamilyView) -> str:
    if family.rtt is None:
        return ""
    usual, late = 1_000 * family.rtt, 1_000 * family.stall_after
    return f"\nround trip {usual:.0f} ms; searches go on without an answer after {late:.0f} ms"


def _traffic(view: NodeView) -> str:
    traffic = view.traffic
    received, sent = format_size(traffic.bytes_received), format_size(traffic.bytes_sent)
    return f"received {traffic.received:,} datagrams ({received}), sent {traffic.sent:,} ({sent})"
