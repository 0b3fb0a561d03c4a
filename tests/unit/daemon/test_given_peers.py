"""Peers that the operator names are tried for every torrent that comes, and the log tells what comes of torrents."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

from p2p.daemon.given_peers import GivenPeers
from p2p.daemon.torrent_log import TorrentLog
from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.session.event_bus import Event, EventBus, EventKind
from p2p.swarm.peer_list import PeerSource

DEADLINE = 10.0
HASH = "ab" * 20


class Network:
    async def resolve(self, host, port):
        if host == "gone.example":
            raise NetworkError("unknown")
        return [Address("192.0.2.7", port)]


async def until(wanted):
    async with asyncio.timeout(DEADLINE):
        while not wanted():
            await asyncio.sleep(0.001)


async def test_named_peers_are_given_to_each_torrent_that_comes(caplog):
    given = []
    torrents = [
        SimpleNamespace(info_hash=name, add_peers=lambda peers, source, name=name: given.append((name, peers, source)))
        for name in (HASH, "cd" * 20)
    ]
    session = SimpleNamespace(events=EventBus(), torrents=torrents)
    task = asyncio.create_task(GivenPeers(session, Network(), (("gone.example", 1), ("here.example", 2))).run())
    await asyncio.sleep(0)
    for kind in (EventKind.COMPLETE, EventKind.ADDED):
        session.events.publish(Event(kind, 0.0, HASH))
    await until(lambda: given)
    task.cancel()
    await asyncio.wait([task])
    assert given == [(HASH, [Address("192.0.2.7", 2)], PeerSource.MANUAL)]
    assert "gone.example" in caplog.text
    await GivenPeers(session, Network(), ()).run()  # at once where there are none


async def test_what_becomes_of_torrents_is_logged_and_what_was_so_before_is_not(caplog):
    caplog.set_level("INFO", logger="p2p")
    now = time.time()
    known = {
        HASH: SimpleNamespace(name="new", done_date=int(now), size_when_done=7),
        "cd" * 20: SimpleNamespace(name="old", done_date=int(now) - 3_600, size_when_done=7),
    }
    bus = EventBus()
    task = asyncio.create_task(TorrentLog(known.get).run(bus))
    await asyncio.sleep(0)
    for kind, info_hash, message in (
        (EventKind.COMPLETE, "cd" * 20, None),
        (EventKind.COMPLETE, HASH, None),
        (EventKind.METADATA, HASH, None),
        (EventKind.STOPPED, HASH, None),
        (EventKind.ERROR, "ef" * 20, "no room"),
    ):
        bus.publish(Event(kind, now, info_hash, message))
    await until(lambda: "in trouble" in caplog.text)
    task.cancel()
    await asyncio.wait([task])
    told = [(each.message, each.facts["name"], each.facts.get("reason")) for each in caplog.records]
    assert told == [
        ("torrent complete", "new", None),
        ("torrent has its metadata", "new", None),
        ("torrent in trouble", None, "no room"),
    ]
