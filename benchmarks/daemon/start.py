"""How soon a daemon answers after its start, with the torrents that it was stopped with.

Torrents as in `idle.py` are added, and the daemon is stopped when all seed. Then it is started again: the figures are
from its start as a process to the first answer of its RPC, to the first list of all torrents, and until all seed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from content import sparse_torrents
from daemons import Daemon, Rpc, Starling, Trackers, Transmission, request, wait_until
from idle import FIELDS, TRACKERS


def measure(daemon: Daemon, content: Path, options: argparse.Namespace) -> dict[str, Any]:
    trackers = Trackers(TRACKERS, 0.02)
    told: dict[str, Any] = {"daemon": daemon.name, "torrents": options.torrents}
    try:
        daemon.start()
        rpc = Rpc(daemon.rpc_port)
        for made in sparse_torrents(content, options.torrents, trackers.urls):
            rpc.add(made.data, content)
        wait_until("all seed", rpc.all_seed, 900)
        time.sleep(options.settle)
        rpc.close()
        told["stop s"] = [daemon.stop()]
        told["first answer s"], told["list s"], told["all seed s"] = [], [], []
        told["announced within 10 s"], told["cpu s at 10 s"], told["cpu s at first answer"] = [], [], []
        for _ in range(options.rounds):
            before = trackers.counts()["announces"]
            began = time.perf_counter()
            told["first answer s"].append(daemon.start())
            told["cpu s at first answer"].append(daemon.cpu())
            rpc = Rpc(daemon.rpc_port)
            while True:
                answer = json.loads(rpc.raw(request("torrent-get", fields=FIELDS)))
                if len(answer["arguments"]["torrents"]) == options.torrents:
                    break
                time.sleep(0.01)
            told["list s"].append(time.perf_counter() - began)
            wait_until("all seed", rpc.all_seed, 900)
            told["all seed s"].append(time.perf_counter() - began)
            time.sleep(max(0.0, began + 10.0 - time.perf_counter()))
            told["announced within 10 s"].append(trackers.counts()["announces"] - before)
            told["cpu s at 10 s"].append(daemon.cpu())
            rpc.close()
            told["stop s"].append(daemon.stop())
        told["median first answer s"] = statistics.median(told["first answer s"])
    finally:
        daemon.stop()
        trackers.close()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torrents", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3, help="starts that are measured")
    parser.add_argument("--settle", type=float, default=10.0, help="seconds between the last torrent and the stop")
    parser.add_argument("--only", choices=["starling", "transmission"])
    parser.add_argument("--folder", type=Path, help="where content and state go for the time")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="daemon-", dir=options.folder))
    try:
        for name, make in (("starling", Starling), ("transmission", Transmission)):
            if options.only in (None, name):
                print(json.dumps(measure(make(home / name), home / "content", options)), flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
