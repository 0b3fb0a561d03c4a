"""What the methods about torrents do, and what they refuse."""

from __future__ import annotations

import base64

import pytest

from p2p.daemon import fields
from p2p.daemon.arguments import MAX_IDS
from p2p.daemon.ports import Content, FileChange, GoalMode, PeerFacts, SourceKind, Start, Step

# What Transmission 4's clients ask for, by the names they use; stig still asks for the last four, which are gone.
ASKED = [
    "activityDate",
    "addedDate",
    "availability",
    "bandwidthPriority",
    "bytesCompleted",
    "comment",
    "corruptEver",
    "creator",
    "dateCreated",
    "desiredAvailable",
    "doneDate",
    "downloadDir",
    "downloadedEver",
    "downloadLimit",
    "downloadLimited",
    "editDate",
    "error",
    "errorString",
    "eta",
    "etaIdle",
    "file-count",
    "fileStats",
    "files",
    "group",
    "hashString",
    "haveUnchecked",
    "haveValid",
    "honorsSessionLimits",
    "id",
    "isFinished",
    "isPrivate",
    "isStalled",
    "labels",
    "leftUntilDone",
    "magnetLink",
    "manualAnnounceTime",
    "maxConnectedPeers",
    "metadataPercentComplete",
    "name",
    "peer-limit",
    "peers",
    "peersConnected",
    "peersFrom",
    "peersGettingFromUs",
    "peersSendingToUs",
    "percentComplete",
    "percentDone",
    "pieceCount",
    "pieceSize",
    "pieces",
    "primary-mime-type",
    "priorities",
    "queuePosition",
    "rateDownload",
    "rateUpload",
    "recheckProgress",
    "secondsDownloading",
    "secondsSeeding",
    "seedIdleLimit",
    "seedIdleMode",
    "seedRatioLimit",
    "seedRatioMode",
    "sequential_download",
    "sizeWhenDone",
    "startDate",
    "status",
    "torrentFile",
    "totalSize",
    "trackerList",
    "trackerStats",
    "trackers",
    "uploadLimit",
    "uploadLimited",
    "uploadRatio",
    "uploadedEver",
    "wanted",
    "webseeds",
    "webseedsSendingToUs",
]
GONE = ["announceResponse", "lastAnnounceTime", "downloadLimitMode", "nonsense"]

PEER = PeerFacts(
    *("1.2.3.4", 5, "x 1", "D", 0.5, 6, 7, True, False, False, True, False, False, True, True, False, "", 0, 0),
    starling_optimistic=True,
    starling_snubbed=False,
)


async def get(client, *names, **more):
    return (await client.legacy("torrent-get", fields=list(names), **more))["arguments"]["torrents"]


async def test_every_field_of_the_protocol_is_told_and_others_are_skipped(client):
    (torrent,) = await get(client, *ASKED, *GONE, ids=[2])
    assert list(torrent) == ASKED
    answer = await client.new("torrent_get", fields=[*fields.BY_NAME, "nonsense"], ids=[2])
    assert list(answer["result"]["torrents"][0]) == list(fields.BY_NAME)


async def test_objects_inside_have_the_names_of_their_dialect(client, library):
    library.kept[1].connected = [PEER]
    asked = ["files", "fileStats", "peers", "peersFrom", "trackers", "trackerStats", "wanted", "pieces"]
    (torrent,) = await get(client, *asked, ids=1)
    assert torrent["files"][0] == {
        "name": "name/a",
        "length": 30000,
        "bytesCompleted": 30000,
        "begin_piece": 0,
        "end_piece": 2,
    }
    assert torrent["fileStats"][1] == {"bytesCompleted": 10000, "wanted": False, "priority": -1}
    assert torrent["wanted"] == [1, 0]
    assert [type(each) for each in torrent["wanted"]] == [int, int]
    assert torrent["peers"][0].items() >= {"isUTP": False, "clientName": "x 1", "rateToClient": 6}.items()
    assert torrent["peersFrom"]["fromDht"] == 1
    assert set(torrent["trackers"][0]) == {"announce", "id", "scrape", "sitename", "tier"}
    assert len(torrent["trackerStats"][0]) == 28
    assert {"downloader_count", "lastAnnounceTimedOut", "hasScraped"} <= set(torrent["trackerStats"][0])
    assert base64.b64decode(torrent["pieces"]) == b"\xe0"

    asked = ["file_stats", "wanted", "peers", "tracker_stats", "tracker_list"]
    torrent = (await client.new("torrent_get", ids=1, fields=asked))["result"]["torrents"][0]
    assert torrent["wanted"] == [True, False]
    assert torrent["file_stats"][0]["bytes_completed"] == 30000
    assert torrent["peers"][0]["is_utp"] is False
    assert torrent["tracker_stats"][0]["last_announce_timed_out"] is False
    assert torrent["tracker_list"] == "http://a.test/announce\nhttp://b.test/announce\n\nudp://c.test:1"


