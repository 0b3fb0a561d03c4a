"""The Python client `transmission-rpc` steers the daemon: what scripts and home automation do with it."""

from __future__ import annotations

import asyncio

import pytest
import transmission_rpc
from waiting import DEADLINE, until

pytestmark = pytest.mark.rival


@pytest.fixture
async def client(steered):
    opened = await asyncio.to_thread(transmission_rpc.Client, host="127.0.0.1", port=int(steered.port))
    with opened:
        yield opened


async def test_a_torrent_from_its_addition_to_its_removal_with_its_content(steered, client):
    async with asyncio.timeout(DEADLINE):
        torrent = await asyncio.to_thread(
            client.add_torrent, steered.torrent, paused=True, labels=["linux", "iso"], bandwidth_priority=1
        )
        number = torrent.id

        def now():
            return client.get_torrent(number)

        stopped = await until(now, lambda torrent: torrent.stopped)
        assert (stopped.labels, stopped.percent_done, stopped.bandwidth_priority) == (["linux", "iso"], 0, 1)
        (file,) = stopped.get_files()
        assert (file.name, file.size, file.selected) == ("content.bin", steered.content.stat().st_size, True)

        await asyncio.to_thread(client.start_torrent, number)
        done = await until(now, lambda torrent: torrent.percent_done == 1.0 and torrent.seeding)
        assert steered.downloaded
        assert done.downloaded_ever >= file.size
        assert done.tracker_stats[0].seeder_count >= 1

        await asyncio.to_thread(client.rename_torrent_path, number, "content.bin", "renamed.bin")
        assert (await until(now, lambda torrent: torrent.name == "renamed.bin")).get_files()[0].name == "renamed.bin"
        other = steered.folder.parent / "other"
        await asyncio.to_thread(client.move_torrent_data, number, other)
        await until(now, lambda torrent: torrent.download_dir == str(other))
        await until((other / "renamed.bin").exists, bool)
        assert (other / "renamed.bin").read_bytes() == steered.content.read_bytes()
        assert not (steered.folder / "content.bin").exists()

        await asyncio.to_thread(client.verify_torrent, number)
        await until(now, lambda torrent: torrent.seeding and torrent.percent_done == 1.0)
        await asyncio.to_thread(client.remove_torrent, number, delete_data=True)
        assert await asyncio.to_thread(client.get_torrents) == []
        await until((other / "renamed.bin").exists, lambda there: not there)


async def test_limits_queues_goals_and_groups_are_what_was_set(steered, client):
    async with asyncio.timeout(DEADLINE):

        def change():
            torrent = client.add_torrent(steered.torrent, paused=True)
            client.change_torrent(
                torrent.id,
                download_limit=250,
                download_limited=True,
                upload_limit=50,
                upload_limited=True,
                seed_ratio_limit=1.5,
                seed_ratio_mode=1,
                seed_idle_limit=45,
                seed_idle_mode=1,
                peer_limit=33,
                honors_session_limits=False,
                priority_high=[0],
            )
            client.set_group("night", speed_limit_down=100, speed_limit_down_enabled=True)
            client.change_torrent(torrent.id, group="night")
            client.set_session(
                speed_limit_down=900,
                speed_limit_down_enabled=True,
                alt_speed_down=90,
                alt_speed_up=9,
                alt_speed_enabled=True,
                download_queue_size=2,
                seed_ratio_limit=2.0,
                seed_ratio_limited=True,
                peer_limit_global=300,
            )
            return client.get_torrent(torrent.id), client.get_session(), client.get_group("night")

        torrent, session, group = await asyncio.to_thread(change)
        assert (torrent.download_limit, torrent.download_limited) == (250, True)
        assert (torrent.upload_limit, torrent.upload_limited) == (50, True)
        assert (torrent.seed_ratio_limit, torrent.seed_ratio_mode, torrent.seed_idle_limit) == (1.5, 1, 45)
        assert (torrent.max_connected_peers, torrent.honors_session_limits, torrent.group) == (33, False, "night")
        assert torrent.get_files()[0].priority == 1
        assert (session.speed_limit_down, session.alt_speed_down, session.alt_speed_enabled) == (900, 90, True)
        assert (session.download_queue_size, session.seed_ratio_limit, session.peer_limit_global) == (2, 2.0, 300)
        assert (group.speed_limit_down, group.speed_limit_down_enabled) == (100, True)
        room = await asyncio.to_thread(client.free_space, steered.folder.parent)
        assert room > 0


async def test_torrents_keep_the_order_that_a_queue_is_given(client):
    async with asyncio.timeout(DEADLINE):

        def order():
            links = [f"magnet:?xt=urn:btih:{number:040x}&dn=number-{number}" for number in range(1, 4)]
            torrents = [client.add_torrent(link, paused=True) for link in links]
            client.queue_top(torrents[2].id)
            client.queue_down(torrents[0].id)
            client.queue_bottom(torrents[2].id)
            return [torrent.name for torrent in sorted(client.get_torrents(), key=lambda each: each.queue_position)]

        assert await asyncio.to_thread(order) == ["number-2", "number-1", "number-3"]
