"""Makes the pictures of the tour, `docs/pictures/*.svg`, of the interface before the made-up daemon."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tui")]

import made_up  # noqa: E402
from picture import lines_of, picture, text_of  # noqa: E402
from stage import app_before, until  # noqa: E402
from still_client import StillClient  # noqa: E402

import p2p.daemon.client  # noqa: E402
import tui.feed  # noqa: E402

PICTURES = HERE.parents[1] / "docs" / "pictures"
SIZE = (112, 30)
PLAIN_ROWS = 11
"""Those of the made-up list whose names try nothing."""

SCENES = (
    (("home", "down", "down"), "torrents", "atlas"),
    (("slash", "ctrl+u", *"atlas", "enter", "enter", "3"), "peers", "qBittorrent"),
    (("5",), "pieces", "1,076 pieces"),
    (("6",), "rates", "peak"),
    (("escape", "W"), "swarm", "has come"),
    (("escape", "escape", "I", "3"), "dht", "Buckets"),
    (("escape", "a"), "add", "Labels"),
)


class TourClient(StillClient):
    rows = made_up.ROWS[:PLAIN_ROWS]


async def main():
    PICTURES.mkdir(exist_ok=True)
    p2p.daemon.client.Client = TourClient
    odd = (made_up.HOSTILE, made_up.WIDE)
    made_up.CHOKING_PEERS = tuple(peer for peer in made_up.CHOKING_PEERS if peer.client_name not in odd)
    tui.feed.SESSION_INTERVAL = 3_600.0
    app = app_before("nas.example:9091")
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(pilot, lambda: "11 torrents" in text_of(app) and "▼ 3.3 MiB/s" in text_of(app))
        for keys, name, text in SCENES:
            await pilot.press(*keys)
            await until(pilot, lambda text=text: text in text_of(app))
            before = None
            while lines_of(app) != before:
                before = lines_of(app)
                await pilot.pause(0.2)
            title = f"starling tui: {name}"
            (PICTURES / f"{name}.svg").write_text(picture(before, SIZE[0], title))
            print(PICTURES / f"{name}.svg")


if __name__ == "__main__":
    os.environ |= {"TZ": "UTC", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    asyncio.run(main())
