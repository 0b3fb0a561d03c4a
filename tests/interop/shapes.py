"""Content of the shapes that have broken clients before, made from a seed, and torrents of it."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import libtorrent as lt

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


@dataclass(frozen=True, slots=True)
class Content:
    """A torrent file and the folder that holds what it names."""

    torrent: Path
    folder: Path
    name: str

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def size(self) -> int:
        return sum(len(held) for held in files_below(self.path).values())


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
    content = Content(folder / f"{shape}-{version}.torrent", holder, next(iter(SHAPES[shape])).split("/")[0])
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