async def test_legacy_fields_are_answered_under_the_name_they_were_asked_by(client):
    (torrent,) = await get(client, "fileCount", "file-count", "file_count", ids=1)
    assert torrent == {"fileCount": 2, "file-count": 2, "file_count": 2}


async def test_a_table_has_its_keys_first(client):
    assert await get(client, "id", "nonsense", "name", format="table", ids=[3, 1]) == [
        ["id", "name"],
        [3, "name"],
        [1, "name"],
    ]


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (None, [1, 2, 3]),
        ([], []),
        (2, [2]),
        ([3, 3.0, 99, -1], [3]),
        ("356A192B7913B04C54574D18C28D46E6395428AB", [1]),
        (["da4b9237bacccdf19c0760cab7aec4a8359010b0", 1], [2, 1]),
        ("no such", []),
        ("../../etc", []),
    ],
)
async def test_torrents_are_named_by_number_and_hash(client, library, ids, found):
    await client.legacy("torrent-stop", ids=ids)
    assert library.verbs == [("stop", found)]


@pytest.mark.parametrize("ids", [True, {}, [[1]], [None], [1] * (MAX_IDS + 1)])
async def test_ids_that_name_nothing_are_refused(client, library, ids):
    assert "ids" in (await client.legacy("torrent-remove", ids=ids))["result"]
    assert library.verbs == []


async def test_recently_active_tells_what_went(client, library):
    library.log.on_change(2, 0.0)
    library.log.on_removed(7, 0.0)
    for ids in ("recently-active", "recently_active"):
        answer = (await client.legacy("torrent-get", ids=ids, fields=["id"]))["arguments"]
        assert answer == {"torrents": [{"id": 2}], "removed": [7]}


async def test_deltas_tell_what_changed_since_a_revision(client, library):
    async def since(revision):
        return (await client.new("torrent_get", fields=["id"], starling_since=revision))["result"]

    first = await since(0)
    assert (first["starling_full"], len(first["torrents"])) == (True, 3)
    library.log.on_change(3, 0.0)
    library.log.on_removed(9, 0.0)
    second = await since(first["starling_revision"])
    assert (second["starling_full"], second["torrents"], second["removed"]) == (False, [{"id": 3}], [9])
    assert (await since(second["starling_revision"]))["torrents"] == []


async def test_adding_says_what_was_added_in_both_dialects(client, library):
    answer = await client.legacy("torrent-add", filename="magnet:?xt=urn:btih:aa", paused=1, labels=["a", "a", "b"])
    assert set(answer["arguments"]["torrent-added"]) == {"id", "name", "hashString"}
    addition = library.verbs[0][2]
    assert (addition.kind, addition.paused, addition.change.labels) == (SourceKind.MAGNET, True, ("a", "b"))
    answer = await client.new("torrent_add", metainfo=base64.b64encode(b"known").decode())
    assert set(answer["result"]["torrent_duplicate"]) == {"id", "name", "hash_string"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, -32602),
        ({"filename": "relative.torrent"}, 3),
        ({"filename": "/a/../b.torrent"}, 3),
        ({"filename": "/a\u0000b"}, -32602),
        ({"metainfo": "***"}, 9),
        ({"metainfo": 5}, -32602),
        ({"filename": "magnet:?x", "download_dir": "here"}, 3),
        ({"filename": "magnet:?x", "download_dir": "/a/../../etc"}, 3),
        ({"filename": "magnet:?x", "labels": ["a,b"]}, -32602),
        ({"filename": "magnet:?x", "labels": [""]}, -32602),
        ({"filename": "http://x/", "cookies": "a\r\nHost: b"}, -32602),
        ({"filename": "magnet:?x", "files_wanted": [-1]}, 6),
        ({"filename": "magnet:?x", "paused": "yes"}, -32602),
    ],
)
async def test_bad_additions_are_refused(client, library, arguments, code):
    assert (await client.new("torrent_add", **arguments))["error"]["code"] == code
    assert library.verbs == []


