"""Starling downloads from and seeds to other clients, and every byte arrives.

Through our tracker with all of them, in version 1, because some can be told of a peer in no other way: over HTTP with
aria2 and Transmission, over UDP with libtorrent. Directly with libtorrent what the others do not know: versions, IPv6.
Torrents of what Starling downloads were made by libtorrent, those of what it seeds by Starling.
"""

from __future__ import annotations

import asyncio

import pytest
from rivals import (
    DOWNLOAD_PORT,
    HTTP_TRACKER,
    SEED_ADDRESS,
    SEED_PORT,
    UDP_TRACKER,
    Aria2,
    Libtorrent,
    Starling,
    Transmission,
)
from shapes import SHAPES, assert_equal_content, make_content, torrent_by_libtorrent, torrent_by_starling

pytestmark = pytest.mark.rival

DEADLINE = 60
"""Seconds for a transfer of some megabytes; Transmission alone idles for 11 of them."""

RIVALS = pytest.mark.parametrize("rival", [Aria2, Transmission, Libtorrent])
TRACKERS = {Aria2: HTTP_TRACKER, Transmission: HTTP_TRACKER, Libtorrent: UDP_TRACKER}
EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES)
VERSIONS = pytest.mark.parametrize("version", ["1", "2", "hybrid"])


@EVERY_SHAPE
@RIVALS
async def test_download_through_a_tracker(tracker, client, tmp_path, rival, shape):
    content = make_content(tmp_path, shape, by=torrent_by_libtorrent, tracker=TRACKERS[rival])
    async with asyncio.timeout(DEADLINE):
        await client(rival).seed(content)
        await tracker.until_seed_announced()
        await client(Starling).download(content, tmp_path / "out")
    assert_equal_content(content, tmp_path / "out")


@EVERY_SHAPE
@RIVALS
async def test_seed_through_a_tracker(tracker, client, tmp_path, rival, shape):
    content = make_content(tmp_path, shape, by=torrent_by_starling, tracker=TRACKERS[rival])
    async with asyncio.timeout(DEADLINE):
        await client(Starling).seed(content)
        await tracker.until_seed_announced()
        await client(rival).download(content, tmp_path / "out")
    assert_equal_content(content, tmp_path / "out", without_empty_files=rival is Transmission)


@EVERY_SHAPE
@VERSIONS
async def test_download_from_libtorrent(client, tmp_path, shape, version):
    content = make_content(tmp_path, shape, by=torrent_by_libtorrent, version=version)
    async with asyncio.timeout(DEADLINE):
        await client(Libtorrent).seed(content)
        await client(Starling).download(content, tmp_path / "out", "--peer", SEED_ADDRESS)
    assert_equal_content(content, tmp_path / "out")


@EVERY_SHAPE
@VERSIONS
async def test_seed_to_libtorrent(client, tmp_path, shape, version):
    content = make_content(tmp_path, shape, by=torrent_by_starling, version=version)
    async with asyncio.timeout(DEADLINE):
        await client(Starling).seed(content)
        await client(Libtorrent).download(content, tmp_path / "out", "--peer", SEED_ADDRESS)
    assert_equal_content(content, tmp_path / "out")


async def test_download_from_libtorrent_over_ipv6(client, tmp_path):
    content = make_content(tmp_path, "single-file", by=torrent_by_libtorrent)
    async with asyncio.timeout(DEADLINE):
        await client(Libtorrent).seed(content, listen=f"[::1]:{SEED_PORT}")
        await client(Starling).download(content, tmp_path / "out", "--peer", f"[::1]:{SEED_PORT}")
    assert_equal_content(content, tmp_path / "out")


async def test_seed_to_libtorrent_over_ipv6(client, tmp_path):
    content = make_content(tmp_path, "single-file", by=torrent_by_starling)
    async with asyncio.timeout(DEADLINE):
        await client(Starling).seed(content)
        addresses = {"listen": f"[::1]:{DOWNLOAD_PORT}"}
        await client(Libtorrent).download(content, tmp_path / "out", "--peer", f"[::1]:{SEED_PORT}", **addresses)
    assert_equal_content(content, tmp_path / "out")
