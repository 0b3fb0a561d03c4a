"""The harness itself: rivals move content between each other under it, so that a failure elsewhere is ours.

The cases also state what the other tests lean on: that a rival finds its peer through our tracker.
"""

from __future__ import annotations

import asyncio

import pytest
from rivals import HTTP_TRACKER, SEED_ADDRESS, Aria2, Libtorrent
from shapes import assert_equal_content, make_content, torrent_by_libtorrent

pytestmark = pytest.mark.rival


async def test_libtorrent_downloads_from_the_peer_it_is_given(client, tmp_path):
    content = make_content(tmp_path, "folder", by=torrent_by_libtorrent, version="hybrid")
    libtorrent = client(Libtorrent)
    async with asyncio.timeout(30):
        await libtorrent.seed(content)
        await libtorrent.download(content, tmp_path / "out", "--peer", SEED_ADDRESS)
    assert_equal_content(content, tmp_path / "out")


@pytest.mark.parametrize(
    ("seeder", "downloader"),
    [
        pytest.param(Aria2, Libtorrent, id="aria2 to libtorrent"),
        pytest.param(Libtorrent, Aria2, id="libtorrent to aria2"),
    ],
)
async def test_rivals_meet_at_our_tracker(tracker, client, tmp_path, seeder, downloader):
    content = make_content(tmp_path, "single-file", by=torrent_by_libtorrent, tracker=HTTP_TRACKER)
    async with asyncio.timeout(30):
        await client(seeder).seed(content)
        await tracker.until_seed_announced()
        await client(downloader).download(content, tmp_path / "out")
    assert_equal_content(content, tmp_path / "out")
