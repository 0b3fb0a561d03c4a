"""A whole daemon in this process: a session on loopback, its library, its monitor and its RPC, and a client of it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass

from p2p.daemon.client import Client
from p2p.daemon.client_address import Server
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.event_log import LOGGER
from p2p.daemon.http_server import HttpServer, HttpSettings, token_of
from p2p.daemon.library import SessionLibrary
from p2p.daemon.monitor import Monitor
from p2p.session.environment import real_environment
from p2p.session.scope import Scope
from p2p.session.session import Session
from p2p.session.settings import Settings

TOKEN = token_of(b"random")


@dataclass
class OwnDaemon:
    session: Session
    library: SessionLibrary
    monitor: Monitor
    client: Client
    url: str


@asynccontextmanager
async def own_daemon(folder, login=None, **settings):
    """`settings` are those of the session; it meets nobody unless told to."""
    downloads = folder / "in"
    downloads.mkdir(exist_ok=True)
    environment = real_environment(hash_workers=1, open_files=16)
    quiet = {"dht": False, "local_discovery": False, "bind": ("127.0.0.1",)}
    log = logging.getLogger(LOGGER)
    level = log.level
    try:
        async with (
            Session(Settings(download_dir=downloads, **{**quiet, **settings}), environment=environment) as session,
            Scope() as scope,
        ):
            library = SessionLibrary(session, environment, config_dir="/c", first=1, close=asyncio.Event().set)
            monitor = Monitor(session, library, environment, created=folder / "created")
            scope.start(library.run(), name="library")
            scope.start(monitor.run(), name="monitor")
            dispatcher = Dispatcher(library, session_id=TOKEN, version="1.2.3", own=monitor.methods())
            http = HttpSettings(port=0, login=login)
            server = HttpServer(http, dispatcher.dispatch, token=TOKEN, secret=b"x", pages=monitor.pages())
            async with server, Client(Server.parse(f"127.0.0.1:{server.port}")) as client:
                url = f"http://127.0.0.1:{server.port}"
                yield OwnDaemon(session, library, monitor, client, url)
    finally:
        log.setLevel(level)
        await environment.http.close()
        await environment.hasher.close()


async def until(read, wanted):
    """Ask until what is read is as wanted; the test's own timeout bounds it."""
    while not wanted(found := await read()):
        await asyncio.sleep(0.005)
    return found
