"""Seed content that is in a folder until Ctrl-C, without ever writing to it.

python samples/seed.py FILE.torrent FOLDER
"""

from __future__ import annotations

import asyncio
import sys

from p2p import Session, Settings, TorrentOptions


async def seed(torrent_file: str, folder: str) -> None:
    async with Session(Settings(download_dir=folder, dht=False, local_discovery=False)) as session:
        torrent = await session.add(torrent_file, TorrentOptions(expect_complete=True))
        await torrent.completed()
        print(f"{torrent.name}: seeding on port {session.port}", flush=True)
        await torrent.stopped()


if __name__ == "__main__":
    try:
        asyncio.run(seed(*sys.argv[1:]))
    except KeyboardInterrupt:
        print("stopped")
