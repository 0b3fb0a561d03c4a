"""A torrent is stopped, started and checked again, any number of times, and the swarm hears each of it once."""

from __future__ import annotations

import asyncio

import pytest

from p2p.codec.announce import AnnounceEvent
from p2p.errors import StarlingError
from p2p.metainfo.magnet import Magnet
from p2p.session.session import Begin
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.world import EPOCH

STARTED, COMPLETED, STOPPED = AnnounceEvent.STARTED, AnnounceEvent.COMPLETED, AnnounceEvent.STOPPED


async def watched_tracker(world):
    """A tracker, and the list of (host, event) of all that it is told."""
    heard = []

    def tell(word, *, source, said, **facts):
        heard.append((source, AnnounceEvent(said)))

    await world.start_tracker(tell=tell)
    return heard


def events_of(heard, peer):
    return [event for host, event in heard if host == peer.host.addresses[0] and event is not AnnounceEvent.NONE]


@pytest.mark.parametrize("kind", ["http", "udp"])
def test_a_download_goes_on_after_each_of_many_stops(play, kind):
    async def scenario(world):
        heard = await watched_tracker(world)
        await world.add_peer("seed", seeding=True, settings=Settings(limit_up=100_000))
        leecher = await world.add_peer("leecher")
        torrent, downloaded, had = leecher.torrent, 0, 0
        for _ in range(4):
            await asyncio.sleep(3)
            await torrent.stop()
            seen = torrent.snapshot()
            assert seen.state is TorrentState.STOPPED
            assert seen.peers == ()
            assert seen.pieces_had > had
            assert seen.downloaded > downloaded
            assert seen.downloaded == seen.session_downloaded
            had, downloaded = seen.pieces_had, seen.downloaded
            await asyncio.sleep(3)
            assert torrent.snapshot().pieces_had == had
            torrent.start()
            torrent.start()
        await world.completed([leecher], 60)
        assert world.holds(leecher)
        await torrent.stop()
        await asyncio.sleep(1)
        assert events_of(heard, leecher) == [STARTED, STOPPED] * 4 + [STARTED, COMPLETED, STOPPED]

    play(scenario, announce=kind, size=2 << 20)


