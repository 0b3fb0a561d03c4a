"""Queues, goals, groups, labels and limits as clients of either dialect set and read them, also after a restart."""

from __future__ import annotations

import asyncio
import base64
import random

import pytest
from library_daemon import library_daemon

from p2p.session.create import create

STOPPED, DOWNLOAD_QUEUED, DOWNLOADING, SEED_QUEUED, SEEDING = 0, 3, 4, 5, 6


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Torrent files in base64, and the folder of their content."""
    folder = tmp_path_factory.mktemp("made")
    chance, found = random.Random(1), []
    for name in ("a", "b", "c"):
        (folder / name).write_bytes(chance.randbytes(40_000))
        found.append(base64.b64encode(asyncio.run(create(folder / name))).decode())
    return folder, found


async def add(client, metainfo, **asked):
    answer = await client.new("torrent_add", metainfo=metainfo, **asked)
    return answer["result"]["torrent_added"]["id"]


async def read(client, name):
    answer = await client.new("torrent_get", fields=[name])
    return [torrent[name] for torrent in answer["result"]["torrents"]]


async def until(client, *statuses):
    """The test's own timeout bounds it."""
    while await read(client, "status") != list(statuses):
        await asyncio.sleep(0.01)


async def setting(client, *names):
    told = (await client.new("session_get", fields=list(names)))["result"]
    return [told[name] for name in names]


async def error(client, method, **arguments):
    return (await client.new(method, **arguments))["error"]["data"]["error_string"]


# -- queues


async def test_the_download_queue_is_told_and_obeyed_in_both_dialects(tmp_path, made):
    async with library_daemon(tmp_path) as client:
        assert (await client.legacy("session-set", **{"download-queue-size": 1}))["result"] == "success"
        ids = [await add(client, metainfo) for metainfo in made[1]]
        await until(client, DOWNLOADING, DOWNLOAD_QUEUED, DOWNLOAD_QUEUED)
        assert await read(client, "queue_position") == [0, 1, 2]

        await client.legacy("queue-move-top", ids=[ids[2]])
        answer = await client.legacy("torrent-get", fields=["queuePosition", "isStalled"], ids=ids)
        told = answer["arguments"]["torrents"]
        assert [torrent["queuePosition"] for torrent in told] == [1, 2, 0]
        assert not any(torrent["isStalled"] for torrent in told)
        await client.legacy("torrent-stop", ids=[ids[0]])
        await until(client, STOPPED, DOWNLOAD_QUEUED, DOWNLOADING)

        await client.new("torrent_start", ids=[ids[0]])
        assert await read(client, "status") == [DOWNLOAD_QUEUED, DOWNLOAD_QUEUED, DOWNLOADING]
        await client.legacy("torrent-start-now", ids=[ids[0]])
        await until(client, DOWNLOADING, DOWNLOAD_QUEUED, DOWNLOADING)

        await client.legacy("session-set", **{"download-queue-enabled": False})
        await until(client, DOWNLOADING, DOWNLOADING, DOWNLOADING)


async def test_torrents_are_moved_in_the_queue(tmp_path, made):
    async with library_daemon(tmp_path) as client:
        first, second, third = [await add(client, metainfo, paused=True) for metainfo in made[1]]
        steps = [
            ("queue_move_bottom", [first], [2, 0, 1]),
            ("queue_move_up", [first], [1, 0, 2]),
            ("queue_move_up", [second, first], [1, 0, 2]),
            ("queue_move_down", [second], [0, 1, 2]),
            ("queue_move_top", [third, second], [2, 0, 1]),
        ]
        for method, ids, positions in steps:
            await client.new(method, ids=ids)
            assert await read(client, "queue_position") == positions, method
        await client.legacy("torrent-set", ids=[third], queuePosition=0)
        assert await read(client, "queue_position") == [2, 1, 0]
        await client.new("torrent_set", ids=[third], queue_position=99)
        assert await read(client, "queue_position") == [1, 0, 2]
        assert "queue_position" in await error(client, "torrent_set", queue_position=-1)

        revision = (await client.new("torrent_get", fields=["id"], starling_since=0))["result"]["starling_revision"]
        await client.new("queue_move_bottom", ids=[second])
        delta = (await client.new("torrent_get", fields=["id"], starling_since=revision))["result"]
        assert {torrent["id"] for torrent in delta["torrents"]} == {first, second, third}
        await client.new("torrent_remove", ids=[first])
        assert await read(client, "queue_position") == [1, 0]


async def test_a_download_that_completes_waits_for_a_place_among_the_seeds(tmp_path, made):
    folder, files = made
    async with library_daemon(tmp_path) as client:
        await client.legacy("session-set", **{"seed-queue-enabled": True, "seed-queue-size": 1})
        ids = [await add(client, metainfo, download_dir=str(folder)) for metainfo in files[:2]]
        await until(client, SEEDING, SEED_QUEUED)
        assert await read(client, "percent_done") == [1.0, 1.0]
        await client.new("torrent_stop", ids=[ids[0]])
        await until(client, STOPPED, SEEDING)
        await client.new("session_set", seed_queue_size=0)
        await until(client, STOPPED, SEED_QUEUED)


