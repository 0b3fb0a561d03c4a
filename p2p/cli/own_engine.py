"""An engine for one interface: a daemon in this process, on a free port of loopback, with a password nobody sees.

The rule: it is the daemon of this machine's user in all but its place: the same configuration, the same torrents. What
keeps it from starting is an error of whoever asks for it, and asking again tries again.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.daemon.client_address import Server
from p2p.errors import StarlingError

if TYPE_CHECKING:
    from p2p.daemon.service import DaemonService
    from p2p.operation.log_lines import LogControl
    from p2p.session.scope import Scope

USER: Final = "starling"
HERE: Final = "this program"
"""Who says where its RPC is, in messages about the configuration."""


class OwnEngine:
    """Its tasks run in `scope`; `log` takes what it logs."""

    def __init__(self, scope: Scope, log: LogControl) -> None:
        self._scope = scope
        self._log = log
        self._password = secrets.token_urlsafe(32)
        self._service: DaemonService | None = None
        self._task: asyncio.Task[object] | None = None
        self._trouble: StarlingError | None = None

    async def access(self) -> tuple[Server, str]:
        """Its server, with the user, and its password; started if it does not run. Raises StarlingError."""
        if self._service is None:
            # In a thread, since it takes longer than a screen may stand still.
            await asyncio.to_thread(importlib.import_module, "p2p.cli.daemon")
            self._service = self._made()
            self._task = self._scope.start(self._run(self._service), name="engine")
        service, task = self._service, self._task
        answers = asyncio.ensure_future(service.answers.wait())
        try:
            await asyncio.wait([answers, *([task] if task else [])], return_when=asyncio.FIRST_COMPLETED)
        finally:
            answers.cancel()
        if task is not None and task.done():
            trouble, self._trouble, self._service = self._trouble, None, None
            raise trouble or StarlingError("the engine has ended")
        scheme, _, rest = service.url.partition("://")
        return Server.parse(f"{scheme}://{USER}@{rest}"), self._password

    def _made(self) -> DaemonService:
        """Raises ConfigError."""
        from p2p.cli.daemon import places_of  # noqa: PLC0415 - loaded by now
        from p2p.daemon.config import FILE, ConfigSource  # noqa: PLC0415 - as above
        from p2p.daemon.service import DaemonService  # noqa: PLC0415 - as above
        from p2p.operation.config_layers import Given  # noqa: PLC0415 - as above
        from p2p.operation.supervisor import Supervisor  # noqa: PLC0415 - as above

        named = (os.environ.get(f"STARLING_{name}_DIR") for name in ("CONFIG", "STATE"))
        places = places_of(*(Path(folder) if folder else None for folder in named))
        said = {"host": "127.0.0.1", "port": 0, "user": USER, "password": self._password, "allow": []}
        options = {("rpc", key): Given(value, HERE, HERE) for key, value in said.items()}
        source = ConfigSource(places.config_dir / FILE, dict(os.environ), options)
        return DaemonService(
            source,
            source.load(),
            places,
            log=self._log,
            supervisor=Supervisor({}, os.getpid()),
            started=time.time(),  # noqa: TID251 - an entry point
            stopping=lambda: None,  # `stop` bounds it
        )

    async def _run(self, service: DaemonService) -> None:
        try:
            await service.run()
        except StarlingError as error:
            self._trouble = error

    async def ended(self) -> None:
        """Wait until it has ended by itself, as a client can tell it to."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """In good order, and within the daemon's own bound."""
        if self._service is not None and self._task is not None:
            from p2p.daemon.service import STOP_BOUND  # noqa: PLC0415 - loaded by now

            self._service.stop()
            await asyncio.wait([self._task], timeout=STOP_BOUND)
