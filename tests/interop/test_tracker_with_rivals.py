"""Other clients and ours find one another through `starling tracker serve`, by HTTP and UDP, over IPv4 and IPv6.

They are given nothing but torrents with our announce URL, whose private flag forbids every other way to a peer.
"""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import AsyncExitStack
from itertools import permutations
from pathlib import Path

import libtorrent as lt
import pytest
from conftest import skip_or_fail
from namespaces import HOST, HOST_IPV6, Namespace
from rivals import SEED_PORT, TRACKER_PORT, Aria2, Libtorrent, Starling, TrackerProcess, Transmission
from shapes import PIECE_LENGTH, Bundle, Content, assert_equal_content

pytestmark = pytest.mark.rival

DEADLINE = 110
"""Seconds. Transmission idles for 11 of them before it loads, and looks every 10 at whom it gives."""
STARLING = Path(sys.executable).with_name("starling")
SIZE = 200_001
ANNOUNCE = f"{HOST}:{TRACKER_PORT}/announce"
TRACKER_HOSTS = {"IPv4": HOST, "IPv6": HOST_IPV6}


class TrackedStarling(Starling):
    async def _start(self, role, *argv):
        return await super()._start(role, *argv, "--no-pex", "--bind", self._host)

    async def seed_all(self, contents: Bundle) -> None:
        """As a download of what is there already, because `starling seed` takes one content."""
        await self._start("download", *contents.sources, "-o", contents.folder, "--port", str(SEED_PORT), "--seed")

    async def find_all(self, contents: Bundle, folder: Path) -> None:
        await self.download(contents, folder)


class TrackedLibtorrent(Libtorrent):
    def __init__(self, namespace, folder, host):
        super().__init__(namespace, folder, f"[{host}]" if ":" in host else host)

    async def seed_all(self, contents: Bundle) -> None:
        await self.seed(contents)

    async def find_all(self, contents: Bundle, folder: Path) -> None:
        await self.download(contents, folder)


class TrackedTransmission(Transmission):
    async def _start(self, role, content, folder, port, options):
        over_ipv6 = (("bind-address-ipv4", "0.0.0.0"), ("bind-address-ipv6", self._host))
        await super()._start(role, content, folder, port, (*options, *over_ipv6) if ":" in self._host else options)

    async def seed_all(self, contents: Bundle) -> None:
        await self.seed(contents)

    async def find_all(self, contents: Bundle, folder: Path) -> None:
        """By the daemon that seeds."""
        await self.add(contents, folder)
        await self.until_whole()
        await self.stop()


class TrackedAria2(Aria2):
    """It announces over UDP by the socket of its DHT alone, which finds nobody for a private torrent."""

    async def _start(self, role, content, folder, port, *options):
        udp = ("--enable-dht=true", f"--dht-listen-port={port}", f"--dht-file-path={self._folder / role}.dht")
        family = ("--disable-ipv6=false",) if ":" in self._host else udp
        return await super()._start(role, content, folder, port, *options, *family)

    async def seed_all(self, contents: Bundle) -> None:
        await self.seed(contents)

    async def find_all(self, contents: Bundle, folder: Path) -> None:
        await self.download(contents, folder)


CLIENTS = (TrackedStarling, TrackedLibtorrent, TrackedTransmission, TrackedAria2)
HOSTS = {
    "IPv4": {kind: f"10.77.0.{number}" for number, kind in enumerate(CLIENTS, 2)},
    "IPv6": {kind: f"fd77::{number}" for number, kind in enumerate(CLIENTS, 2)},
}
ABLE = {
    ("IPv4", "http"): CLIENTS,
    ("IPv4", "udp"): CLIENTS,
    ("IPv6", "http"): CLIENTS,
    # aria2 1.36 announces over UDP by IPv4 alone, and Transmission 3.00 takes IPv6 peers from UDP for IPv4 ones.
    ("IPv6", "udp"): (TrackedStarling, TrackedLibtorrent),
}


def make_private_content(folder: Path, seeder: type, finder: type, url: str) -> Content:
    """What the one seeds and the other alone looks for, and its torrent."""
    name = f"{seeder.__name__} to {finder.__name__} by {url.partition(':')[0]}"
    content = Content(folder / f"{name}.torrent", folder / seeder.__name__, name, (folder / f"{name}.torrent",))
    content.folder.mkdir(exist_ok=True)
    content.path.write_bytes(random.Random(name).randbytes(SIZE))
    draft = lt.create_torrent(lt.list_files(str(content.path)), PIECE_LENGTH, lt.create_torrent.v1_only)
    draft.add_tracker(url)
    draft.set_priv(True)
    lt.set_piece_hashes(draft, str(content.folder))
    content.torrent.write_bytes(lt.bencode(draft.generate()))
    return content


class Networks:
    """One for each way, all at once: Transmission shakes hands with one connection of an address at a time.

    The name of its fixture is where the report of a failed test looks for programs.
    """

    def __init__(self) -> None:
        self.by_way = {way: Namespace() for way in ABLE}

    def tails(self) -> str:
        return "\n".join(f"=== {way}\n{network.tails()}" for way, network in self.by_way.items())


@pytest.fixture
async def namespace():
    networks = Networks()
    try:
        async with AsyncExitStack() as stack:
            for network in networks.by_way.values():
                await stack.enter_async_context(network)
            yield networks
    except (PermissionError, FileNotFoundError) as refusal:
        skip_or_fail(str(refusal))


async def all_meet(network: Namespace, folder: Path, family: str, scheme: str) -> None:
    """Every client of that way finds what every other seeds, and every byte of it arrives."""
    folder.mkdir()
    host, hosts, kinds = TRACKER_HOSTS[family], HOSTS[family], ABLE[family, scheme]
    at = f"[{host}]:{TRACKER_PORT}" if ":" in host else f"{host}:{TRACKER_PORT}"
    contents = {
        pair: make_private_content(folder, *pair, f"{scheme}://{at}/announce") for pair in permutations(kinds, 2)
    }
    of_seeder = {kind: Bundle(tuple(contents[pair] for pair in contents if pair[0] is kind)) for kind in kinds}
    of_finder = {kind: Bundle(tuple(contents[pair] for pair in contents if pair[1] is kind)) for kind in kinds}
    out = {kind: folder / f"out of {kind.__name__}" for kind in kinds}
    clients = {kind: kind(network, folder, hosts[kind]) for kind in kinds}
    if family == "IPv6":
        for each in hosts.values():
            assert await network.output("ip", "-6", "addr", "add", f"{each}/64", "dev", "lo", "nodad") == ""
    tracker = await TrackerProcess.start(network, host)
    async with asyncio.TaskGroup() as seeders:
        for kind in kinds:
            seeders.create_task(clients[kind].seed_all(of_seeder[kind]))
    for (seeder, _), content in contents.items():
        await tracker.until_told(info_hash=content.info_hash, source=hosts[seeder], left=0)
    async with asyncio.TaskGroup() as finders:
        for kind in kinds:
            finders.create_task(clients[kind].find_all(of_finder[kind], out[kind]))
    for (_, finder), content in contents.items():
        assert_equal_content(content, out[finder])


async def test_each_finds_each_other_through_one_tracker(namespace, tmp_path):
    for kind in CLIENTS:
        missing = kind.missing()
        if missing is not None:
            skip_or_fail(missing)
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as ways:
        for way, network in namespace.by_way.items():
            ways.create_task(all_meet(network, tmp_path / " ".join(way), *way))
