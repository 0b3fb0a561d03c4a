"""The clients of `rivals.py` with their DHT nodes on, joined by a node of ours and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from namespaces import HOST, Namespace, Process
from rivals import Aria2, Libtorrent

from p2p.metainfo.metainfo import Metainfo

if TYPE_CHECKING:
    from shapes import Content

NODE_PORT = 6_999
NODE = f"{HOST}:{NODE_PORT}"


class Node:
    """`starling dht node`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def until_stored(self, content: Content) -> None:
        """Wait until somebody has announced the content."""
        info_hash = Metainfo.from_bytes(content.torrent.read_bytes()).info_hash_v1.hex()
        await self._process.line(f'"info_hash": "{info_hash}"')


async def start_node(namespace: Namespace, folder: Path) -> Node:
    command = Path(sys.executable).with_name("starling")
    where = ("--bind", HOST, "--port", str(NODE_PORT), "--json")
    home = str(folder / "node")
    process = await namespace.start("dht node", command, "dht", "node", *where, env={"XDG_STATE_HOME": home})
    await process.event("listening")
    return Node(process)


class DhtLibtorrent(Libtorrent):
    async def seed(self, content: Content) -> None:
        await super().seed(content, "--dht-node", NODE)

    async def download(self, content: Content, folder: Path) -> None:
        await super().download(content, folder, "--dht-node", NODE)


class DhtAria2(Aria2):
    async def _start(self, role: str, torrent: Path, folder: Path, port: int, *options: str) -> Process:
        table = f"--dht-file-path={folder.parent / f'{role}.dht'}"
        dht = ("--enable-dht=true", f"--dht-entry-point={NODE}", f"--dht-listen-port={port}", table)
        return await super()._start(role, torrent, folder, port, *options, *dht)
