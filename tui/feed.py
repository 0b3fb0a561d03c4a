"""The one place that awaits the RPC: it follows a daemon, carries verbs out, and tells facts.

A daemon of ours says itself when something changes; another one is asked every two seconds. The rule: a lost connection
is told and tried again with growing pauses for as long as the interface runs; what was seen of the daemon stays on the
screen meanwhile. Nothing here knows a widget.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from p2p.daemon.client_errors import LoginRefusedError
from p2p.errors import StarlingError
from tui.facts import (
    Connected,
    DetailsArrived,
    ListArrived,
    LoginRefused,
    Lost,
    Seen,
    SessionArrived,
    VerbDone,
    VerbFailed,
    VerbWaits,
)
from tui.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from textual.message import Message

    from p2p.daemon.client import Client, Mark, Part, Server, Space
    from p2p.daemon.names import Json
    from tui.sights import Sight

T = TypeVar("T")

FIRST_PAUSE: Final = 1.0
LAST_PAUSE: Final = 30.0
"""Seconds before a lost connection is tried again, doubled each time up to this."""

FOREIGN_INTERVAL: Final = 2.0
"""Seconds between questions to a daemon that tells nothing by itself."""

SESSION_INTERVAL: Final = 2.0
DETAILS_INTERVAL: Final = 1.0
"""Seconds between looks at the torrent that is open, and at whatever else the open screen shows."""

VERB_PATIENCE: Final = 30.0
"""Seconds that a verb waits for a connection: the longest pause before one is tried."""

REST: Final = 4
"""Times as long as an answer took nothing is asked after it: the files of a large torrent are many bytes."""

SPACE_EVERY: Final = 5
"""Rounds of the session's figures for one look at what is around it, and for the settings of a foreign daemon."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a daemon is reached."""

    server: Server
    password: str | None = None


