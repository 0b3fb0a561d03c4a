"""Transfer rate over loopback: Starling and libtorrent in all four pairings, in one run, interleaved.

Content is random bytes on tmpfs in one version 1 torrent. Each side is a process of its own; the leech dials the seed.
Two rates are reported. The inner one runs from the last report of the leech that showed no payload to its report that
every piece is held and hash-checked. The outer one runs from the leech's start of work (its first event, so an
interpreter's start-up counts in neither) to the same end. CPU is user and system time of all threads of a side between
these outer two moments, memory the peak resident set in that time (`VmHWM`, with file pages that a side has mapped) and
the peak of its anonymous part, sampled.
"""

from __future__ import annotations

import argparse
import filecmp
import itertools
import json
import os
import queue
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import libtorrent as lt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LIBTORRENT_PEER = Path(__file__).resolve().parents[1] / "tests" / "interop" / "libtorrent_peer.py"
HOST = "127.0.0.1"
MIB = 1 << 20
GIB = 1 << 30
SAMPLE_EVERY = 0.05
"""Seconds between looks at a process's memory."""
TICKS = os.sysconf("SC_CLK_TCK")


class Side:
    """One process of a pairing: its events as they come, its CPU time and its memory."""

    def __init__(self, name: str, argv: list[str], home: Path) -> None:
        self.name = name
        state = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(home))
        self._log = (home / f"{name.replace(' ', '-')}.log").open("w+b")
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, env=os.environ | state
        )
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name=f"output of {name}")
        self._reader.start()
        self.peak_resident = 0
        self.peak_anonymous = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._log.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                if line.startswith(b"{"):
                    self._events.put(json.loads(line))
        self._events.put(None)

    def next_event(self, seconds: float) -> dict[str, Any]:
        """The next event; SystemExit with the side's last words when it ends or stays silent that long."""
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            event = None
        if event is None or event["event"] == "error":
            self._log.flush()
            self._log.seek(0)
            said = self._log.read().decode(errors="replace")[-2_000:]
            raise SystemExit(f"error: {self.name}: {event or 'ended or fell silent'}\n{said}")
        return event

    def until(self, name: str, seconds: float) -> dict[str, Any]:
        """The next event of that name, within so many seconds of silence."""
        while (event := self.next_event(seconds))["event"] != name:
            pass
        return event

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far; readable until the process is waited for."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def forget_peak(self) -> None:
        """Starts the peak of resident memory anew, so that checking before the transfer does not count."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def sample_memory(self) -> None:
        rows = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        values = {key: value for key, _, value in (row.partition(":") for row in rows)}
        if "VmHWM" in values:  # a process that has ended has no memory left to speak of
            self.peak_resident = max(self.peak_resident, int(values["VmHWM"].split()[0]) * 1024)
            self.peak_anonymous = max(self.peak_anonymous, int(values["RssAnon"].split()[0]) * 1024)


class Sampler:
    """Samples the memory of both sides in the background while a transfer runs."""

    def __init__(self, sides: Iterable[Side]) -> None:
        self._sides = list(sides)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory sampler")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(SAMPLE_EVERY):
            for side in self._sides:
                side.sample_memory()


@dataclass(frozen=True, slots=True)
class Place:
    """What is transferred, where from, and where to."""

    torrent: Path
    content: Path
    target: Path
    home: Path
    port: int
    leech_profile: str

    @property
    def size(self) -> int:
        return self.content.stat().st_size


STARLING = str(Path(sys.executable).with_name("starling"))
STARLING_OPTIONS = ("--bind", HOST, "--no-trackers", "--no-dht", "--no-lsd", "--encryption", "off", "--json")


def starling_seed(place: Place) -> list[str]:
    what = (str(place.content), "--torrent", str(place.torrent), "--port", str(place.port))
    return [STARLING, "seed", *what, *STARLING_OPTIONS]


def starling_leech(place: Place) -> list[str]:
    what = (str(place.torrent), "-o", str(place.target), "--peer", f"{HOST}:{place.port}")
    return [STARLING, "download", *what, *STARLING_OPTIONS]


def libtorrent_seed(place: Place) -> list[str]:
    what = (str(place.torrent), str(place.content.parent), "--listen", f"{HOST}:{place.port}")
    return [sys.executable, str(LIBTORRENT_PEER), "seed", *what, "--profile", "high-performance-seed"]


def libtorrent_leech(place: Place) -> list[str]:
    what = (str(place.torrent), str(place.target), "--listen", f"{HOST}:{free_port()}")
    how = ("--peer", f"{HOST}:{place.port}", "--profile", place.leech_profile)
    return [sys.executable, str(LIBTORRENT_PEER), "download", *what, *how]


SEEDS: dict[str, Callable[[Place], list[str]]] = {"libtorrent": libtorrent_seed, "starling": starling_seed}
LEECHES: dict[str, Callable[[Place], list[str]]] = {"libtorrent": libtorrent_leech, "starling": starling_leech}
BASELINE = "libtorrent -> libtorrent"
PAIRINGS = {f"{seed} -> {leech}": (seed, leech) for seed, leech in itertools.product(SEEDS, LEECHES)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Figures:
    """One transfer. Rates in MiB/s, CPU in seconds per GiB, memory in MiB."""

    rate: float
    outer_rate: float
    seed_cpu: float
    leech_cpu: float
    seed_resident: float
    leech_resident: float
    seed_anonymous: float
    leech_anonymous: float


def shows_no_payload(event: dict[str, Any]) -> bool:
    """Whether, as of this report of a leech, nothing had arrived yet (`first_payload` carries such a moment)."""
    return event["event"] != "complete" and not event.get("downloaded")


def transfer(seed: str, leech: str, place: Place, patience: float) -> Figures:
    """Runs one pairing once; SystemExit when a side fails or the bytes differ."""
    shutil.rmtree(place.target, ignore_errors=True)
    shutil.rmtree(place.home, ignore_errors=True)
    for folder in (place.target, place.home / "seed", place.home / "leech"):
        folder.mkdir(parents=True)
    with Side(f"{seed} seed", SEEDS[seed](place), place.home / "seed") as seeding:
        seeding.until("complete", patience)
        seeding.forget_peak()
        with Side(f"{leech} leech", LEECHES[leech](place), place.home / "leech") as leeching:
            first = leeching.next_event(patience)
            cpu_before = seeding.cpu_seconds(), leeching.cpu_seconds()
            with Sampler((seeding, leeching)):
                last_empty = event = first
                while event["event"] != "complete":
                    event = leeching.next_event(patience)
                    if shows_no_payload(event):
                        last_empty = event
            seed_cpu, leech_cpu = (
                side.cpu_seconds() - before for side, before in zip((seeding, leeching), cpu_before, strict=True)
            )
            seeding.sample_memory()
    if not filecmp.cmp(place.content, place.target / place.content.name, shallow=False):
        raise SystemExit(f"error: {seed} -> {leech}: other bytes arrived")
    return Figures(
        rate=place.size / MIB / (event["time"] - last_empty["time"]),
        outer_rate=place.size / MIB / (event["time"] - first["time"]),
        seed_cpu=seed_cpu * GIB / place.size,
        leech_cpu=leech_cpu * GIB / place.size,
        seed_resident=seeding.peak_resident / MIB,
        leech_resident=leeching.peak_resident / MIB,
        seed_anonymous=seeding.peak_anonymous / MIB,
        leech_anonymous=leeching.peak_anonymous / MIB,
    )


def make_content(folder: Path, size: int, piece_length: int) -> tuple[Path, Path]:
    """Random content of that size below `folder` and a version 1 torrent of it: (torrent, content)."""
    content = folder / "content" / "payload.bin"
    content.parent.mkdir()
    rng = random.Random(size)
    with content.open("wb") as file:
        for begin in range(0, size, 16 * MIB):
            file.write(rng.randbytes(min(16 * MIB, size - begin)))
    draft = lt.create_torrent(lt.list_files(str(content)), piece_length, lt.create_torrent.v1_only)
    lt.set_piece_hashes(draft, str(content.parent))
    torrent = folder / "payload.torrent"
    torrent.write_bytes(lt.bencode(draft.generate()))
    return torrent, content


def medians(rounds: Sequence[Figures]) -> Figures:
    """Each figure's median over the rounds, by itself."""
    rows = [asdict(figures) for figures in rounds]
    return Figures(**{name: statistics.median(row[name] for row in rows) for name in rows[0]})


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def table(results: dict[str, list[Figures]]) -> str:
    """Medians as Markdown: each side's cost is `seed / leech`; ratios are to libtorrent on both sides."""
    head = (
        "seed -> leech",
        "MiB/s",
        "(outer)",
        "ratio",
        "CPU s/GiB",
        "peak RSS MiB",
        "of it anonymous",
        "rounds MiB/s",
    )
    base = medians(results[BASELINE]).rate if BASELINE in results else None
    rows = []
    for name, rounds in results.items():
        middle = medians(rounds)
        rows.append(
            (
                name,
                f"{middle.rate:.0f}",
                f"{middle.outer_rate:.0f}",
                "" if base is None else f"{middle.rate / base:.2f}",
                f"{middle.seed_cpu:.2f} / {middle.leech_cpu:.2f}",
                f"{middle.seed_resident:.0f} / {middle.leech_resident:.0f}",
                f"{middle.seed_anonymous:.0f} / {middle.leech_anonymous:.0f}",
                " ".join(f"{figures.rate:.0f}" for figures in rounds),
            )
        )
    return markdown(head, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="MiB of content (1024)")
    parser.add_argument("--piece-length", type=int, default=1024, help="KiB a piece (1024)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (3)")
    parser.add_argument("--pairing", action="append", choices=PAIRINGS, help="only these (all four)")
    profiles = ("default", "high-performance-seed")
    parser.add_argument("--leech-profile", choices=profiles, default="default", help="libtorrent's leech (default)")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="a folder on tmpfs (/dev/shm)")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds of silence that end the run (60)")
    parser.add_argument("--json", action="store_true", help="every round's figures as JSON instead of the table")
    args = parser.parse_args()
    pairings: list[str] = args.pairing or list(PAIRINGS)
    results: dict[str, list[Figures]] = {name: [] for name in pairings}
    with tempfile.TemporaryDirectory(prefix="starling-transfer-", dir=args.folder) as name:
        folder = Path(name)
        torrent, content = make_content(folder, args.size * MIB, args.piece_length * 1024)
        for _, pairing in itertools.product(range(args.rounds), pairings):
            place = Place(torrent, content, folder / "target", folder / "home", free_port(), args.leech_profile)
            figures = transfer(*PAIRINGS[pairing], place, args.patience)
            results[pairing].append(figures)
            print(f"{pairing}: {figures.rate:.0f} MiB/s", file=sys.stderr, flush=True)
    if args.json:
        print(json.dumps({name: [asdict(figures) for figures in rounds] for name, rounds in results.items()}))
    else:
        print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
