"""What the daemon's keepers make of torrents that really move: queues, goals of seeding, weights and groups."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from p2p.daemon.goal_keeper import GoalKeeper
from p2p.daemon.groups import Groups
from p2p.daemon.intent import Intent
from p2p.daemon.managed_torrent import ManagedTorrent, Wishes
from p2p.daemon.ports import GoalMode, Priority, Start, Status, Step
from p2p.daemon.queue_keeper import SETTINGS, QueueKeeper
from p2p.daemon.session_values import SessionValues, initial
from p2p.ids import Address
from p2p.session.session import Begin, Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.world import SINGLE_FILE, make_content, sim_environment

PORT = 6_881


class Daemon:
    """A session's torrents, and who keeps them."""

    def __init__(self, session, host, values):
        self.session = session
        self.address = Address(host.addresses[0], PORT)
        self.kept = {}
        self.finished = []
        self.values = SessionValues({**initial(Settings(), "/c"), **values})
        self.queue = QueueKeeper(
            self.values,
            self.kept,
            loop=asyncio.get_running_loop(),
            on_change=lambda torrents: None,
            on_moved=lambda torrents: None,
            on_finished=self.finished.append,
        )
        self.values.applied_by(SETTINGS, self.queue.apply)
        self.goals = GoalKeeper(self.values, self.kept.values())
        self.groups = Groups(self.kept.values())

    async def add(self, metainfo, peers=(), *, have=False, select=(), **wishes):
        options = TorrentOptions(peers=tuple(peers), trust=have, select_indices=select)
        torrent = await self.session.add(metainfo, options, begin=Begin.PAUSED)
        loop = asyncio.get_running_loop()
        managed = ManagedTorrent(
            len(self.kept) + 1, torrent, Wishes(intent=Intent.QUEUED, **wishes), loop_time=loop.time, wall=loop.time
        )
        self.kept[managed.id] = managed
        self.goals.hold(managed)
        self.groups.hold(managed)
        self.queue.on_added(managed)
        return managed

    def statuses(self):
        return [managed.status for managed in self.kept.values()]

    async def until(self, *statuses, within=30.0):
        async with asyncio.timeout(within):
            while self.statuses() != list(statuses):
                await asyncio.sleep(0.5)


@asynccontextmanager
async def daemon(world, contents, *, limit_up=None, **values):
    """On a host of its own; `contents` maps metainfo to what is there already, or None."""
    held = {metainfo.piece_count: content for metainfo, content in contents.items()}
    host = world.add_host()
    environment = sim_environment(
        host, world.new_rng(), lambda layout: SimDisk(layout, held[layout.piece_count], DiskKnobs())
    )
    settings = Settings(port=PORT, bind=("0.0.0.0",), limit_up=limit_up, dht=False, local_discovery=False)
    async with Session(settings, environment=environment) as session:
        kept = Daemon(session, host, values)
        task = asyncio.create_task(kept.queue.run(session.events, kept_by_hash(kept)))
        try:
            yield kept
        finally:
            task.cancel()
            await asyncio.wait([task])


def kept_by_hash(kept):
    return lambda name: next((each for each in kept.kept.values() if each.hash_string == name), None)


def torrents(count):
    """Each of another number of pieces."""
    return dict(
        make_content(random.Random(number), [(SINGLE_FILE, (number + 4) << 18)], 64 << 10, announce=None)
        for number in range(count)
    )


STOPPED, WAITING, DOWNLOADING, SEED_WAITING, SEEDING = (
    Status.STOPPED,
    Status.DOWNLOAD_QUEUED,
    Status.DOWNLOADING,
    Status.SEED_QUEUED,
    Status.SEEDING,
)
ONE_EACH = {
    "download_queue_size": 1,
    "queue_stalled_minutes": 2,
    "seed_queue_enabled": True,
    "seed_queue_size": 1,
}


def test_torrents_pass_through_the_queues_as_places_come(play):
    async def scenario(world):
        contents = torrents(3)
        dead, one, other = contents
        async with daemon(world, contents, download_queue_enabled=False) as seed:
            for metainfo in (one, other):
                await seed.add(metainfo, have=True)
            async with daemon(world, dict.fromkeys(contents), **ONE_EACH) as leecher:
                await leecher.add(dead)
                first = await leecher.add(one, [seed.address])
                second = await leecher.add(other, [seed.address])
                await asyncio.sleep(110)
                assert leecher.statuses() == [DOWNLOADING, WAITING, WAITING]
                assert not leecher.kept[1].is_stalled
                # The dead one holds its place for two minutes; then each of the others downloads in its turn.
                await leecher.until(DOWNLOADING, SEEDING, SEED_WAITING)
                assert leecher.kept[1].is_stalled
                assert (first.left_until_done, second.left_until_done) == (0, 0)
                assert not second.torrent.running
                # A place in the other queue comes free, by a stop, and by the first seed's having nothing to do.
                leecher.queue.stop([first])
                await leecher.until(DOWNLOADING, STOPPED, SEEDING)
                leecher.queue.start([first], Start.QUEUED)
                assert first.status is SEED_WAITING
                await leecher.until(DOWNLOADING, SEEDING, SEEDING, within=125)

    play(scenario)


