"""`starling demo`: a swarm on this machine that anybody can watch, and a comparison of every byte at its end.

The rule: nothing is staged. The tracker, the seed and the leechers are processes of their own; peers know nothing but a
torrent file; what arrived is compared by hashes that have nothing to do with the torrent's.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import threading
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Protocol, TypeVar

import typer
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from p2p.cli import event_loop
from p2p.cli.console import complain, say, say_json
from p2p.cli.demo_content import MIN_SIZE, NAME, differences, make_content
from p2p.cli.demo_peers import DemoPeer, DemoSwarm
from p2p.cli.options import parse_limit
from p2p.cli.quantities import parse_size
from p2p.cli.reporters import live_console
from p2p.cli.stop_signals import INTERRUPTED, TERMINATED, StoppedError, StopSignals
from p2p.disk.refusals import refusal
from p2p.errors import StarlingError
from p2p.quantities import format_rate, format_size

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Callable, Sequence

    from rich.console import Console

    from p2p.cli.console import Json

T = TypeVar("T")

_EXAMPLES: Final = """\b
Examples:
  starling demo
  starling demo --leechers 8 --size 128MiB
"""

DEFAULT_SIZE: Final = 64 << 20
LOOPBACK: Final = "127.0.0.1"
REFRESH: Final = 0.25
"""Seconds between two looks at the swarm."""

LINE_INTERVAL: Final = 2.0
"""Seconds between plain lines: there are some five in a run."""

SEED_SECONDS: Final = 7.0
"""Seconds in which the seed may send one copy; leechers may send one in as long. The swarm takes little longer, because
leechers pass on what they have. It is there to be watched, so it must not be over at once."""

STANDSTILL: Final = 60.0
"""Seconds without any progress after which the demo gives up."""

TRACKER_CONFIG: Final = """
[announce]
interval = "10s"
min_interval = "2s"
"""
"""Leechers that came at the same moment must hear of each other soon."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo", epilog=_EXAMPLES)(demo_command)


def _parse_demo_size(text: str) -> int:
    size = parse_size(text)
    if size < MIN_SIZE:
        raise typer.BadParameter(f"the demo's files take at least {format_size(MIN_SIZE)}")
    return size


def demo_command(
    *,
    leechers: Annotated[int, typer.Option(metavar="N", min=1, max=16, help="How many peers download.")] = 4,
    size: Annotated[
        int | None, typer.Option(metavar="SIZE", parser=_parse_demo_size, help="What they download (default: 64MiB).")
    ] = None,
    limit_up: Annotated[
        int | None,
        typer.Option(
            "--limit-up",
            metavar="RATE",
            parser=parse_limit,
            help=f"What each peer may send (default: SIZE in {SEED_SECONDS:.0f} seconds).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> int:
    """Watch a swarm share real files on this machine.

    Runs a tracker, a seed and several leechers, each in a process of its own, on loopback alone; then compares every
    byte with the source. Needs no network, and leaves nothing behind.
    """
    size = DEFAULT_SIZE if size is None else size
    limit_up = max(1, round(size / SEED_SECONDS)) if limit_up is None else limit_up
    return event_loop.run(_demo(leechers, size, limit_up, _make_view(as_json=as_json)))


async def _demo(leechers: int, size: int, limit_up: int, view: _View) -> int:
    with StopSignals() as signals:
        try:
            async with signals.interrupting(), _folder() as folder:
                return await _run(folder, leechers, size, limit_up, view)
        except StoppedError:
            return _status(signals.received)
        finally:
            view.close()


def _status(number: signal.Signals | None) -> int:
    return TERMINATED if number is not None and number.name == "SIGTERM" else INTERRUPTED


@asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    try:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="starling-demo-"))
    except OSError as error:
        raise refusal(error, tempfile.gettempdir()) from error
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)


