"""Starling and other clients over encrypted connections, each side told to take no others.

The other client's own option forces it, ours is `--encryption require`, so a transfer that completes was encrypted.
What the policies refuse is shown by `tests/simulation/test_encryption.py`.
"""

from __future__ import annotations

import asyncio

import pytest
from rivals import HTTP_TRACKER, Aria2, Libtorrent, Starling, Transmission
from shapes import assert_equal_content, make_content, torrent_by_libtorrent, torrent_by_starling

pytestmark = pytest.mark.rival

DEADLINE = 60
"""Seconds for a transfer of some megabytes; Transmission alone idles for 11 of them."""

REQUIRED = ("--encryption", "require")
FORCED = {Aria2: Aria2.ENCRYPTED, Transmission: Transmission.ENCRYPTED, Libtorrent: Libtorrent.ENCRYPTED}
RIVALS = pytest.mark.parametrize("rival", FORCED)


@RIVALS
async def test_download_encrypted(tracker, client, tmp_path, rival):
    content = make_content(tmp_path, "single-file", by=torrent_by_libtorrent, tracker=HTTP_TRACKER)
    async with asyncio.timeout(DEADLINE):
        await client(rival).seed(content, *FORCED[rival])
        await tracker.until_seed_announced()
        await client(Starling).download(content, tmp_path / "out", *REQUIRED)
    assert_equal_content(content, tmp_path / "out")


@RIVALS
async def test_seed_encrypted(tracker, client, tmp_path, rival):
    content = make_content(tmp_path, "single-file", by=torrent_by_starling, tracker=HTTP_TRACKER)
    async with asyncio.timeout(DEADLINE):
        await client(Starling).seed(content, *REQUIRED)
        await tracker.until_seed_announced()
        await client(rival).download(content, tmp_path / "out", *FORCED[rival])
    assert_equal_content(content, tmp_path / "out")
