"""`starling watch`: the list of a daemon's torrents as it changes, until Ctrl-C.

The rule: it follows the daemon's own events, so that nothing is asked for while nothing happens; a daemon of another
maker is asked every few seconds. A daemon that goes away is waited for. On a terminal the list is drawn in place;
elsewhere each change of state is a line.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Group
from rich.live import Live
from rich.text import Text

from p2p.cli.console import note, say, say_json
from p2p.cli.remote import Daemon, takes_daemon_options, wall
from p2p.cli.remote_list import COLUMNS, Order, Sort, cells_of, ordered, summary
from p2p.cli.remote_names import Names, NoTorrentError, chosen
from p2p.cli.remote_tables import fitted
from p2p.cli.remote_words import fields_of, state_of
from p2p.cli.reporters import live_console
from p2p.daemon.client_errors import ClientError, UnreachableError, UnsupportedError
from p2p.disk.refusals import printable
from p2p.quantities import format_size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import typer
    from rich.console import Console

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow

_EXAMPLES: Final = """\b
Examples:
  starling watch
  starling watch --sort down
  starling watch '*.iso' --json
"""

INTERVAL: Final = 1.0
"""Seconds between looks while something happens."""

POLL: Final = 2.0
"""Seconds between looks at a daemon that tells nothing by itself, and between tries to reach one."""

QUIET: Final = 15.0
"""Seconds after which a daemon of ours is asked although it told nothing: rates fall silently."""

_AROUND: Final = 4
"""Lines of a terminal that the list does not use: heading, summary, what is left out, the prompt."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch", epilog=_EXAMPLES)(watch_command)


@takes_daemon_options
def watch_command(names: Names = None, *, sort: Order = Sort.ID, daemon: Daemon) -> int:
    """Watch the torrents of a daemon until Ctrl-C."""
    console = None if daemon.as_json else live_console()

    async def verb(client: Client) -> None:
        view: View = _Json() if daemon.as_json else _Lines() if console is None else _Drawn(console)
        await watch(client, names or (), sort, view)

    daemon.run(verb)
    return 0


class View(Protocol):
    """Shows the list."""

    def show(self, rows: Sequence[TorrentRow], before: Mapping[int, TorrentRow], gone: Sequence[TorrentRow]) -> None:
        """What there is now, in order, what there was, and what of that has gone."""

    def lost(self, why: str) -> None:
        """The daemon does not answer."""

    def close(self) -> None:
        """Nothing follows."""


async def watch(client: Client, names: Sequence[str], sort: Sort, view: View) -> None:
    every: dict[int, TorrentRow] = {}
    shown: dict[int, TorrentRow] = {}
    mark = None
    is_lost, is_first = False, True
    try:
        while True:
            try:
                async with _told(client) as happened:
                    while True:
                        changes = await client.changes(mark)
                        is_lost = False
                        mark = changes.mark
                        if changes.full:
                            every.clear()
                        every.update((row.id, row) for row in changes.torrents)
                        for number in changes.removed:
                            every.pop(number, None)
                        rows = ordered(_meant(list(every.values()), names, is_first=is_first), sort)
                        is_first = False
                        gone = [row for number, row in shown.items() if number not in every]
                        view.show(rows, shown, gone)
                        sys.stdout.flush()  # whoever reads a pipe waits for it
                        shown = {row.id: row for row in rows}
                        await happened()
            except UnreachableError as error:
                if is_first:
                    raise
                if not is_lost:
                    view.lost(str(error))
                    sys.stdout.flush()
                is_lost = True
                await asyncio.sleep(POLL)
    finally:
        view.close()


def _meant(rows: list[TorrentRow], names: Sequence[str], *, is_first: bool) -> list[TorrentRow]:
    """Those that are named, or all. At first each name must name one; later it may have gone."""
    if not names or is_first:
        return chosen(rows, names) if names else rows
    found: dict[int, TorrentRow] = {}
    for name in names:
        with suppress(NoTorrentError):
            found.update((row.id, row) for row in chosen(rows, [name]))
    return list(found.values())


class _Happened(Protocol):
    async def __call__(self) -> None:
        """Wait until it is worth looking again. Raises a ClientError."""


@asynccontextmanager
async def _told(client: Client) -> AsyncIterator[_Happened]:
    """How to wait: for what the daemon tells where it does, and else for a while."""
    if not (await client.info()).ours:
        yield lambda: asyncio.sleep(POLL)
        return
    wake = asyncio.Event()
    failures: list[ClientError] = []

    async def follow() -> None:
        try:
            async with client.events() as happenings:
                async for _ in happenings:
                    wake.set()
            failures.append(UnreachableError("the daemon tells nothing more"))
        except ClientError as error:
            failures.append(error)
        wake.set()

    async def happened() -> None:
        await asyncio.sleep(INTERVAL)
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET):
                await wake.wait()
        wake.clear()
        if failures and not isinstance(failures[0], UnsupportedError):
            raise failures[0]

    task = asyncio.create_task(follow(), name="events of the daemon")
    try:
        yield happened
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Drawn:
    """In place, as much as the terminal has room for."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def show(self, rows: Sequence[TorrentRow], before: Mapping[int, TorrentRow], gone: Sequence[TorrentRow]) -> None:  # noqa: ARG002
        room = max(1, self._console.height - _AROUND)
        table = fitted(COLUMNS, [cells_of(row) for row in rows[:room]], self._console.width)
        more = f", {len(rows) - room:,} of them not shown" if len(rows) > room else ""
        self._live.update(Group(table, Text(summary(rows) + more, style="dim")), refresh=True)

    def lost(self, why: str) -> None:
        self._live.update(Text(f"{printable(why)}; waiting for it", style="red"), refresh=True)

    def close(self) -> None:
        self._live.stop()


class _Lines:
    """A line for each torrent that comes, goes, or changes its state."""

    def __init__(self) -> None:
        self._is_first = True

    def show(self, rows: Sequence[TorrentRow], before: Mapping[int, TorrentRow], gone: Sequence[TorrentRow]) -> None:
        if self._is_first:
            say(summary(rows))
            self._is_first = False
            return
        for row in gone:
            say(f"{row.id} {printable(row.name)}: removed")
        for row in rows:
            known = before.get(row.id)
            if known is None:
                say(f"{row.id} {printable(row.name)}: added, {format_size(row.total_size)}")
            elif state_of(known) != state_of(row):
                say(f"{row.id} {printable(row.name)}: {state_of(row)}{_why(row)}")

    def lost(self, why: str) -> None:
        note(f"{why}; waiting for it")

    def close(self) -> None:
        """Everything has been said."""


class _Json:
    """An object a line: every torrent at first, then each that changed."""

    def show(self, rows: Sequence[TorrentRow], before: Mapping[int, TorrentRow], gone: Sequence[TorrentRow]) -> None:
        for row in gone:
            say_json({"event": "removed", "time": wall(), "id": row.id, "hash_string": row.hash_string})
        for row in rows:
            known = before.get(row.id)
            if known != row:
                event = "added" if known is None else "changed"
                say_json({"event": event, "time": wall(), **fields_of(row)})

    def lost(self, why: str) -> None:
        say_json({"event": "lost", "time": wall(), "message": why})

    def close(self) -> None:
        """Everything has been said."""


def _why(row: TorrentRow) -> str:
    return f" ({printable(row.error_string)})" if row.error_string else ""