def test_start_now_passes_the_queue_and_the_order_decides_among_the_rest(play):
    async def scenario(world):
        contents = torrents(4)
        async with daemon(world, dict.fromkeys(contents), download_queue_size=1, queue_stalled_enabled=False) as keeper:
            first, second, third, fourth = [await keeper.add(metainfo) for metainfo in contents]
            keeper.queue.start([fourth], Start.NOW)
            keeper.queue.move([third], Step.TOP)
            assert [each.queue_position for each in (third, first, second, fourth)] == [0, 1, 2, 3]
            await asyncio.sleep(3_000)
            assert keeper.statuses() == [DOWNLOADING, WAITING, WAITING, DOWNLOADING]
            keeper.queue.stop([first])
            assert third.status is WAITING  # the place is still held by the one that was started now
            keeper.queue.stop([fourth])
            await keeper.until(STOPPED, WAITING, DOWNLOADING, STOPPED)
            await keeper.values.set({"download_queue_size": 2})
            await keeper.until(STOPPED, DOWNLOADING, DOWNLOADING, STOPPED)

    play(scenario)


def test_a_size_that_changes_holds_at_once(play):
    async def scenario(world):
        contents = torrents(4)
        async with daemon(world, dict.fromkeys(contents), download_queue_size=3) as keeper:
            for metainfo in contents:
                await keeper.add(metainfo)
            await keeper.until(DOWNLOADING, DOWNLOADING, DOWNLOADING, WAITING)
            keeper.queue.move([keeper.kept[1]], Step.BOTTOM)
            await keeper.values.set({"download_queue_size": 2})
            await keeper.until(WAITING, DOWNLOADING, DOWNLOADING, WAITING)
            keeper.queue.on_removed([keeper.kept[2]])
            await keeper.session.remove(keeper.kept.pop(2).torrent)
            await keeper.until(WAITING, DOWNLOADING, DOWNLOADING)
            assert [each.queue_position for each in keeper.kept.values()] == [2, 0, 1]
            await keeper.values.set({"download_queue_enabled": False})
            await keeper.until(DOWNLOADING, DOWNLOADING, DOWNLOADING)

    play(scenario)


def test_a_seeding_ends_when_its_goal_is_reached_and_goes_on_for_who_starts_it_again(play):
    async def scenario(world):
        contents = torrents(2)
        busy, idle = contents
        session = {"idle_seeding_limit": 30, "idle_seeding_limit_enabled": True}
        async with daemon(world, contents, **session) as seed, daemon(world, dict.fromkeys(contents)) as leecher:
            wishes = {"seed_idle_mode": GoalMode.UNLIMITED, "seed_ratio_mode": GoalMode.OWN, "seed_ratio_limit": 1.0}
            by_ratio = await seed.add(busy, have=True, **wishes)
            by_idleness = await seed.add(idle, have=True)
            await seed.until(SEEDING, SEEDING)
            await asyncio.sleep(20 * 60)
            assert 590 <= by_idleness.eta_idle <= 600
            assert by_ratio.eta_idle == -1
            await leecher.add(idle, [seed.address])  # payload moves, and the idle time begins anew
            await leecher.until(SEEDING)
            await asyncio.sleep(25 * 60)
            assert seed.statuses() == [SEEDING, SEEDING]  # the leecher is there, and asks for nothing any more
            await asyncio.sleep(5 * 60 + 5)
            assert seed.statuses() == [SEEDING, STOPPED]
            assert (by_idleness.is_finished, by_ratio.is_finished) == (True, False)
            assert by_idleness.torrent.message == "idle for 30 min"
            await leecher.add(busy, [seed.address])
            await seed.until(STOPPED, STOPPED)
            assert seed.finished == [by_idleness, by_ratio]
            assert by_ratio.upload_ratio >= 1.0
            for managed in seed.kept.values():
                seed.goals.on_start(managed)
            seed.queue.start([by_ratio, by_idleness], Start.QUEUED)
            await seed.until(SEEDING, SEEDING)
            assert not by_ratio.is_finished
            assert by_ratio.wishes.seed_ratio_mode is GoalMode.UNLIMITED
            await asyncio.sleep(60)
            assert seed.statuses() == [SEEDING, SEEDING]

    play(scenario, until=20_000.0)


