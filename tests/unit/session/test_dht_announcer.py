"""When a torrent is searched for and announced in the DHT: often while a download is alone, once while it is a seed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from p2p.errors import DhtError
from p2p.ids import Address
from p2p.session.dht_announcer import ALONE_INTERVAL, FEW_PEERS, FIRST_RETRY, INTERVAL, DhtAnnouncer, search_turns
from p2p.simulation.virtual_loop import run

V1, V2 = bytes(20), bytes([1]) * 20
PEER = Address("20.0.0.1", 6881)
SEARCH = 2.0
"""Seconds of a search."""


class Dht:
    """The session's node, as far as a torrent sees it. It has joined unless told otherwise."""

    def __init__(self):
        self.searches = []
        self.bootstrap = []
        self.joined = asyncio.Event()
        self.joined.set()
        self.closed = False

    @property
    def is_ready(self):
        return self.joined.is_set()

    async def ready(self):
        await self.joined.wait()

    def add_bootstrap(self, host, port):
        self.bootstrap.append((host, port))

    async def get_peers(self, info_hash, *, announce_port):
        if self.closed:
            raise DhtError("the DHT node is closing")
        self.searches.append((now(), info_hash, announce_port))
        await asyncio.sleep(SEARCH)
        yield [PEER]

    @property
    def times(self):
        return [at for at, _, _ in self.searches]

    @property
    def gaps(self):
        return [after - before - SEARCH for before, after in pairwise(self.times)]


class Torrent:
    """What the announcer is told of its torrent, and what it found."""

    def __init__(self):
        self.names, self.peers, self.seeding, self.found = [V1], 0, False, []


def now():
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def announcing(dht, torrent, **options):
    announcer = DhtAnnouncer(
        dht,
        lambda: torrent.names,
        **{
            "nodes": (),
            "port": lambda: 1_000,
            "peers": lambda: torrent.peers,
            "seeding": lambda: torrent.seeding,
            "on_peers": torrent.found.extend,
            "turns": search_turns(),
        }
        | options,
    )
    task = asyncio.ensure_future(announcer.run())
    try:
        yield announcer
    finally:
        task.cancel()
        await asyncio.wait([task])


def play(scenario):
    async def main():
        await scenario(Dht(), Torrent())

    run(main(), until=100_000)


def test_a_download_that_is_alone_searches_again_soon_and_then_ever_more_seldom():
    async def scenario(dht, torrent):
        async with announcing(dht, torrent):
            await asyncio.sleep(3_600)
        assert dht.gaps[:6] == pytest.approx([FIRST_RETRY * 2**n for n in range(5)] + [ALONE_INTERVAL])
        assert dht.gaps[6:] == pytest.approx([ALONE_INTERVAL] * len(dht.gaps[6:]))
        assert {port for _, _, port in dht.searches} == {1_000}
        assert set(torrent.found) == {PEER}

    play(scenario)


def test_a_download_with_some_peers_looks_for_more_ever_more_seldom():
    async def scenario(dht, torrent):
        torrent.peers = FEW_PEERS - 1
        async with announcing(dht, torrent):
            await asyncio.sleep(7_200)
        assert dht.gaps == pytest.approx([min(FIRST_RETRY * 2**n, INTERVAL) for n in range(len(dht.gaps))])
        assert dht.gaps[-1] == INTERVAL

    play(scenario)


@pytest.mark.parametrize(("seeding", "peers"), [(True, 0), (True, 3), (False, FEW_PEERS)])
def test_a_seed_and_a_download_with_enough_peers_only_renew_their_announce(seeding, peers):
    async def scenario(dht, torrent):
        torrent.seeding, torrent.peers = seeding, peers
        async with announcing(dht, torrent):
            await asyncio.sleep(3_600)
        assert len(dht.searches) == 4
        assert dht.gaps == pytest.approx([INTERVAL] * 3)

    play(scenario)


def test_a_download_that_lost_its_peers_begins_anew():
    async def scenario(dht, torrent):
        torrent.peers = FEW_PEERS
        async with announcing(dht, torrent):
            await asyncio.sleep(INTERVAL)
            torrent.peers = 0
            await asyncio.sleep(30)
        assert dht.gaps == pytest.approx([INTERVAL, FIRST_RETRY, 2 * FIRST_RETRY])

    play(scenario)


@pytest.mark.parametrize("seeding", [True, False])
def test_who_has_just_joined_the_network_is_announced_at_once(seeding):
    async def scenario(dht, torrent):
        dht.joined.clear()
        torrent.seeding = seeding
        async with announcing(dht, torrent):
            await asyncio.sleep(300)
            before = len(dht.searches)
            dht.joined.set()
            await asyncio.sleep(SEARCH)
            assert len(dht.searches) == before + 1

    play(scenario)


def test_a_name_that_the_torrent_gets_later_is_announced_at_once():
    async def scenario(dht, torrent):
        torrent.peers = FEW_PEERS
        async with announcing(dht, torrent) as announcer:
            await asyncio.sleep(60)
            torrent.names = [V1, V2]
            announcer.on_names()
            await asyncio.sleep(10)
        assert [info_hash for _, info_hash, _ in dht.searches] == [V1, V1, V2]
        assert dht.times == pytest.approx([0, 60, 60 + SEARCH])

    play(scenario)


def test_it_ends_with_the_node_and_joins_by_the_nodes_that_the_torrent_names():
    async def scenario(dht, torrent):
        dht.closed = True
        async with announcing(dht, torrent, nodes=(("node.example", 1),)):
            await asyncio.sleep(1)
        assert dht.bootstrap == [("node.example", 1)]
        assert dht.searches == []

    play(scenario)
