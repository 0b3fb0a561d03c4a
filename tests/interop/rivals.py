"""The clients under test and how each is told to seed and to download, with everything off that leaves the namespace.

A `seed` returns once the client listens. A `download` returns once the client says that it has everything, and leaves
no program that could still hold back bytes from the disk. Both are told of the content by its `sources`.
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
INTRODUCER_PORT = 6_883
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
    async def start(cls, namespace: Namespace, host: str = HOST, *options: str | Path) -> TrackerProcess:
        literal = f"[{host}]" if ":" in host else host
        program = HERE / "tracker_process.py"
        process = await namespace.start("tracker", sys.executable, program, f"{literal}:{TRACKER_PORT}", *options)
        await process.event("listening")
        return cls(process)

    async def until_seed_announced(self) -> None:
        await self.until_told(left=0)

    async def until_told(self, **facts: str | int) -> None:
        """Wait until somebody has announced that, in the words of the tracker's log."""
        await self._process.event("announce", **facts)

    async def stop(self) -> None:
        """End it, so that everything is written."""
        assert await self._process.stop() == 0


class Aria2:
    """aria2 1.36: version 1 only, HTTP trackers only, and it cannot be told of a peer."""

    EXCHANGING = ("--enable-peer-exchange=true",)
    ENCRYPTED = ("--bt-require-crypto=true", "--bt-min-crypto-level=arc4")

    def __init__(self, namespace: Namespace, folder: Path, host: str) -> None:
        self._namespace = namespace
        self._folder = folder
        self._host = host

    @staticmethod
    def missing() -> str | None:
        return None if shutil.which("aria2c") else "aria2c is not installed"

    async def _start(self, role: str, content: Content, folder: Path, port: int, *options: str) -> Process:
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
            "--max-concurrent-downloads=100",
            f"--interface={self._host}",
            f"--listen-port={port}",
            f"--dir={folder}",
            *options,
            *content.sources,
        )

    async def seed(self, content: Content, *options: str) -> None:
        options = ("--check-integrity=true", "--bt-hash-check-seed=true", "--seed-ratio=0.0", *options)
        process = await self._start("seed", content, content.folder, SEED_PORT, *options)
        await self._namespace.until_listening(SEED_PORT, process)

    async def download(self, content: Content, folder: Path, *options: str) -> None:
        process = await self._start("download", content, folder, DOWNLOAD_PORT, "--seed-time=0", *options)
        await process.succeeded()