async def _run(folder: Path, leechers: int, size: int, limit_up: int, view: _View) -> int:
    loop = asyncio.get_running_loop()
    view.say(f"making {format_size(size)} of files")
    source = await _in_thread(lambda halted: make_content(folder / "seed", size, halted=halted))
    async with DemoSwarm(folder) as swarm:
        url = await swarm.start_tracker(TRACKER_CONFIG, "--bind", LOOPBACK, "--http-port", "0", "--no-udp")
        options = ("--bind", LOOPBACK, "--no-dht", "--no-lsd", "--limit-up", str(limit_up), "--json")
        seed = await swarm.start("seed", "seed", source, "--tracker", url, *options)
        while not seed.complete:
            await swarm.changed(REFRESH)
        view.say(f"tracker at {url}")
        view.say(f"seed on port {seed.figures['port']}, sends at most {format_rate(limit_up)}")
        began = loop.time()
        torrent = folder / f"{NAME}.torrent"
        for number in range(1, leechers + 1):
            name = f"leecher {number}"
            await swarm.start(name, "download", torrent, "-o", folder / name, "--seed", *options)
        await _watch(swarm, view, began)
        seconds = loop.time() - began
        await swarm.stop()
        if swarm.failure is not None:
            raise StarlingError(swarm.failure)
        view.show(swarm.peers, seconds)
    view.say(f"all complete after {seconds:.1f}s; comparing every byte with the source")
    wrong: list[str] = []
    for peer in swarm.peers[1:]:
        wrong += await _in_thread(partial(_compare, source, folder, peer.name))
    view.close()
    view.conclude(swarm.peers, size, seconds, wrong)
    for line in wrong:
        complain(line)
    return 1 if wrong else 0


def _compare(source: Path, folder: Path, name: str, halted: Callable[[], bool]) -> list[str]:
    return [f"{name}: {line}" for line in differences(source, folder / name / NAME, halted=halted)]


async def _in_thread(work: Callable[[Callable[[], bool]], T]) -> T:
    """The result of `work` in a thread, which is over when this is, however it ends: files in use cannot be removed."""
    halted = threading.Event()
    job = asyncio.ensure_future(asyncio.to_thread(work, halted.is_set))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        halted.set()
        await asyncio.wait([job])
        raise


async def _watch(swarm: DemoSwarm, view: _View, began: float) -> None:
    """Until every leecher has everything. Raises StarlingError when a peer fails or nothing moves any more."""
    loop = asyncio.get_running_loop()
    had, moved = 0, loop.time()
    while not all(peer.complete for peer in swarm.peers):
        await swarm.changed(REFRESH)
        now = loop.time()
        view.show(swarm.peers, now - began)
        have = sum(peer.figures.get("pieces_had", 0) for peer in swarm.peers)
        if have != had:
            had, moved = have, now
        elif now - moved > STANDSTILL:
            raise StarlingError(f"nothing has moved for {STANDSTILL:.0f} seconds")


# -- what the user sees


class _View(Protocol):
    def say(self, line: str) -> None: ...

    def show(self, peers: Sequence[DemoPeer], seconds: float) -> None:
        """The swarm as it is, `seconds` after the leechers began."""

    def conclude(self, peers: Sequence[DemoPeer], size: int, seconds: float, wrong: Sequence[str]) -> None:
        """How it ended; `wrong` has a line for each file that is not as it should be."""

    def close(self) -> None:
        """Draw no more; idempotent."""


def _make_view(*, as_json: bool) -> _View:
    if as_json:
        return _JsonView()
    console = live_console()
    return _LineView() if console is None else _LiveView(console)


def _copies(peers: Sequence[DemoPeer], size: int) -> float:
    return int(peers[0].figures.get("uploaded", 0)) / size


