"""What the feed tells the interface: facts, as messages. Nothing here asks for anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.client_values import Changes, ServerInfo, Statistics, TorrentDetails
    from p2p.daemon.names import Json
    from tui.around import Around
    from tui.sights import Seeing, Sight


@dataclass
class Connected(Message):
    """A daemon has answered; `place` is what to call it."""

    info: ServerInfo
    place: str


@dataclass
class ListArrived(Message):
    """What became of the list of the daemon that was turned to by the number `turn`."""

    changes: Changes
    turn: int


@dataclass
class SessionArrived(Message):
    """Figures of the session, and what is around it."""

    statistics: Statistics
    settings: Mapping[str, Json]
    around: Around


@dataclass
class DetailsArrived(Message):
    """Of the torrent that is looked at; None where the daemon has it no more."""

    hash_string: str
    details: TorrentDetails | None


@dataclass
class Seen(Message):
    """What the open screen looks at, of a torrent or of the session; None where the daemon does not tell it."""

    hash_string: str | None
    sight: Sight
    what: Seeing


@dataclass
class Lost(Message):
    """The connection is gone, or never was; it is tried again after `pause` seconds."""

    reason: str
    pause: float


@dataclass
class LoginRefused(Message):
    """A password is needed, or the one that was given is wrong; nothing is tried before it is told to."""

    place: str
    reason: str


@dataclass
class VerbWaits(Message):
    """For a connection."""

    words: str


@dataclass
class VerbDone(Message):
    words: str


@dataclass
class VerbFailed(Message):
    words: str
    reason: str
