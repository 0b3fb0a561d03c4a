"""How transfers are shown: live on a terminal, plain lines elsewhere, JSON for programs.

The rule: all of it goes to stdout, line by line and at once, because it is what the command has to say; stderr is for
the line that says why a torrent failed. Names from outside are data, never markup or control characters.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from p2p.cli.console import complain, say, say_json
from p2p.disk.refusals import printable
from p2p.metainfo.magnet import Magnet
from p2p.quantities import format_duration, format_rate, format_size
from p2p.session.event_bus import Event, EventKind
from p2p.session.snapshot import TorrentSnapshot, TorrentState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.cli.console import Json
    from p2p.cli.transfers import Reporter, Transfer
    from p2p.session.snapshot import PeerSnapshot

LINE_INTERVAL: Final = 10.0
"""Seconds between plain lines of a torrent whose state does not change."""

_FIRST_LINE: Final = {TorrentState.CHECKING: 1.0, TorrentState.SEEDING: LINE_INTERVAL}
"""Seconds in a state before its first line: most checks are over at once, and completion has a line of its own."""

JSON_INTERVAL: Final = 1.0
"""Seconds between `progress` objects of a torrent."""


def make_reporter(*, as_json: bool, wall: Callable[[], float]) -> Reporter:
    """The form that suits stdout. `wall` is seconds since the epoch."""
    if as_json:
        return JsonReporter(wall)
    console = live_console()
    return LineReporter() if console is None else LiveReporter(console)


def live_console() -> Console | None:
    """Stdout, if it is a terminal on which lines can be drawn anew."""
    console = Console(markup=False, highlight=False, emoji=False)
    # Rich takes FORCE_COLOR for a terminal, which a build's log that wants colour is not.
    return console if sys.stdout.isatty() and not console.is_dumb_terminal else None


class _Stopwatch:
    """When each torrent was added, on the loop's clock."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}

    def start(self, info_hash: str, now: float) -> None:
        self._began[info_hash] = now

    def seconds(self, info_hash: str, now: float) -> float:
        return now - self._began.get(info_hash, now)


# -- JSON