class Feed:
    """See the module's head. `find` says where the daemon is, when that is known; `tell` takes each fact.

    `follow` and whatever begins with `watch_` run until they are cancelled; nothing is connected before.
    """

    def __init__(self, find: Callable[[], Awaitable[Access]], tell: Callable[[Message], object]) -> None:
        self._find = find
        self._tell = tell
        self._client: Client | None = None
        self._place = ""
        self._was_connected = False
        self._is_refused = False
        self._followed = 0
        """How often a daemon was begun to be followed."""
        self._mark: Mark | None = None
        self._asking = asyncio.Lock()
        self._connected = asyncio.Event()
        self._again = asyncio.Event()
        self._moved = asyncio.Event()
        """Whether something did since the session's figures were asked for."""
        self._acted = asyncio.Event()
        """Whether a verb was done since the list was asked for."""
        self._stale = asyncio.Event()
        """Whether the settings are to be asked for anew."""
        self._open: tuple[str, tuple[Part, ...]] | None = None
        self._opened = asyncio.Event()
        self._looked: tuple[str | None, tuple[Sight, ...]] = (None, ())
        self._looks = asyncio.Event()

    @property
    def turn(self) -> int:
        """Another number whenever another daemon is turned to: what a list of an older one says is not of this one."""
        return self._followed

    def turn_away(self) -> None:
        """From the daemon that is looked at, and at once: no verb is done by it any more."""
        self._followed += 1
        self._forget()

    def _forget(self) -> None:
        self._client = None
        self._connected.clear()

    def try_now(self) -> None:
        """Do not wait for the pause to end."""
        self._again.set()

    async def follow(self) -> None:
        """Connect, tell the list and what becomes of it, and connect again."""
        pause = FIRST_PAUSE
        self._followed += 1
        while True:
            self._is_refused = False
            try:
                await self._session()
                reason = "the daemon has ended the connection"
            except LoginRefusedError as error:
                # Each further try would count as a wrong password, and daemons shut out who has too many.
                self._again.clear()
                self._is_refused = True
                self._tell(LoginRefused(self._place, str(error)))
                await self._again.wait()
                continue
            except StarlingError as error:
                reason = str(error)
            if self._was_connected:
                pause = FIRST_PAUSE
            self._was_connected = False
            self._again.clear()
            self._tell(Lost(reason, pause))
            await _wait(self._again, pause)
            pause = min(2 * pause, LAST_PAUSE)

    async def _session(self) -> None:
        """One connection, until it ends. Raises StarlingError."""
        # Imported here: the first screen is drawn before it, which takes a fifth as long, is loaded.
        from p2p.daemon.client import Client  # noqa: PLC0415

        access = await self._find()
        self._place = access.server.root.partition("://")[2]
        async with Client(access.server, password=access.password) as client:
            info = await client.info()
            self._mark = None
            await self._refresh(client)
            self._client = client
            self._stale.set()
            self._moved.set()
            self._connected.set()
            self._was_connected = True
            self._tell(Connected(info, self._place))
            try:
                await (self._listen(client) if info.ours else self._poll(client))
            finally:
                if self._client is client:  # and not another one's, that is followed by now
                    self._forget()

    async def _refresh(self, client: Client) -> bool:
        """Whether anything was otherwise than before."""
        turn = self._followed
        async with self._asking:  # so that an older answer never comes after a newer one
            changes = await client.changes(self._mark)
            if turn != self._followed:
                return False
            self._mark = changes.mark
            moved = changes.full or bool(changes.torrents or changes.removed)
            if moved:
                self._tell(ListArrived(changes, turn))
                self._moved.set()
            return moved

    async def _listen(self, client: Client) -> None:
        from p2p.daemon.client import SettingsChanged  # noqa: PLC0415 - as above; it is loaded by now

        async with client.events() as happenings:
            async for happening in happenings:
                if isinstance(happening, SettingsChanged):
                    self._stale.set()
                    self._moved.set()
                else:
                    await self._refresh(client)

    async def _poll(self, client: Client) -> None:
        pace = Pace()
        while True:
            await _wait(self._acted, pace.pause(FOREIGN_INTERVAL))
            acted = self._acted.is_set()
            self._acted.clear()
            moved = await self._refresh(client)
            (pace.on_move if moved or acted else pace.on_still)()

    async def watch_session(self) -> None:
        """Tell the session's figures while there is a connection."""
        settings: Mapping[str, Json] = {}
        from tui.around import Around, look_around  # noqa: PLC0415 - as above

        around = Around()
        rounds = 0
        pace = Pace()
        while True:
            await self._connected.wait()
            moved = self._moved.is_set()
            self._moved.clear()
            client = self._client
            if client is not None:
                try:
                    if self._stale.is_set() or (rounds % SPACE_EVERY == 0 and not (await client.info()).ours):
                        self._stale.clear()
                        settings, rounds = await client.settings(), 0
                    if rounds % SPACE_EVERY == 0:
                        around = await look_around(client, settings)
                    rounds += 1
                    statistics = await client.statistics()
                    moved = moved or bool(statistics.download_speed or statistics.upload_speed)
                    self._tell(SessionArrived(statistics, settings, around))
                except StarlingError:
                    rounds = 0  # `follow` asks the same daemon, and tells why it is gone
            (pace.on_move if moved else pace.on_still)()
            await _wait(self._stale, SESSION_INTERVAL)
            await _wait(self._moved, pace.pause(SESSION_INTERVAL) - SESSION_INTERVAL)

    def open(self, hash_string: str | None, *parts: Part) -> None:
        """Tell those parts of a torrent from now on, and at once; None for none."""
        self._open = None if hash_string is None else (hash_string, parts)
        self._opened.set()

    async def watch_details(self) -> None:
        """Tell what is open, while there is a connection."""
        loop = asyncio.get_running_loop()
        while True:
            self._opened.clear()
            began = loop.time()
            client, wanted = self._client, self._open
            if wanted is None:
                await self._opened.wait()
                continue
            if client is None:
                await self._connected.wait()
                began = loop.time()
            else:
                with suppress(StarlingError):  # `follow` asks the same daemon, and tells why it is gone
                    details = await client.details(wanted[0], *wanted[1])
                    if wanted == self._open:
                        self._tell(DetailsArrived(wanted[0], details))
            await _wait(self._opened, max(DETAILS_INTERVAL, REST * (loop.time() - began)))

    def look(self, hash_string: str | None, *sights: Sight) -> None:
        """Tell these, of a torrent or of the session, from now on and at once, and nothing else of their kind."""
        if (hash_string, sights) != self._looked:
            self._looked = (hash_string, sights)
            self._looks.set()

    async def watch_sights(self) -> None:
        """Tell what is looked at, while there is a connection."""
        asked: object = None
        serial = 0
        while True:
            self._looks.clear()
            client, wanted = self._client, self._looked
            if not wanted[1]:
                await self._looks.wait()
                continue
            if client is None:
                await self._connected.wait()
                continue
            from p2p.daemon.client import LogFacts  # noqa: PLC0415 - as above
            from tui.sights import see  # noqa: PLC0415 - as above

            if asked != (client, wanted):  # another connection may be to another log
                asked, serial = (client, wanted), 0
            with suppress(StarlingError):  # `follow` asks the same daemon, and tells why it is gone
                for sight in wanted[1]:
                    what = await see(client, sight, wanted[0], serial)
                    if wanted == self._looked:
                        self._tell(Seen(wanted[0], sight, what))
                    if isinstance(what, LogFacts):
                        serial = what.serial
            await _wait(self._looks, DETAILS_INTERVAL)

    async def _reach(self, words: str) -> Client | None:
        """The daemon that is looked at, waited for; None where it does not come, which is told."""
        if self._client is None:
            self._tell(VerbWaits(words))
            if not self._is_refused:  # a password that was wrong is not tried again before there is another one
                self.try_now()
            followed = self._followed
            await _wait(self._connected, VERB_PATIENCE)
            if followed != self._followed:
                self._tell(VerbFailed(words, "another daemon is looked at now"))
                return None
            if self._client is None:
                self._tell(VerbFailed(words, "there is no connection to a daemon"))
        return self._client

    async def do(self, words: str, act: Callable[[Client], Awaitable[object]]) -> None:
        """Carry a verb out, and tell what came of it. `words` say what was to be done."""
        client = await self._reach(words)
        if client is None:
            return
        try:
            await act(client)
        except StarlingError as error:
            self._tell(VerbFailed(words, str(error)))
            return
        self._tell(VerbDone(words))
        if client is self._client:  # by another one all is asked for anew
            self._acted.set()
            with suppress(StarlingError):  # it is done; `follow` asks the same daemon, and tells why it is gone
                await self._refresh(client)

    async def ask(self, words: str, question: Callable[[Client], Awaitable[T]]) -> tuple[T, ...]:
        """What the daemon answers; nothing where it does not, and why is told."""
        client = await self._reach(words)
        if client is None:
            return ()
        try:
            return (await question(client),)
        except StarlingError as error:
            self._tell(VerbFailed(words, str(error)))
            return ()

    async def room(self, folder: str) -> Space | None:
        """In a folder of the daemon's machine; None where nobody can tell."""
        client = self._client
        if client is None:
            return None
        with suppress(StarlingError):  # a folder that is half typed is none, and that is no failure to tell of
            return await client.free_space(folder)
        return None


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until it happens, or for that long."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
