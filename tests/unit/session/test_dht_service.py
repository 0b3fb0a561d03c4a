"""The session's DHT node over a simulated internet: sockets, names, searches as async iterators, the saved table."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, aclosing

import pytest

from p2p.dht.state import SavedTable
from p2p.dht.transactions import TIMEOUT
from p2p.errors import DhtError, NetworkError
from p2p.ids import Address
from p2p.session.dht_service import PATIENCE, RESOLVE_AGAIN, SAVE_INTERVAL, DhtService
from p2p.simulation.sim_network import SimInternet
from p2p.simulation.virtual_loop import run

HASH = bytes(range(20))
PORT = 6881
ROUTER = ("router.example", PORT)


class World:
    """Hosts with both families, and services on them; the first host answers to ROUTER's name."""

    def __init__(self):
        self.rng = random.Random(1)
        self.internet = SimInternet(random.Random(2))
        self.internet.name(ROUTER[0], "20.0.0.1", "2001:1::1")
        self.hosts = 0

    def service(self, **options):
        number = self.hosts
        self.hosts += 1
        host = self.internet.host([f"20.{number}.0.1", f"2001:{number + 1:x}::1"])
        return self.on(host, **({"bootstrap": [ROUTER] if number else []} | options))

    def on(self, host, **options):
        made = DhtService(
            host.network,
            rng=random.Random(self.rng.random()),
            secret=self.rng.randbytes(16),
            **({"port": PORT} | options),
        )
        made.host = host
        return made

    async def network(self, stack, size, **options):
        """So many services that have joined one another."""
        found = [await stack.enter_async_context(self.service(**options)) for _ in range(size)]
        for each in found[1:]:
            await each.ready()
        return found


def play(scenario, *, until=10_000.0):
    async def main():
        async with AsyncExitStack() as stack:
            result = await scenario(World(), stack)
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        assert loop.pending_tasks() == [asyncio.current_task()]
        await asyncio.sleep(1)  # for what was on its way
        assert loop.pending_timers() == []
        return result

    return run(main(), until=until)


def now():
    return asyncio.get_running_loop().time()


async def found_by(service, info_hash=HASH, **options):
    return [peer async for peers in service.get_peers(info_hash, **options) for peer in peers]


def test_a_name_leads_into_both_networks_and_announces_are_found_in_both():
    async def scenario(world, stack):
        nodes = await world.network(stack, 5)
        announced = await nodes[1].announce(HASH, 1_000)
        assert announced.stored == announced.asked == 8  # four others, in two families
        assert sorted(await found_by(nodes[4])) == [Address("20.1.0.1", 1_000), Address("2001:2::1", 1_000)]
        view = nodes[4].snapshot()
        assert [family.ipv6 for family in view.families] == [False, True]
        assert all(family.good >= 3 for family in view.families)

    play(scenario)


def test_one_search_finds_and_announces():
    async def scenario(world, stack):
        nodes = await world.network(stack, 4)
        assert await found_by(nodes[1], announce_port=1_000) == []
        await asyncio.sleep(1)
        assert Address("20.1.0.1", 1_000) in await found_by(nodes[2], announce_port=2_000)
        await asyncio.sleep(1)
        assert Address("20.2.0.1", 2_000) in await found_by(nodes[3])

    play(scenario)


def test_a_search_left_early_asks_no_more():
    async def scenario(world, stack):
        nodes = await world.network(stack, 12)
        await nodes[1].announce(HASH, 1_000)
        async with aclosing(nodes[9].get_peers(HASH)) as search:
            async for peers in search:
                assert peers
                break
        assert nodes[9].snapshot().searches == 0

    play(scenario)


def test_a_search_left_early_announces_nothing():
    async def scenario(world, stack):
        nodes = await world.network(stack, 12)
        await nodes[1].announce(HASH, 1_000)
        async with aclosing(nodes[9].get_peers(HASH, announce_port=2_000)) as search:
            async for peers in search:
                assert peers
                break
        assert nodes[9].snapshot().searches == 0
        await asyncio.sleep(30)
        assert {peer.port for peer in await found_by(nodes[4])} == {1_000}

    play(scenario)


