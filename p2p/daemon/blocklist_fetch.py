"""The blocklist: fetched from where the user says, refreshed daily, kept over a restart, and made to hold while it is
enabled.

The rule: what cannot be fetched or read changes nothing; the list that was there goes on to hold, and the problem is
told. What is fetched is bounded in time and size (`p2p.session.blocklist`), and read beside the loop.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from p2p.daemon.rpc_errors import Code, RpcError
from p2p.disk.whole_files import read_whole, replace_whole
from p2p.errors import BlocklistError, MissingContentError, StorageError, TrackerError
from p2p.session.blocklist import MAX_TEXT, Blocklist, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from p2p.daemon.names import Json
    from p2p.daemon.session_values import SessionValues
    from p2p.session.environment import Environment

log = logging.getLogger(__name__)

SETTINGS: Final = ("blocklist_enabled", "blocklist_url")
"""The keys that this applies."""

FILE: Final = "blocklist"
"""Its name in the daemon's folder."""

MAX_KEPT: Final = 64 << 20
"""Bytes of that file: more than the most ranges take."""

REFRESH: Final = 86_400.0
"""Seconds between fetches: lists are made anew once a day, and their servers ask for no more."""

RETRY: Final = 3_600.0
"""Seconds until a fetch that failed is tried again."""

FETCH_TIMEOUT: Final = 300.0
"""Seconds: some tens of megabytes over a slow line."""


class BlocklistKeeper:
    """See the module's head. `hold` makes a list hold; without a `folder` none is kept."""

    def __init__(
        self,
        values: SessionValues,
        environment: Environment,
        hold: Callable[[Blocklist], None],
        folder: Path | None,
    ) -> None:
        self.problem = ""
        """Why the last fetch failed."""
        self._values = values
        self._environment = environment
        self._hold = hold
        self._path = None if folder is None else folder / FILE
        self._list = Blocklist()
        self._fetched_at = 0.0
        self._fetching = asyncio.Lock()
        self._changed = asyncio.Event()
        self._holds = False
        values.applied_by(SETTINGS, self.apply)
        values.told_by("blocklist_size", lambda: len(self._list))
        values.told_by("starling_blocklist_date", lambda: int(self._fetched_at))
        values.told_by("starling_blocklist_problem", lambda: self.problem)

    async def load(self) -> None:
        """Take in the list that was kept; once, before torrents run."""
        if self._path is None:
            return
        try:
            kept = await read_whole(self._path, MAX_KEPT)
            self._list, self._fetched_at = await self._environment.hasher.run(lambda: Blocklist.decode(kept))
        except MissingContentError:
            return
        except (StorageError, BlocklistError) as error:
            log.warning("the blocklist that was kept is not used: %s", error)

    async def apply(self, changes: Mapping[str, Json]) -> None:
        """Enabled and disabled at once; a list that is not there yet is fetched soon."""
        enabled = bool(changes.get("blocklist_enabled", self._values["blocklist_enabled"]))
        if enabled != self._holds:
            self._holds = enabled
            self._hold(self._list if enabled else Blocklist())
        self._changed.set()

    async def update(self) -> int:
        """Fetch the list now; how many ranges it has. Raises RpcError, and then the old one stays."""
        url = self._values.text("blocklist_url")
        if not url:
            raise RpcError(Code.SYSTEM, "blocklist_url names no list")
        async with self._fetching:
            try:
                fetched = await self._fetch(url)
            except TrackerError as error:
                self.problem = f"{url}: {error}"
                raise RpcError(Code.HTTP, self.problem) from error
            except BlocklistError as error:
                self.problem = f"{url}: {error}"
                raise RpcError(Code.INVALID_BLOCKLIST, self.problem) from error
            self._list, self._fetched_at, self.problem = fetched, self._environment.wall(), ""
            if self._values.flag("blocklist_enabled"):
                self._hold(self._list)
            await self._keep()
            log.info("the blocklist has %d ranges; %d lines were passed over", len(fetched), fetched.passed_over)
        return len(fetched)

    async def _fetch(self, url: str) -> Blocklist:
        content = await self._environment.http.get(url, timeout=FETCH_TIMEOUT, max_body=MAX_TEXT)
        found = await self._environment.hasher.run(lambda: parse(content))
        if not len(found):
            raise BlocklistError("an empty list")
        return found

    async def _keep(self) -> None:
        if self._path is None:
            return
        try:
            await replace_whole(self._path, self._list.encode(self._fetched_at))
        except StorageError as error:
            log.warning("the blocklist is not kept: %s", error)

    async def run(self) -> None:
        """Refresh it while it is enabled, until cancelled."""
        url = self._values.text("blocklist_url")
        while True:
            self._changed.clear()
            wait: float | None = None
            if self._values.flag("blocklist_enabled") and self._values.text("blocklist_url"):
                age = self._environment.wall() - self._fetched_at
                is_other, url = url != self._values.text("blocklist_url"), self._values.text("blocklist_url")
                wait = REFRESH - age
                if is_other or not 0 <= age < REFRESH:  # a clock that was set back knows no age
                    wait = await self._refresh()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def _refresh(self) -> float:
        try:
            await self.update()
        except RpcError as error:
            log.warning("the blocklist stays as it is: %s", error)
            return RETRY
        return REFRESH
