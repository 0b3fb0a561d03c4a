"""The interfaces under measurement, each in a pseudo-terminal of its own, and what its process costs."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TICKS = os.sysconf("SC_CLK_TCK")
COLUMNS, ROWS = 160, 48
CONTROL = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*|[PX^_][^\x1b]*|[ -/]*[0-~])")
"""What is said to the terminal and not drawn."""

WORD = re.compile(rb"[A-Za-z]{4}")
MOST_KEPT = 4_000_000
"""Bytes of what was drawn that are searched for a text."""


@dataclass(frozen=True)
class Interface:
    """`argv` begins it over the daemon on a port; `shows` is drawn once the list is, `down` moves the cursor."""

    name: str
    argv: Callable[[int], Sequence[str]]
    shows: bytes
    down: bytes = b"\x1b[B"
    leave: bytes = b"q"


def program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed; it is in the group `rivals`")
    return found


INTERFACES = (
    Interface("starling", lambda port: [program("starling"), "tui", "--connect", f"127.0.0.1:{port}"], b"torrent 000"),
    Interface(
        "stig",
        lambda port: [
            program("stig"),
            "--tui",
            "--no-rc-file",
            *f"set connect.host 127.0.0.1 ; set connect.port {port} ; tab ls all".split(),
        ],
        b"torrent 0",
    ),
    Interface(
        "tewi", lambda port: [program("tewi"), "--host", "127.0.0.1", "--port", str(port)], b"torrent 0", down=b"j"
    ),
)


class Running:
    """One of them, from its start on; what it draws is read whenever something is waited for."""

    def __init__(self, interface: Interface, port: int, home: Path) -> None:
        self.interface = interface
        self.drawn = b""
        argv = list(interface.argv(port))
        self.began = time.perf_counter()
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=str(home), XDG_CONFIG_HOME=str(home), XDG_STATE_HOME=str(home), LC_ALL="C.UTF-8")
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.environ.pop("LINES", None)
            os.environ.pop("COLUMNS", None)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execv(argv[0], argv)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        os.kill(self.pid, signal.SIGTERM)
        ended = time.perf_counter() + 5.0
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.perf_counter() > ended:
                os.kill(self.pid, signal.SIGKILL)
            self.read(0.05)
        os.close(self._terminal)

    def read(self, seconds: float) -> bytes:
        """What is drawn next, empty where nothing is for so long."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return b""
        try:
            told = os.read(self._terminal, 1 << 20)
        except OSError:  # how a terminal says that the program has ended
            time.sleep(seconds)
            return b""
        self.drawn = (self.drawn + told)[-MOST_KEPT:]
        return told

    def until(self, text: bytes, within: float) -> float:
        """Seconds from its start until that text was drawn. Raises TimeoutError."""
        while text not in self.drawn:
            self.read(0.05)
            if time.perf_counter() - self.began > within:
                raise TimeoutError(f"{self.interface.name}: {text!r} was not drawn within {within:.0f} s")
        return time.perf_counter() - self.began

    def first_paint(self, within: float) -> float:
        """Seconds until letters stand on the alternate screen."""
        while True:
            _, switched, after = self.drawn.partition(b"\x1b[?1049h")
            if switched and WORD.search(CONTROL.sub(b"\0", after)):
                return time.perf_counter() - self.began
            self.read(0.05)
            if time.perf_counter() - self.began > within:
                raise TimeoutError(f"{self.interface.name}: nothing was drawn within {within:.0f} s")

    def rest(self, seconds: float) -> int:
        """Let it draw for so long; how many bytes that was."""
        ends, drawn = time.perf_counter() + seconds, 0
        while (left := ends - time.perf_counter()) > 0:
            drawn += len(self.read(left))
        return drawn

    def key(self, within: float) -> float:
        """Seconds from a key that moves the cursor until something is drawn after it."""
        while self.read(0.005):
            pass
        began = time.perf_counter()
        os.write(self._terminal, self.interface.down)
        while not self.read(within):
            raise TimeoutError(f"{self.interface.name}: a key was not answered within {within:.0f} s")
        return time.perf_counter() - began

    def cpu(self) -> float:
        """Seconds of processor time so far, of its children too."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS

    def memory(self) -> int:
        """Resident bytes."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return int(status["VmRSS"].split()[0]) * 1024