def test_a_search_before_joining_waits_for_it():
    async def scenario(world, stack):
        nodes = await world.network(stack, 4)
        await nodes[1].announce(HASH, 1_000)
        late = await stack.enter_async_context(world.service())
        assert not late.is_ready
        assert Address("20.1.0.1", 1_000) in await found_by(late)

    play(scenario)


def test_without_anybody_a_search_ends_and_says_nothing():
    async def scenario(world, stack):
        lonely = await stack.enter_async_context(world.service(bootstrap=[("20.9.0.9", 1)]))
        assert await found_by(lonely) == []
        assert now() < PATIENCE + TIMEOUT + 1
        assert (await lonely.announce(HASH, 5)).asked == 0

    play(scenario)


def test_a_name_that_is_not_found_is_looked_up_again():
    async def scenario(world, stack):
        await stack.enter_async_context(world.service())
        late = await stack.enter_async_context(world.service(bootstrap=[("later.example", PORT)]))
        await asyncio.sleep(1)
        world.internet.name("later.example", "20.0.0.1")
        await late.ready()
        assert RESOLVE_AGAIN < now() < RESOLVE_AGAIN + 2

    play(scenario)


def test_a_torrents_nodes_and_a_peers_port_message_lead_into_the_network():
    async def scenario(world, stack):
        nodes = await world.network(stack, 3)
        one = await stack.enter_async_context(world.service(bootstrap=[]))
        one.add_bootstrap(*ROUTER)
        one.add_bootstrap(*ROUTER)
        await one.ready()
        other = await stack.enter_async_context(world.service(bootstrap=[]))
        other.add_node(Address("20.2.0.1", PORT))
        await other.ready()
        assert nodes[0].snapshot().families[0].good >= 4

    play(scenario)


def test_pings_are_awaited():
    async def scenario(world, stack):
        nodes = await world.network(stack, 2)
        pong = await nodes[1].ping(Address("20.0.0.1", PORT))
        assert pong.rtt == pytest.approx(0.04)
        assert pong.node_id == nodes[0].snapshot().families[0].node_id
        with pytest.raises(DhtError, match="did not answer"):
            await nodes[1].ping(Address("20.77.0.1", 1))
        found = await nodes[1].find_node(pong.node_id)
        assert found.nearest[0] == (pong.node_id, Address("20.0.0.1", PORT))

    play(scenario)


def test_closing_ends_what_is_under_way_with_an_error():
    async def scenario(world, stack):
        service = world.service(bootstrap=[("20.9.0.9", 1)])
        async with service:
            ping = asyncio.ensure_future(service.ping(Address("20.77.0.1", 1)))
            service.add_node(Address("20.77.0.2", 1))
            await asyncio.sleep(0.1)
        with pytest.raises(DhtError, match="closing"):
            await ping
        with pytest.raises(DhtError):
            service.snapshot()
        with pytest.raises(DhtError):
            await found_by(service)
        service.add_node(Address("20.77.0.2", 1))
        service.add_bootstrap("late.example", 1)

    play(scenario)


def test_a_search_under_way_ends_with_an_error_too():
    async def scenario(world, stack):
        await stack.enter_async_context(world.service())
        service = world.service()
        async with service:
            await service.ready()
            world.internet.partition([service.host], [world.internet._hosts["20.0.0.1"]])
            search = asyncio.ensure_future(found_by(service))
            announce = asyncio.ensure_future(service.announce(HASH, 9))
            await asyncio.sleep(0.1)
        for task in (search, announce):
            with pytest.raises(DhtError, match="closing"):
                await task

    play(scenario)


def test_one_family_is_enough_and_none_is_an_error():
    async def scenario(world, stack):
        host = world.internet.host("20.50.0.1")
        only4 = await stack.enter_async_context(world.on(host, port=0))
        assert only4.port
        assert len(only4.snapshot().families) == 2  # the simulated host binds what it has no address for
        with pytest.raises(NetworkError):
            async with world.on(host, port=only4.port):
                pass
        with pytest.raises(NetworkError):
            async with world.on(host, bind=("20.51.0.1",)):
                pass
        one = await stack.enter_async_context(world.on(host, port=0, bind=("20.50.0.1",)))
        assert [family.ipv6 for family in one.snapshot().families] == [False]

    play(scenario)


