"""What `starling daemon` shows of itself beyond Transmission's RPC, over its socket, while a torrent really moves."""

from __future__ import annotations

import asyncio
import signal

import aiohttp

from p2p.daemon.client import Client
from p2p.daemon.client_address import Server
from p2p.daemon.client_events import Hello, TorrentCompleted, TorrentsAdded

DEADLINE = 60.0


async def page(url, name):
    async with aiohttp.ClientSession() as http, http.get(url.removesuffix("/transmission/rpc") + name) as response:
        assert response.status == 200
        return await response.text()


async def test_a_download_is_followed_from_its_addition_to_its_metrics(programs, make_torrent, tmp_path):
    async with asyncio.timeout(DEADLINE):
        _, announce = await programs.tracker()
        content, torrent = make_torrent(300_000, "--tracker", announce)
        seeder = await programs.starling("seed", content, "--torrent", torrent, state="seeder")
        daemon = await programs.starling("daemon", "--download-dir", tmp_path / "in", "--rpc-port", 0, state="daemon")
        url = (await daemon.event("listening"))["rpc"]
        assert '"ok"' in await page(url, "/health")

        async with Client(Server.parse(url)) as client:
            async with client.events(log="info") as events:
                assert isinstance(await anext(events), Hello)
                added = await client.add(torrent.read_bytes())
                told = [event async for event in _until_completed(events)]
            assert TorrentsAdded((added.id,), told[0].revision) in told
            assert told[-1].hash_string == added.hash_string

            assert (await client.info()).ours
            choking = await client.own.choking(added.id)
            assert choking.is_seeding
            assert choking.next_round_in is not None
            assert (await client.own.disk()).hashed == 300_000
            (host,) = (await client.own.trackers()).hosts
            assert (host.host, host.failures) == ("127.0.0.1", 0)
            assert host.announces >= 2

            begun = await client.own.create(str(content), seed=False)
            while (await client.own.creations(begun.job))[0].ended is None:
                await asyncio.sleep(0.05)
            assert (await client.own.created_file(begun.job))[:1] == b"d"

            metrics = await page(url, "/metrics")
            while 'starling_torrents{state="seeding",tracker="127.0.0.1"} 1.0' not in metrics:
                await asyncio.sleep(0.1)
                metrics = await page(url, "/metrics")
            assert 'starling_announces_total{result="ok",tracker="127.0.0.1"}' in metrics
            assert "starling_choking_get" in await page(url, "/schema")
            await client.close()
        assert await daemon.ended() == 0
        assert await seeder.end(signal.SIGTERM) == 0


async def _until_completed(events):
    async for event in events:
        yield event
        if isinstance(event, TorrentCompleted):
            return
