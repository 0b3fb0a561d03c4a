"""Verifying: where content is found, and who is blamed for what."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from p2p.errors import MissingContentError, StorageError
from p2p.metainfo.metainfo import Metainfo
from p2p.session.content import find_content
from p2p.session.create import create
from p2p.session.verify import FileState, verify

if TYPE_CHECKING:
    from pathlib import Path

PIECE = 16_384


@pytest.fixture
async def torrent(tmp_path: Path) -> Metainfo:
    root = tmp_path / "here/set"
    (root / "sub").mkdir(parents=True)
    rng = random.Random(2)
    for name, size in {"a": PIECE * 2 + 100, "sub/b": PIECE, "c": 50}.items():
        (root / name).write_bytes(rng.randbytes(size))
    (root / "zero").write_bytes(b"")
    return Metainfo.from_bytes(await create(root, piece_length=PIECE))


def states(report: object) -> dict[str, FileState]:
    return {file.path.name: file.state for file in report.files}  # type: ignore[attr-defined]


async def test_content_is_found_from_itself_its_holder_links_and_under_another_name(
    tmp_path: Path, torrent: Metainfo
) -> None:
    root = tmp_path / "here/set"
    (tmp_path / "alias").symlink_to(root)
    (tmp_path / "holder").mkdir()
    (tmp_path / "holder/set").symlink_to(root)
    for path in (root, root.parent, tmp_path / "alias", tmp_path / "holder", os.fspath(root)):
        assert (await verify(torrent, path)).whole
    root.rename(tmp_path / "renamed")
    assert (await verify(torrent, tmp_path / "renamed")).whole


async def test_a_folder_within_of_the_same_name_does_not_mislead(tmp_path: Path, torrent: Metainfo) -> None:
    (tmp_path / "here/set/set").mkdir()
    assert (await verify(torrent, tmp_path / "here/set")).whole
    (tmp_path / "x").mkdir()
    (tmp_path / "here/set").rename(tmp_path / "x/set")
    (tmp_path / "x").rename(tmp_path / "set")
    assert (await verify(torrent, tmp_path / "set")).whole


async def test_a_single_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    torrent = Metainfo.from_bytes(await create(tmp_path / "f"))
    assert (await verify(torrent, tmp_path / "f")).whole
    assert (await verify(torrent, tmp_path)).whole
    (tmp_path / "f").rename(tmp_path / "g")
    assert (await verify(torrent, tmp_path / "g")).whole
    (tmp_path / "l").symlink_to("g")
    assert (await verify(torrent, tmp_path / "l")).whole
    assert states(await verify(torrent, tmp_path)) == {"f": FileState.MISSING}


async def test_places_that_cannot_hold_it_are_refused(tmp_path: Path, torrent: Metainfo) -> None:
    with pytest.raises(MissingContentError, match="nowhere"):
        find_content(torrent, tmp_path / "nowhere")
    with pytest.raises(StorageError, match="is a file"):
        find_content(torrent, tmp_path / "here/set/a")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/set").symlink_to(tmp_path / "gone")
    with pytest.raises(MissingContentError):
        find_content(torrent, tmp_path / "broken")


async def test_a_flipped_bit_is_found_and_its_piece_named(tmp_path: Path, torrent: Metainfo) -> None:
    place = tmp_path / "here/set/a"
    content = bytearray(place.read_bytes())
    content[PIECE] ^= 1
    place.write_bytes(content)
    before = place.stat()
    report = await verify(torrent, place.parent)
    assert (report.bad, report.missing, report.good_count) == ((1,), (), report.piece_count - 1)
    assert states(report) == {
        "a": FileState.BAD, "b": FileState.GOOD, "c": FileState.GOOD, "zero": FileState.GOOD,
    }  # fmt: skip
    assert next(file for file in report.files if file.path.name == "a").bad == (1,)
    assert place.stat() == before


async def test_a_missing_file_does_not_make_its_neighbours_bad(tmp_path: Path, torrent: Metainfo) -> None:
    (tmp_path / "here/set/c").unlink()
    (tmp_path / "here/set/zero").unlink()
    report = await verify(torrent, tmp_path / "here")
    assert states(report) == {
        "a": FileState.UNCHECKED, "c": FileState.MISSING, "b": FileState.UNCHECKED, "zero": FileState.MISSING,
    }  # fmt: skip
    assert report.missing == (2,)
    assert not report.whole


@pytest.mark.parametrize("size", [PIECE * 2 + 101, PIECE * 2])
async def test_a_file_of_another_length_is_bad(tmp_path: Path, torrent: Metainfo, size: int) -> None:
    os.truncate(tmp_path / "here/set/a", size)
    report = await verify(torrent, tmp_path / "here")
    assert states(report)["a"] is FileState.BAD
    assert not report.whole


async def test_an_empty_folder_lacks_everything_and_progress_reaches_the_end(tmp_path: Path, torrent: Metainfo) -> None:
    (tmp_path / "empty").mkdir()
    seen: list[tuple[int, int]] = []
    report = await verify(torrent, tmp_path / "empty", progress=lambda done, total: seen.append((done, total)))
    assert set(states(report).values()) == {FileState.MISSING}
    assert report.good_count == 0
    assert seen[-1] == (torrent.total_size, torrent.total_size)
