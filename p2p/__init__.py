"""Starling, a BitTorrent stack. The names below are the library; the packages beside them are its parts.

from p2p import Session, Settings

async with Session(Settings(download_dir="downloads")) as session:
    torrent = await session.add("file.torrent")
    await torrent.completed()
"""

from p2p.errors import (
    BencodeError,
    DhtError,
    DiskFullError,
    LocalProtocolError,
    MagnetError,
    MetainfoError,
    MissingContentError,
    NetworkError,
    ProtocolError,
    RemoteProtocolError,
    StarlingError,
    StateLockedError,
    StorageError,
    TrackerError,
)
from p2p.ids import Address
from p2p.metainfo import Magnet, Metainfo
from p2p.session.create import create
from p2p.session.event_bus import Event, EventKind
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import PeerSnapshot, TorrentSnapshot, TorrentState
from p2p.session.torrent import Torrent
from p2p.session.verify import VerifyReport, verify
from p2p.version import VERSION

__version__ = VERSION

__all__ = [
    "Address",
    "BencodeError",
    "DhtError",
    "DiskFullError",
    "Event",
    "EventKind",
    "LocalProtocolError",
    "Magnet",
    "MagnetError",
    "Metainfo",
    "MetainfoError",
    "MissingContentError",
    "NetworkError",
    "PeerSnapshot",
    "ProtocolError",
    "RemoteProtocolError",
    "Session",
    "Settings",
    "StarlingError",
    "StateLockedError",
    "StorageError",
    "Torrent",
    "TorrentOptions",
    "TorrentSnapshot",
    "TorrentState",
    "TrackerError",
    "VerifyReport",
    "__version__",
    "create",
    "verify",
]
