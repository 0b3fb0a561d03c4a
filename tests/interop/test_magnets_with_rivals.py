"""A bare magnet link, an info-hash and nothing else, is enough: for us with other clients' seeds, for them with ours.

The peer is found in the DHT alone, by one node that the client is told of; or by peer exchange alone, told by a third
client that both are connected to and that has the torrent, but no piece of the content.
"""

from __future__ import annotations

import asyncio

import pytest
from dht_rivals import DhtAria2, DhtLibtorrent, DhtStarling, DhtTransmission, start_nodes
from rivals import DOWNLOAD_PORT, SEED_PORT, Aria2, Libtorrent, Starling, Transmission
from shapes import assert_equal_content, make_content, torrent_by_libtorrent, torrent_by_starling

pytestmark = pytest.mark.rival

DEADLINE = 90
"""Seconds. Transmission may take 16 to join a DHT, 20 more until it announces, and idles for 11 before the payload."""

SEED_HOST = "10.77.0.2"
LEECH_HOST = "10.77.0.3"
THIRD_HOST = "10.77.0.4"
SEED = f"{SEED_HOST}:{SEED_PORT}"
LEECH = f"{LEECH_HOST}:{DOWNLOAD_PORT}"

IN_THE_DHT = pytest.mark.parametrize("rival", [DhtLibtorrent, DhtTransmission, DhtAria2])
EXCHANGING = pytest.mark.parametrize("rival", [Libtorrent, Transmission, Aria2])


@IN_THE_DHT
async def test_we_find_a_seed_in_the_dht_alone(namespace, client, tmp_path, rival):
    content = make_content(tmp_path, "folder", by=torrent_by_libtorrent)
    async with asyncio.timeout(DEADLINE):
        nodes = await start_nodes(namespace, tmp_path)
        await client(rival, SEED_HOST).seed(content)
        await nodes.until_stored(content)
        await client(DhtStarling, LEECH_HOST).download(content.by_magnet(), tmp_path / "out")
    assert_equal_content(content, tmp_path / "out")


@IN_THE_DHT
async def test_a_rival_finds_our_seed_in_the_dht_alone(namespace, client, tmp_path, rival):
    content = make_content(tmp_path, "single-file", by=torrent_by_starling)
    async with asyncio.timeout(DEADLINE):
        nodes = await start_nodes(namespace, tmp_path)
        await client(DhtStarling, SEED_HOST).seed(content)
        await nodes.until_stored(content)
        await client(rival, LEECH_HOST).download(content.by_magnet(), tmp_path / "out")
    assert_equal_content(content, tmp_path / "out")


@EXCHANGING
async def test_we_are_told_of_a_seed_by_exchange_alone(client, tmp_path, rival):
    content = make_content(tmp_path, "folder", by=torrent_by_libtorrent)
    async with asyncio.timeout(DEADLINE):
        await client(rival, SEED_HOST).seed(content, *rival.EXCHANGING)
        third = await client(Libtorrent, THIRD_HOST).introduce(content, tmp_path / "third", SEED)
        told = ("--peer", third, "--bind", LEECH_HOST)  # Transmission takes one connection of a host
        await client(Starling, LEECH_HOST).download(content.by_magnet(), tmp_path / "out", *told)
    assert_equal_content(content, tmp_path / "out")


@EXCHANGING
async def test_a_rival_is_told_of_our_seed_by_exchange_alone(namespace, client, tmp_path, rival):
    content = make_content(tmp_path, "single-file", by=torrent_by_starling)
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        await client(Starling, SEED_HOST).seed(content)
        leech = client(rival, LEECH_HOST)
        group.create_task(leech.download(content.by_magnet(), tmp_path / "out", *rival.EXCHANGING))
        await namespace.until_listening(DOWNLOAD_PORT)
        third = await client(Starling, THIRD_HOST).introduce(content, tmp_path / "third", SEED, LEECH)
    assert not any(event.get("pieces_had") for event in third.events)
    assert_equal_content(content, tmp_path / "out")
