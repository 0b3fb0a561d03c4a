"""The runs of one torrent, one at a time, and who waits for them to end or to complete.

The rule: a wish that a run cannot take in while it goes (a check, work on closed content) ends it in good order and
begins the next one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from p2p.errors import StarlingError
from p2p.session.checks import CheckStoppedError
from p2p.session.event_bus import EventKind
from p2p.session.run import Purpose
from p2p.session.snapshot import TorrentState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from p2p.session.run import Run
    from p2p.session.services import Services
    from p2p.session.torrent import Torrent

log = logging.getLogger(__name__)


class Runs:
    """See the module's head. `make_run` makes the next run; `on_start` has to let `go` go."""

    def __init__(
        self,
        torrent: Torrent,
        services: Services,
        *,
        make_run: Callable[[Purpose], Run],
        on_start: Callable[[Torrent], None],
    ) -> None:
        self.current: Run | None = None
        self._torrent = torrent
        self._services = services
        self._make_run = make_run
        self._on_start = on_start
        self._next: Purpose | None = None
        self._turning: asyncio.Future[None] | None = None
        """Done when the next run begins, or will not."""
        self._work: Callable[[], Awaitable[None]] | None = None
        self._worked: asyncio.Future[None] | None = None
        self._stopped = asyncio.Event()
        self._stopped.set()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def running(self) -> bool:
        """Whether a run goes, or is about to, or has not ended yet."""
        return not self._stopped.is_set()

    # -- wishes

    def begin(self, purpose: Purpose) -> None:
        """Run, again if need be; nothing for a torrent that runs. One that is being stopped starts when it has."""
        run = self.current
        if self.running and run is not None and not self._ends(run):
            if run.purpose is Purpose.CHECK:
                run.purpose = Purpose.RECHECK
            return
        self._next = Purpose.RECHECK if self._next is Purpose.CHECK else self._next or purpose
        self._restart()

    async def verify(self) -> None:
        """Check the content, and go on as before. Returns when the check has begun, or cannot."""
        self._next = Purpose.CHECK if self._is_to_stop else Purpose.RECHECK
        if self._turning is None or self._turning.done():
            self._turning = asyncio.get_running_loop().create_future()
        turning = self._turning
        self._restart()
        await asyncio.shield(turning)

    @property
    def _is_to_stop(self) -> bool:
        """Whether the torrent stands still, or will once what it is at is done."""
        run = self.current
        if self._next is not None:
            return self._next is Purpose.CHECK
        return run is None or self._ends(run) or run.purpose is Purpose.CHECK

    def _ends(self, run: Run) -> bool:
        """Whether the present run was told to stop, or fails: it closes its files yet, and takes in no wish."""
        return run.stopping.is_set() or self._torrent.failure is not None

    def request_stop(self, message: str | None) -> None:
        """Begin to stop; `stopped()` tells when it is done. `message` says why."""
        self._next = None
        if self.current is not None:
            self.current.request_stop(message)
        if self._stopped.is_set():
            self._settle()

    async def stopped(self) -> None:
        """Wait until no run goes."""
        await self._stopped.wait()

    async def completed(self) -> None:
        """Wait until everything wanted is there. Raises the StarlingError that ended the run."""
        await asyncio.shield(self._done)

    async def between(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` while no run goes: at once, or after the present one, and then go on as before. Raises what it
        raises."""
        self._work, self._worked = work, asyncio.get_running_loop().create_future()
        self._next = None if self._is_to_stop else Purpose.EXCHANGE
        self._restart()
        await asyncio.shield(self._worked)

    # -- life

    def _restart(self) -> None:
        """Let the next run begin: once the present one has ended, or now."""
        if self.running:
            if self.current is not None:
                self.current.request_stop()
            return
        self._stopped.clear()
        if self._done.done() and self._done.exception() is not None:
            self._done = asyncio.get_running_loop().create_future()
        if self._next is not None:
            self._torrent.state = TorrentState.QUEUED
        self._on_start(self._torrent)

    async def go(self) -> None:
        """Run after run, until no further one is wanted. Errors end in the torrent's state, bugs in the caller."""
        torrent = self._torrent
        try:
            while self._next is not None or self._work is not None:
                if self._next is not None:
                    torrent.state = TorrentState.QUEUED
                await self._do_work()
                if self._next is not None:
                    await self._services.starts.enter(torrent.key)
                    try:
                        await self._run_next()
                    finally:
                        self._services.starts.leave(torrent.key)
        finally:
            if torrent.state is not TorrentState.ERROR:
                torrent.state = TorrentState.STOPPED
            self._next = None
            self._on_turn()
            self._settle()
            self._stopped.set()
            self._services.publish(EventKind.STOPPED, torrent.info_hash, torrent.message)

    async def _do_work(self) -> None:
        work, self._work = self._work, None
        if work is None or self._worked is None:
            return
        try:
            await work()
        except StarlingError as error:
            self._worked.set_exception(error)
        except BaseException:
            self._worked.cancel()
            raise
        else:
            self._worked.set_result(None)

    async def _run_next(self) -> None:
        purpose, self._next = self._next, None
        if purpose is None:  # it was stopped while it waited for its turn
            return
        torrent = self._torrent
        run = self.current = self._make_run(purpose)
        self._on_turn()
        try:
            await run.go()
        except CheckStoppedError:
            log.debug("%s was stopped before it joined its swarm", torrent.name)
        except StarlingError as error:
            torrent.on_failure(error)
        finally:
            if torrent.failure is None:
                torrent.message = run.stop_message
            self._on_run_ended(run)

    def _on_turn(self) -> None:
        if self._turning is not None and not self._turning.done():
            self._turning.set_result(None)

    def _on_run_ended(self, run: Run) -> None:
        """What the run moved is the torrent's from here on; the rest goes with it."""
        exchange = run.exchange
        if exchange is not None:
            self._torrent.ledger.close_run(
                uploaded=exchange.uploaded,
                downloaded=exchange.downloaded,
                wasted=exchange.wasted,
                corrupt=exchange.corrupt,
            )
        self.current = self._torrent.exchange = None

    # -- facts

    def on_complete(self) -> None:
        """Everything wanted is had."""
        if not self._done.done():
            self._done.set_result(None)

    def on_wanting(self) -> bool:
        """More is wanted than is had: who waits for completion waits anew. Returns whether it was complete before."""
        if not self._done.done():
            return False
        self._done = asyncio.get_running_loop().create_future()
        return True

    def _settle(self) -> None:
        if not self._done.done():
            failure = self._torrent.failure or StarlingError("the torrent was stopped before it completed")
            self._done.set_exception(failure)
            self._done.exception()  # nobody has to wait for it
