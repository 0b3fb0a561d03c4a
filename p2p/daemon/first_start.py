"""What a daemon says when it starts for the first time: what is made where, how to steer it, and how to let others in.

The rule: nothing has to be set up, and what is told can be typed as it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.daemon.client_address import DEFAULT_PORT

if TYPE_CHECKING:
    from pathlib import Path


def first_words(*, config_file: Path, state_dir: Path, download_dir: str, host: str, port: int, locked: bool) -> str:
    """A few lines. `host` and `port` are the RPC's, `locked` says whether it asks for a password."""
    number = str(port) if port else "PORT"  # which is told when it listens
    place = "" if port == DEFAULT_PORT else f" {number}"
    connect = "" if port == DEFAULT_PORT else f" --connect {number}"
    lines = [
        "This is the first start of a daemon here; it needs no configuration.",
        f"  content goes to        {download_dir}",
        f"  torrents are kept in   {state_dir}",
        f"  settings can be in     {config_file}  (starling daemon --print-config shows them all)",
        f"Steer it from this machine: starling list{connect}, or transmission-remote{place} --list",
    ]
    if locked:
        lines.append(f"It asks for the password, and may be reached at {host} by those on the list of --allow.")
    else:
        lines += [
            "To reach it from others, write a password into a file and start it with",
            "  starling daemon --rpc-host 0.0.0.0 --rpc-password-file FILE --allow 192.168.0.0/16",
        ]
    return "\n".join(lines)
