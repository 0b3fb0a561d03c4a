"""The running daemon: what it is made of, in which order that begins and ends, and what a changed configuration does.

The rule: it is ready when the RPC answers, and not before. It ends in the opposite order: the RPC first, so that nobody
is told of torrents that are going, then the torrents, each of which tells its trackers. All of that is bounded by
STOP_BOUND; whoever runs it ends the process after that, which costs what a crash costs.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.daemon import event_log
from p2p.daemon.access import Login, hash_password
from p2p.daemon.client_address import RPC_PATH
from p2p.daemon.config import PEER_PORT, SESSION, endpoints, engine_settings, needs_restart, taken_up
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.event_log import tell
from p2p.daemon.given_peers import GivenPeers
from p2p.daemon.heartbeat import Heartbeat
from p2p.daemon.http_server import HttpServer, HttpSettings, token_of
from p2p.daemon.library import SessionLibrary
from p2p.daemon.monitor import Monitor
from p2p.daemon.session_values import initial, kept_values
from p2p.daemon.state import DaemonState, peek
from p2p.daemon.state_keeper import SETTINGS, SUBJECT
from p2p.daemon.torrent_log import TorrentLog
from p2p.errors import ConfigError, StarlingError
from p2p.session.environment import real_environment
from p2p.session.scope import Scope
from p2p.session.session import Session
from p2p.session.settings import Settings
from p2p.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.daemon.config import ConfigSource, DaemonConfig, Loaded
    from p2p.daemon.names import Json
    from p2p.operation.log_lines import LogControl
    from p2p.operation.supervisor import Supervisor
    from p2p.session.environment import Environment

STATE: Final = "daemon"
"""The daemon's own folder, beside those of the engine."""

STOP_BOUND: Final = 30.0
"""Seconds in which a stop is over: five for clients that read, five for trackers, the rest for disks."""

CREATED: Final = "created"
"""The folder for torrent files that clients let the daemon make."""

_AT_START: Final = frozenset({"peer_port", "peer_port_random_on_start"})
"""What the engine begins with; the port it then has is told in its place."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of a daemon. The downloads' is only where a client or the configuration names none."""

    config_dir: Path
    state_dir: Path
    downloads: Path

    def kept(self) -> dict[str, Json]:
        """The session's values that clients have set. Blocking. Raises StorageError."""
        return kept_values(peek(self.state_dir / STATE, f"{SUBJECT}{SETTINGS}"))

    def defaults(self) -> dict[str, Json]:
        """The session's values where nobody has set anything."""
        settings = Settings(download_dir=self.downloads, port=PEER_PORT, port_mapping=True)
        return {**initial(settings, str(self.config_dir)), "peer_port": PEER_PORT}


