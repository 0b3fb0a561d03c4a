"""`starling tui` as it is run: on a terminal, with an engine of its own, and where there is no terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(90)
STARLING = [sys.executable, "-c", "from p2p.cli.main import main; main()", "tui"]
ROOT = Path(__file__).parents[2]
DEADLINE = 60.0

QUIET = """\
[session]
dht_enabled = false
lpd_enabled = false
pex_enabled = false
port_forwarding_enabled = false
peer_port = 0
download_dir = "{folder}/in"
[network]
bind = ["127.0.0.1"]
"""


class Terminal:
    """A program on a terminal of 80x24; what it draws is kept as it comes."""

    def __init__(self, environment):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._fd = ours
        self.process = subprocess.Popen(
            STARLING, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT, start_new_session=True
        )
        os.close(theirs)
        self.drawn = b""

    def wait_for(self, text):
        deadline = time.monotonic() + DEADLINE
        while text not in self.drawn:
            assert time.monotonic() < deadline, self.drawn[-2000:]
            if select.select([self._fd], [], [], 0.5)[0]:
                self.drawn += os.read(self._fd, 65_536)

    def press(self, keys):
        self.drawn = b""
        os.write(self._fd, keys)

    def end(self):
        """Read on, so that it is not held up, until it ends; its status."""
        deadline = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.drawn[-2000:]
            if select.select([self._fd], [], [], 0.05)[0]:
                try:
                    self.drawn += os.read(self._fd, 65_536)
                except OSError:  # how Linux says that the other end is closed
                    break
        os.close(self._fd)
        return self.process.wait(DEADLINE)


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "daemon.toml").write_text(QUIET.format(folder=tmp_path), encoding="utf-8")
    # Nobody listens at port 1, so that a daemon of whoever runs the tests is not met.
    own = {"STARLING_CONFIG_DIR": str(tmp_path), "STARLING_RPC_PORT": "1", "TERM": "xterm-256color"}
    kept = {name: text for name, text in os.environ.items() if not name.startswith("STARLING_")}
    return {**kept, "HOME": str(tmp_path), **own}


def test_with_no_daemon_it_is_one_itself_and_keeps_what_was_added(environment):
    for seen in (b"0 torrents", b"1 torrent "):
        terminal = Terminal(environment)
        try:
            terminal.wait_for(b" stopped  127.0.0.1:")
            terminal.wait_for(seen)
            if seen == b"0 torrents":
                terminal.press(b"a")
                terminal.wait_for(b"Magnet link")
                terminal.press(b"f" * 40 + b"\r")
                terminal.wait_for(b"1 torrent ")
            terminal.press(b"q")
            assert terminal.end() == 0
        finally:
            terminal.process.kill()


def test_without_a_terminal_it_says_what_to_use(environment):
    done = subprocess.run(
        STARLING, check=False, env=environment, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 1
    assert "needs a terminal" in done.stderr
