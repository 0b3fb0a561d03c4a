"""Making and verifying torrents: `starling create` and `starling verify` beside mktorrent and torf.

The same random content on tmpfs for all, in interleaved rounds, each run a process of its own, two hash threads where a
program can be told. Rates are content over wall time from start to end of the process, an interpreter's start included,
as a user waits for it. mktorrent cannot verify and is left out there, and everywhere when it is not installed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30
STARLING = str(Path(sys.executable).with_name("starling"))
THREADS = 2

TORF_CREATE = """
import sys, torf
torrent = torf.Torrent(sys.argv[1], piece_size=int(sys.argv[3]))
torrent.generate(threads=int(sys.argv[4]))
torrent.write(sys.argv[2])
"""
TORF_VERIFY = """
import sys, torf
sys.exit(not torf.Torrent.read(sys.argv[2]).verify(sys.argv[1], threads=int(sys.argv[4])))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one program. MiB/s of wall time, CPU seconds per GiB, peak resident MiB."""

    rate: float
    cpu: float
    resident: float


def commands(content: Path, torrent: Path, made: Path, piece_length: int) -> dict[str, list[str]]:
    """Name to argv. `made` is where a new torrent goes, `torrent` one of the content that exists."""
    torf = (str(piece_length), str(THREADS))
    power = str(piece_length.bit_length() - 1)
    table = {
        "create: starling": [STARLING, "create", str(content), "-o", str(made), "--piece-length", str(piece_length)],
        "create: mktorrent": ["mktorrent", "-t", str(THREADS), "-l", power, "-o", str(made), str(content)],
        "create: torf": [sys.executable, "-c", TORF_CREATE, str(content), str(made), *torf],
        "verify: starling": [STARLING, "verify", str(torrent), str(content)],
        "verify: torf": [sys.executable, "-c", TORF_VERIFY, str(content), str(torrent), *torf],
    }
    if shutil.which("mktorrent") is None:
        del table["create: mktorrent"]
    return table


def run(argv: list[str], size: int, log: Path) -> Run:
    """Runs a program to its end; SystemExit with its words when it fails."""
    with log.open("wb") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"error: {' '.join(argv)}: status {process.returncode}\n{log.read_text()[-2_000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(rate=size / MIB / seconds, cpu=cpu * GIB / size, resident=usage.ru_maxrss / 1024)


def make_content(folder: Path, size: int, files: int) -> Path:
    """A folder of so many files of equal size, random bytes."""
    content = folder / "content"
    content.mkdir()
    rng = random.Random(size)
    for number in range(files):
        with (content / f"file-{number:03}.bin").open("wb") as file:
            # Small writes: the kernel counts what this process has held as the peak of the children that it starts.
            for begin in range(0, size // files, MIB):
                file.write(rng.randbytes(min(MIB, size // files - begin)))
    return content


def table(results: dict[str, list[Run]]) -> str:
    """Medians as Markdown."""
    head = ("program", "MiB/s", "ratio to torf", "CPU s/GiB", "peak RSS MiB", "each round")
    rows = []
    for name, runs in results.items():
        rate = statistics.median(run.rate for run in runs)
        rival = results.get(f"{name.partition(':')[0]}: torf")
        ratio = f"{rate / statistics.median(run.rate for run in rival):.2f}" if rival else ""
        cpu = statistics.median(run.cpu for run in runs)
        resident = statistics.median(run.resident for run in runs)
        each = " ".join(f"{run.rate:.0f}" for run in runs)
        rows.append((name, f"{rate:.0f}", ratio, f"{cpu:.2f}", f"{resident:.0f}", each))
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2048, help="MiB of content (2048)")
    parser.add_argument("--files", type=int, default=4, help="files the content is made of (4)")
    parser.add_argument("--piece-length", type=int, default=1024, help="KiB a piece, a power of two (1024)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (3)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="only programs whose name contains TEXT")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="a folder on tmpfs (/dev/shm)")
    parser.add_argument("--json", action="store_true", help="every round's figures as JSON instead of the table")
    args = parser.parse_args()
    results: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory(prefix="starling-hashing-", dir=args.folder) as name:
        folder = Path(name)
        content = make_content(folder, args.size * MIB, args.files)
        torrent, made = folder / "content.torrent", folder / "made.torrent"
        everything = commands(content, torrent, made, args.piece_length * 1024)
        torf_create = [str(torrent) if part == str(made) else part for part in everything["create: torf"]]
        run(torf_create, args.size * MIB, folder / "log")  # warms the page cache, and makes what `verify` reads
        chosen = {key: argv for key, argv in everything.items() if any(text in key for text in args.only or [""])}
        for _, (key, argv) in itertools.product(range(args.rounds), chosen.items()):
            made.unlink(missing_ok=True)
            results.setdefault(key, []).append(run(argv, args.size * MIB, folder / "log"))
            print(f"{key}: {results[key][-1].rate:.0f} MiB/s", file=sys.stderr, flush=True)
    if args.json:
        print(json.dumps({key: [asdict(figures) for figures in runs] for key, runs in results.items()}))
    else:
        print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