def test_a_seed_that_was_stopped_serves_again(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        await seed.torrent.stop()
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        await asyncio.sleep(20)
        assert leecher.torrent.snapshot().pieces_had == 0
        seed.torrent.start()
        await world.completed([leecher], 120)
        assert seed.torrent.snapshot().state is TorrentState.SEEDING

    play(scenario)


def test_a_start_while_it_is_being_stopped_is_no_start_too_few(play):
    async def scenario(world):
        heard = await watched_tracker(world)
        seed = await world.add_peer("seed", seeding=True)
        await asyncio.sleep(2)
        seed.torrent.request_stop()
        seed.torrent.start()
        await asyncio.sleep(10)
        assert seed.torrent.snapshot().state is TorrentState.SEEDING
        assert events_of(heard, seed) == [STARTED, STOPPED, STARTED]

    play(scenario, announce="http")


def test_a_torrent_that_is_added_paused_meets_nobody_until_it_is_started(play):
    async def scenario(world):
        heard = await watched_tracker(world)
        seed = await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher")
        await leecher.session.remove(leecher.torrent)
        heard.clear()
        torrent = await leecher.session.add(world.metainfo, TorrentOptions(peers=(seed.address,)), begin=Begin.PAUSED)
        await asyncio.sleep(60)
        assert torrent.snapshot().state is TorrentState.STOPPED
        assert events_of(heard, leecher) == []
        await torrent.stopped()
        torrent.start()
        async with asyncio.timeout(60):
            await torrent.completed()

    play(scenario, announce="http")


def test_the_end_of_a_session_tells_who_waits_for_a_torrent_that_never_ran(play):
    async def scenario(world):
        peer = await world.add_peer("peer", seeding=True)
        await peer.session.remove(peer.torrent)
        torrent = await peer.session.add(world.metainfo, begin=Begin.PAUSED)
        waiting = asyncio.create_task(torrent.completed())
        await peer.leave()
        with pytest.raises(StarlingError, match="stopped before it completed"):
            await waiting

    play(scenario)


def test_a_magnet_link_is_stopped_and_started_while_its_metadata_is_missing(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        await seed.torrent.stop()
        other = await world.add_peer("other")
        await other.session.remove(other.torrent)
        torrent = await other.session.add(Magnet.from_metainfo(world.metainfo), TorrentOptions(peers=(seed.address,)))
        for _ in range(3):
            await asyncio.sleep(5)
            assert torrent.snapshot().state is TorrentState.METADATA
            with pytest.raises(StarlingError, match="nothing to check"):
                await torrent.verify()
            await torrent.stop()
            torrent.start()
        seed.torrent.start()
        async with asyncio.timeout(120):
            await torrent.completed()

    play(scenario)


def test_a_check_finds_what_was_spoilt_and_the_swarm_heals_it(play):
    async def scenario(world):
        heard = await watched_tracker(world)
        await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher")
        await world.completed([leecher], 60)
        leecher.disk._pieces[3] = b"spoilt"
        await leecher.torrent.verify()
        await asyncio.sleep(1)
        await leecher.torrent.completed()
        await asyncio.sleep(10)
        assert leecher.torrent.snapshot().complete
        assert world.holds(leecher)
        assert events_of(heard, leecher) == [STARTED, COMPLETED, STOPPED, STARTED]

    play(scenario, announce="http")


def test_a_stopped_torrent_is_checked_and_stays_stopped(play):
    async def scenario(world):
        heard = await watched_tracker(world)
        seed = await world.add_peer("seed", seeding=True)
        await seed.torrent.stop()
        heard.clear()
        del seed.disk._pieces[3]
        await seed.torrent.verify()
        assert seed.torrent.snapshot().state is TorrentState.CHECKING
        await seed.torrent.stopped()
        seen = seed.torrent.snapshot()
        assert seen.state is TorrentState.STOPPED
        assert seen.pieces_had == world.metainfo.piece_count - 1
        assert seen.done_size == seen.wanted_size - len(world.content[3])
        await asyncio.sleep(10)
        assert heard == []

    play(scenario, announce="http")


def test_a_start_during_the_check_of_a_stopped_torrent_lets_it_go_on(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        await seed.torrent.stop()
        await seed.torrent.verify()
        seed.torrent.start()
        await asyncio.sleep(5)
        assert seed.torrent.snapshot().state is TorrentState.SEEDING

    play(scenario)


def test_time_at_work_is_counted_and_time_at_rest_is_not(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await asyncio.sleep(100)
            await seed.torrent.stop()
            await asyncio.sleep(50)
            seed.torrent.start()
        assert seed.torrent.ledger.seeding_for(loop.time()) == pytest.approx(300, abs=1)
        assert seed.torrent.ledger.downloading_for(loop.time()) == pytest.approx(0, abs=1)

    play(scenario)


def test_dates_sources_and_files_tell_of_a_download(play):
    async def scenario(world):
        await world.start_tracker()
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=100_000))
        leecher = await world.add_peer("leecher", options=TorrentOptions(priorities={0: 0, 1: 7}))
        await asyncio.sleep(3)
        assert leecher.torrent.snapshot().sources in ((("tracker", 1),), (("incoming", 1),))
        counts, copies = leecher.torrent.availability()
        assert set(counts) == {1}
        assert 1.0 <= copies <= 2.0
        row, seen = leecher.torrent.row(), leecher.torrent.snapshot()
        assert (row.downloaded, row.connected, row.done_size) == (seen.downloaded, 1, seen.done_size)
        await world.completed([leecher], 60)
        files = leecher.torrent.files()
        layout = world.metainfo.layout
        boundary = layout.files[1].offset % layout.piece_length  # the part of a that comes with the first piece of b
        assert [(file.path, file.done, file.priority) for file in files] == [("a", boundary, 0), ("b", 400_000, 7)]
        await asyncio.sleep(100)
        seen = leecher.torrent.snapshot()
        assert EPOCH <= seen.added_time <= seen.started_time < seen.completed_time < EPOCH + 20
        assert EPOCH + 3 < seen.active_time < EPOCH + 20
        assert 3 < seen.downloading_seconds < 20
        assert seen.seeding_seconds > 90
        await leecher.torrent.stop()
        assert leecher.torrent.files() == files
        assert leecher.torrent.row().done_size == row.wanted_size
        assert seed.torrent.row().left == 0

    play(scenario, files=[(("a",), 500_000), (("b",), 400_000)], announce="http")
