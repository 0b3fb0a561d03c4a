"""Torrents to measure a daemon with: sparse content, three files each, and trackers on loopback addresses."""

from __future__ import annotations

import hashlib
import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2p.codec import bencode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PIECE_LENGTH = 16_384
PIECES = 64
_SIZES = (PIECE_LENGTH * PIECES // 2, PIECE_LENGTH * PIECES // 4, PIECE_LENGTH * PIECES // 4)
_ZEROS = hashlib.sha1(bytes(PIECE_LENGTH)).digest()


@dataclass(frozen=True)
class Made:
    """A torrent file's bytes, and what it is called."""

    name: str
    info_hash: str
    data: bytes


def sparse_torrents(folder: Path, count: int, trackers: Sequence[str]) -> Iterator[Made]:
    """`count` torrents of 64 pieces in three files of zeros that take no room, each of one tracker by turns."""
    hosts = itertools.cycle(trackers)
    for number in range(count):
        name = f"torrent {number:05}"
        home = folder / name
        home.mkdir(parents=True, exist_ok=True)
        files = []
        for index, size in enumerate(_SIZES):
            path = home / f"part {index}.bin"
            with path.open("wb") as file:
                os.truncate(file.fileno(), size)
            files.append({b"length": size, b"path": [path.name.encode()]})
        yield _torrent(name, {b"files": files}, _ZEROS * PIECES, PIECE_LENGTH, next(hosts))


def file_torrent(path: Path, piece_length: int, tracker: str | None = None) -> Made:
    """A torrent of the one file `path`."""
    pieces = []
    with path.open("rb") as file:
        while piece := file.read(piece_length):
            pieces.append(hashlib.sha1(piece).digest())
    return _torrent(path.name, {b"length": path.stat().st_size}, b"".join(pieces), piece_length, tracker)


def _torrent(name: str, content: dict[bytes, object], pieces: bytes, piece_length: int, tracker: str | None) -> Made:
    info = {b"name": name.encode(), b"piece length": piece_length, b"pieces": pieces, **content}
    outer: dict[bytes, object] = {b"info": info}
    if tracker is not None:
        outer[b"announce"] = tracker.encode()
    return Made(name, hashlib.sha1(bencode.encode(info)).hexdigest(), bencode.encode(outer))  # type: ignore[arg-type]
