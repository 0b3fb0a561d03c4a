"""This project's tracker as its operator runs it, HTTP and UDP on one port, each announce told as a JSON line.

tracker_process.py HOST:PORT [OPTION OF `starling tracker serve`]...
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

STARLING = Path(sys.executable).with_name("starling")
CONFIG = Path(__file__).parent.parent / "e2e" / "tracker.toml"

host, _, port = sys.argv[1].rpartition(":")
place = ("--bind", host.strip("[]"), "--http-port", port, "--udp-port", port)
os.execv(STARLING, [STARLING, "tracker", "serve", "--config", CONFIG, "--json", *place, *sys.argv[2:]])
