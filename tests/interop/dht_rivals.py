"""The clients of `rivals.py` with their DHT nodes on, and npm's bittorrent-dht, in a DHT whose other nodes are ours."""

from __future__ import annotations

import shutil
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rivals import HERE, SEED_PORT, Aria2, Libtorrent, Starling, Transmission

from p2p.codec import bencode

if TYPE_CHECKING:
    from namespaces import Namespace, Process
    from shapes import Bundle, Content

NODE_PORT = 6_999
NODE_HOSTS = tuple(f"10.77.0.{number}" for number in range(100, 109))
"""Transmission takes no part in a DHT of fewer than nine nodes."""
NODE = f"{NODE_HOSTS[0]}:{NODE_PORT}"
JOIN = ("--bootstrap", NODE)
NPM_PACKAGES = Path(sys.prefix) / "npm"


class Nodes:
    """`starling dht node`, by which all others join, and eight nodes of ours beside it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def until_stored(self, *contents: Content) -> None:
        """Wait until somebody has announced each content.

        One of the eight stores it, because all that announce keep it at eight nodes and run fewer themselves.
        """
        for content in contents:
            await self._process.event("stored", info_hash=content.info_hash)


async def start_nodes(namespace: Namespace, folder: Path) -> Nodes:
    command = Path(sys.executable).with_name("starling")
    where = ("--bind", NODE_HOSTS[0], "--port", str(NODE_PORT), "--json")
    home = str(folder / "node")
    first = await namespace.start("dht node", command, "dht", "node", *where, env={"XDG_STATE_HOME": home})
    await first.event("listening")
    others = (f"{host}:{NODE_PORT}" for host in NODE_HOSTS[1:])
    process = await namespace.start("dht nodes", sys.executable, HERE / "dht_nodes.py", NODE, *others)
    await process.event("joined")
    return Nodes(process)


class DhtStarling(Starling):
    """Told of one node and nothing else."""

    ALONE = ("--no-pex",)

    async def _start(self, role: str, *argv: str | Path) -> Process:
        return await super()._start(role, *argv, *JOIN, *self.ALONE, "--bind", self._host)

    async def seed_all(self, contents: Bundle) -> None:
        """As a download of what is there already, because `starling seed` takes one content."""
        where = ("-o", contents.folder, "--port", str(SEED_PORT), "--seed")
        process = await self._start("download", *contents.sources, *where)
        for info_hash in contents.info_hashes:
            await process.event("complete", info_hash=info_hash)


class DhtLibtorrent(Libtorrent):
    async def _start(self, role: str, content: Content, folder: Path, listen: str, options: tuple[str, ...]) -> Process:
        return await super()._start(role, content, folder, listen, (*options, "--dht-node", NODE))


class DhtAria2(Aria2):
    async def _start(self, role: str, content: Content, folder: Path, port: int, *options: str) -> Process:
        table = f"--dht-file-path={self._folder / f'{role}.dht'}"
        dht = ("--enable-dht=true", f"--dht-entry-point={NODE}", f"--dht-listen-port={port}", table)
        return await super()._start(role, content, folder, port, *options, *dht)


class DhtTransmission(Transmission):
    """Begins from a table that names our nodes, as if it had met them before: it can be told of none in another way."""

    async def _start(
        self, role: str, content: Content, folder: Path, port: int, options: tuple[tuple[str, int], ...]
    ) -> None:
        config = self._folder / role
        config.mkdir(parents=True)
        nodes = b"".join(socket.inet_aton(host) + struct.pack("!H", NODE_PORT) for host in NODE_HOSTS)
        (config / "dht.dat").write_bytes(bencode.encode({b"id": role.encode().ljust(20), b"nodes": nodes}))
        await super()._start(role, content, folder, port, (*options, ("dht-enabled", True)))


class BittorrentDht:
    """npm's bittorrent-dht 11, which is a node and no more: what it announces is a libtorrent seed outside the DHT."""

    def __init__(self, namespace: Namespace, folder: Path, host: str) -> None:
        self._namespace = namespace
        self._host = host
        self._seed = Libtorrent(namespace, folder, host)

    @staticmethod
    def missing() -> str | None:
        if shutil.which("node") is None:
            return "node is not installed"
        found = (NPM_PACKAGES / "node_modules" / "bittorrent-dht").is_dir()
        return None if found else f"bittorrent-dht is not in {NPM_PACKAGES} (make interop puts it there)"

    async def _start(self, verb: str, port: int, *arguments: str) -> Process:
        script = HERE / "bittorrent_dht.mjs"
        argv = (NPM_PACKAGES, self._host, str(port), NODE, verb, *arguments)
        return await self._namespace.start(f"bittorrent-dht {verb}", "node", script, *argv)

    async def seed(self, contents: Bundle) -> None:
        await self._seed.seed(contents)
        await self._start("announce", NODE_PORT, str(SEED_PORT), *contents.info_hashes)

    async def find(self, seeds: dict[str, str]) -> None:
        """Look for the peers of info-hashes; return once it has found the one that is named of each."""
        process = await self._start("lookup", NODE_PORT + 1, *seeds)
        for info_hash, address in seeds.items():
            await process.event("peer", info_hash=info_hash, address=address)
