"""Sessions of production that are held to an interface: loopback by its name, and one that is not there."""

from __future__ import annotations

import asyncio
import random

import pytest

from p2p.errors import ConfigError, NetworkError
from p2p.ids import Address
from p2p.session import held_network
from p2p.session.create import create
from p2p.session.environment import real_environment
from p2p.session.held_network import hold_to_interface
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions


def held(folder, interface="lo"):
    return Settings(download_dir=folder, interface=interface, bootstrap=(), local_discovery=False)


async def test_two_sessions_on_one_interface_exchange_content(tmp_path):
    content = tmp_path / "seed" / "content.bin"
    content.parent.mkdir()
    content.write_bytes(random.Random(1).randbytes(300_000))
    data = await create(content)
    async with asyncio.timeout(60), Session(held(tmp_path / "seed")) as seed, Session(held(tmp_path / "in")) as leecher:
        await seed.add(data)
        facts = seed.network.facts
        assert (facts.interface, facts.addresses, facts.obstacle) == ("lo", ("127.0.0.1", "::1"), None)
        torrent = await leecher.add(data, TorrentOptions(peers=(Address("127.0.0.1", seed.port),)))
        await torrent.completed()
    assert (tmp_path / "in" / "content.bin").read_bytes() == content.read_bytes()


async def test_an_interface_that_is_not_there_is_waited_for(tmp_path):
    async with Session(held(tmp_path, "no-such-if0")) as session:
        why = "the interface no-such-if0 has no address"
        torrent = await session.add(f"magnet:?xt=urn:btih:{'ab' * 20}&x.pe=127.0.0.1:9")
        assert session.network.facts.obstacle == torrent.message == torrent.obstacle == why
        assert session.dht is None
        await torrent.stop()
        assert torrent.obstacle is None


async def test_an_environment_that_is_not_held_is_refused(tmp_path):
    environment = real_environment(hash_workers=1, open_files=4)
    try:
        with pytest.raises(ConfigError, match="not held to the interface lo"):
            await Session(held(tmp_path), environment=environment).__aenter__()
    finally:
        await environment.http.close()
        await environment.hasher.close()


async def test_a_name_server_of_this_machine_is_asked_only_where_it_is_named(tmp_path, monkeypatch):
    conf = tmp_path / "resolv.conf"
    monkeypatch.setattr(held_network, "RESOLV_CONF", conf)
    network, http, binding = hold_to_interface("lo", (), random.Random(1).randbytes)
    binding.refresh()
    conf.write_text("nameserver 127.0.0.53\n")
    with pytest.raises(NetworkError, match=r"127\.0\.0\.53 is on this machine"):
        await network.resolve("tracker.example", 80)
    conf.write_text("# nothing\n")
    with pytest.raises(NetworkError, match="no name server is known"):
        await network.resolve("tracker.example", 80)
    conf.unlink()
    with pytest.raises(NetworkError, match="no such file"):
        await network.resolve("tracker.example", 80)
    await http.close()
