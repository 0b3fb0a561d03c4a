"""Debian's transmission-daemon on loopback, which is steered with a password and told to speak to nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
from asyncio.subprocess import DEVNULL
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from p2p.daemon.client import Client
from p2p.daemon.client_address import Server
from p2p.daemon.client_errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAEMON = shutil.which("transmission-daemon")
NEEDS_TRANSMISSION = [
    pytest.mark.rival,
    pytest.mark.skipif(
        DAEMON is None and os.environ.get("STARLING_REQUIRE_RIVALS") != "1", reason="transmission-daemon is missing"
    ),
]
DEADLINE = 60.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass(frozen=True, slots=True)
class Transmission:
    """A daemon that answers."""

    url: str
    """Without the password."""

    downloads: Path


@contextlib.asynccontextmanager
async def transmission_daemon(folder: Path, password: str) -> AsyncIterator[Transmission]:
    """Run one for user `me`, with its configuration and downloads below `folder`."""
    config, downloads, port = folder / "config", folder / "in", free_port()
    config.mkdir()
    downloads.mkdir(exist_ok=True)
    settings = {
        **dict.fromkeys(("dht-enabled", "pex-enabled", "lpd-enabled", "utp-enabled", "port-forwarding-enabled"), False),
        "bind-address-ipv4": "127.0.0.1",
        "bind-address-ipv6": "::1",
        "peer-port": free_port(),
        "rpc-bind-address": "127.0.0.1",
        "rpc-port": port,
        "rpc-authentication-required": True,
        "rpc-username": "me",
        "rpc-password": password,
        "download-dir": str(downloads),
    }
    (config / "settings.json").write_text(json.dumps(settings))
    assert DAEMON is not None
    child = await asyncio.create_subprocess_exec(
        DAEMON, "--foreground", "--config-dir", str(config), stdout=DEVNULL, stderr=DEVNULL
    )
    url = f"http://me@127.0.0.1:{port}"
    try:
        async with asyncio.timeout(DEADLINE), Client(Server.parse(url), password=password) as client:
            while True:
                try:
                    await client.info()
                    break
                except UnreachableError:
                    assert child.returncode is None, "it ended"
                    await asyncio.sleep(0.05)
        yield Transmission(url, downloads)
    finally:
        child.terminate()
        await child.wait()