class DaemonService:
    """See the module's head. `loaded` is what `source` says at the start; `started` is the wall clock in seconds;
    `stopping` is called when the end begins, whoever asked for it."""

    def __init__(
        self,
        source: ConfigSource,
        loaded: Loaded,
        places: Places,
        *,
        log: LogControl,
        supervisor: Supervisor,
        started: float,
        stopping: Callable[[], object],
    ) -> None:
        self._source = source
        self._loaded = self._begun_with = loaded
        self._places = places
        self._log = log
        self._supervisor = supervisor
        self._started = started
        self._stopping = stopping
        self._stopped = asyncio.Event()
        self.url = ""
        """Of the RPC, once it answers."""
        self.answers = asyncio.Event()
        self._reread = asyncio.Event()

    def stop(self) -> None:
        """Begin to end."""
        if not self._stopped.is_set():
            self._stopping()
        self._stopped.set()

    def reload(self) -> None:
        """Read the configuration again, soon."""
        self._reread.set()

    async def run(self) -> None:
        """Until `stop`. Raises StarlingError for what cannot even begin."""
        async with DaemonState(self._places.state_dir / STATE) as state:
            await self._run(state)

    async def _run(self, state: DaemonState) -> None:
        config, places = self._loaded.config(), self._places
        values = {**places.defaults(), **kept_values(state.records(SUBJECT).get(SETTINGS, {})), **self._loaded.given()}
        settings = engine_settings(config, values, state_dir=places.state_dir)
        settings = replace(settings, history_elsewhere=True)  # in the torrents' records
        environment = real_environment(
            hash_workers=settings.hash_workers,
            open_files=settings.open_files,
            interface=settings.interface,
            name_servers=settings.name_servers,
        )
        try:
            async with Session(settings, environment=environment) as session, Scope() as scope:
                library = SessionLibrary(
                    session,
                    environment,
                    config_dir=str(places.config_dir),
                    first=int(self._started * 1000),
                    close=self.stop,
                    state=state,
                    environ=self._source.environ,
                )
                peers = GivenPeers(session, environment.network, endpoints(config.network.peers))
                scope.start(peers.run(), name="given peers")
                await library.restore()
                await _write_down(library, self._loaded, None)
                _watch(library, config)
                await library.begin()
                scope.start(library.run(), name="library")
                await self._serve(session, library, environment, config, scope)
        finally:
            await environment.http.close()
            await environment.hasher.close()

    async def _serve(
        self, session: Session, library: SessionLibrary, environment: Environment, config: DaemonConfig, scope: Scope
    ) -> None:
        token = token_of(environment.secrets(32))
        monitor = Monitor(session, library, environment, created=self._places.state_dir / CREATED, log=self._log)
        dispatcher = Dispatcher(library, session_id=token, version=VERSION, own=monitor.methods())
        http, secret = http_settings(config, environment), environment.secrets(32)
        async with HttpServer(http, dispatcher.dispatch, token=token, secret=secret, pages=monitor.pages()) as server:
            host = f"[{http.host}]" if ":" in http.host else http.host
            url = f"http://{host}:{server.port}{RPC_PATH}"
            tell("listening", rpc=url, port=session.port)
            scope.start(monitor.run(), name="monitor")
            scope.start(TorrentLog(library.by_hash).run(session.events), name="log of torrents")
            scope.start(self._reloads(library, environment, server), name="reloads")
            scope.start(Heartbeat(self._supervisor, http.host, server.port).run(), name="heartbeat")
            self.url = url
            self.answers.set()
            self._supervisor.ready(f"RPC at {url}, peers at port {session.port}")
            await self._stopped.wait()
            self._supervisor.stopping(STOP_BOUND)
            tell("stopping")

    async def _reloads(self, library: SessionLibrary, environment: Environment, server: HttpServer) -> None:
        while True:
            await self._reread.wait()
            self._reread.clear()
            try:
                await self._reload(library, environment, server)
            except StarlingError as error:
                tell("the configuration stays as it was", level=logging.ERROR, reason=str(error))

    async def _reload(self, library: SessionLibrary, environment: Environment, server: HttpServer) -> None:
        before, loaded = self._loaded, await asyncio.to_thread(self._source.load)
        config = loaded.config()
        server.take_up(await asyncio.to_thread(http_settings, config, environment))
        event_log.apply(config.log, self._log)
        self._loaded = loaded
        await _write_down(library, loaded, before)
        defaults = self._places.defaults()
        for name in before.given().keys() - loaded.given().keys():
            await library.take_back(name, defaults[name])
        _watch(library, config)
        later = needs_restart(self._begun_with, loaded)
        tell("read the configuration", changed=taken_up(before, loaded), needs_restart=later)


def http_settings(config: DaemonConfig, environment: Environment) -> HttpSettings:
    """For the server. Takes some fifty milliseconds where there is a password."""
    rpc = config.rpc
    login = Login(rpc.user, hash_password(rpc.password, environment.secrets(16))) if rpc.password else None
    return HttpSettings(
        host=rpc.host,
        port=rpc.port,
        login=login,
        addresses=(*HttpSettings().addresses, *rpc.allow),
        hosts=rpc.allow_host,
        origins=rpc.allow_origin,
    )


def _watch(library: SessionLibrary, config: DaemonConfig) -> None:
    library.watch.watch([Path(folder).expanduser() for folder in config.watch.folders], paused=config.watch.paused)


async def _write_down(library: SessionLibrary, loaded: Loaded, before: Loaded | None) -> None:
    """Let the session's keys be as the configuration says, all at once: some belong together. Raises ConfigError."""
    known = {} if before is None else before.given()
    given = {
        name: value
        for name, value in loaded.given().items()
        if name not in _AT_START or (before is not None and known.get(name) != value)
    }
    try:
        await library.write_down(given)
    except StarlingError as error:
        culprit = next((name for name in given if name in str(error)), None)
        source = "the configuration" if culprit is None else loaded.values[SESSION, culprit].source
        raise ConfigError(f"{source}: {error}") from error