class Transmission:
    """Transmission 3.00: version 1 only, no peer in 127.0.0.0/8, cannot be told of a peer, makes no empty files."""

    RPC = "127.0.0.1:9091"
    EXCHANGING = (("pex-enabled", True),)
    ENCRYPTED = (("encryption", 2),)

    def __init__(self, namespace: Namespace, folder: Path, host: str) -> None:
        self._namespace = namespace
        self._folder = folder / "transmission"
        self._host = host
        self._torrents = 0

    @staticmethod
    def missing() -> str | None:
        found = shutil.which("transmission-daemon") and shutil.which("transmission-remote")
        return None if found else "transmission-daemon or transmission-remote is not installed"

    async def _start(
        self, role: str, content: Content, folder: Path, port: int, options: tuple[tuple[str, int], ...]
    ) -> None:
        config = self._folder / role
        config.mkdir(parents=True, exist_ok=True)
        settings = {
            "dht-enabled": False,
            "pex-enabled": False,
            "lpd-enabled": False,
            "utp-enabled": False,
            "port-forwarding-enabled": False,
            "bind-address-ipv4": self._host,
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
        self._process = process
        await self.add(content, folder)

    async def add(self, content: Content, folder: Path) -> None:
        """Tell the running client to seed or to download more."""
        for source in content.sources:
            argv = ("transmission-remote", self.RPC, "--download-dir", folder, "--add", source)
            answer = await self._namespace.output(*argv)
            assert "success" in answer, answer
            self._torrents += 1

    async def until_whole(self) -> None:
        """Wait until it holds everything that it was told of."""
        query = ("transmission-remote", self.RPC, "--torrent", "all", "--info")
        while (await self._namespace.output(*query)).count("Percent Done: 100%") < self._torrents:
            self._process.assert_running()
            await asyncio.sleep(4 * POLL)

    async def stop(self) -> None:
        """End it, so that everything is on the disk."""
        await self._process.stop()

    async def seed(self, content: Content, *options: tuple[str, int]) -> None:
        await self._start("seed", content, content.folder, SEED_PORT, options)
        await self.until_whole()

    async def download(self, content: Content, folder: Path, *options: tuple[str, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        await self._start("download", content, folder, DOWNLOAD_PORT, options)
        await self.until_whole()
        await self.stop()


class Libtorrent:
    """libtorrent 2.1 by its Python binding: every version, dials the peers it is given."""

    EXCHANGING = ()
    """It always does."""
    ENCRYPTED = ("--encryption", "forced")

    def __init__(self, namespace: Namespace, folder: Path, host: str) -> None:
        self._namespace = namespace
        self._host = host

    @staticmethod
    def missing() -> str | None:
        return None

    async def _start(self, role: str, content: Content, folder: Path, listen: str, options: tuple[str, ...]) -> Process:
        script = HERE / "libtorrent_peer.py"
        source, *others = content.sources
        also = (word for other in others for word in ("--also", other))
        argv = (role, source, folder, "--listen", listen, *also, *options)
        return await self._namespace.start(f"libtorrent {role}", sys.executable, script, *argv)

    async def seed(self, content: Content, *options: str, listen: str | None = None) -> None:
        listen = listen or f"{self._host}:{SEED_PORT}"
        process = await self._start("seed", content, content.folder, listen, options)
        await process.event("complete")
        await process.event("listening")

    async def download(self, content: Content, folder: Path, *options: str, listen: str | None = None) -> None:
        listen = listen or f"{self._host}:{DOWNLOAD_PORT}"
        process = await self._start("download", content, folder, listen, options)
        await process.succeeded()
        assert sum(event["size"] for event in process.events if event["event"] == "complete") == content.size

    async def introduce(self, content: Content, folder: Path, peer: str) -> str:
        """Connect to a peer of the content, to tell others of it and take nothing; where others reach us for that."""
        listen = f"{self._host}:{INTRODUCER_PORT}"
        process = await self._start("introduce", content, folder, listen, ("--peer", peer))
        await process.event("connected", peer=peer)
        return listen


class Starling:
    """This project's own command, as installed beside the running interpreter."""

    OPTIONS = ("--json",)
    NEARBY = ("--no-lsd",)
    """What it is told of local discovery."""

    def __init__(self, namespace: Namespace, folder: Path, host: str) -> None:
        self._namespace = namespace
        self._folder = folder / "starling"
        self._host = host

    @staticmethod
    def missing() -> str | None:
        return None

    async def _start(self, role: str, *argv: str | Path) -> Process:
        home = str(self._folder / role)
        places = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
        command = Path(sys.executable).with_name("starling")
        dht = () if "--bootstrap" in argv else ("--no-dht",)
        return await self._namespace.start(
            f"starling {role}",
            command,
            role,
            *argv,
            *self.OPTIONS,
            *self.NEARBY,
            "--no-nat",
            *dht,
            env=dict.fromkeys(places, home),
        )

    async def seed(self, content: Content, *options: str) -> None:
        where = ("--torrent", content.torrent, "--port", str(SEED_PORT))
        process = await self._start("seed", content.path, *where, *options)
        await self._namespace.until_listening(SEED_PORT, process)

    async def download(self, content: Content, folder: Path, *options: str) -> None:
        where = ("-o", folder, "--port", str(DOWNLOAD_PORT))
        process = await self._start("download", *content.sources, *where, *options)
        await process.event("complete")
        await process.succeeded()

    async def introduce(self, content: Content, folder: Path, *peers: str) -> Process:
        """Connect to peers of the content, at a rate at which no piece of it is had within an hour."""
        dialled = (word for peer in peers for word in ("--peer", peer))
        where = ("-o", folder, "--port", str(INTRODUCER_PORT), "--limit-down", "16", "--bind", self._host)
        return await self._start("download", content.torrent, *where, *dialled)
