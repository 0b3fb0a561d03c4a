"""A session of hundreds of torrents: quiet while nothing happens, no storm at the start, and nobody starved."""

from __future__ import annotations

import asyncio
from collections import Counter

from p2p.session.host_gates import BURST, PACE
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.tracking import CALL_INTERVAL
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.world import PEER_PORT, TRACKER, make_content, sim_environment

SIZE = 16 << 10
DEAD = "10.250.0.1:80"


class Crowd:
    """A session and its torrents, each of one piece and of a tracker by turns; `heard` are announces as they came."""

    def __init__(self, world, session, contents):
        self.world, self.session, self.contents = world, session, contents

    async def add(self, url, *, have=True):
        names = len(self.contents)
        metainfo, pieces = make_content(self.world.new_rng(), [((f"file {names}",), SIZE)], SIZE, announce=url)
        self.contents[metainfo.layout.files[0].parts] = pieces if have else None
        return await self.session.add(metainfo, TorrentOptions(trust=have))


async def crowd_of(world, count, *urls):
    """A session with `count` torrents of those trackers that are all being seeded."""
    contents = {}
    environment = sim_environment(
        world.add_host(),
        world.new_rng(),
        lambda layout: SimDisk(layout, contents[layout.files[0].parts], DiskKnobs()),
    )
    settings = Settings(port=PEER_PORT, bind=("0.0.0.0",), dht=False, local_discovery=False)
    session = await world.stack.enter_async_context(Session(settings, environment=environment))
    crowd = Crowd(world, session, contents)
    for number in range(count):
        await crowd.add(urls[number % len(urls)])
    return crowd


async def tracked(world):
    """The world's tracker, and what it hears: moment, event and info-hash of each announce."""
    heard = []

    def tell(word, **facts):
        heard.append((asyncio.get_running_loop().time(), word, facts))

    await world.start_tracker(tell=tell)
    return heard


def test_idle_seeds_are_only_known(play):
    async def scenario(world):
        crowd = await crowd_of(world, 100, None)
        session, loop = crowd.session, asyncio.get_running_loop()
        await asyncio.sleep(60)
        session.take_changed()
        tasks = len(loop.pending_tasks())
        assert tasks <= 100 + 5  # of each torrent one, which waits for its stop
        assert len(session._open.agenda) == 0
        await asyncio.sleep(600)
        assert session.take_changed() == []
        assert len(loop.pending_tasks()) == tasks

    play(scenario)


def test_seeds_with_a_tracker_are_one_entry_of_the_agenda_each(play):
    async def scenario(world):
        heard = await tracked(world)
        crowd = await crowd_of(world, 100, f"http://{TRACKER}/announce")
        await asyncio.sleep(60)
        assert Counter(word for _, word, _ in heard) == {"announce": 100}
        assert len(crowd.session._open.agenda) == 100

    play(scenario)


def test_the_start_of_many_is_no_storm_and_a_download_goes_first(play):
    async def scenario(world):
        heard = await tracked(world)
        url = f"http://{TRACKER}/announce"
        crowd = await crowd_of(world, 120, url)
        await asyncio.sleep(1)
        wanted = await crowd.add(url, have=False)
        added_at = asyncio.get_running_loop().time()
        await asyncio.sleep(30)
        assert len(heard) == 121
        (first,) = (at for at, _, facts in heard if facts["info_hash"] == wanted.info_hash)
        assert first - added_at < 1.0
        assert max(at for at, _, _ in heard) > 1.5
        a_second = Counter(int(at) for at, _, _ in heard)
        assert max(a_second.values()) <= BURST + PACE + 1

    play(scenario)


def test_torrents_of_a_dead_tracker_keep_no_others_waiting(play):
    async def scenario(world):
        heard = await tracked(world)
        alive = f"http://{TRACKER}/announce"
        crowd = await crowd_of(world, 100, f"http://{DEAD}/announce", alive)
        await asyncio.sleep(15)
        assert len(heard) == 50
        await asyncio.sleep(300)
        ill = [torrent for torrent in crowd.session.torrents if torrent.tracking.complaint() is not None]
        assert len(ill) == 50

    play(scenario)


def test_downloads_that_nobody_has_cost_no_more_than_their_calls_for_peers(play):
    async def scenario(world):
        await tracked(world)
        crowd = await crowd_of(world, 0)
        for _ in range(20):
            await crowd.add(f"http://{TRACKER}/announce", have=False)
        await asyncio.sleep(100)
        crowd.session.take_changed()
        looked = 0
        for _ in range(600):
            await asyncio.sleep(1)
            looked += len(crowd.session._open.notices.lively)
        assert looked <= 20 * (600 / CALL_INTERVAL + 2)

    play(scenario)
