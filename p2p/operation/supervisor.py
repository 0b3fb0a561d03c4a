"""What a server tells whoever started it and watches over it: systemd's notifications, sd_notify(3).

The rule: nothing here can stop the server. Without a supervisor it is silent, and one that does not listen is not
waited for.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Of the environment. Programs that the server starts must not have them."""


class Supervisor:
    """See the module's head. `environ` is the environment that the server was started with, `pid` its process id."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watched = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        self._patience = environ.get("WATCHDOG_USEC", "")

    @property
    def watchdog(self) -> float | None:
        """Seconds without a sign of life after which the server is killed; None where nobody waits for one."""
        if not self._address or not self._watched or not self._patience.isdecimal() or len(self._patience) > 18:
            return None
        return int(self._patience) / 1e6 or None

    def ready(self, status: str) -> None:
        """The server serves."""
        self._tell("READY=1", f"STATUS={status}")

    def status(self, words: str) -> None:
        """How it does, on one line."""
        self._tell(f"STATUS={words}")

    def alive(self) -> None:
        """A sign of life."""
        self._tell("WATCHDOG=1")

    def stopping(self, bound: float) -> None:
        """The server ends, within `bound` seconds."""
        self._tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int(bound * 1e6)}", "STATUS=stopping")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)) as channel:
                channel.setblocking(False)
                channel.sendto("\n".join(lines).encode(), os.fsencode(self._address))
        except (OSError, ValueError) as error:
            log.debug("the supervisor cannot be told: %s", error)
