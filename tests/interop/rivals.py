"""The clients under test and how each is told to seed and to download, with everything off that leaves the namespace.

A `seed` returns once the client listens. A `download` returns once the client says that it has everything, and leaves
no program that could still hold back bytes from the disk.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from namespaces import HOST, POLL, Namespace, Process

if TYPE_CHECKING:
    from shapes import Content

HERE = Path(__file__).parent
SEED_PORT = 6_881
DOWNLOAD_PORT = 6_882
TRACKER_PORT = 6_969
HTTP_TRACKER = f"http://{HOST}:{TRACKER_PORT}/announce"
UDP_TRACKER = f"udp://{HOST}:{TRACKER_PORT}/announce"
SEED_ADDRESS = f"{HOST}:{SEED_PORT}"
DOWNLOAD_ADDRESS = f"{HOST}:{DOWNLOAD_PORT}"


class TrackerProcess:
    """This project's tracker, HTTP and UDP on `TRACKER_PORT`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, namespace: Namespace, host: str = HOST) -> TrackerProcess:
        literal = f"[{host}]" if ":" in host else host
        program = HERE / "tracker_process.py"
        process = await namespace.start("tracker", sys.executable, program, f"{literal}:{TRACKER_PORT}")
        await process.event("listening")
        return cls(process)

    async def until_seed_announced(self) -> None:
        await self._process.event("announce", whole=True)


class Aria2:
    """aria2 1.36: version 1 only, HTTP trackers only, and it cannot be told of a peer."""

    ENCRYPTED = ("--bt-require-crypto=true", "--bt-min-crypto-level=arc4")

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace = namespace

    @staticmethod
    def missing() -> str | None:
        return None if shutil.which("aria2c") else "aria2c is not installed"

    async def _start(self, role: str, torrent: Path, folder: Path, port: int, *options: str) -> Process:
        return await self._namespace.start(
            f"aria2 {role}",
            "aria2c",
            "--no-conf=true",
            "--enable-dht=false",
            "--enable-dht6=false",
            "--bt-enable-lpd=false",
            "--enable-peer-exchange=false",
            "--disable-ipv6=true",
            "--file-allocation=none",
            "--console-log-level=notice",
            "--summary-interval=0",
            f"--listen-port={port}",
            f"--dir={folder}",
            *options,
            torrent,
        )

    async def seed(self, content: Content, *options: str) -> None:
        options = ("--check-integrity=true", "--bt-hash-check-seed=true", "--seed-ratio=0.0", *options)
        process = await self._start("seed", content.torrent, content.folder, SEED_PORT, *options)
        await self._namespace.until_listening(SEED_PORT, process)

    async def download(self, content: Content, folder: Path, *options: str) -> None:
        process = await self._start("download", content.torrent, folder, DOWNLOAD_PORT, "--seed-time=0", *options)
        await process.succeeded()


class Transmission:
    """Transmission 3.00: version 1 only, no peer in 127.0.0.0/8, cannot be told of a peer, makes no empty files."""

    RPC = "127.0.0.1:9091"
    ENCRYPTED = (("encryption", 2),)

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace = namespace
        self._folder = folder / "transmission"

    @staticmethod
    def missing() -> str | None:
        found = shutil.which("transmission-daemon") and shutil.which("transmission-remote")
        return None if found else "transmission-daemon or transmission-remote is not installed"

    async def _start(
        self, role: str, content: Content, folder: Path, port: int, options: tuple[tuple[str, int], ...]
    ) -> Process:
        config = self._folder / role
        config.mkdir(parents=True)
        settings = {
            "dht-enabled": False,
            "pex-enabled": False,
            "lpd-enabled": False,
            "utp-enabled": False,
            "port-forwarding-enabled": False,
            "peer-port": port,
            "rpc-bind-address": "127.0.0.1",
            "rpc-port": int(self.RPC.partition(":")[2]),
            "rpc-authentication-required": False,
            "download-dir": str(folder),
            "incomplete-dir-enabled": False,
            "rename-partial-files": False,
            **dict(options),
        }
        (config / "settings.json").write_text(json.dumps(settings))
        process = await self._namespace.start(
            f"transmission {role}", "transmission-daemon", "--foreground", "--config-dir", config
        )
        await self._namespace.until_listening(settings["rpc-port"], process)
        answer = await self._namespace.output("transmission-remote", self.RPC, "--add", content.torrent)
        assert "success" in answer, answer
        return process

    async def _until_whole(self, process: Process) -> None:
        while "Percent Done: 100%" not in await self._namespace.output(
            "transmission-remote", self.RPC, "--torrent", "all", "--info"
        ):
            process.assert_running()
            await asyncio.sleep(4 * POLL)

    async def seed(self, content: Content, *options: tuple[str, int]) -> None:
        process = await self._start("seed", content, content.folder, SEED_PORT, options)
        await self._until_whole(process)

    async def download(self, content: Content, folder: Path, *options: tuple[str, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        process = await self._start("download", content, folder, DOWNLOAD_PORT, options)
        await self._until_whole(process)
        await process.stop()


class Libtorrent:
    """libtorrent 2.1 by its Python binding: every version, dials the peers it is given."""

    ENCRYPTED = ("--encryption", "forced")

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace = namespace

    @staticmethod
    def missing() -> str | None:
        return None

    async def _start(
        self, role: str, torrent: Path | str, folder: Path, listen: str, options: tuple[str, ...]
    ) -> Process:
        script = HERE / "libtorrent_peer.py"
        argv = (role, torrent, folder, "--listen", listen, *options)
        return await self._namespace.start(f"libtorrent {role}", sys.executable, script, *argv)

    async def seed(self, content: Content, *options: str, listen: str = SEED_ADDRESS) -> None:
        process = await self._start("seed", content.torrent, content.folder, listen, options)
        await process.event("complete")
        await process.event("listening")

    async def download(self, content: Content, folder: Path, *options: str, listen: str = DOWNLOAD_ADDRESS) -> None:
        process = await self._start("download", content.torrent, folder, listen, options)
        await process.event("complete", size=content.size)
        await process.succeeded()


class Starling:
    """This project's own command, as installed beside the running interpreter."""

    OPTIONS = ("--json",)
    NEARBY = ("--no-lsd",)
    """What it is told of local discovery."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace = namespace
        self._folder = folder / "starling"

    @staticmethod
    def missing() -> str | None:
        return None

    async def _start(self, role: str, *argv: str | Path) -> Process:
        home = str(self._folder / role)
        places = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
        command = Path(sys.executable).with_name("starling")
        dht = () if "--bootstrap" in argv else ("--no-dht",)
        return await self._namespace.start(
            f"starling {role}", command, role, *argv, *self.OPTIONS, *self.NEARBY, *dht, env=dict.fromkeys(places, home)
        )

    async def seed(self, content: Content, *options: str) -> None:
        where = ("--torrent", content.torrent, "--port", str(SEED_PORT))
        process = await self._start("seed", content.path, *where, *options)
        await self._namespace.until_listening(SEED_PORT, process)

    async def download(self, content: Content, folder: Path, *options: str) -> None:
        where = ("-o", folder, "--port", str(DOWNLOAD_PORT))
        process = await self._start("download", content.torrent, *where, *options)
        await process.event("complete")
        await process.succeeded()
