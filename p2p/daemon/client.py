"""A daemon from afar: every verb of the RPC, typed, with our own daemon and with Transmission's alike.

async with Client(Server.parse("box:9091"), password=secret) as daemon:
    changes = await daemon.changes()
    await daemon.stop([row.id for row in changes.torrents])

The rule: nothing waits for ever, nothing is retried that may have been done, and every failure is a ClientError of a
kind that tells what to do about it. What a server does not have is refused here by name, never faked. The password is a
value: where it comes from (a file, the environment, netrc) is for the caller, and never a command line.
"""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from p2p.daemon.client_address import Server
from p2p.daemon.client_errors import (
    BadAnswerError,
    ClientError,
    LoginRefusedError,
    NotAllowedError,
    RefusedError,
    UnreachableError,
    UnsupportedError,
)
from p2p.daemon.client_events import (
    EVENTS_PATH,
    Happening,
    Hello,
    MetadataArrived,
    Resync,
    SettingsChanged,
    TorrentCompleted,
    TorrentFailed,
    TorrentsAdded,
    TorrentsChanged,
    TorrentsRemoved,
    happenings,
)
from p2p.daemon.client_own import OwnCalls
from p2p.daemon.client_session import SessionCalls
from p2p.daemon.client_torrents import ROW_FIELDS, Every, Ids, Step, TorrentCalls
from p2p.daemon.client_transport import TIMEOUT
from p2p.daemon.client_values import (
    AddedTorrent,
    Changes,
    ErrorKind,
    FileFacts,
    GoalMode,
    Group,
    Mark,
    Part,
    PeerFacts,
    PeersFrom,
    Priority,
    ServerInfo,
    Space,
    Statistics,
    Status,
    TorrentChanges,
    TorrentDetails,
    TorrentRow,
    Totals,
    TrackerFacts,
)
from p2p.daemon.own_facts import (
    ChokingFacts,
    Creation,
    CreationState,
    DhtBucket,
    DhtFacts,
    DhtFamily,
    DhtTraffic,
    DiskFacts,
    DiskJobs,
    Filesystem,
    LogFacts,
    LogLine,
    PeerChoking,
    PieceMap,
    RateHistory,
    RateSeries,
    Reciprocation,
    TrackerHealthFacts,
    TrackerHost,
)
from p2p.daemon.removals import Removal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = [
    "ROW_FIELDS",
    "AddedTorrent",
    "BadAnswerError",
    "Changes",
    "ChokingFacts",
    "Client",
    "ClientError",
    "Creation",
    "CreationState",
    "DhtBucket",
    "DhtFacts",
    "DhtFamily",
    "DhtTraffic",
    "DiskFacts",
    "DiskJobs",
    "ErrorKind",
    "Every",
    "FileFacts",
    "Filesystem",
    "GoalMode",
    "Group",
    "Happening",
    "Hello",
    "Ids",
    "LogFacts",
    "LogLine",
    "LoginRefusedError",
    "Mark",
    "MetadataArrived",
    "NotAllowedError",
    "Part",
    "PeerChoking",
    "PeerFacts",
    "PeersFrom",
    "PieceMap",
    "Priority",
    "RateHistory",
    "RateSeries",
    "Reciprocation",
    "RefusedError",
    "Removal",
    "Resync",
    "Server",
    "ServerInfo",
    "SettingsChanged",
    "Space",
    "Statistics",
    "Status",
    "Step",
    "TorrentChanges",
    "TorrentCompleted",
    "TorrentDetails",
    "TorrentFailed",
    "TorrentRow",
    "TorrentsAdded",
    "TorrentsChanged",
    "TorrentsRemoved",
    "Totals",
    "TrackerFacts",
    "TrackerHealthFacts",
    "TrackerHost",
    "UnreachableError",
    "UnsupportedError",
]


class Client(TorrentCalls, SessionCalls):
    """An async context manager; see the module's head. `timeout` is seconds for a usual call.

    Entering connects to nobody: the first call does. Every method raises a ClientError.
    """

    def __init__(self, server: Server, *, password: str | None = None, timeout: float = TIMEOUT) -> None:
        super().__init__(server, password=password, timeout=timeout)
        self.own = OwnCalls(self.transport)
        """What our own daemon has beyond Transmission's."""

    async def __aenter__(self) -> Client:
        await self.transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.__aexit__()

    @asynccontextmanager
    async def events(
        self, *, log: str | None = None, since: Mark | None = None
    ) -> AsyncIterator[AsyncIterator[Happening]]:
        """What happens, as it happens, from our own daemon: see `p2p.daemon.client_events`.

        `log` is the least level of log lines to be told of, None for no line. With `since` what was missed comes first.
        The iterator ends when the daemon lets us go, and raises UnreachableError when the connection is lost.
        """
        if not (await self.info()).ours:
            raise UnsupportedError("this server tells nothing by itself; it has to be asked for changes")
        known = None if since is None or since.revision is None else str(since.revision)
        asked = {name: value for name, value in (("log", log), ("since", known)) if value is not None}
        page = EVENTS_PATH + (f"?{urlencode(asked)}" if asked else "")
        async with (
            self.transport.lines(page, {"Accept": "text/event-stream"}) as lines,
            aclosing(happenings(lines)) as found,
        ):
            yield found
