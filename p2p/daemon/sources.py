"""What a torrent is added from: a file of the daemon's machine, bytes, a URL, or a magnet link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from p2p.daemon.ports import SourceKind
from p2p.session.loading import load

if TYPE_CHECKING:
    from p2p.daemon.ports import Addition
    from p2p.daemon.torrent_fetch import TorrentFetch
    from p2p.disk.hasher import Hasher
    from p2p.metainfo.magnet import Magnet
    from p2p.metainfo.metainfo import Metainfo


async def read_source(addition: Addition, fetch: TorrentFetch, hasher: Hasher) -> Metainfo | Magnet:
    """Raises RpcError for a URL that brings nothing, StorageError, MetainfoError, MagnetError."""
    source: str | Path | bytes = addition.source
    match addition.kind:
        case SourceKind.URL:
            source = await fetch.get(addition.source.decode(), addition.cookies)
        case SourceKind.MAGNET:
            source = addition.source.decode()
        case SourceKind.PATH:
            source = Path(addition.source.decode())
        case SourceKind.METAINFO:
            pass
    return await load(source, hasher)
