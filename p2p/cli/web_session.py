"""What one page of `starling tui --web` shows: the interface before a daemon that the environment names.

The rule: neither the address nor the password is on a command line, and neither is left for programs begun from here.
"""

from __future__ import annotations

import os
import sys
from typing import Final
from urllib.parse import quote

from p2p.cli import event_loop
from p2p.cli.console import complain
from p2p.cli.tui import show
from p2p.daemon.client_address import Server
from p2p.errors import StarlingError

SERVER: Final = "STARLING_PAGE_SERVER"
PASSWORD: Final = "STARLING_PAGE_PASSWORD"  # noqa: S105 - a variable's name


def environment_of(server: Server, password: str | None) -> dict[str, str]:
    """What the process of a page finds in its environment."""
    scheme, _, rest = server.root.partition("://")
    user = "" if server.user is None else f"{quote(server.user, safe='')}@"
    said = {SERVER: f"{scheme}://{user}{rest}{server.path}"}
    return said if password is None else {**said, PASSWORD: password}


def main() -> int:
    """Draw until the page is gone; the exit status."""
    try:
        server = Server.parse(os.environ.pop(SERVER, ""))
        password = os.environ.pop(PASSWORD, None)
        return event_loop.run_with_own_log(show(server, password, elsewhere=True))
    except StarlingError as error:
        complain(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