class _JsonView:
    def say(self, line: str) -> None:
        """Programs read the end alone."""

    def show(self, peers: Sequence[DemoPeer], seconds: float) -> None:
        """The same."""

    def conclude(self, peers: Sequence[DemoPeer], size: int, seconds: float, wrong: Sequence[str]) -> None:
        members: list[Json] = [
            {
                "name": peer.name,
                "complete": peer.complete,
                "downloaded": peer.figures.get("downloaded"),
                "uploaded": peer.figures.get("uploaded"),
            }
            for peer in peers
        ]
        say_json(
            {
                "verified": not wrong,
                "mismatches": list(wrong),
                "leechers": len(peers) - 1,
                "size": size,
                "seconds": round(seconds, 3),
                "seed_copies": round(_copies(peers, size), 3),
                "peers": members,
            }
        )

    def close(self) -> None:
        """There is nothing to take down."""


class _LineView:
    def __init__(self) -> None:
        self._due = 0.0

    def say(self, line: str) -> None:
        say(line)
        sys.stdout.flush()

    def show(self, peers: Sequence[DemoPeer], seconds: float) -> None:
        if seconds < self._due:
            return
        self._due = seconds + LINE_INTERVAL
        shares = ", ".join(f"{peer.name} {100 * peer.progress:.0f}%" for peer in peers[1:])
        self.say(f"{seconds:4.1f}s  {shares}")

    def conclude(
        self,
        peers: Sequence[DemoPeer],
        size: int,
        seconds: float,  # noqa: ARG002 - said already
        wrong: Sequence[str],
    ) -> None:
        count = len(peers) - 1
        who = "1 leecher holds" if count == 1 else f"{count} leechers hold"
        sent = f"the seed sent {_copies(peers, size):.1f} copies"
        if wrong:
            self.say(f"{len(wrong)} files are not as in the source; {sent}")
            return
        each = "" if count == 1 else " each"
        self.say(f"{who} {format_size(size)}{each}, every byte verified; {sent}")

    def close(self) -> None:
        """There is nothing to take down."""


class _LiveView(_LineView):
    """The lines, and a table below them while the swarm runs."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._live = Live(console=console, auto_refresh=False)
        self._table: Table | None = None

    def say(self, line: str) -> None:
        self._console.print(Text(line))

    def show(self, peers: Sequence[DemoPeer], seconds: float) -> None:  # noqa: ARG002 - the table needs no clock
        if self._table is None:
            self._live.start()
        self._table = _table(peers)
        # The short last line is where a terminal shows ^C: at the end of a full one it would shift the table.
        self._live.update(Group(self._table, Text("Ctrl-C stops", style="dim")), refresh=True)

    def close(self) -> None:
        if self._live.is_started and self._table is not None:
            self._live.update(self._table)
            self._live.stop()


def _table(peers: Sequence[DemoPeer]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("peer", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=11)
    table.add_column("", ratio=1)
    table.add_column("done", justify="right", no_wrap=True)
    for heading in ("down", "up", "seed/peers", "unchoked"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=10 if heading != "unchoked" else None)
    for peer in peers:
        is_seed = peer is peers[0]
        at_work = peer.figures.get("state") != "stopped"
        figures = [
            f"{100 * peer.progress:.0f}%",
            format_rate(peer.figures.get("rate_down", 0)) if at_work and not is_seed else "",
            format_rate(peer.figures.get("rate_up", 0)) if at_work else "",
            "" if is_seed else _origin(peer),
            f"{_unchokes(peer)} of {peer.figures.get('peers', 0)}" if at_work else "",
        ]
        table.add_row(
            Text(peer.name),
            Text(str(peer.figures.get("state", "starting"))),
            ProgressBar(total=1.0, completed=peer.progress),
            *map(Text, figures),
        )
    return table


def _origin(peer: DemoPeer) -> str:
    """How much of what it received came from the seed, and how much from the other leechers."""
    seen = peer.from_seed + peer.from_leechers
    share = round(100 * peer.from_seed / seen) if seen else 0
    return f"{share}/{100 - share}%" if seen else ""


def _unchokes(peer: DemoPeer) -> int:
    """Peers that it sends to now."""
    return sum(bool(connection["unchoked"]) for connection in peer.figures.get("connections", ()))
