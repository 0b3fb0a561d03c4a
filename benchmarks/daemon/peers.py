"""What 500 connected peers cost a daemon, 50 of them active.

The daemon downloads a torrent of zeros from 50 peers that each serve so much a second, while 450 others are connected
that have nothing and ask for nothing. Peers come from loopback addresses of their own, all in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import shutil
import struct
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from content import Made
from daemons import HOST, Daemon, Rpc, Starling, Transmission

from p2p.codec import bencode

if TYPE_CHECKING:
    from p2p.codec.bencode import Encodable

MIB = 1 << 20
PIECE_LENGTH = MIB
BLOCK = 16_384
UNCHOKE, INTERESTED, BITFIELD, REQUEST, PIECE = 1, 2, 5, 6, 7


def zeros(size: int) -> Made:
    count = size // PIECE_LENGTH
    digest = hashlib.sha1(bytes(PIECE_LENGTH)).digest()
    info: dict[bytes, Encodable] = {
        b"name": b"zeros",
        b"piece length": PIECE_LENGTH,
        b"pieces": digest * count,
        b"length": size,
    }
    encoded = bencode.encode(info)
    return Made("zeros", hashlib.sha1(encoded).hexdigest(), bencode.encode({b"info": info}))


class Peer:
    """A connection to the daemon: a seed that serves `rate` bytes a second, or one that does nothing at 0."""

    def __init__(self, number: int, made: Made, pieces: int, rate: float) -> None:
        self._source = f"127.0.{2 + number // 250}.{number % 250 + 1}"  # Transmission takes one of an address
        self._id = b"-BM0001-%012d" % number
        self._made = made
        self._pieces = pieces
        self._rate = rate
        self.connected = False

    async def run(self, port: int) -> None:
        reader, writer = await asyncio.open_connection(HOST, port, local_addr=(self._source, 0))
        with suppress(OSError, asyncio.IncompleteReadError):
            writer.write(b"\x13BitTorrent protocol" + bytes(8) + bytes.fromhex(self._made.info_hash) + self._id)
            await reader.readexactly(68)
            self.connected = True
            if self._rate:
                field = bytearray(b"\xff" * (-(-self._pieces // 8)))
                if self._pieces % 8:
                    field[-1] = 0xFF << (8 - self._pieces % 8) & 0xFF
                writer.write(struct.pack(">IB", 1 + len(field), BITFIELD) + field + struct.pack(">IB", 1, UNCHOKE))
            await self._serve(reader, writer)
        self.connected = False
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop, due, content = asyncio.get_running_loop(), 0.0, bytes(BLOCK)
        while True:
            (length,) = struct.unpack(">I", await reader.readexactly(4))
            message = await reader.readexactly(length)
            if not message or message[0] != REQUEST or not self._rate:
                continue
            index, begin, size = struct.unpack(">III", message[1:13])
            due = max(due, loop.time() - 0.1) + size / self._rate
            await asyncio.sleep(due - loop.time())
            writer.write(struct.pack(">IBII", 9 + size, PIECE, index, begin) + content[:size])
            await writer.drain()


async def load(daemon: Daemon, made: Made, options: argparse.Namespace) -> dict[str, Any]:
    pieces = options.size
    peers = [Peer(n, made, pieces, options.rate * 1024 if n < options.active else 0.0) for n in range(options.peers)]
    tasks = []
    for peer in peers:
        tasks.append(asyncio.create_task(peer.run(daemon.peer_port)))
        await asyncio.sleep(0.02)
    await asyncio.sleep(options.settle)
    rpc = Rpc(daemon.rpc_port)
    ask = {"fields": ["peersConnected", "peersSendingToUs", "haveValid", "haveUnchecked"]}
    cpu, began = daemon.cpu(), time.perf_counter()
    first = (await asyncio.to_thread(rpc.call, "torrent-get", **ask))["torrents"][0]
    await asyncio.sleep(options.seconds)
    last = (await asyncio.to_thread(rpc.call, "torrent-get", **ask))["torrents"][0]
    passed = time.perf_counter() - began
    resident, peak = daemon.memory()
    moved = sum(last[key] - first[key] for key in ("haveValid", "haveUnchecked"))
    told = {
        "daemon": daemon.name,
        "connected": last["peersConnected"],
        "sending": last["peersSendingToUs"],
        "MiB/s": moved / passed / MIB,
        "cpu %": 100 * (daemon.cpu() - cpu) / passed,
        "rss MiB": resident / MIB,
        "peak MiB": peak / MIB,
    }
    rpc.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return told


def measure(daemon: Daemon, options: argparse.Namespace) -> dict[str, Any]:
    made = zeros(options.size * MIB)
    with daemon:
        rpc = Rpc(daemon.rpc_port)
        rpc.call("session-set", **{"peer-limit-global": 1_000, "peer-limit-per-torrent": options.peers + 100})
        empty = daemon.memory()[0] / MIB
        rpc.add(made.data, daemon.home)
        time.sleep(2.0)
        rpc.call("torrent-set", ids=[made.info_hash], **{"peer-limit": options.peers + 100})
        rpc.close()
        return {"empty MiB": empty, **asyncio.run(load(daemon, made, options))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=int, default=500)
    parser.add_argument("--active", type=int, default=50)
    parser.add_argument("--rate", type=float, default=200.0, help="KiB a second of each active peer")
    parser.add_argument("--size", type=int, default=4096, help="MiB of the torrent")
    parser.add_argument("--settle", type=float, default=10.0, help="seconds between the last peer and the first look")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--only", choices=["starling", "transmission"])
    parser.add_argument("--folder", type=Path, help="where content and state go for the time")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="daemon-", dir=options.folder))
    try:
        for name, make in (("starling", Starling), ("transmission", Transmission)):
            if options.only in (None, name):
                print(json.dumps(measure(make(home / name), options)), flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
