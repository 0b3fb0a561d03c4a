"""Download a torrent and say every second how it goes. Without a tracker, name a peer.

python samples/download.py FILE.torrent FOLDER [IP PORT]
"""

from __future__ import annotations

import asyncio
import sys

from p2p import Address, Session, Settings, StarlingError, Torrent, TorrentOptions


async def download(torrent_file: str, folder: str, *peer: str) -> None:
    peers = (Address.parse(peer[0], int(peer[1])),) if peer else ()
    async with Session(Settings(download_dir=folder, dht=False, local_discovery=False)) as session:
        torrent = await session.add(torrent_file, TorrentOptions(peers=peers))
        showing = asyncio.create_task(show(torrent))
        try:
            await torrent.completed()
        finally:
            showing.cancel()
        print(f"{torrent.name}: every piece is here and verified")


async def show(torrent: Torrent) -> None:
    while True:
        now = torrent.snapshot()
        print(f"{now.name}: {now.state.value}, {now.progress:.1%}, {now.rate_down / 2**20:.1f} MiB/s")
        await asyncio.sleep(1)


if __name__ == "__main__":
    try:
        asyncio.run(download(*sys.argv[1:]))
    except StarlingError as error:
        sys.exit(f"error: {error}")