class JsonReporter:
    """One object a line; README and `--help` name the events."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._stopwatch = _Stopwatch()
        self._port = 0
        self._due: dict[str, float] = {}

    def start(self, port: int) -> None:
        self._port = port

    def event(self, event: Event, transfer: Transfer, now: float) -> None:
        snapshot = transfer.snapshot()
        facts: dict[str, Json] = {}
        match event.kind:
            case EventKind.ADDED:
                self._stopwatch.start(event.info_hash, now)
                facts = self._added(transfer)
            case EventKind.COMPLETE:
                facts = {**_figures(snapshot), **self._summary(snapshot, now)}
            case EventKind.ERROR | EventKind.STOPPED:
                facts = {"message": event.message, **_figures(snapshot)}
            case EventKind.METADATA:
                facts = {
                    "name": snapshot.name,
                    "total_size": snapshot.total_size,
                    "piece_count": snapshot.piece_count,
                }
            case _:
                facts = {"name": snapshot.name}
        self._say(event.kind.value, event.time, event.info_hash, facts)
        if _is_failure(event, snapshot):
            complain(_failure(event, snapshot))

    def progress(self, transfers: Sequence[Transfer], now: float) -> None:
        for transfer in transfers:
            info_hash = transfer.torrent.info_hash
            if now < self._due.get(info_hash, now) or transfer.torrent.state is TorrentState.STOPPED:
                continue
            self._due[info_hash] = now + JSON_INTERVAL
            snapshot = transfer.snapshot()
            connections: list[Json] = [_connection(peer) for peer in snapshot.peers]
            self._say("progress", self._wall(), info_hash, {**_figures(snapshot), "connections": connections})

    def close(self) -> None:
        """Every line is out already."""

    def _say(self, kind: str, time: float, info_hash: str, facts: dict[str, Json]) -> None:
        say_json({"event": kind, "time": round(time, 3), "info_hash": info_hash, **facts})
        sys.stdout.flush()

    def _added(self, transfer: Transfer) -> dict[str, Json]:
        metainfo, file = transfer.torrent.metainfo, transfer.job.torrent_file
        return {
            "name": transfer.torrent.name,
            "port": self._port,
            "total_size": None if metainfo is None else metainfo.total_size,
            "piece_count": None if metainfo is None else metainfo.piece_count,
            "target": str(transfer.torrent.target),
            "torrent": None if file is None else str(file),
            "magnet": _magnet(transfer).uri(),
        }

    def _summary(self, snapshot: TorrentSnapshot, now: float) -> dict[str, Json]:
        seconds = self._stopwatch.seconds(snapshot.info_hash, now)
        mean = snapshot.session_downloaded / seconds if seconds > 0 else 0.0
        return {"size": snapshot.wanted_size, "seconds": round(seconds, 3), "mean_rate": round(mean)}


def _magnet(transfer: Transfer) -> Magnet:
    source = transfer.job.source
    return source if isinstance(source, Magnet) else Magnet.from_metainfo(source)


def _figures(snapshot: TorrentSnapshot) -> dict[str, Json]:
    """Sizes are bytes, rates bytes a second; `downloaded` and `uploaded` count all runs."""
    return {
        "name": snapshot.name,
        "state": snapshot.state.value,
        "message": snapshot.message,
        "progress": round(snapshot.progress, 6),
        "check_progress": round(snapshot.check_progress, 6),
        "done": snapshot.done_size,
        "total": snapshot.wanted_size,
        "rate_down": round(snapshot.rate_down),
        "rate_up": round(snapshot.rate_up),
        "downloaded": snapshot.downloaded,
        "uploaded": snapshot.uploaded,
        "ratio": round(snapshot.ratio, 4),
        "eta": None if snapshot.eta is None else round(snapshot.eta, 1),
        "seeders": snapshot.connected_seeders,
        "leechers": snapshot.connected_leechers,
        "peers": len(snapshot.peers),
        "swarm_seeders": snapshot.swarm_seeders,
        "swarm_leechers": snapshot.swarm_leechers,
        "pieces_had": snapshot.pieces_had,
        "piece_count": snapshot.piece_count,
    }


def _connection(peer: PeerSnapshot) -> dict[str, Json]:
    return {
        "address": peer.address,
        "client": peer.client,
        "encrypted": peer.encrypted,
        "progress": round(peer.progress, 6),
        "rate_down": round(peer.rate_down),
        "rate_up": round(peer.rate_up),
        "downloaded": peer.downloaded,
        "uploaded": peer.uploaded,
        "unchoked": not peer.am_choking,
        "unchokes_us": not peer.peer_choking,
    }


# -- lines


class LineReporter:
    """A line for each change of state, and one every LINE_INTERVAL."""

    def __init__(self) -> None:
        self._stopwatch = _Stopwatch()
        self._states: dict[str, TorrentState] = {}
        self._due: dict[str, float] = {}

    def start(self, port: int) -> None:
        self._say(f"listening on port {port}")

    def event(self, event: Event, transfer: Transfer, now: float) -> None:
        snapshot = transfer.snapshot()
        name = printable(snapshot.name)
        match event.kind:
            case EventKind.ADDED:
                self._stopwatch.start(event.info_hash, now)
                place = printable(transfer.torrent.target)
                size = "metadata to be fetched" if snapshot.metadata_progress < 1 else format_size(snapshot.total_size)
                self._say(f"{name}: added, {size}, in {place}")
            case EventKind.METADATA:
                self._say(f"{name}: metadata is there, {format_size(snapshot.total_size)}")
            case EventKind.COMPLETE:
                self._say(completion(snapshot, self._stopwatch.seconds(event.info_hash, now)))
            case EventKind.STOPPED if snapshot.state is not TorrentState.ERROR:
                self._say(farewell(snapshot))
            case EventKind.ERROR if _is_failure(event, snapshot):
                complain(_failure(event, snapshot))
            case _:
                pass  # states are told as they are seen

    def progress(self, transfers: Sequence[Transfer], now: float) -> None:
        for transfer in transfers:
            state, key = transfer.torrent.state, transfer.torrent.info_hash
            if state in (TorrentState.QUEUED, TorrentState.STOPPED, TorrentState.ERROR):
                continue  # events tell
            if self._states.get(key) is not state:
                self._states[key] = state
                self._due[key] = now + _FIRST_LINE.get(state, 0.0)
            if now >= self._due[key]:
                self._due[key] = now + LINE_INTERVAL
                self._say(_line(transfer.snapshot()))

    def close(self) -> None:
        """Every line is out already."""

    def _say(self, line: str) -> None:
        say(line)
        sys.stdout.flush()


def completion(snapshot: TorrentSnapshot, seconds: float) -> str:
    """What became of a download, in one line."""
    name, size = printable(snapshot.name), format_size(snapshot.wanted_size)
    if not snapshot.session_downloaded:
        return f"{name}: complete, all {size} are there"
    mean = format_rate(snapshot.session_downloaded / seconds) if seconds > 0 else "-"
    taken = f"{seconds:.1f}s" if seconds < 10 else format_duration(seconds)
    return f"{name}: complete, {size} in {taken}, {mean} on average, ratio {snapshot.ratio:.2f}"


def farewell(snapshot: TorrentSnapshot) -> str:
    """What a run did, in one line."""
    why = "" if snapshot.message is None else f" ({printable(snapshot.message)})"
    down, up = format_size(snapshot.session_downloaded), format_size(snapshot.session_uploaded)
    return f"{printable(snapshot.name)}: stopped{why}, downloaded {down}, uploaded {up}, ratio {snapshot.ratio:.2f}"


def _line(snapshot: TorrentSnapshot) -> str:
    parts = [f"{printable(snapshot.name)}: {_state(snapshot)}", *_amounts(snapshot), *_traffic(snapshot)]
    return ", ".join(parts)


def _state(snapshot: TorrentSnapshot) -> str:
    if snapshot.message is not None:
        return f"{snapshot.state.value} ({printable(snapshot.message)})"
    return snapshot.state.value


def _share(snapshot: TorrentSnapshot) -> float:
    """How far what is going on is, from 0 to 1."""
    if snapshot.state is TorrentState.METADATA:
        return snapshot.metadata_progress
    return snapshot.check_progress if snapshot.state is TorrentState.CHECKING else snapshot.progress


def _amounts(snapshot: TorrentSnapshot) -> list[str]:
    if snapshot.state is TorrentState.CHECK_QUEUED:
        return []
    percent = f"{100 * _share(snapshot):.0f}%" if _share(snapshot) in (0, 1) else f"{100 * _share(snapshot):.1f}%"
    if snapshot.state in (TorrentState.CHECKING, TorrentState.METADATA):
        return [percent]
    parts = [percent, f"{format_size(snapshot.done_size)} of {format_size(snapshot.wanted_size)}"]
    if snapshot.eta is not None:
        parts.append(f"{format_duration(snapshot.eta)} left")
    return parts


def _traffic(snapshot: TorrentSnapshot) -> list[str]:
    if snapshot.state in (TorrentState.CHECKING, TorrentState.CHECK_QUEUED):
        return []
    if snapshot.state is TorrentState.METADATA:
        return [f"peers {len(snapshot.peers)}"]
    return [
        f"down {format_rate(snapshot.rate_down)}",
        f"up {format_rate(snapshot.rate_up)}",
        f"seeders {_peers(snapshot.connected_seeders, snapshot.swarm_seeders)}",
        f"leechers {_peers(snapshot.connected_leechers, snapshot.swarm_leechers)}",
        f"ratio {snapshot.ratio:.2f}",
    ]


def _peers(connected: int, swarm: int | None) -> str:
    return str(connected) if swarm is None else f"{connected} of {max(connected, swarm)}"


def _is_failure(event: Event, snapshot: TorrentSnapshot) -> bool:
    """Whether this is the error that ended the torrent, rather than one that passes."""
    return event.kind is EventKind.ERROR and snapshot.state is TorrentState.ERROR


def _failure(event: Event, snapshot: TorrentSnapshot) -> str:
    message = event.message or "failed"
    return message if snapshot.name in message else f"{snapshot.name}: {message}"


# -- a terminal


class LiveReporter:
    """A few lines a torrent, drawn anew in place; what has happened scrolls by above them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)
        self._stopwatch = _Stopwatch()
        self._failures: list[str] = []
        self._rows: list[Group] = []
        self._port = 0

    def start(self, port: int) -> None:
        self._port = port
        self._live.start()

    def event(self, event: Event, transfer: Transfer, now: float) -> None:
        snapshot = transfer.snapshot()
        if event.kind is EventKind.ADDED:
            self._stopwatch.start(event.info_hash, now)
        elif event.kind is EventKind.COMPLETE:
            self._console.print(Text(completion(snapshot, self._stopwatch.seconds(event.info_hash, now))))
        elif _is_failure(event, snapshot):
            self._failures.append(_failure(event, snapshot))

    def progress(self, transfers: Sequence[Transfer], now: float) -> None:  # noqa: ARG002 - the port's shape
        self._rows = [_rows(transfer.snapshot()) for transfer in transfers]
        self._live.update(Group(*self._rows, Text(f"port {self._port}, Ctrl-C stops", style="dim")), refresh=True)

    def close(self) -> None:
        if self._live.is_started:
            self._live.update(Group(*self._rows))
            self._live.stop()
        for line in self._failures:
            complain(line)


def _rows(snapshot: TorrentSnapshot) -> Group:
    """Name and state, how far it is, what moves; and what is wrong, if something is."""
    head = Table.grid(expand=True, padding=(0, 2, 0, 0), pad_edge=False)
    head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    head.add_column(no_wrap=True, justify="right")
    head.add_row(Text(printable(snapshot.name), style="bold"), Text(snapshot.state.value))
    bar = Table.grid(expand=True, padding=(0, 2, 0, 0), pad_edge=False)
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True)
    bar.add_row(ProgressBar(total=1.0, completed=_share(snapshot)), Text("  ".join(_amounts(snapshot))))
    rows: list[RenderableType] = [head, bar, Text("  ".join(_traffic(snapshot)))]
    if snapshot.message is not None:
        rows.append(Text(printable(snapshot.message)))
    return Group(*rows)