async def test_content_that_is_there_already_waits_for_no_download(tmp_path, made):
    folder, files = made
    async with library_daemon(tmp_path) as client:
        await client.legacy("session-set", **{"download-queue-size": 0})
        await add(client, files[0], download_dir=str(folder))
        await add(client, files[1])
        await until(client, SEEDING, DOWNLOAD_QUEUED)
        assert list((tmp_path / "in").glob("*")) == []  # nothing is made before its turn


# -- goals


async def test_a_goal_that_is_reached_stops_the_torrent_and_says_so(tmp_path, made):
    folder, files = made
    async with library_daemon(tmp_path) as client:
        await add(client, files[0], download_dir=str(folder))
        await until(client, SEEDING)
        assert await read(client, "is_finished") == [False]
        await client.legacy("session-set", seedRatioLimit=0, seedRatioLimited=True)
        await until(client, STOPPED)
        assert await read(client, "is_finished") == [True]
        assert await read(client, "error") == [0]
        await client.legacy("torrent-start")
        await until(client, SEEDING)  # who starts it again wants it seeded on
        assert await read(client, "seed_ratio_mode") == [2]
        assert await read(client, "is_finished") == [False]

        await client.legacy("torrent-set", seedIdleMode=1, seedIdleLimit=0)
        await until(client, STOPPED)
        assert await read(client, "is_finished") == [True]
        await client.new("torrent_set", seed_idle_mode=0)
        await client.new("torrent_start")
        await until(client, SEEDING)
        await client.new("torrent_set", starling_seed_time_mode=1, starling_seed_time_limit=0)
        await until(client, STOPPED)
        assert await read(client, "is_finished") == [True]
        await client.new("torrent_stop")
        assert await read(client, "is_finished") == [True]
        await client.new("session_set", seed_ratio_limit=5)
        await client.new("torrent_set", starling_seed_time_mode=2)
        await client.new("torrent_start")
        await until(client, SEEDING)
        await client.new("torrent_stop")
        await until(client, STOPPED)
        assert await read(client, "is_finished") == [False]


async def test_goals_are_read_as_they_were_set(tmp_path, made):
    async with library_daemon(tmp_path) as client:
        await add(client, made[1][0], paused=True)
        goals = {"seedRatioLimit": 1.5, "seedRatioMode": 1, "seedIdleLimit": 45, "seedIdleMode": 2}
        await client.legacy("torrent-set", **goals)
        told = (await client.legacy("torrent-get", fields=list(goals)))["arguments"]["torrents"]
        assert told == [goals]
        await client.legacy("torrent-set", seedRatioLimit=None, seedRatioMode=2)  # as tremc sends it
        assert await read(client, "seed_ratio_limit") == [1.5]
        session = {
            "idle-seeding-limit": 20,
            "idle-seeding-limit-enabled": True,
            "seedRatioLimit": 3,
            "seedRatioLimited": True,
        }
        await client.legacy("session-set", **session)
        told = (await client.legacy("session-get", fields=list(session)))["arguments"]
        assert told == session
        for name, value in [("seed_ratio_mode", 3), ("seed_ratio_limit", -1), ("seed_idle_limit", 1.5)]:
            assert name in await error(client, "torrent_set", **{name: value})


# -- bandwidth


async def test_groups_and_weights_hold_in_the_engine(tmp_path, made):
    async with library_daemon(tmp_path) as client:
        await client.new("session_set", speed_limit_up=9, speed_limit_up_enabled=True)
        await add(client, made[1][0], paused=True, group="slow", bandwidth_priority=1)
        (torrent,) = client.session.torrents
        up = torrent.bandwidth.up
        assert up.limit == 9_000
        assert (await client.legacy("group-get"))["arguments"]["group"][0]["name"] == "slow"

        limits = {"speed-limit-up": 5, "speed-limit-up-enabled": True, "honorsSessionLimits": False}
        await client.legacy("group-set", name="slow", **limits)
        assert up.limit == 5_000
        await client.new("group_set", name="slow", speed_limit_up_enabled=False)
        assert up.limit is None  # nor does the session's hold for the group
        await client.new("group_set", name="slow", honors_session_limits=True)
        assert up.limit == 9_000
        await client.legacy("torrent-set", honorsSessionLimits=False)
        assert up.limit is None
        await client.legacy("torrent-set", uploadLimit=3, uploadLimited=True)
        assert up.limit == 3_000
        await client.new("torrent_set", group="", honors_session_limits=True, bandwidth_priority=-1)
        names = ["group", "bandwidth_priority", "honors_session_limits"]
        (told,) = (await client.new("torrent_get", fields=names))["result"]["torrents"]
        assert told == {"group": "", "bandwidth_priority": -1, "honors_session_limits": True}
        assert up.weight == 1