def test_a_free_port_is_one_for_both_families():
    async def scenario(world, stack):
        service = await stack.enter_async_context(world.service(port=0))
        assert {datagrams.local.port for datagrams in service._sockets.values()} == {service.port}

    play(scenario)


def test_the_table_is_kept_and_a_restart_answers_within_a_second(tmp_path):
    path = tmp_path / "state" / "dht"

    async def scenario(world, stack):
        nodes = await world.network(stack, 10)
        await nodes[1].announce(HASH, 1_000)
        first = world.service(state_path=path)
        async with first:
            await first.ready()
            before = first.snapshot()
        saved = SavedTable.decode(path.read_bytes())
        assert len(saved.nodes[False]) >= 8
        began = now()
        async with world.on(first.host, state_path=path) as again:  # no name to join by
            assert await found_by(again)
            await again.ready()
            assert now() - began < 1.0
            assert [family.node_id for family in again.snapshot().families] == [
                family.node_id for family in before.families
            ]

    play(scenario)


def test_two_nodes_of_one_table_are_never_one(tmp_path):
    path = tmp_path / "state" / "dht"

    async def scenario(world, stack):
        nodes = await world.network(stack, 6)
        async with world.service(state_path=path) as first:
            await first.ready()
        kept = path.read_bytes()
        async with world.on(first.host, state_path=path) as again:
            ids = [family.node_id for family in again.snapshot().families]
            async with world.service(state_path=path, bootstrap=[]) as beside:
                await beside.ready()  # by the nodes of the table, which it may read
                assert not set(ids) & {family.node_id for family in beside.snapshot().families}
            assert path.read_bytes() == kept  # and not write
            await nodes[1].announce(HASH, 1_000)
            assert await found_by(again)
        assert SavedTable.decode(path.read_bytes()).ids[False] == ids[0]
        async with world.service(state_path=path) as next_one:  # nobody has it any more
            assert [family.node_id for family in next_one.snapshot().families] == ids

    play(scenario)


def test_the_table_is_saved_now_and_then(tmp_path):
    path = tmp_path / "dht"

    async def scenario(world, stack):
        await stack.enter_async_context(world.service())
        await stack.enter_async_context(world.service(state_path=path))
        await asyncio.sleep(SAVE_INTERVAL - 1)
        assert not path.exists()
        await asyncio.sleep(2)
        assert SavedTable.decode(path.read_bytes()).nodes[False]

    play(scenario)


@pytest.mark.parametrize("damage", [b"", b"garbage", bytes(200_000)])
def test_a_damaged_table_is_told_of_and_replaced(tmp_path, caplog, damage):
    path = tmp_path / "dht"
    path.write_bytes(damage)

    async def scenario(world, stack):
        await stack.enter_async_context(world.service())
        async with world.service(state_path=path) as service:
            await service.ready()
        assert SavedTable.decode(path.read_bytes()).nodes[False]

    play(scenario)
    assert "begins anew" in caplog.text


def test_an_empty_table_replaces_no_saved_one(tmp_path):
    path = tmp_path / "dht"

    async def scenario(world, stack):
        await stack.enter_async_context(world.service())
        async with world.service(state_path=path) as service:
            await service.ready()
        kept = path.read_bytes()
        path.write_bytes(kept[:-1])
        async with world.service(bootstrap=[], state_path=path):
            pass
        assert path.read_bytes() == kept[:-1]

    play(scenario)


def test_a_folder_that_cannot_be_written_costs_only_the_table(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")

    async def scenario(world, stack):
        await stack.enter_async_context(world.service())
        async with world.service(state_path=tmp_path / "file" / "dht") as service:
            await service.ready()

    play(scenario)
    assert "cannot be saved" in caplog.text


def test_the_same_seed_is_the_same_run():
    async def scenario(world, stack):
        nodes = await world.network(stack, 8)
        await nodes[1].announce(HASH, 1_000)
        return now(), [each.snapshot() for each in nodes]

    assert play(scenario) == play(scenario)
