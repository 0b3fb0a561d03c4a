"""The network of a daemon, changed by its clients while it runs, on loopback."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web
from rpc_client import Client

from p2p.daemon import port_file
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.library import SessionLibrary
from p2p.daemon.port_file import port_of
from p2p.daemon.state import DaemonState
from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.session.encryption import Encryption
from p2p.session.environment import real_environment
from p2p.session.scope import Scope
from p2p.session.session import Session
from p2p.session.settings import Settings

HOST = "127.0.0.1"


@dataclass
class Daemon:
    session: Session
    client: Client
    library: SessionLibrary

    async def get(self, name):
        return (await self.client.new("session_get", fields=[name]))["result"][name]

    async def set(self, **values):
        return await self.client.new("session_set", **values)

    async def until(self, name, value):
        async with asyncio.timeout(30):
            while await self.get(name) != value:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def daemon(folder, **settings):
    environment = real_environment(hash_workers=1, open_files=16)
    quiet = {"dht": False, "local_discovery": False, "bind": (HOST,)}
    try:
        async with (
            DaemonState(folder / "state") as state,
            Session(Settings(download_dir=folder, **quiet | settings), environment=environment) as session,
            Scope() as scope,
        ):
            library = SessionLibrary(
                session, environment, config_dir=str(folder), first=1, close=lambda: None, state=state
            )
            await library.restore()
            await library.begin()
            scope.start(library.run(), name="library")
            yield Daemon(session, Client(Dispatcher(library, session_id="token", version="1")), library)
    finally:
        await environment.http.close()
        await environment.hasher.close()


@asynccontextmanager
async def serving(answers):
    """A web server that answers paths with bodies; a path with none is 404. Yields its URL and what was asked."""
    asked = []

    async def answer(request):
        asked.append(request.path_qs)
        body = answers.get(request.path)
        return web.Response(status=404) if body is None else web.Response(body=body)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    try:
        yield f"http://{HOST}:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def is_open(port):
    """Whether somebody listens at the TCP port, and at the UDP port."""
    network = AsyncioNetwork()
    tcp = True
    try:
        (await network.connect(Address(HOST, port))).close()
    except NetworkError:
        tcp = False
    try:
        (await network.open_datagrams(Address(HOST, port), lambda *_: None)).close()
    except NetworkError:
        return tcp, True
    return tcp, False


async def test_the_dht_is_turned_off_and_on_with_its_socket(tmp_path):
    async with daemon(tmp_path, dht=True, bootstrap=()) as running:
        port = running.session.port
        assert await running.get("dht_enabled") is True
        assert await is_open(port) == (True, True)
        await running.set(dht_enabled=False)
        assert await running.get("dht_enabled") is False
        assert running.session.dht is None
        assert await is_open(port) == (True, False)
        await running.set(dht_enabled=True)
        assert await is_open(port) == (True, True)


async def test_another_port_is_listened_on_by_peers_and_dht_and_the_old_one_is_not(tmp_path):
    async with daemon(tmp_path, dht=True, bootstrap=()) as running:
        before, node = running.session.port, running.session.dht
        free = await AsyncioNetwork().listen(Address(HOST, 0), lambda _: None)
        port = free.local.port
        refusal = await running.set(peer_port=port)
        assert "cannot listen" in refusal["error"]["data"]["error_string"]
        assert await running.get("peer_port") == before
        free.close()
        assert "error" not in await running.set(peer_port=port)
        assert await running.get("peer_port") == await running.get("starling_outer_port") == port
        assert running.session.dht is node
        assert node.port == port
        assert await is_open(port) == (True, True)
        assert await is_open(before) == (False, False)


async def test_limits_encryption_and_exchange_hold_in_the_engine(tmp_path):
    async with daemon(tmp_path, peer_exchange=True) as running:
        await running.set(
            peer_limit_global=7, peer_limit_per_torrent=3, encryption="required", pex_enabled=False, lpd_enabled=True
        )
        settings = running.session.settings
        assert (settings.max_connections, settings.max_connections_per_torrent) == (7, 3)
        assert settings.encryption is Encryption.REQUIRE
        assert settings.peer_exchange is False
        assert running.session._open.local is not None
        await running.set(lpd_enabled=False)
        assert running.session._open.local is None
        link = f"magnet:?xt=urn:btih:{'ab' * 20}"
        number = (await running.client.new("torrent_add", filename=link, paused=True))["result"]["torrent_added"]["id"]
        (torrent,) = running.library.torrents()
        assert torrent.peer_limit == 3
        await running.client.new("torrent_set", ids=[number], peer_limit=2)
        assert torrent.peer_limit == torrent.torrent.peer_limit == 2


async def test_an_operator_who_wants_plaintext_alone_is_not_overruled(tmp_path):
    async with daemon(tmp_path, encryption=Encryption.OFF) as running:
        told = await running.get("encryption")
        assert "plaintext alone" in (await running.set(encryption="required"))["error"]["data"]["error_string"]
        assert running.session.settings.encryption is Encryption.OFF
        assert "error" not in await running.set(encryption=told, peer_limit_global=9)
        assert await running.get("encryption") == told


async def test_facts_of_the_network_are_told(tmp_path):
    async with daemon(tmp_path) as running:
        assert await running.get("starling_interface") == ""
        assert await running.get("starling_interface_addresses") == []
        assert await running.get("starling_network_problem") == ""
        assert await running.get("starling_port_mapping") == {}


async def test_a_blocklist_is_fetched_holds_while_enabled_and_survives_a_restart(tmp_path):
    async with serving({"/list.gz": gzip.compress(b"a:192.0.2.0-192.0.2.9\nb:198.51.100.1-198.51.100.1\n")}) as (
        base,
        asked,
    ):
        url = f"{base}/list.gz"
        async with daemon(tmp_path) as running:
            services = running.session._open
            await running.set(blocklist_url=url)
            assert (await running.client.new("blocklist_update"))["result"] == {"blocklist_size": 2}
            assert await running.get("blocklist_size") == 2
            assert not services.refuses("192.0.2.1")
            await running.set(blocklist_enabled=True)
            assert services.refuses("192.0.2.1")
            await running.set(blocklist_enabled=False)
            assert not services.refuses("192.0.2.1")
            await running.set(blocklist_enabled=True)
            assert asked == ["/list.gz"]
            await running.library.settle()
        async with daemon(tmp_path) as running:
            assert running.session._open.refuses("192.0.2.1")
            assert await running.get("blocklist_size") == 2
            assert await running.get("blocklist_url") == url
        assert asked == ["/list.gz"]


async def test_a_blocklist_that_is_enabled_is_fetched_by_itself(tmp_path):
    async with serving({"/list": b"192.0.2.0/24\n"}) as (base, asked), daemon(tmp_path) as running:
        await running.set(blocklist_url=f"{base}/list", blocklist_enabled=True)
        await running.until("blocklist_size", 1)
        assert running.session._open.refuses("192.0.2.200")
        assert asked == ["/list"]


async def test_a_fetch_that_fails_keeps_the_old_list_and_is_told(tmp_path):
    answers = {
        "/list": b"192.0.2.0/24\n",
        "/page": b"<html>",
        "/none": b"# nothing\n",
        "/torn": gzip.compress(b"x")[:-3],
    }
    async with serving(answers) as (base, _), daemon(tmp_path) as running:
        await running.set(blocklist_url=f"{base}/list")
        await running.client.new("blocklist_update")
        for path, code, why in (
            ("/away", 8, "HTTP 404"),
            ("/page", 10, "not a blocklist"),
            ("/none", 10, "an empty list"),
            ("/torn", 10, "cut short"),
        ):
            await running.set(blocklist_url=f"{base}{path}")
            error = (await running.client.new("blocklist_update"))["error"]
            assert error["code"] == code
            assert why in error["data"]["error_string"]
            assert why in await running.get("starling_blocklist_problem")
            assert await running.get("blocklist_size") == 1


async def test_a_kept_blocklist_that_is_damaged_is_left_out(tmp_path, caplog):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "blocklist").write_bytes(b"starling blocklist 1\nnonsense")
    async with daemon(tmp_path) as running:
        assert await running.get("blocklist_size") == 0
    assert "the blocklist that was kept is not used" in caplog.text


async def test_the_port_is_tested_by_whom_the_user_names(tmp_path):
    answers = {"/open": b"1", "/closed": b"0\n", "/page": b"<html>"}
    async with serving(answers) as (base, asked), daemon(tmp_path) as running:
        for path, result in (("/open", True), ("/closed", False)):
            await running.set(starling_port_test_url=f"{base}{path}?port={{port}}")
            answer = (await running.client.new("port_test"))["result"]
            assert answer == {"port_is_open": result}
            assert asked[-1] == f"{path}?port={running.session.port}"
        await running.set(starling_port_test_url=f"{base}/open")
        assert (await running.client.new("port_test", ip_protocol="ipv4"))["result"]["port_is_open"] is True
        assert (await running.client.new("port_test", ip_protocol="ipv6"))["error"]["code"] == 8
        for path, why in (("/page", "neither 0 nor 1"), ("/away", "HTTP 404")):
            await running.set(starling_port_test_url=f"{base}{path}")
            error = (await running.client.new("port_test"))["error"]
            assert error["code"] == 8
            assert why in error["data"]["error_string"]


@pytest.mark.parametrize(
    ("content", "port"),
    [
        (b"40001\n", 40001),
        (b"40001", 40001),
        (b"\n 40001 \n40002\n", 40001),
        (b"", None),
        (b"0\n", None),
        (b"65536", None),
        (b"port 1", None),
        (b"\xd9\xa1", None),
    ],
    ids=["line", "bare", "several", "empty", "zero", "large", "words", "digits"],
)
def test_a_port_file_names_a_port_or_none(content, port):
    assert port_of(content) == port


async def test_the_port_follows_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(port_file, "LOOK_INTERVAL", 0.02)
    taken = await AsyncioNetwork().listen(Address(HOST, 0), lambda _: None)
    free = await AsyncioNetwork().listen(Address(HOST, 0), lambda _: None)
    port = free.local.port
    free.close()
    path = tmp_path / "forwarded_port"
    async with daemon(tmp_path) as running:
        before = running.session.port
        path.write_text("")
        await running.set(starling_port_file=str(path))
        path.write_text(str(taken.local.port))
        await asyncio.sleep(0.1)
        assert running.session.port == before
        path.write_text(f"{port}\n")
        await running.until("peer_port", port)
        path.unlink()
        await running.set(starling_port_file="")
        assert running.session.port == port
    taken.close()
