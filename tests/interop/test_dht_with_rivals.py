"""One DHT of our nodes and other clients': each finds the peer that each other announced, with no tracker.

Every ordered pair of clients has a content of its own, which the first alone holds and the second alone looks for, so
what arrives came from the peer that was announced.
"""

from __future__ import annotations

import asyncio
import random
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from dht_rivals import BittorrentDht, DhtAria2, DhtLibtorrent, DhtStarling, DhtTransmission, start_nodes
from rivals import SEED_PORT
from shapes import Bundle, Content, assert_equal_content, torrent_by_libtorrent

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.rival

DEADLINE = 100
"""Seconds. Transmission may take 16 to join, 20 more until it announces, and idles for 11 before it loads."""

HOSTS = {
    DhtStarling: "10.77.0.2",
    DhtLibtorrent: "10.77.0.3",
    DhtTransmission: "10.77.0.4",
    DhtAria2: "10.77.0.5",
    BittorrentDht: "10.77.0.6",
}


def make_small_content(folder: Path, announcer: type, finder: type) -> Content:
    name = f"{announcer.__name__} to {finder.__name__}"
    holder = folder / announcer.__name__
    holder.mkdir(exist_ok=True)
    (holder / name).write_bytes(random.Random(name).randbytes(200_001))
    content = Content(folder / f"{name}.torrent", holder, name, (folder / f"{name}.torrent",))
    torrent_by_libtorrent(content.path, content.torrent, "1", None)
    return content


@pytest.mark.timeout(DEADLINE + 10)
async def test_each_finds_what_each_other_announces(namespace, client, tmp_path):
    contents = {pair: make_small_content(tmp_path, *pair) for pair in permutations(HOSTS, 2)}
    by_announcer = {kind: Bundle(tuple(contents[pair] for pair in contents if pair[0] is kind)) for kind in HOSTS}
    by_finder = {kind: Bundle(tuple(contents[pair] for pair in contents if pair[1] is kind)) for kind in HOSTS}
    starling, libtorrent, transmission, aria2, npm = (client(kind, host) for kind, host in HOSTS.items())
    out = {kind: tmp_path / f"out of {kind.__name__}" for kind in HOSTS}
    # npm's only names what it finds, so that is compared with where the seeds listen.
    seeds = {
        content.info_hash: f"{HOSTS[announcer]}:{SEED_PORT}"
        for (announcer, finder), content in contents.items()
        if finder is BittorrentDht
    }
    async with asyncio.timeout(DEADLINE):
        nodes = await start_nodes(namespace, tmp_path)
        await transmission.seed(by_announcer[DhtTransmission])
        await starling.seed_all(by_announcer[DhtStarling])
        await libtorrent.seed(by_announcer[DhtLibtorrent])
        await aria2.seed(by_announcer[DhtAria2])
        await npm.seed(by_announcer[BittorrentDht])
        for kind in (DhtStarling, DhtLibtorrent, DhtAria2, BittorrentDht):
            await nodes.until_stored(*by_announcer[kind].contents)
        # It looks once and then not again for long: not before the others have announced.
        await transmission.add(by_finder[DhtTransmission], out[DhtTransmission])
        await nodes.until_stored(*by_announcer[DhtTransmission].contents)
        async with asyncio.TaskGroup() as finders:
            for finder in (starling, libtorrent, aria2):
                finders.create_task(finder.download(by_finder[type(finder)], out[type(finder)]))
            finders.create_task(npm.find(seeds))
        await transmission.until_whole()
        await transmission.stop()
    for (_, finder), content in contents.items():
        if finder is not BittorrentDht:
            assert_equal_content(content, out[finder])
