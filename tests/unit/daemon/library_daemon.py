"""A daemon's library over a session on loopback that meets nobody, and its state in a folder: all but the transport."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from rpc_client import Client

from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.library import SessionLibrary
from p2p.daemon.state import DaemonState
from p2p.session.environment import real_environment
from p2p.session.session import Session
from p2p.session.settings import Settings

DEADLINE = 20.0


@asynccontextmanager
async def library_daemon(folder):
    """A client of it; another one over the same folder goes on where this one ends."""
    environment = real_environment(hash_workers=1, open_files=16)
    quiet = {"dht": False, "local_discovery": False, "bind": ("127.0.0.1",)}
    settings = Settings(download_dir=folder / "in", state_dir=folder / "state", **quiet)
    try:
        async with (
            asyncio.timeout(DEADLINE),
            DaemonState(folder / "state" / "daemon") as state,
            Session(settings, environment=environment) as session,
        ):
            library = SessionLibrary(session, environment, config_dir="/c", first=1, close=lambda: None, state=state)
            await library.restore()
            await library.begin()
            running = asyncio.create_task(library.run())
            client = Client(Dispatcher(library, session_id="token", version="1"))
            client.session = session
            try:
                yield client
            finally:
                running.cancel()
                await asyncio.wait([running])
    finally:
        await environment.http.close()
        await environment.hasher.close()
