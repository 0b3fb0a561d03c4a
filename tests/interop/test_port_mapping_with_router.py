"""A seed behind a real router is reached from outside, because it had the port opened; once it ends, it is closed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from conftest import skip_or_fail
from namespaces import POLL
from router import OUTER, HomeNetwork
from shapes import assert_equal_content, make_content, torrent_by_starling

pytestmark = pytest.mark.rival

DEADLINE = 60
PORT = 6881
STARLING = Path(sys.executable).with_name("starling")


@pytest.fixture(params=["PCP", "UPnP"])
async def namespace(request, tmp_path):
    reason = HomeNetwork.missing()
    if reason is not None:
        skip_or_fail(reason)
    try:
        async with HomeNetwork(tmp_path, control=request.param == "PCP") as network:
            network.way = request.param
            yield network
    except (PermissionError, FileNotFoundError) as refusal:
        skip_or_fail(str(refusal))


async def test_a_seed_at_home_is_reached_from_outside(namespace, tmp_path):
    content = make_content(tmp_path, "single-file", by=torrent_by_starling)
    options = ("--json", "--no-lsd", "--no-dht")

    def home(role):
        return dict.fromkeys(("HOME", "XDG_STATE_HOME"), str(tmp_path / role))

    async with asyncio.timeout(DEADLINE):
        where = ("--torrent", content.torrent, "--port", str(PORT))
        seed = await namespace.inside.start("seed", STARLING, "seed", content.path, *where, *options, env=home("seed"))
        while f"{PORT}" not in await namespace.forwards():
            seed.assert_running()
            await asyncio.sleep(POLL)
        download = await namespace.outside.start(
            "download",
            *(STARLING, "download", content.torrent, "-o", tmp_path / "out", "--no-nat"),
            *("--peer", f"{OUTER}:{PORT}", *options),
            env=home("download"),
        )
        await download.event("complete")
        assert_equal_content(content, tmp_path / "out")
        await seed.stop()
        assert f"{PORT}" not in await namespace.forwards()
