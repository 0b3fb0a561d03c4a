"""Starling, a BitTorrent stack. The names below are the library; the packages beside them are its parts.

from p2p import Session, Settings

async with Session(Settings(download_dir="downloads")) as session:
    torrent = await session.add("file.torrent")
    await torrent.completed()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

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
from p2p.version import VERSION

if TYPE_CHECKING:
    from p2p.ids import Address
    from p2p.metainfo import Magnet, Metainfo
    from p2p.session.create import create
    from p2p.session.encryption import Encryption
    from p2p.session.event_bus import Event, EventKind
    from p2p.session.session import Session
    from p2p.session.settings import Settings, TorrentOptions
    from p2p.session.snapshot import PeerSnapshot, TorrentSnapshot, TorrentState
    from p2p.session.torrent import Torrent
    from p2p.session.verify import VerifyReport, verify

__version__ = VERSION

# Looked up when first asked for: a command that makes a torrent need not wait for the engine to be read in.
_HOMES: Final = {
    "Address": "p2p.ids",
    "Encryption": "p2p.session.encryption",
    "Event": "p2p.session.event_bus",
    "EventKind": "p2p.session.event_bus",
    "Magnet": "p2p.metainfo.magnet",
    "Metainfo": "p2p.metainfo.metainfo",
    "PeerSnapshot": "p2p.session.snapshot",
    "Session": "p2p.session.session",
    "Settings": "p2p.session.settings",
    "Torrent": "p2p.session.torrent",
    "TorrentOptions": "p2p.session.settings",
    "TorrentSnapshot": "p2p.session.snapshot",
    "TorrentState": "p2p.session.snapshot",
    "VerifyReport": "p2p.session.verify",
    "create": "p2p.session.create",
    "verify": "p2p.session.verify",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'p2p' has no attribute {name!r}")
    found: object = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Address",
    "BencodeError",
    "DhtError",
    "DiskFullError",
    "Encryption",
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
