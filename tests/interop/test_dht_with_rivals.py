"""One DHT of our nodes and another client's: each finds a peer that the other announced, with no tracker.

The content moves too, so that what is found is shown to be the peer itself.
"""

from __future__ import annotations

import asyncio

import pytest
from dht_rivals import NODE, DhtAria2, DhtLibtorrent, start_node
from namespaces import HOST
from rivals import Starling
from shapes import assert_equal_content, make_content, torrent_by_starling

pytestmark = pytest.mark.rival

DEADLINE = 60
"""Seconds for joining and a transfer of some megabytes; aria2 alone takes a quarter of them to look."""

JOIN = ("--bootstrap", NODE, "--bind", HOST)
RIVALS = pytest.mark.parametrize("rival", [DhtLibtorrent, DhtAria2])


@RIVALS
@pytest.mark.timeout(DEADLINE + 10)
async def test_we_find_what_a_rival_announces(namespace, client, tmp_path, rival):
    content = make_content(tmp_path, "single-file", by=torrent_by_starling)
    async with asyncio.timeout(DEADLINE):
        node = await start_node(namespace, tmp_path)
        await client(rival).seed(content)
        await node.until_stored(content)
        await client(Starling).download(content, tmp_path / "out", *JOIN)
    assert_equal_content(content, tmp_path / "out")


@RIVALS
@pytest.mark.timeout(DEADLINE + 10)
async def test_a_rival_finds_what_we_announce(namespace, client, tmp_path, rival):
    content = make_content(tmp_path, "single-file", by=torrent_by_starling)
    async with asyncio.timeout(DEADLINE):
        node = await start_node(namespace, tmp_path)
        await client(Starling).seed(content, *JOIN)
        await node.until_stored(content)
        await client(rival).download(content, tmp_path / "out")
    assert_equal_content(content, tmp_path / "out")
