"""What users name as a torrent: a torrent file or a magnet link."""

from __future__ import annotations

from pathlib import Path

from p2p.codec.bencode import MAX_SIZE
from p2p.disk.refusals import printable, refusal
from p2p.errors import MetainfoError
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo


def read_source(source: str) -> Metainfo | Magnet:
    """The torrent that `source` names. Raises MagnetError, MetainfoError or StorageError, naming a file that is bad."""
    if source.lstrip()[:7].lower() == "magnet:":
        return Magnet.parse(source)
    return read_torrent(Path(source))


def read_torrent(path: Path) -> Metainfo:
    """The torrent file at `path`. Raises MetainfoError or StorageError, naming it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise refusal(error, path) from error
    if len(data) > MAX_SIZE:
        raise MetainfoError(f"{printable(path)}: more than {MAX_SIZE} bytes are no torrent file")
    try:
        return Metainfo.from_bytes(data)
    except MetainfoError as error:
        raise MetainfoError(f"{printable(path)}: {error}") from error