async def test_settings_of_a_torrent_arrive_checked(client, library):
    await client.send(
        {
            "method": "torrent-set",
            "arguments": {
                "ids": [1],
                "seedRatioLimit": None,
                "seedRatioMode": 2,
                "peer-limit": 20,
                "downloadLimited": 1,
                "files-wanted": [1, 0, 1],
                "priority-high": [],
                "trackerList": "udp://a:1\n\nudp://b:2",
            },
        }
    )
    assert library.verbs == [
        (
            "change",
            [1],
            {
                "seed_ratio_mode": GoalMode.UNLIMITED,
                "peer_limit": 20,
                "download_limited": True,
                "files": FileChange(wanted=(0, 1), high=None),
                "trackers": (("udp://a:1",), ("udp://b:2",)),
            },
        )
    ]


async def test_trackers_are_edited_one_by_one(client, library):
    edits = {
        "trackerAdd": ["udp://d.test:1", "udp://c.test:1"],
        "trackerRemove": [0],
        "trackerReplace": [2, "udp://n:2"],
    }
    await client.legacy("torrent-set", ids=1, **edits)
    tiers = library.verbs[0][2]["trackers"]
    assert tiers == (("http://b.test/announce",), ("udp://n:2",), ("udp://d.test:1",), ("udp://c.test:1",))


@pytest.mark.parametrize(
    "edit",
    [
        {"trackerAdd": ["file:///etc/passwd"]},
        {"trackerAdd": 5},
        {"trackerRemove": [77]},
        {"trackerReplace": [1]},
        {"trackerList": "gopher://x"},
        {"bandwidthPriority": 2},
        {"seedRatioMode": 3},
        {"seedRatioLimit": -1},
        {"peer-limit": 0},
        {"uploadLimit": "fast"},
        {"queuePosition": 1.5},
        {"labels": "one"},
        {"files-unwanted": [1.5]},
        {"location": "relative"},
    ],
)
async def test_bad_settings_of_a_torrent_change_nothing(client, library, edit):
    assert (await client.legacy("torrent-set", ids=1, **edit))["result"] != "success"
    assert library.verbs == []


@pytest.mark.parametrize(
    ("path", "name"),
    [("a", "../b"), ("a", ".."), ("a", "x/y"), ("a", ""), ("../a", "b"), ("/a", "b"), ("a", "b" * 256), ("a", "\n")],
)
async def test_renames_stay_inside_the_torrent(client, library, path, name):
    answer = await client.legacy("torrent-rename-path", ids=[1], path=path, name=name)
    assert answer["result"] != "success"
    assert library.verbs == []


async def test_a_rename_names_one_torrent(client, library):
    assert (await client.legacy("torrent-rename-path", path="name/a", name="c"))["result"] != "success"
    answer = await client.legacy("torrent-rename-path", ids=[2], path="name/a", name="c")
    assert answer["arguments"] == {"path": "name/a", "name": "c", "id": 2}
    assert library.verbs == [("rename", [2], "name/a", "c")]


async def test_verbs_reach_the_library(client, library):
    await client.legacy("torrent-start", ids=1)
    await client.legacy("torrent-start-now", ids=1)
    await client.legacy("torrent-reannounce", ids=1)
    await client.send({"method": "torrent-remove", "arguments": {"ids": 1, "delete-local-data": True}})
    await client.legacy("torrent-remove", ids=1)
    await client.legacy("torrent-set-location", ids=1, location="/new", move=True)
    await client.legacy("torrent-set-location", ids=1, location="/new")
    for step in ("top", "up", "down", "bottom"):
        await client.legacy(f"queue-move-{step}", ids=1)
    assert library.verbs == [
        ("start", [1], Start.QUEUED),
        ("start", [1], Start.NOW),
        ("reannounce", [1]),
        ("remove", [1], Content.DELETE),
        ("remove", [1], Content.KEEP),
        ("set_location", [1], "/new", Content.MOVE),
        ("set_location", [1], "/new", Content.FIND),
        *(("move_in_queue", [1], step) for step in Step),
    ]
