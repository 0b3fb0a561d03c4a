"""One DHT of our nodes and libtorrent's on loopback: each finds what another announced, both ways, and pings work."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import asynccontextmanager

import pytest

from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.session.dht_service import DhtService

pytestmark = pytest.mark.rival

STEP = 0.05


@pytest.fixture
def libtorrent():
    if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
        return __import__("libtorrent")
    return pytest.importorskip("libtorrent")


class Rival:
    """A libtorrent session with a DHT node, in a network that it would take for none."""

    def __init__(self, libtorrent, host, bootstrap):
        self.libtorrent = libtorrent
        kinds = libtorrent.alert.category_t
        self.session = libtorrent.session(
            {
                "listen_interfaces": f"{host}:0",
                "enable_dht": True,
                "enable_lsd": False,
                "enable_upnp": False,
                "enable_natpmp": False,
                "dht_bootstrap_nodes": bootstrap,
                "dht_restrict_routing_ips": False,
                "dht_restrict_search_ips": False,
                "dht_ignore_dark_internet": False,
                "alert_mask": kinds.dht_notification | kinds.dht_operation_notification | kinds.status_notification,
            }
        )

    async def get_peers(self, info_hash):
        """Peers as its node finds them."""
        wanted = self.libtorrent.sha1_hash(info_hash)
        while True:
            self.session.dht_get_peers(wanted)
            for _ in range(20):
                for alert in self.session.pop_alerts():
                    if isinstance(alert, self.libtorrent.dht_get_peers_reply_alert) and alert.info_hash == wanted:
                        return [Address(*peer) for peer in alert.peers()]
                await asyncio.sleep(STEP)

    def announce(self, info_hash, port):
        self.session.dht_announce(self.libtorrent.sha1_hash(info_hash), port, 0)

    def address(self):
        return Address("127.0.0.99", self.session.listen_port())


def ours(number, **options):
    return DhtService(
        AsyncioNetwork(), rng=random.Random(number), secret=bytes([number]) * 16, bind=(f"127.0.0.{number}",), **options
    )


@asynccontextmanager
async def mixed_network(libtorrent):
    """Three of our nodes and a libtorrent node that has joined by one of them."""
    async with ours(51) as one:
        router = ("127.0.0.51", one.port)
        async with ours(52, bootstrap=[router]) as two, ours(53, bootstrap=[router]) as three:
            await two.ready()
            await three.ready()
            rival = Rival(libtorrent, "127.0.0.99", f"{router[0]}:{router[1]}")
            while one.snapshot().families[0].good < 3:
                await asyncio.sleep(STEP)
            yield (one, two, three), rival


@pytest.mark.timeout(60)
async def test_libtorrent_finds_what_we_announce_and_we_what_it_announces(libtorrent):
    async with mixed_network(libtorrent) as (nodes, rival):
        here, there = random.Random(1).randbytes(20), random.Random(2).randbytes(20)
        announced = await nodes[1].announce(here, 1_111)
        assert announced.stored == announced.asked == 3
        assert await rival.get_peers(here) == [Address("127.0.0.52", 1_111)]

        rival.announce(there, 2_222)
        found = []
        while not found:
            found = [peer async for peers in nodes[2].get_peers(there) for peer in peers]
            await asyncio.sleep(STEP)
        assert found == [Address("127.0.0.99", 2_222)]


@pytest.mark.timeout(60)
async def test_libtorrent_answers_our_ping_and_says_where_it_sees_us(libtorrent):
    async with mixed_network(libtorrent) as (nodes, rival):
        pong = await nodes[2].ping(rival.address())
        assert pong.version is not None
        assert pong.version.startswith(b"LT")
        found = await nodes[2].find_node(pong.node_id)
        assert found.nearest[0] == (pong.node_id, rival.address())


@pytest.mark.timeout(60)
async def test_a_node_that_knows_only_libtorrent_joins_by_it(libtorrent):
    async with (
        mixed_network(libtorrent) as (nodes, rival),
        ours(54, bootstrap=[("127.0.0.99", rival.address().port)]) as late,
    ):
        await late.ready()
        await nodes[0].announce(b"late" * 5, 3_333)
        found = []
        while not found:
            found = [peer async for peers in late.get_peers(b"late" * 5) for peer in peers]
        assert found == [Address("127.0.0.51", 3_333)]
