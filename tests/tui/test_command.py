"""`starling tui` where there is no terminal. What it does on one: tests/clients/test_own_interface.py."""

from __future__ import annotations

import os
import subprocess
import sys

COMMAND = [sys.executable, "-c", "from p2p.cli.main import main; main()", "tui"]


def test_without_a_terminal_it_says_what_to_use(tmp_path):
    done = subprocess.run(
        COMMAND,
        check=False,
        env=os.environ | {"HOME": str(tmp_path), "STARLING_CONFIG_DIR": str(tmp_path), "STARLING_RPC_PORT": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 1
    assert "needs a terminal" in done.stderr
