"""A bare magnet link and a cable are enough: clients find each other by local discovery alone (BEP 14).

Two machines are joined by a cable. There is no tracker, no DHT and no peer that anybody is told of. We fetch from a
rival's seed over one cable while it fetches from ours over another: Transmission takes its time to begin.
"""

from __future__ import annotations

import asyncio

import pytest
from cable import FAR, FAR_IPV6, NEAR, NEAR_IPV6, Cable
from conftest import skip_or_fail
from rivals import Aria2, Libtorrent, Starling, Transmission
from shapes import assert_equal_content, make_content, torrent_by_libtorrent, torrent_by_starling

pytestmark = pytest.mark.rival

DEADLINE = 60
"""Seconds. Transmission says nothing for the first five and idles for 11 before the payload."""


class NearbyStarling(Starling):
    NEARBY = ("--no-pex",)


class NearbyLibtorrent(Libtorrent):
    async def _start(self, role, content, folder, listen, options):
        return await super()._start(role, content, folder, listen, (*options, "--lsd"))


class NearbyTransmission(Transmission):
    async def _start(self, role, content, folder, port, options):
        return await super()._start(role, content, folder, port, (*options, ("lpd-enabled", True)))


class NearbyAria2(Aria2):
    async def _start(self, role, content, folder, port, *options):
        nearby = ("--bt-enable-lpd=true", f"--bt-lpd-interface={self._host}")
        return await super()._start(role, content, folder, port, *options, *nearby)


class Cables:
    """One for each direction. The name of its fixture is where the report of a failed test looks for programs."""

    def __init__(self, ours: Cable, theirs: Cable) -> None:
        self.ours, self.theirs = ours, theirs

    def tails(self) -> str:
        return f"{self.ours.tails()}\n{self.theirs.tails()}"


@pytest.fixture
async def namespace():
    cables = Cables(Cable(), Cable())
    try:
        async with cables.ours, cables.theirs:
            yield cables
    except (PermissionError, FileNotFoundError) as refusal:
        skip_or_fail(str(refusal))


async def we_find_a_seed(cable, folder, rival, hosts, *options):
    near, far = hosts
    content = make_content(folder, "folder", by=torrent_by_libtorrent)
    await rival(cable.near, folder, near).seed(content)
    await NearbyStarling(cable.far, folder, far).download(content.by_magnet(), folder / "out", *options)
    assert_equal_content(content, folder / "out")


async def a_rival_finds_our_seed(cable, folder, rival, hosts, *options):
    near, far = hosts
    content = make_content(folder, "single-file", by=torrent_by_starling)
    await NearbyStarling(cable.near, folder, near).seed(content, *options)
    await rival(cable.far, folder, far).download(content.by_magnet(), folder / "out")
    assert_equal_content(content, folder / "out")


@pytest.mark.parametrize("rival", [NearbyLibtorrent, NearbyTransmission, NearbyAria2])
async def test_we_find_a_rivals_seed_nearby_and_it_finds_ours(namespace, tmp_path, rival):
    missing = rival.missing()
    if missing is not None:
        skip_or_fail(missing)
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as both:
        both.create_task(we_find_a_seed(namespace.ours, tmp_path / "ours", rival, (NEAR, FAR)))
        both.create_task(a_rival_finds_our_seed(namespace.theirs, tmp_path / "theirs", rival, (NEAR, FAR)))


async def test_the_same_over_ipv6_alone(namespace, tmp_path):
    near, far = f"[{NEAR_IPV6}]", f"[{FAR_IPV6}]"
    ours = (namespace.ours, tmp_path / "ours", NearbyLibtorrent, (near, FAR_IPV6))
    theirs = (namespace.theirs, tmp_path / "theirs", NearbyLibtorrent, (NEAR_IPV6, far))
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as both:
        both.create_task(we_find_a_seed(*ours, "--bind", FAR_IPV6))
        both.create_task(a_rival_finds_our_seed(*theirs, "--bind", NEAR_IPV6))
