"""Two sessions in one program: one shares a folder, the other fetches it, and what happens is printed as it happens.

python samples/follow_events.py
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

from p2p import Address, Event, EventKind, Session, Settings, TorrentOptions, create

LOOPBACK = "127.0.0.1"


async def share(source: Path, target: Path) -> None:
    data = await create(source)
    there = Settings(download_dir=source.parent, bind=(LOOPBACK,), dht=False, local_discovery=False)
    here = Settings(download_dir=target, bind=(LOOPBACK,), dht=False, local_discovery=False)
    async with Session(there) as seeder, Session(here) as leecher:
        await seeder.add(data, TorrentOptions(trust=True))
        with leecher.events.subscribe() as events:
            await leecher.add(data, TorrentOptions(peers=(Address(LOOPBACK, seeder.port),)))
            async for event in events:
                print(describe(event))
                if event.kind in (EventKind.COMPLETE, EventKind.STOPPED):
                    break


def describe(event: Event) -> str:
    return f"{event.info_hash[:8]} {event.kind.value}" + (f": {event.message}" if event.message else "")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source", "songs"), Path(folder, "target")
        source.mkdir(parents=True)
        rng = random.Random(1)
        for name in ("starling.flac", "blackbird.flac"):
            (source / name).write_bytes(rng.randbytes(1_500_000))
        asyncio.run(share(source, target))
        for file in sorted(source.iterdir()):
            same = file.read_bytes() == (target / "songs" / file.name).read_bytes()
            print(f"{file.name}: {'arrived whole' if same else 'differs'}")


if __name__ == "__main__":
    main()