def test_time_of_seeding_counts_over_all_runs(play):
    async def scenario(world):
        contents = torrents(1)
        (only,) = contents
        async with daemon(world, contents) as seed:
            wishes = {"seed_time_mode": GoalMode.OWN, "seed_time_limit": 10}
            managed = await seed.add(only, have=True, **wishes)
            await asyncio.sleep(6 * 60)
            seed.queue.stop([managed])
            await seed.until(STOPPED)
            assert not managed.is_finished
            await asyncio.sleep(60 * 60)
            seed.queue.start([managed], Start.QUEUED)
            await seed.until(SEEDING)
            await asyncio.sleep(3 * 60 + 50)
            assert managed.status is SEEDING
            await asyncio.sleep(15)
            assert managed.status is STOPPED
            assert managed.is_finished

    play(scenario, until=20_000.0)


def test_a_seed_of_which_more_is_wanted_needs_a_place_among_the_downloads(play):
    async def scenario(world):
        files = [(("a",), 256 << 10), (("b",), 256 << 10)]
        album, content = make_content(random.Random(5), files, 64 << 10, announce=None)
        (dead,) = torrents(1)
        half = {piece: content[piece] for piece in range(4)}
        async with daemon(world, {album: half, dead: None}, download_queue_size=1) as keeper:
            torrent = await keeper.add(album, select=(0,))
            await keeper.until(SEEDING)
            await keeper.add(dead)
            await keeper.until(SEEDING, DOWNLOADING)
            torrent.torrent.set_priorities({1: 4})
            keeper.queue.on_line(torrent)
            await keeper.until(WAITING, DOWNLOADING)
            async with asyncio.timeout(5):
                await torrent.torrent.stopped()
            keeper.queue.stop([keeper.kept[2]])
            await keeper.until(DOWNLOADING, STOPPED)
            torrent.torrent.set_priorities({1: 0})  # which the engine tells of
            keeper.queue.start([keeper.kept[2]], Start.QUEUED)
            await keeper.until(SEEDING, DOWNLOADING)

    play(scenario)


@pytest.mark.parametrize("limit", [100_000, 800_000])
def test_more_weight_is_more_of_the_upload_limit(play, limit):
    async def scenario(world):
        contents = {
            metainfo: content
            for number in range(3)
            for metainfo, content in [
                make_content(random.Random(number), [(SINGLE_FILE, (48 + number) << 20)], 256 << 10, announce=None)
            ]
        }
        ends = (Priority.HIGH, Priority.NORMAL, Priority.LOW)
        async with daemon(world, contents, limit_up=limit) as seed, daemon(world, dict.fromkeys(contents)) as leecher:
            for metainfo, priority in zip(contents, ends, strict=True):
                await seed.add(metainfo, have=True, bandwidth_priority=priority)
                await leecher.add(metainfo, [seed.address])
            await asyncio.sleep(5)
            before = [each.uploaded_ever for each in seed.kept.values()]
            await asyncio.sleep(40)
            moved = [each.uploaded_ever - at for each, at in zip(seed.kept.values(), before, strict=True)]
            assert sum(moved) == pytest.approx(40 * limit, rel=0.05)
            assert moved == pytest.approx([sum(moved) * weight / 7 for weight in (4, 2, 1)], rel=0.15)

    play(scenario)


def test_a_group_shares_its_limit_inside_the_sessions_or_outside_of_it(play):
    async def scenario(world):
        contents = {
            metainfo: content
            for number in range(3)
            for metainfo, content in [
                make_content(random.Random(number), [(SINGLE_FILE, (16 + number) << 20)], 256 << 10, announce=None)
            ]
        }
        async with daemon(world, contents, limit_up=200_000) as seed, daemon(world, dict.fromkeys(contents)) as leecher:
            for metainfo, group in zip(contents, ("slow", "slow", ""), strict=True):
                await seed.add(metainfo, have=True, group=group)
                await leecher.add(metainfo, [seed.address])

            async def rates(seconds=20):
                await asyncio.sleep(5)
                before = [each.uploaded_ever for each in seed.kept.values()]
                await asyncio.sleep(seconds)
                return [
                    (each.uploaded_ever - at) / seconds for each, at in zip(seed.kept.values(), before, strict=True)
                ]

            seed.groups.set("slow", {"speed_limit_up": 60, "speed_limit_up_enabled": True})
            assert await rates() == pytest.approx([30_000, 30_000, 140_000], rel=0.15)
            seed.groups.set("slow", {"honors_session_limits": False})
            assert await rates() == pytest.approx([30_000, 30_000, 200_000], rel=0.15)
            seed.groups.set("slow", {"speed_limit_up_enabled": False, "honors_session_limits": True})
            assert await rates() == pytest.approx([66_667, 66_667, 66_667], rel=0.15)

    play(scenario)
