"""What a user names as a torrent, read and parsed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from p2p.codec.bencode import MAX_SIZE
from p2p.disk.refusals import printable
from p2p.disk.whole_files import read_whole
from p2p.errors import MetainfoError
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo

if TYPE_CHECKING:
    from p2p.disk.hasher import Hasher


async def load(source: str | Path | bytes | Metainfo | Magnet, hasher: Hasher) -> Metainfo | Magnet:
    """What `source` names, parsed off the loop: a large torrent takes seconds.

    Raises StorageError, MetainfoError for a file that is no torrent, MagnetError for a bad magnet link.
    """
    if isinstance(source, Metainfo | Magnet):
        return source
    if isinstance(source, bytes):
        data = source
        return await hasher.run(lambda: Metainfo.from_bytes(data))
    if isinstance(source, str) and source[:7].lower() == "magnet:":
        return Magnet.parse(source)
    try:
        content = await read_whole(Path(source), MAX_SIZE + 1)
        return await hasher.run(lambda: Metainfo.from_bytes(content))
    except MetainfoError as error:
        raise MetainfoError(f"{printable(source)}: {error}") from error
