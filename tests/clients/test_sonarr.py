"""What Sonarr and Radarr ask, in their order: the token by GET, a check of the version, an addition that is changed at
once, the list they poll, and the removal of what they have imported."""

from __future__ import annotations

import asyncio
import base64
import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from waiting import DEADLINE, until

from p2p.metainfo.metainfo import Metainfo

FIELDS = (
    *("id", "hashString", "name", "downloadDir", "totalSize", "leftUntilDone", "isFinished", "eta", "status"),
    *("secondsDownloading", "secondsSeeding", "errorString", "uploadedEver", "downloadedEver", "seedRatioLimit"),
    *("seedRatioMode", "seedIdleLimit", "seedIdleMode", "fileCount", "file-count", "labels"),
)

HEADER = "X-Transmission-Session-Id"
TIMEOUT = 20.0


class Arr:
    """Calls as those programs make them."""

    def __init__(self, url):
        self.url = url
        with pytest.raises(HTTPError) as refusal:
            urlopen(url, timeout=TIMEOUT)
        with refusal.value as conflict:
            assert conflict.code == 409
            self.token = conflict.headers[HEADER]

    def call(self, method, **arguments):
        body = json.dumps({"method": method, "arguments": arguments}).encode()
        headers = {HEADER: self.token, "Content-Type": "application/json"}
        with urlopen(Request(self.url, body, headers), timeout=TIMEOUT) as answer:
            said = json.load(answer)
        assert said["result"] == "success"
        return said["arguments"]

    def torrents(self):
        return self.call("torrent-get", fields=FIELDS)["torrents"]


@pytest.fixture
async def arr(steered):
    return await asyncio.to_thread(Arr, steered.url)


async def test_a_release_is_added_watched_imported_and_removed(steered, arr):
    async with asyncio.timeout(DEADLINE):
        call = asyncio.to_thread
        session = await call(arr.call, "session-get")
        assert float(session["version"].split()[0].rpartition(".")[0]) >= 2.4
        assert {"download-dir", "seedRatioLimit", "seedRatioLimited", "idle-seeding-limit-enabled"} <= session.keys()

        category = steered.folder / "tv-sonarr"
        metainfo = base64.b64encode(steered.torrent.read_bytes()).decode()
        place = {"download-dir": str(category), "labels": ["tv-sonarr"]}
        added = (await call(arr.call, "torrent-add", metainfo=metainfo, paused=False, **place))["torrent-added"]
        info_hash = Metainfo.from_bytes(steered.torrent.read_bytes()).info_hash_v1.hex()
        assert added["hashString"] == info_hash
        goals = {"seedRatioLimit": 1.1, "seedRatioMode": 1, "seedIdleLimit": 90, "seedIdleMode": 1}
        await call(arr.call, "torrent-set", ids=[info_hash], **goals)
        await call(arr.call, "queue-move-top", ids=[info_hash])

        (seen,) = await until(arr.torrents, lambda listed: listed[0]["leftUntilDone"] == 0 and listed[0]["status"] == 6)
        assert set(FIELDS) <= seen.keys()
        assert goals.items() <= seen.items()
        assert (seen["downloadDir"], seen["labels"], seen["errorString"]) == (str(category), ["tv-sonarr"], "")
        assert seen["totalSize"] == steered.content.stat().st_size
        imported = category / seen["name"]
        assert imported.read_bytes() == steered.content.read_bytes()

        again = await call(arr.call, "torrent-add", metainfo=metainfo, **place)
        assert again["torrent-duplicate"]["hashString"] == info_hash
        await call(arr.call, "torrent-remove", ids=[info_hash], **{"delete-local-data": True})
        assert await call(arr.torrents) == []
        await until(imported.exists, lambda there: not there)


async def test_a_link_is_there_at_once_though_nobody_has_its_metadata(arr):
    async with asyncio.timeout(DEADLINE):
        link = f"magnet:?xt=urn:btih:{'ab' * 20}&dn=Some.Show.S01E01"
        added = await asyncio.to_thread(arr.call, "torrent-add", filename=link, paused=False)
        info_hash = added["torrent-added"]["hashString"]
        await asyncio.to_thread(arr.call, "torrent-set", ids=[info_hash], seedRatioMode=2)
        (seen,) = await asyncio.to_thread(arr.torrents)
        assert (seen["hashString"], seen["totalSize"], seen["name"]) == (info_hash, 0, "Some.Show.S01E01")
        assert seen["seedRatioMode"] == 2
