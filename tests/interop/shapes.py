"""Content of the shapes that have broken clients before, made from a seed, and torrents of it."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import libtorrent as lt

from p2p.metainfo.metainfo import Metainfo

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_LENGTH = 65_536

SHAPES: dict[str, dict[str, int]] = {
    # path -> size in bytes; a single file is a path without a folder. No size is a multiple of anything.
    "single-file": {"a single file.bin": 5 * 1024 * 1024 + 4_321},
    "folder": {
        "Ünïcödé ফোল্ডার/leer.txt": 0,
        "Ünïcödé ফোল্ডার/a/первый.bin": 1_234_567,
        "Ünïcödé ফোল্ডার/a/b/c/深い.dat": 1,
        "Ünïcödé ফোল্ডার/a/b/empty": 0,
        "Ünïcödé ফোল্ডার/emoji 🐦.bin": 65_537,
        "Ünïcödé ফোল্ডার/z e t a.bin": 2_000_003,
        "Ünïcödé ফোল্ডার/zuletzt leer": 0,
    },
}

VERSION_FLAGS = {"1": lt.create_torrent.v1_only, "2": lt.create_torrent.v2_only, "hybrid": 0}


Source = Path | str
"""A torrent file or a magnet link."""


@dataclass(frozen=True, slots=True)
class Content:
    """A torrent file and the folder that holds what it names; `sources` is what a client is told of it."""

    torrent: Path
    folder: Path
    name: str
    sources: tuple[Source, ...]

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def size(self) -> int:
        return sum(len(held) for held in files_below(self.path).values())

    @property
    def info_hash(self) -> str:
        """Of version 1, as hex digits."""
        return Metainfo.from_bytes(self.torrent.read_bytes()).info_hash_v1.hex()

    def by_magnet(self) -> Content:
        """The same, of which a client is told the info-hash and nothing else."""
        return replace(self, sources=(f"magnet:?xt=urn:btih:{self.info_hash}",))


@dataclass(frozen=True, slots=True)
class Bundle:
    """Several contents that one client is told of at once."""

    contents: tuple[Content, ...]

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(source for content in self.contents for source in content.sources)

    @property
    def info_hashes(self) -> tuple[str, ...]:
        return tuple(content.info_hash for content in self.contents)

    @property
    def folder(self) -> Path:
        """The one that holds all of them."""
        (folder,) = {content.folder for content in self.contents}
        return folder

    @property
    def size(self) -> int:
        return sum(content.size for content in self.contents)


def torrent_by_libtorrent(path: Path, torrent: Path, version: str, tracker: str | None) -> None:
    draft = lt.create_torrent(lt.list_files(str(path)), PIECE_LENGTH, VERSION_FLAGS[version])
    if tracker is not None:
        draft.add_tracker(tracker)
    lt.set_piece_hashes(draft, str(path.parent))
    torrent.write_bytes(lt.bencode(draft.generate()))


def torrent_by_starling(path: Path, torrent: Path, version: str, tracker: str | None) -> None:
    command = (Path(sys.executable).with_name("starling"), "create", path, "-o", torrent)
    options = ("--piece-length", str(PIECE_LENGTH), "--version", version)
    trackers = () if tracker is None else ("--tracker", tracker)
    subprocess.run((*command, *options, *trackers), check=True, stdout=subprocess.DEVNULL)


def make_content(
    folder: Path, shape: str, *, by: Callable[..., None], version: str = "1", tracker: str | None = None
) -> Content:
    """Writes the shape below `folder`, and beside it a torrent of it made `by` one of the makers above."""
    rng = random.Random(shape)
    holder = folder / "content"
    for path, size in SHAPES[shape].items():
        target = holder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(rng.randbytes(size))
    torrent = folder / f"{shape}-{version}.torrent"
    content = Content(torrent, holder, next(iter(SHAPES[shape])).split("/")[0], (torrent,))
    by(content.path, content.torrent, version, tracker)
    return content


def files_below(top: Path) -> dict[str, bytes]:
    """Path below the folder of `top` to bytes, of every file; `top` itself may be one."""
    paths = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
    return {path.relative_to(top.parent).as_posix(): path.read_bytes() for path in paths}


def assert_equal_content(content: Content, folder: Path, *, without_empty_files: bool = False) -> None:
    """Every file of the content stands below `folder` with the same bytes, and nothing else does."""
    expected = files_below(content.path)
    if without_empty_files:
        expected = {path: held for path, held in expected.items() if held}
    found = files_below(folder / content.name)
    assert list(found) == list(expected), f"{sorted(found)} instead of {sorted(expected)}"
    damaged = [path for path in expected if found[path] != expected[path]]
    assert damaged == [], f"other bytes in {damaged}"
