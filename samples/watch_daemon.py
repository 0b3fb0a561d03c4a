"""Follow a daemon from afar: its torrents, and what happens to them as it happens, until the daemon ends.

python samples/watch_daemon.py localhost:9091

Transmission's daemon is followed too, by asking it every second. A password is taken from DAEMON_PASSWORD.
"""

from __future__ import annotations

import asyncio
import os
import sys

from p2p.daemon.client import Changes, Client, ClientError, Server, UnsupportedError


def show(changes: Changes) -> None:
    for row in changes.torrents:
        print(f"{row.id} {row.name}: {row.status.name.lower()}, {row.percent_done:.0%}")
    for number in changes.removed:
        print(f"{number} is gone")


async def follow(daemon: Client) -> None:
    changes = await daemon.changes()
    show(changes)
    try:
        async with daemon.events(since=changes.mark) as events:
            async for _ in events:
                changes = await daemon.changes(changes.mark)
                show(changes)
    except UnsupportedError:
        while True:
            await asyncio.sleep(1.0)
            changes = await daemon.changes(changes.mark)
            show(changes)


async def watch(server: Server, password: str | None) -> None:
    async with Client(server, password=password) as daemon:
        info = await daemon.info()
        print(f"{server.url}: {info.version}")
        await follow(daemon)


def main() -> None:
    try:
        asyncio.run(watch(Server.parse(sys.argv[1]), os.environ.get("DAEMON_PASSWORD")))
    except ClientError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
