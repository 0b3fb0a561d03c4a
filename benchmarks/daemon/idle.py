"""What many torrents cost that nobody asks for: memory, processor time, and the answers of the RPC.

Torrents of 64 pieces in three sparse files seed with 20 trackers on loopback addresses, each with an interval of half
an hour. Starling and transmission-daemon have the same torrents, one after the other, and the same questions: 12 fields
of all torrents, and what was recently active; Starling also what changed since a revision.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from content import sparse_torrents
from daemons import Daemon, Rpc, Starling, Trackers, Transmission, request, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = [
    "id",
    "name",
    "status",
    "percentDone",
    "rateDownload",
    "rateUpload",
    "eta",
    "uploadRatio",
    "totalSize",
    "leftUntilDone",
    "error",
    "addedDate",
]
TRACKERS = 20


def answers(daemon: Daemon, rpc: Rpc, body: bytes, times: int) -> dict[str, Any]:
    """Milliseconds of `times` questions in a row: the first, the median, the worst, and the processor time of one."""
    cpu = daemon.cpu()
    taken, size = zip(*(rpc.timed(body) for _ in range(times)), strict=True)
    seconds = [each * 1000 for each in taken]
    return {
        "first": seconds[0],
        "median": statistics.median(seconds),
        "worst": max(seconds),
        "cpu": 1000 * (daemon.cpu() - cpu) / times,
        "bytes": max(size),
    }


def measure(daemon: Daemon, options: argparse.Namespace, home: Path) -> dict[str, Any]:
    trackers = Trackers(TRACKERS, options.tracker_delay)
    told: dict[str, Any] = {"daemon": daemon.name, "torrents": options.torrents, "dht": options.dht}
    try:
        content = home / "content"
        with daemon:
            rpc = Rpc(daemon.rpc_port)
            told["empty MiB"] = daemon.memory()[0] / 2**20
            began = time.perf_counter()
            for made in sparse_torrents(content, options.torrents, trackers.urls):
                rpc.add(made.data, content)
            told["add s"] = time.perf_counter() - began
            told["seeding after s"] = wait_until("all seed", rpc.all_seed, options.patience)
            told["announced after s"] = wait_until(
                "all announced", lambda: trackers.counts()["announces"] >= options.torrents, options.patience
            )
            told["cpu s until then"] = daemon.cpu()
            told["trackers"] = trackers.counts()
            time.sleep(options.settle)
            cpu, switches, began = daemon.cpu(), daemon.switches(), time.perf_counter()
            time.sleep(options.seconds)
            passed = time.perf_counter() - began
            told["idle cpu %"] = 100 * (daemon.cpu() - cpu) / passed
            told["wake-ups/s"] = (daemon.switches() - switches) / passed
            told["rss MiB"], told["peak MiB"] = (size / 2**20 for size in daemon.memory())
            told["open files"] = daemon.open_files()
            told["announces in that time"] = trackers.counts()["announces"] - told["trackers"]["announces"]
            told["12 fields ms"] = answers(daemon, rpc, request("torrent-get", fields=FIELDS), options.rounds)
            told["table ms"] = answers(
                daemon, rpc, request("torrent-get", fields=FIELDS, format="table"), options.rounds
            )
            recent = request("torrent-get", fields=FIELDS, ids="recently-active")
            told["recent"] = len(json.loads(rpc.raw(recent))["arguments"]["torrents"])
            told["recently-active ms"] = answers(daemon, rpc, recent, options.rounds)
            if isinstance(daemon, Starling):
                told["since a revision ms"] = since_revision(rpc, options.rounds)
            told["session-stats ms"] = answers(daemon, rpc, request("session-stats"), options.rounds)
            told["rss MiB after"] = daemon.memory()[0] / 2**20
            rpc.close()
            told["stop s"] = daemon.stop()
            told["trackers at the end"] = trackers.counts()
    finally:
        trackers.close()
    return told


def since_revision(rpc: Rpc, times: int) -> dict[str, Any]:
    """Questions for what has changed, each with the revision of the answer before."""
    ask: Callable[[int], bytes] = lambda number: request("torrent-get", fields=FIELDS, starling_since=number)  # noqa: E731
    revision = json.loads(rpc.raw(ask(0)))["arguments"]["starling_revision"]
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        answer = rpc.raw(ask(revision))
        taken.append((time.perf_counter() - began) * 1000)
        revision = json.loads(answer)["arguments"]["starling_revision"]
    return {"first": taken[0], "median": statistics.median(taken), "worst": max(taken)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torrents", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of idling that are measured")
    parser.add_argument(
        "--settle", type=float, default=65.0, help="seconds of rest before that: what changed is recent"
    )
    parser.add_argument("--rounds", type=int, default=11, help="questions of each kind")
    parser.add_argument("--patience", type=float, default=1800.0)
    parser.add_argument("--tracker-delay", type=float, default=0.02, help="seconds until a tracker answers")
    parser.add_argument("--dht", action="store_true", help="with the DHT on, and nobody in it")
    parser.add_argument("--only", choices=["starling", "transmission"])
    parser.add_argument("--folder", type=Path, help="where content and state go for the time")
    parser.add_argument("--keep", action="store_true", help="leave them there")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="daemon-", dir=options.folder))
    rivals: list[Callable[[], Daemon]] = [
        lambda: Starling(home / "starling", dht=options.dht),
        lambda: Transmission(home / "transmission", dht=options.dht),
    ]
    names = ("starling", "transmission")
    try:
        for make in itertools.compress(rivals, (options.only in (None, name) for name in names)):
            print(json.dumps(measure(make(), options, home)), flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
