"""The client's contract against our own daemon, over HTTP on loopback."""

from __future__ import annotations

import asyncio

import pytest
from client_contract import PASSWORD, ClientContract, Served

from p2p.daemon.access import Login, hash_password
from p2p.daemon.client_address import Server
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.http_server import HttpServer, HttpSettings, token_of
from p2p.daemon.library import SessionLibrary
from p2p.session.environment import real_environment
from p2p.session.session import Session
from p2p.session.settings import Settings

LOGIN = Login("me", hash_password(PASSWORD, b"s" * 16))


class TestOurDaemon(ClientContract):
    @pytest.fixture
    async def served(self, tmp_path):
        folder = tmp_path / "in"
        folder.mkdir()
        environment = real_environment(hash_workers=1, open_files=16)
        settings = Settings(download_dir=folder, dht=False, local_discovery=False, bind=("127.0.0.1",))
        token = token_of(b"random")
        try:
            async with Session(settings, environment=environment) as session:
                library = SessionLibrary(session, environment, config_dir="/c", first=1, close=asyncio.Event().set)
                dispatcher = Dispatcher(library, session_id=token, version="1.2.3")
                http = HttpSettings(port=0, login=LOGIN)
                async with HttpServer(http, dispatcher.dispatch, token=token, secret=b"x") as server:
                    yield Served(Server.parse(f"http://me@127.0.0.1:{server.port}"), folder, ours=True)
        finally:
            await environment.http.close()
            await environment.hasher.close()
