"""What a user changes on a torrent that runs takes effect while it runs."""

from __future__ import annotations

import asyncio

import pytest

from p2p.errors import StarlingError
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.metainfo import Metainfo
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.world import SINGLE_FILE

FILES = [(("a",), 700_000), (("b",), 300_000), (("c",), 900_000)]
PIECE = 64 << 10


def test_limits_bind_as_soon_as_they_are_set_and_no_longer(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,), limit_down=10_000.0))
        await asyncio.sleep(30)
        assert 100_000 < leecher.torrent.snapshot().downloaded < 350_000
        leecher.torrent.set_limits(down=100_000.0, up=None)
        before = leecher.torrent.snapshot().downloaded
        await asyncio.sleep(30)
        assert 2_500_000 < leecher.torrent.snapshot().downloaded - before < 3_300_000
        leecher.torrent.set_limits(down=None, up=None)
        await world.completed([leecher], 30)

    play(scenario, size=32 << 20)


def test_files_are_deselected_and_selected_again_while_they_download(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=100_000))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        torrent = leecher.torrent
        await asyncio.sleep(2)
        torrent.set_priorities({0: 0, 2: 0})
        layout = world.metainfo.layout
        wanted = layout.pieces_of_file(1)
        seen = torrent.snapshot()
        assert seen.wanted_size == sum(map(layout.piece_size, wanted))
        await world.completed([leecher], 60)
        assert torrent.snapshot().state is TorrentState.SEEDING
        for piece in wanted:  # with what it shares with its neighbours
            assert leecher.disk.content[piece] == world.content[piece]
        had = torrent.snapshot().pieces_had
        await asyncio.sleep(60)
        assert torrent.snapshot().pieces_had == had < world.metainfo.piece_count
        torrent.set_priorities({0: 4})
        assert torrent.snapshot().state is TorrentState.DOWNLOADING
        await world.completed([leecher], 60)
        assert all(leecher.disk.content[piece] == world.content[piece] for piece in layout.pieces_of_file(0))
        assert torrent.snapshot().pieces_had != world.metainfo.piece_count
        torrent.set_priorities({2: 7})
        await world.completed([leecher], 60)
        assert world.holds(leecher)

    play(scenario, files=FILES, piece_length=PIECE)


def test_deselecting_all_that_is_missing_completes_a_download(play):
    async def scenario(world):
        leecher = await world.add_peer("leecher")
        await asyncio.sleep(1)
        leecher.torrent.set_priorities({0: 0, 1: 0, 2: 0})
        async with asyncio.timeout(5):
            await leecher.torrent.completed()
        leecher.torrent.set_priorities({1: 4})
        waiting = asyncio.create_task(leecher.torrent.completed())
        await asyncio.sleep(5)
        assert not waiting.done()
        await leecher.torrent.stop()
        with pytest.raises(StarlingError, match="stopped before"):
            await waiting

    play(scenario, files=FILES, piece_length=PIECE)


@pytest.mark.parametrize("wish", [{3: 4}, {-1: 4}, {0: 8}, {0: -1}, {0: 0, 9: 4}])
def test_a_wish_for_what_is_no_file_or_no_priority_changes_nothing(play, wish):
    async def scenario(world):
        peer = await world.add_peer("peer", seeding=True)
        with pytest.raises(StarlingError):
            peer.torrent.set_priorities(wish)
        assert peer.torrent.file_priorities == [4, 4, 4]

    play(scenario, files=FILES, piece_length=PIECE)


def test_a_choice_of_files_outlives_a_stop(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,), limit_down=10_000.0))
        await asyncio.sleep(1)
        leecher.torrent.set_priorities({0: 0, 2: 0})
        await leecher.torrent.stop()
        leecher.torrent.set_limits(down=None, up=None)
        leecher.torrent.start()
        await world.completed([leecher], 60)
        assert set(leecher.disk.content) >= set(world.metainfo.layout.pieces_of_file(1))
        assert leecher.torrent.snapshot().pieces_had < world.metainfo.piece_count

    play(scenario, files=FILES, piece_length=PIECE)


def test_sequential_download_begins_when_it_is_asked_for(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=200_000))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        await asyncio.sleep(3)
        leecher.torrent.set_mode(sequential=True, first_and_last=False)
        await asyncio.sleep(8)
        have = leecher.torrent.store.have
        front = next(piece for piece in range(have.size) if not have[piece])
        assert front > 6
        beyond = sum(have[piece] for piece in range(front, have.size))
        assert beyond < have.count - beyond

    play(scenario, size=8 << 20)


def test_trackers_are_changed_and_each_hears_its_part(play):
    async def scenario(world):
        heard = []

        def tell(word, *, source, said, **facts):
            heard.append(said)

        await world.start_tracker(tell=tell)
        url = world.metainfo.trackers[0][0]
        seed = await world.add_peer("seed", seeding=True, options=TorrentOptions(trackers=()))
        await asyncio.sleep(30)
        assert heard == []
        seed.torrent.set_trackers(((url,),))
        await asyncio.sleep(5)
        assert heard == ["started"]
        seed.torrent.set_trackers(())
        await asyncio.sleep(5)
        assert heard == ["started", "stopped"]
        assert seed.torrent.snapshot().trackers == ()
        await seed.torrent.stop()
        await asyncio.sleep(5)
        assert len(heard) == 2

    play(scenario, announce="http")


def test_a_user_may_announce_again_as_often_as_the_tracker_allows(play):
    async def scenario(world):
        heard = []

        def tell(word, *, source, said, **facts):
            heard.append(asyncio.get_running_loop().time())

        await world.start_tracker(tell=tell)
        seed = await world.add_peer("seed", seeding=True)
        await asyncio.sleep(5)
        (tracker,) = seed.torrent.snapshot().trackers
        assert len(heard) == 1
        for _ in range(50):
            seed.torrent.reannounce()
            await asyncio.sleep(0.1)
        assert len(heard) == 1
        await asyncio.sleep(tracker.earliest_announce - asyncio.get_running_loop().time() + 2)
        assert len(heard) == 2
        assert heard[1] >= tracker.earliest_announce

    play(scenario, announce="http")


@pytest.mark.parametrize("private", [True, False])
def test_a_private_torrent_that_loses_its_tracker_leaves_the_peers_it_had_of_it(play, private):
    async def scenario(world):
        await world.start_tracker()
        url = world.metainfo.trackers[0][0]
        plan = CreationPlan("content", [(SINGLE_FILE, 1 << 20)], version="1", piece_length=PIECE)
        hashes = [hash_job(job, [world.content[job.index]]) for job in plan.jobs()]
        world.metainfo = Metainfo.from_bytes(
            plan.finish(hashes, private=private, envelope=Envelope(trackers=((url,),)))
        )
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=10_000))
        await asyncio.sleep(1)
        leecher = await world.add_peer("leecher")
        await asyncio.sleep(5)
        assert len(leecher.torrent.connected_peers) == 1
        leecher.torrent.set_trackers(((url,), ("http://10.0.0.99:1/announce",)))
        await asyncio.sleep(1)
        assert len(leecher.torrent.connected_peers) == 1
        leecher.torrent.set_trackers((("http://10.0.0.99:1/announce",),))
        await asyncio.sleep(1)
        assert len(leecher.torrent.connected_peers) == (0 if private else 1)
        assert (seed.address in leecher.torrent.peer_list) == (not private)

    play(scenario, size=1 << 20, piece_length=PIECE, announce="http")
