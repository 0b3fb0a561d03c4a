"""The private tracker's gate as the server runs it: the desk that decides, and the thread that keeps what it decided.

Everything but the writing happens on the loop, from memory. A batch goes out every few seconds, or sooner when many
rows are dirty. `start` before the first announce, `close` after the last.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.errors import TrackerError
from tracker.private import summary, words
from tracker.private.database import DatabaseError
from tracker.private.desk import MemberDesk
from tracker.private.ledger import Ledger
from tracker.private.reading import Changes, Everything
from tracker.private.writer import PATIENCE, POLL, Ended, Outage, Writer, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.codec.announce import AnnounceRequest
    from p2p.ids import Address, InfoHash
    from tracker.gate import Admission
    from tracker.private.rules import PrivateRules
    from tracker.private.summary import MemberSummary

log = logging.getLogger(__name__)

FLUSH_EVERY: Final = 5.0
"""Seconds between two batches: what a killed server loses at the most."""

FLUSH_ROWS: Final = 1_000
"""Dirty rows that bring a batch forward."""

TICK: Final = 0.5
"""Seconds between two looks at the time."""

TICK_LIMIT: Final = 2_000
"""Duties and places looked at in one tick, some milliseconds of work."""

CLOSE_TIME: Final = 30.0
"""Seconds the last batches may take, longer than any other writer may hold the file."""

RUN_SIZE: Final = 16


class GateTotals(NamedTuple):
    """For metrics and stats. `outage` is why the database cannot be written now, None if it can."""

    members: int
    torrents: int
    snatches: int
    places: int
    refused: int
    wrong_passkeys: int
    unwritten_rows: int
    batches: int
    lost_flags: int
    outage: str | None


class PrivateGate:
    """Implements `tracker.gate.Gate` over the SQLite file at `path`.

    `secrets(n)` returns n bytes nobody can guess; `wall` is seconds since the epoch, the clock of `now` in the calls.
    """

    def __init__(
        self,
        path: Path | str,
        rules: PrivateRules,
        *,
        secrets: Callable[[int], bytes],
        wall: Callable[[], float],
        flush_every: float = FLUSH_EVERY,
        flush_rows: int = FLUSH_ROWS,
        poll: float = POLL,
        patience: float = PATIENCE,
    ) -> None:
        self._path = Path(path)
        self._rules = rules
        self._secrets = secrets
        self._wall = wall
        self._flush_every = flush_every
        self._flush_rows = flush_rows
        self._poll = poll
        self._patience = patience
        self._ledger = Ledger(secrets(RUN_SIZE))
        self._desk = MemberDesk(self._ledger, rules)
        self._writer: Writer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loaded: asyncio.Future[None] | None = None
        self._changed = asyncio.Event()
        self._flush_at = 0.0
        self._batches = 0
        self._outage: str | None = None
        self._has_ended = False

    async def start(self) -> None:
        """Open the database, made or migrated as needed, and read it. Raises DatabaseError."""
        self._loop = asyncio.get_running_loop()
        self._loaded = self._loop.create_future()
        self._writer = Writer(
            self._path,
            deliver=self._deliver,
            wall=self._wall,
            secrets=self._secrets,
            poll=self._poll,
            patience=self._patience,
        )
        self._writer.start()
        try:
            await self._loaded
        except BaseException:
            await self.close()
            raise
        self._flush_at = self._loop.time() + self._flush_every
        self._timer = self._loop.call_later(TICK, self._tick)

    async def close(self, *, time: float = CLOSE_TIME) -> int:
        """Write all that memory holds and let go of the file; how many rows could not be written in `time` seconds.

        Idempotent. Rows that are lost are logged.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        writer, self._writer = self._writer, None
        if writer is None or self._loop is None:
            return 0
        deadline = self._loop.time() + time
        writer.nudge()
        try:
            while self._ledger.unwritten and not self._has_ended:
                self._flush(writer)
                self._changed.clear()
                try:
                    async with asyncio.timeout_at(min(deadline, self._loop.time() + TICK)):
                        await self._changed.wait()
                except TimeoutError:
                    if self._loop.time() >= deadline:
                        break
                    writer.nudge()
        finally:
            writer.stop()
            if not await asyncio.shield(asyncio.to_thread(writer.join, CLOSE_TIME)):
                log.error("the thread that keeps the accounts does not end")
        lost = self._ledger.unwritten
        if lost:
            log.error("%d rows of accounts could not be written: %s", lost, self._outage)
        return lost

    def set_rules(self, rules: PrivateRules) -> None:
        """From now on."""
        self._rules = rules
        self._desk.set_rules(rules)

    def admit(
        self, request: AnnounceRequest, passkey: str | None, source: Address, user_agent: str | None, now: float
    ) -> Admission:
        """See `tracker.gate.Gate`."""
        return self._desk.admit(request, passkey, source, user_agent, now)

    def on_announced(self, admission: Admission, request: AnnounceRequest, source: Address, now: float) -> None:
        """See `tracker.gate.Gate`."""
        self._desk.on_announced(admission, request, source, now)
        if self._ledger.unwritten >= self._flush_rows and self._writer is not None:
            self._flush(self._writer)

    def may_scrape(
        self, passkey: str | None, info_hashes: Sequence[InfoHash], source: Address, now: float
    ) -> tuple[InfoHash, ...]:
        """See `tracker.gate.Gate`."""
        return self._desk.may_scrape(passkey, info_hashes, source, now)

    def log_in(self, passkey: str, source: Address, now: float) -> int:
        """The member's number. Raises TrackerError as an announce with this passkey would, wrong ones counted alike."""
        member, _ = self._desk.identify(passkey, source, now)
        if not member.is_active:
            raise TrackerError(words.disabled(member.reason))
        return member.id

    def mark(self, member_id: int) -> bytes | None:
        """What changes when the member's passkey does; None for who is no active member."""
        member = self._ledger.members.get(member_id)
        if member is None or not member.is_active:
            return None
        return b"".join(sorted(hashed for hashed, expires in member.passkeys.items() if expires is None))

    def summary(self, member_id: int, now: float) -> MemberSummary | None:
        """What a member may see of itself, from memory; None for no member."""
        member = self._ledger.members.get(member_id)
        if member is None:
            return None
        return summary.of(member, self._ledger, self._desk.no_download(member, now), self._rules, now)

    def totals(self) -> GateTotals:
        ledger = self._ledger
        return GateTotals(
            members=len(ledger.members),
            torrents=len(ledger.torrents),
            snatches=ledger.snatch_count,
            places=len(ledger.by_age),
            refused=self._desk.refused,
            wrong_passkeys=self._desk.wrong_passkeys,
            unwritten_rows=ledger.unwritten,
            batches=self._batches,
            lost_flags=ledger.lost_flags,
            outage=self._outage,
        )

    def _tick(self) -> None:
        if self._loop is None or self._writer is None:
            return
        self._timer = self._loop.call_later(TICK, self._tick)
        self._desk.tick(self._wall(), TICK_LIMIT)
        if self._loop.time() >= self._flush_at:
            self._flush(self._writer)

    def _flush(self, writer: Writer) -> None:
        batch = self._ledger.take_batch(self._wall())
        if batch is not None:
            writer.put(batch)
        if self._loop is not None:
            self._flush_at = self._loop.time() + self._flush_every

    def _deliver(self, event: Everything | Changes | Written | Outage | Ended) -> None:
        # In the writer's thread. A loop that is closed has no use for it.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_event, event)

    def _on_event(self, event: Everything | Changes | Written | Outage | Ended) -> None:
        match event:
            case Everything():
                self._desk.take_in_all(event)
                if self._loaded is not None and not self._loaded.done():
                    self._loaded.set_result(None)
            case Changes():
                self._desk.take_in(event)
            case Written():
                self._ledger.on_written()
                self._batches += 1
                if self._ledger.unwritten >= self._flush_rows and self._writer is not None:
                    self._flush(self._writer)
            case Outage(reason):
                self._outage = reason
            case Ended(reason):
                self._has_ended = True
                if self._loaded is not None and not self._loaded.done():
                    self._loaded.set_exception(DatabaseError(reason or "the database was closed"))
                elif reason is not None:
                    self._outage = reason
                    log.critical("%s", reason)
        self._changed.set()
