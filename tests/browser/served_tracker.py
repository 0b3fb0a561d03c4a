"""A tracker as its operator runs it, on loopback, and announces to it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes
from urllib.request import urlopen

from chromium import PATIENCE

STARLING = Path(sys.executable).with_name("starling")


def run(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """A `starling tracker` command in a folder; what it says with --json."""
    argv = [STARLING, "tracker", *arguments, "--json"]
    said = subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [json.loads(line) for line in said.stdout.splitlines()]


class Tracker:
    """A running `starling tracker serve` on loopback, and the commands beside it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        argv = [STARLING, "tracker", "serve", "--json", "--bind", "127.0.0.1", "--http-port", "0", "--no-udp", *options]
        self._program = subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, text=True)
        line = json.loads(self._program.stdout.readline())
        assert line["event"] == "listening", line
        self.url = line["urls"][0].removesuffix("/announce")

    def run(self, *arguments: str) -> list[dict[str, Any]]:
        """See `run`."""
        return run(self.folder, *arguments)

    def announce(self, port: int, *, passkey: str = "", info_hash: bytes = b"h" * 20, **fields: object) -> None:
        """Announce, and be taken."""
        answer = self._ask(port, passkey, info_hash, fields)
        assert b"failure reason" not in answer, answer

    def until_known(self, passkey: str, info_hash: bytes = b"h" * 20) -> None:
        """Wait until the server has taken up a member and a torrent, which it looks for about once a second."""
        deadline = time.monotonic() + PATIENCE
        while b"failure reason" in (answer := self._ask(9, passkey, info_hash, {"event": "stopped"})):
            assert time.monotonic() < deadline, answer
            time.sleep(0.05)

    def _ask(self, port: int, passkey: str, info_hash: bytes, fields: dict[str, object]) -> bytes:
        told = {"uploaded": 0, "downloaded": 0, "left": 9, "event": "started", "compact": 1, **fields}
        query = "&".join(f"{name}={value}" for name, value in told.items())
        ids = f"info_hash={quote_from_bytes(info_hash, safe='')}&peer_id=-TT0001-{port:012}&port={port}"
        with urlopen(f"{self.url}{passkey and f'/{passkey}'}/announce?{ids}&{query}", timeout=PATIENCE) as answer:
            return answer.read()

    def close(self) -> None:
        self._program.send_signal(signal.SIGTERM)
        assert self._program.wait(PATIENCE) == 0
        self._program.stdout.close()
