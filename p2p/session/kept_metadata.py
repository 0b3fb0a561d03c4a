"""Metadata that was fetched for magnet links, kept so that the same link needs nobody to fetch it from again (BEP 9).

The rule: what is kept is believed no more than a peer is: it must have the link's info-hashes, and is fetched anew
otherwise. Where it cannot be kept the download goes on, as the next start can fetch it too.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from p2p.codec.bencode import MAX_SIZE
from p2p.disk.whole_files import read_whole, replace_whole
from p2p.errors import MetainfoError, MissingContentError, StorageError
from p2p.metainfo.metainfo import Metainfo
from p2p.session.magnet_stage import metainfo_of_link
from p2p.session.uninterrupted import uninterrupted
from p2p.swarm.metadata_assembly import Verdict, judge_info

if TYPE_CHECKING:
    from pathlib import Path

    from p2p.disk.hasher import Hasher
    from p2p.metainfo.magnet import Magnet

log = logging.getLogger(__name__)


class KeptMetadata:
    """Torrent files in `folder`, which is made with the first of them, each under every info-hash that it has."""

    def __init__(self, folder: Path, hasher: Hasher) -> None:
        self._folder = folder
        self._hasher = hasher

    async def find(self, magnet: Magnet) -> Metainfo | None:
        """The torrent that a link names, with the link's trackers and web seeds; None where it is not kept."""
        for name in magnet.wire_info_hashes():
            path = self._path(name)
            try:
                kept = await read_whole(path, MAX_SIZE + 1)
                return await self._hasher.run(partial(_of_link, kept, magnet))
            except MissingContentError:
                continue
            except (MetainfoError, StorageError) as error:
                log.warning("%s: %s; the metadata is fetched again", path, error)
        return None

    async def keep(self, metainfo: Metainfo) -> None:
        """Keep a torrent; on stable storage when this returns, if it says nothing."""
        for name in metainfo.wire_info_hashes():
            try:
                await uninterrupted(replace_whole(self._path(name), metainfo.raw))
            except StorageError as error:
                log.warning("the metadata of %s is not kept: %s", metainfo.name, error)

    def _path(self, name: bytes) -> Path:
        return self._folder / f"{name.hex()}.torrent"


def _of_link(kept: bytes, magnet: Magnet) -> Metainfo:
    """Raises MetainfoError for bytes that are damaged, or another torrent's."""
    layers: dict[bytes, bytes] | None
    try:
        metainfo = Metainfo.from_bytes(kept)
        layers = metainfo.piece_layers
    except MetainfoError:
        metainfo = Metainfo.version_1_half(kept)
        layers = None
    info = metainfo.info_bytes
    if judge_info(info, hash_v1=magnet.info_hash_v1, hash_v2=magnet.info_hash_v2) is not Verdict.RIGHT:
        raise MetainfoError("not the torrent that the link names")
    return metainfo_of_link(magnet, info, layers)
