"""The daemon's state on disk: its records, and the torrent files they lean on, in one folder that one process holds.

The rule: the loop never waits for the disk. What is put is in memory at once and goes to disk in the order in which it
was put, in one thread; a torrent file is on stable storage before the record that leans on it, and goes after it. A
verb answers once the kernel has its change (`flush`), so that a kill loses nothing that was answered; one that adds or
removes a torrent once stable storage has it (`flush(sync=True)`), since whoever sent the torrent forgets it then. What
else a power cut can take is the last SYNC_INTERVAL.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from p2p.codec.bencode import MAX_SIZE
from p2p.disk.record_log import DAMAGE, RecordLog, sync_folder
from p2p.disk.refusals import printable, refusal
from p2p.disk.state_lock import take_lock
from p2p.errors import StorageError
from p2p.session.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from p2p.daemon.names import Json
    from p2p.daemon.state_records import Record
    from p2p.disk.state_lock import StateLock

T = TypeVar("T")

log = logging.getLogger(__name__)

SYNC_INTERVAL: Final = 5.0
"""Seconds between syncs of what was written and not synced."""

RETRY_INTERVAL: Final = 10.0
"""Seconds between tries while the state cannot be written."""

RECORDS: Final = "records"
TORRENTS: Final = "torrents"
LOCK: Final = "lock"


def peek(folder: Path, key: str) -> Record:
    """One record as it stands, without a lock or a change; empty where there is none. Blocking. Raises StorageError."""
    line = RecordLog(folder, RECORDS).peek().get(key, b"{}")
    record = json.loads(line)
    return record if isinstance(record, dict) else {}


class DaemonState:
    """See the module's head. Entering raises StateLockedError while another process holds the folder,
    StateVersionError for what a later version has written, and StorageError; then nothing has been changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damage: str | None = None
        """What was damaged when the state was read, and what is used instead; None if nothing was."""

        self.failure: str | None = None
        """Why the state cannot be written at present; None while it can."""

        self._torrents = folder / TORRENTS
        self._records: dict[str, Record] = {}
        self._pending: dict[str, bytes | None] = {}
        self._files: dict[str, bytes | None] = {}
        self._is_unsynced = True
        self._turn = asyncio.Lock()
        self._log = RecordLog(folder, RECORDS)
        self._lock: StateLock | None = None
        self._thread: ThreadPoolExecutor | None = None

    @property
    def problem(self) -> str:
        """What is wrong with the state, for the operator; empty if nothing is."""
        return "; ".join(each for each in (self.failure, self.damage) if each is not None)

    async def __aenter__(self) -> DaemonState:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        try:
            self._records = await self._job(self._open)
        except BaseException:
            await self._let_go()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.flush(sync=True)
        except StorageError as failure:
            log.error("the last changes are not kept: %s", failure)  # noqa: TRY400 - a line for the operator
        finally:
            await uninterrupted(self._let_go())

    async def _let_go(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown()

    def _open(self) -> dict[str, Record]:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # trackers' URLs can hold passkeys
        except OSError as error:
            raise refusal(error, self.folder) from error
        self._lock = take_lock(self.folder / LOCK, f"another daemon keeps its state in {printable(self.folder)}")
        lines = self._log.open()
        found: dict[str, Record] = {}
        for key, line in lines.items():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                found[key] = record
            else:
                log.warning("the record %s of the daemon's state is none, and left out", key)
        damage = found.pop(DAMAGE, None)
        if damage is not None:
            self.damage = str(damage.get("sentence"))
            log.warning("%s", self.damage)
        return found

    def _close(self) -> None:
        try:
            self._log.close()
        except StorageError as error:
            log.error("the last changes may not be kept: %s", error)  # noqa: TRY400 - a line for the operator
        finally:
            if self._lock is not None:
                self._lock.release()

    # -- records

    def records(self, prefix: str) -> dict[str, Record]:
        """Those whose keys begin so, by the rest of their keys, as they were when the state was read."""
        return {key.removeprefix(prefix): record for key, record in self._records.items() if key.startswith(prefix)}

    def take_over(self) -> None:
        """The records that were read, and the files of those that were lost, are in good hands: what was damaged is
        mended with the next flush, and the memory of what was read is given back."""
        self._records = {}
        self.put(DAMAGE, None)

    def put(self, key: str, record: Mapping[str, Json] | None) -> None:
        """Change a record, None to drop it; `flush` says when that is on disk. Keys are visible ASCII."""
        encode = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
        self._pending[key] = None if record is None else encode

    async def flush(self, *, sync: bool = False) -> None:
        """Let all that was put go to disk; with `sync` to stable storage. Raises StorageError, after which it is tried
        again with the next flush."""
        async with self._turn:
            await uninterrupted(self._flush(sync=sync))

    async def _flush(self, *, sync: bool) -> None:
        changes, self._pending = self._pending, {}
        files, self._files = self._files, {}
        if not changes and not files and not (sync and self._is_unsynced):
            return
        self._is_unsynced = True
        try:
            await self._job(lambda: self._write(changes, files, sync=sync))
        except StorageError as error:
            self._pending = {**changes, **self._pending}
            self._files = {**files, **self._files}
            if self.failure is None:
                log.error("the daemon's state cannot be written: %s", error)  # noqa: TRY400 - a line for the operator
            self.failure = str(error)
            raise
        self._is_unsynced = not sync
        if self.failure is not None:
            log.info("the daemon's state is written again")
            self.failure = None

    def withdraw(self, keys: Sequence[str]) -> None:
        """Put nothing under these keys after all, where it could not be written."""
        for key in keys:
            self._pending.pop(key, None)
            self._files.pop(key, None)

    async def run(self) -> None:
        """Write and sync what nobody waits for, until cancelled."""
        while True:
            await asyncio.sleep(SYNC_INTERVAL if self.failure is None else RETRY_INTERVAL)
            with suppress(StorageError):  # told by `failure`
                await self.flush(sync=True)

    # -- torrent files

    def torrent_path(self, name: str) -> Path:
        """Where the torrent file of that name is kept."""
        return self._torrents / f"{name}.torrent"

    def put_torrent(self, name: str, raw: bytes | None) -> None:
        """Keep a torrent file, None to drop it; `flush` says when that is on disk."""
        self._files[name] = raw

    async def read_torrents(self, names: Sequence[str]) -> dict[str, bytes | StorageError]:
        """The torrent files of those names, or why they cannot be read."""
        return await self._job(lambda: {name: self._read(name) for name in names})

    async def stray_torrents(self, known: frozenset[str]) -> list[str]:
        """Names of torrent files that no record leans on."""
        return await self._job(lambda: sorted(self._kept_names() - known))

    def _kept_names(self) -> set[str]:
        try:
            return {path.stem for path in self._torrents.iterdir() if path.suffix == ".torrent"}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise refusal(error, self._torrents) from error

    def _read(self, name: str) -> bytes | StorageError:
        path = self.torrent_path(name)
        try:
            with path.open("rb") as file:
                return file.read(MAX_SIZE + 1)
        except OSError as error:
            return refusal(error, path)

    # -- in the thread

    async def _job(self, job: Callable[[], T]) -> T:
        if self._thread is None:
            raise StorageError("the daemon's state is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    def _write(self, changes: Mapping[str, bytes | None], files: Mapping[str, bytes | None], *, sync: bool) -> None:
        new = {name: raw for name, raw in files.items() if raw is not None}
        if new:
            self._write_torrents(new)
        self._log.append(changes, sync=sync)
        for name in files.keys() - new.keys():
            with suppress(OSError):  # one that stays is a stray, which the next start removes
                self.torrent_path(name).unlink(missing_ok=True)

    def _write_torrents(self, files: Mapping[str, bytes]) -> None:
        try:
            if not self._torrents.is_dir():
                self._torrents.mkdir(mode=0o700, exist_ok=True)
                sync_folder(self.folder)
            for name, raw in files.items():
                path = self.torrent_path(name)
                fresh = path.with_name(f"{path.name}.new")
                with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
                    file.write(raw)
                    file.flush()
                    os.fsync(file.fileno())
                fresh.replace(path)
            sync_folder(self._torrents)
        except OSError as error:
            raise refusal(error, self._torrents) from error