async def test_groups_are_bounded_and_their_names_checked(tmp_path, made, monkeypatch):
    monkeypatch.setattr("p2p.daemon.groups.MAX_GROUPS", 2)
    async with library_daemon(tmp_path) as client:
        await add(client, made[1][0], paused=True)
        await client.new("group_set", name="a")
        await client.new("torrent_set", group="b")
        assert "2 groups" in await error(client, "torrent_set", group="c", labels=["kept out"])
        assert "2 groups" in await error(client, "group_set", name="c")
        assert "group" in await error(client, "torrent_set", group="a\nb")
        assert "group" in await error(client, "torrent_set", group="a" * 101)
        assert await read(client, "labels") == [[]]
        assert [group["name"] for group in (await client.new("group_get"))["result"]["group"]] == ["a", "b"]


async def test_the_limits_of_the_session_and_the_alternative_ones(tmp_path):
    async with library_daemon(tmp_path) as client:

        def limits():
            return [turns.limiter.limit for turns in (client.session._open.turns_down, client.session._open.turns_up)]

        await client.legacy("session-set", **{"speed-limit-down": 100, "speed-limit-down-enabled": True})
        assert limits() == [100_000, None]
        await client.legacy("session-set", **{"alt-speed-enabled": True, "alt-speed-up": 0})
        assert limits() == [50_000, 0]
        all_day = {"alt-speed-time-enabled": True, "alt-speed-time-begin": 0, "alt-speed-time-end": 0}
        await client.legacy("session-set", **{**all_day, "alt-speed-enabled": False})
        assert limits() == [100_000, None]
        await client.legacy("session-set", **{"alt-speed-time-day": 0})
        await client.legacy("session-set", **{"alt-speed-time-day": 127})
        assert limits() == [50_000, 0]
        assert await setting(client, "alt_speed_enabled") == [True]


# -- labels


async def test_labels_are_kept_in_order_and_bounded(tmp_path, made):
    async with library_daemon(tmp_path) as client:
        await add(client, made[1][0], paused=True, labels=["b", "a", " b "])
        assert await read(client, "labels") == [["b", "a"]]
        await client.legacy("torrent-set", labels=["ü", "x" * 255])
        assert await read(client, "labels") == [["ü", "x" * 255]]
        for bad in (["x" * 256], ["a,b"], [""], [" "], ["a\nb"], [1], "a", [f"{number}" for number in range(101)]):
            assert "label" in await error(client, "torrent_set", labels=bad)
        assert "label" in await error(client, "torrent_add", metainfo=made[1][1], labels=[""])
        assert len(await read(client, "labels")) == 1
        await client.legacy("torrent-set", labels=[])
        assert await read(client, "labels") == [[]]


# -- over a restart


async def test_everything_holds_after_a_restart(tmp_path, made):
    folder, files = made
    wishes = {
        "seed_ratio_limit": 1.25,
        "seed_ratio_mode": 1,
        "seed_idle_limit": 7,
        "group": "g",
        "bandwidth_priority": 1,
    }
    own = {"starling_seed_time_limit": 11, "starling_seed_time_mode": 1, "honors_session_limits": False}
    queues = {"download_queue_size": 1, "seed_queue_enabled": True, "seed_queue_size": 7, "queue_stalled_minutes": 9}
    alternative = {"alt_speed_up": 6, "alt_speed_enabled": True}
    names = ["id", "status", "queue_position", "is_finished", "labels", *wishes, *own]
    async with library_daemon(tmp_path) as client:
        await client.new("session_set", **queues, **alternative)
        await client.new("group_set", name="g", speed_limit_up=4, speed_limit_up_enabled=True)
        seed = await add(client, files[0], download_dir=str(folder), seed_ratio_mode=1, seed_ratio_limit=0)
        ids = [await add(client, metainfo, labels=["l"], **wishes, **own) for metainfo in files[1:]]
        await client.new("torrent_start_now", ids=[ids[1]])
        await client.new("queue_move_top", ids=[ids[1]])
        await until(client, STOPPED, DOWNLOADING, DOWNLOADING)
        before = (await client.new("torrent_get", fields=names))["result"]["torrents"]
        assert before[0]["is_finished"]
        assert [torrent["queue_position"] for torrent in before] == [1, 2, 0]
    async with library_daemon(tmp_path) as client:
        await until(client, STOPPED, DOWNLOAD_QUEUED, DOWNLOADING)  # one runs again, and it is the one that was let now
        after = (await client.new("torrent_get", fields=names))["result"]["torrents"]
        for torrent in (*before, *after):
            del torrent["status"]
        assert after == before
        assert await setting(client, *queues, *alternative) == [*queues.values(), *alternative.values()]
        (group,) = (await client.new("group_get"))["result"]["group"]
        assert (group["speed_limit_up"], group["speed_limit_up_enabled"]) == (4, True)
        limits = {each.name: each.bandwidth.up.limit for each in client.session.torrents}
        assert limits == {"a": 6_000, "b": 4_000, "c": 4_000}
        await client.new("torrent_start", ids=[seed])
        await until(client, SEEDING, DOWNLOAD_QUEUED, DOWNLOADING)
