"""A private tracker's totals are what members' clients moved, by their own counts.

One content goes from hand to hand, so that what each gives and takes is known to the byte: libtorrent, Transmission,
Starling, each seeding to the next alone. What counts is the rise of a client's counters of payload from its
first announce to its last, `stopped`, so nothing is left over: totals are equal, not nearly equal.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

import pytest
from namespaces import HOST
from rivals import SEED_PORT, TRACKER_PORT, Libtorrent, Starling, TrackerProcess, Transmission
from shapes import Content, assert_equal_content

from p2p.codec import bencode

pytestmark = pytest.mark.rival

DEADLINE = 90
"""Seconds. Transmission idles for 11 of them before it loads, and looks every 10 at whom it gives."""
TRACKER = (Path(sys.executable).with_name("starling"), "tracker")
SIZE = (2 << 20) + 4_321
MEMBERS = {"libtorrent": "http", "transmission": "http", "starling": "udp"}
"""Named for their clients. Over UDP the passkey travels in BEP 41's option, which Transmission does not know;
libtorrent does, but its session ends without a `stopped` there, and so without telling its last bytes."""
HOSTS = {member: f"10.77.0.{number}" for number, member in enumerate(MEMBERS, 2)}
"""Transmission tells peers apart by their addresses alone."""


class Operator:
    """Who keeps the tracker, by the command line, in a folder."""

    def __init__(self, namespace, folder: Path) -> None:
        self._namespace = namespace
        self.folder = folder
        self.database = folder / "tracker.db"

    async def ask(self, *argv: str | Path):
        place = ("--database", self.database, "--json")
        said = await self._namespace.output("env", "--chdir", self.folder, *TRACKER, *argv, *place)
        return json.loads(said[said.index("{") :] if said.startswith("note:") else said)

    async def share(self, content: Path) -> dict[str, Content]:
        """Register the content and make the members; for each the torrent with its passkey, and its own folder."""
        made = await self.ask("torrent", "add", content, "--announce", f"http://{HOST}:{TRACKER_PORT}/announce")
        handed = {}
        for member, scheme in MEMBERS.items():
            announce = ("--announce", f"{scheme}://{HOST}:{TRACKER_PORT}/announce")
            joined = await self.ask("member", "add", member, "--torrent", made["torrent"], *announce)
            torrent = self.folder / joined["torrents"][0]
            folder = content.parent if member == "libtorrent" else self.folder / member
            handed[member] = Content(torrent, folder, content.name, (torrent,))
        return handed


async def test_totals_are_what_the_clients_moved_and_a_download_is_completed_once(namespace, client, tmp_path):
    libtorrent = client(Libtorrent, HOSTS["libtorrent"])
    transmission = client(Transmission, HOSTS["transmission"])
    starling = client(Starling, HOSTS["starling"])
    operator = Operator(namespace, tmp_path)
    original = tmp_path / "original" / "film.bin"
    original.parent.mkdir()
    original.write_bytes(random.Random(4).randbytes(SIZE))
    async with asyncio.timeout(DEADLINE):
        handed = await operator.share(original)
        tracker = await TrackerProcess.start(namespace, HOST, "--private", operator.database)

        await libtorrent.seed(handed["libtorrent"])
        by_libtorrent = namespace.processes[-1]
        await tracker.until_told(source=HOSTS["libtorrent"], said="started")
        handed["transmission"].folder.mkdir()
        await transmission._start("member", handed["transmission"], handed["transmission"].folder, SEED_PORT, ())
        await transmission.until_whole()
        await tracker.until_told(source=HOSTS["transmission"], said="completed")
        await by_libtorrent.stop()
        await tracker.until_told(source=HOSTS["libtorrent"], said="stopped")

        out = tmp_path / "starling"
        await starling.download(handed["starling"], out, "--bind", HOSTS["starling"])
        by_starling = await namespace.processes[-1].event("stopped")
        # A daemon that ends says no `stopped` over HTTP; a torrent that is stopped does.
        await namespace.output("transmission-remote", Transmission.RPC, "--torrent", "all", "--stop")
        await tracker.until_told(source=HOSTS["transmission"], said="stopped")
        await transmission.stop()
        await tracker.stop()

        members = {each["name"]: each for each in await operator.ask("member", "list")}
        shown = {name: await operator.ask("member", "show", name) for name in members}
        (torrent,) = await operator.ask("torrent", "list")
    for folder in (handed["transmission"].folder, out):
        assert_equal_content(handed["libtorrent"], folder)

    (resume,) = (tmp_path / "transmission" / "member" / "resume").iterdir()
    by_transmission = bencode.decode_lenient(resume.read_bytes())
    moved = {
        "libtorrent": await by_libtorrent.event("stopped"),
        "transmission": {word: by_transmission[word.encode()] for word in ("uploaded", "downloaded")},
        "starling": by_starling,
    }
    told = {name: (each["uploaded"], each["downloaded"]) for name, each in members.items()}
    assert told == {name: (each["uploaded"], each["downloaded"]) for name, each in moved.items()}
    assert {name: each["downloaded"] for name, each in members.items()} == {
        "libtorrent": 0,
        "transmission": SIZE,
        "starling": SIZE,
    }
    assert members["libtorrent"]["uploaded"] == SIZE
    # Transmission counts a little more than the content as uploaded, and the tracker what it is told.
    assert SIZE <= members["transmission"]["uploaded"] < 1.01 * SIZE
    for name, each in members.items():
        assert (each["actual_uploaded"], each["actual_downloaded"]) == told[name]
        assert each["finished"] == (0 if name == "libtorrent" else 1)
        assert shown[name] == {**each, "warnings": [], "flags": []}
    assert torrent["finished"] == 2
