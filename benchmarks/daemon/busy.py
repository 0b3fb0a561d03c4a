"""How long the RPC takes to answer while the disk and the network are busy.

The daemon rechecks one torrent and downloads another at full speed from a seed on loopback, both of random bytes. All
the while two questions are asked by turns, each as soon as a pause after the last answer is over: 12 fields of all
torrents, and the session's settings. Starling and transmission-daemon have the same torrents, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from content import file_torrent
from daemons import HOST, SEEDING, Daemon, Rpc, Starling, Transmission, request, wait_until
from idle import FIELDS

if TYPE_CHECKING:
    from content import Made

MIB = 1 << 20
PIECE_LENGTH = MIB


def random_file(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    return path


class Seed:
    """`starling seed` of one file, which dials `peer`: Transmission dials nobody on loopback."""

    def __init__(self, path: Path, torrent: Path, home: Path, peer: int) -> None:
        state = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(home))
        options = ["--peer", f"{HOST}:{peer}", "--bind", HOST, "--no-dht", "--no-lsd", "--no-trackers", "--json"]
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("starling")), "seed", str(path), "--torrent", str(torrent), *options],
            stdout=subprocess.PIPE,
            env=os.environ | state,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if json.loads(line).get("event") == "complete":
                return
        raise RuntimeError("the seed ended")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def statuses(rpc: Rpc) -> dict[str, tuple[int, float]]:
    told = rpc.call("torrent-get", fields=["hashString", "status", "percentDone"])["torrents"]
    return {each["hashString"]: (each["status"], each["percentDone"]) for each in told}


def measure(daemon: Daemon, home: Path, checked: Made, fetched: Made, pause: float) -> dict[str, Any]:
    """`home/place` holds the content of `checked`; that of `fetched` comes into the daemon's own folder."""
    questions = (request("torrent-get", fields=FIELDS), request("session-get"))
    with daemon:
        rpc, watcher = Rpc(daemon.rpc_port), Rpc(daemon.rpc_port)
        rpc.add(checked.data, home / "place")
        wait_until("it seeds", lambda: statuses(rpc)[checked.info_hash][0] == SEEDING, 300)
        told: dict[str, Any] = {"daemon": daemon.name}
        rpc.add(fetched.data, daemon.home)
        seed = Seed(home / "source" / fetched.name, home / "fetched.torrent", home, daemon.peer_port)
        rpc.call("torrent-verify", ids=[checked.info_hash])
        began = time.perf_counter()
        taken: list[float] = []
        check_ended = fetch_ended = None
        looked = 0.0
        while check_ended is None or fetch_ended is None:
            taken.append(rpc.timed(questions[len(taken) % 2])[0] * 1000)
            now = time.perf_counter() - began
            if now - looked > 0.5:
                looked, states = now, statuses(watcher)
                if check_ended is None and now > 1.0 and states[checked.info_hash][0] == SEEDING:
                    check_ended = now
                if fetch_ended is None and states[fetched.info_hash][1] == 1.0:
                    fetch_ended = now
            if now > 600:
                raise RuntimeError(f"not done after ten minutes: {statuses(watcher)}")
            time.sleep(pause)
        seed.close()
        ranked = sorted(taken)
        told |= {
            "questions": len(taken),
            "p50 ms": statistics.median(taken),
            "p99 ms": ranked[int(0.99 * (len(ranked) - 1))],
            "worst ms": ranked[-1],
            "check s": check_ended,
            "download s": fetch_ended,
            "cpu s": daemon.cpu(),
            "peak MiB": daemon.memory()[1] / MIB,
        }
        rpc.close()
        watcher.close()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="MiB of each of the two torrents")
    parser.add_argument("--pause", type=float, default=0.01, help="seconds between an answer and the next question")
    parser.add_argument("--only", choices=["starling", "transmission"])
    parser.add_argument("--folder", type=Path, help="where content and state go for the time")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="daemon-", dir=options.folder))
    try:
        source = home / "source"
        source.mkdir()
        seeded = random_file(source / "fetched.bin", options.size * MIB)
        place = home / "place"
        place.mkdir()
        checked = file_torrent(random_file(place / "checked.bin", options.size * MIB), PIECE_LENGTH)
        fetched = file_torrent(seeded, PIECE_LENGTH)
        (home / "fetched.torrent").write_bytes(fetched.data)
        for name, make in (("starling", Starling), ("transmission", Transmission)):
            if options.only in (None, name):
                print(json.dumps(measure(make(home / name), home, checked, fetched, options.pause)), flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
