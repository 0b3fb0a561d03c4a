"""What real files add to the contract: places, links, foreign content, full disks, files that vanish."""

from __future__ import annotations

import errno
import os
import resource
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.disk.open_files import OpenFiles
from p2p.disk.piece_files import PieceFiles
from p2p.disk.refusals import refusal
from p2p.errors import DiskFullError, MissingContentError, StorageError
from p2p.metainfo.layout import Entry, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PIECE = 100
LAYOUT = Layout.contiguous(PIECE, [Entry(("a",), 150), Entry(("sub", "b"), 150), Entry(("c",), 0)], root=("top",))
CONTENT = [bytes([65 + piece]) * PIECE for piece in range(LAYOUT.piece_count)]


@pytest.fixture
def files() -> Iterator[OpenFiles]:
    made = OpenFiles(limit=4)
    yield made
    made.close()


@pytest.fixture
def make(files: OpenFiles, tmp_path: Path) -> Callable[..., PieceFiles]:
    return lambda layout=LAYOUT, wanted=None: PieceFiles(layout, tmp_path, files, wanted)


def test_files_grow_as_pieces_arrive_and_empty_ones_are_there_at_once(
    make: Callable[..., PieceFiles], tmp_path: Path
) -> None:
    pieces = make()
    pieces.prepare(allocate=False)
    assert (tmp_path / "top/c").stat().st_size == 0
    pieces.write(1, [CONTENT[1]])
    assert (tmp_path / "top/a").stat().st_size == 150
    assert (tmp_path / "top/sub/b").stat().st_size == 50
    buffer = memoryview(bytearray(PIECE))
    assert pieces.read_into(1, buffer)
    assert buffer == CONTENT[1]
    assert not pieces.read_into(2, buffer)


def test_allocation_gives_files_their_room(make: Callable[..., PieceFiles], tmp_path: Path) -> None:
    make().prepare(allocate=True)
    found = (tmp_path / "top/sub/b").stat()
    assert found.st_size == 150
    assert found.st_blocks > 0


def test_allocation_without_room_leaves_no_trace_of_it(
    make: Callable[..., PieceFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, offset: int, length: int) -> None:
        os.ftruncate(fd, length // 2)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DiskFullError, match="top/a"):
        make().prepare(allocate=True)
    assert (tmp_path / "top/a").stat().st_size == 0


def test_a_filesystem_that_cannot_allocate_gives_sparse_files(
    make: Callable[..., PieceFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    make().prepare(allocate=True)
    assert (tmp_path / "top/a").exists()


def test_an_unwanted_file_is_made_only_for_the_bytes_of_a_shared_piece(
    make: Callable[..., PieceFiles], tmp_path: Path
) -> None:
    pieces = make(wanted=lambda index: index == 0)
    pieces.prepare(allocate=False)
    assert not (tmp_path / "top/sub").exists()
    pieces.write(0, [CONTENT[0]])
    assert not (tmp_path / "top/sub").exists()
    pieces.write(1, [CONTENT[1]])
    assert (tmp_path / "top/sub/b").read_bytes() == CONTENT[1][50:]
    pieces.sync()


def test_a_complete_neighbour_is_never_opened_for_writing(make: Callable[..., PieceFiles], tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    neighbour = tmp_path / "top/a"
    neighbour.write_bytes(CONTENT[0] + CONTENT[1][:50])
    os.utime(neighbour, ns=(1, 1))
    neighbour.chmod(0o400)
    pieces = make()
    pieces.prepare(allocate=False)
    pieces.write(1, [CONTENT[1]])
    assert neighbour.stat().st_mtime_ns == 1
    assert (tmp_path / "top/sub/b").read_bytes() == CONTENT[1][50:]


def test_folders_that_found_no_room_are_synced_by_the_next_try(
    make: Callable[..., PieceFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = make()
    pieces.prepare(allocate=False)
    pieces.write(0, [CONTENT[0]])
    synced: list[int] = []

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for _ in range(2):
        with pytest.raises(DiskFullError):
            pieces.sync()
    monkeypatch.setattr(os, "fsync", synced.append)
    pieces.sync()
    assert len(synced) == 3  # the target, its `top`, and the `sub` in that
    pieces.sync()
    assert len(synced) == 3


def test_a_longer_file_is_refused_by_name_and_left_alone(make: Callable[..., PieceFiles], tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "top/a").write_bytes(bytes(151))
    with pytest.raises(StorageError, match="top/a has 151 bytes where the torrent has 150"):
        make().prepare(allocate=True)
    assert (tmp_path / "top/a").stat().st_size == 151


@pytest.mark.parametrize("allocate", [False, True])
def test_a_file_that_vanished_is_not_made_again(
    make: Callable[..., PieceFiles], tmp_path: Path, allocate: bool
) -> None:
    pieces = make()
    pieces.prepare(allocate=allocate)
    pieces.write(0, [CONTENT[0]])
    (tmp_path / "top/a").unlink()
    with pytest.raises(MissingContentError, match="top/a"):
        pieces.write(0, [CONTENT[0]])
    with pytest.raises(MissingContentError, match="top/a"):
        pieces.read(0, 0, 10)
    assert not pieces.read_into(0, memoryview(bytearray(PIECE)))
    assert not (tmp_path / "top/a").exists()


def test_a_target_that_vanished_is_not_made_again(files: OpenFiles, tmp_path: Path) -> None:
    target = tmp_path / "drive"
    pieces = PieceFiles(LAYOUT, target, files, lambda index: index == 0)
    pieces.prepare(allocate=False)
    target.rename(tmp_path / "pulled")
    with pytest.raises(MissingContentError):
        pieces.write(2, [CONTENT[2]])
    assert not target.exists()


@pytest.mark.parametrize("place", ["top", "top/sub", "top/sub/b"])
def test_a_link_below_the_target_is_not_followed(make: Callable[..., PieceFiles], tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b").write_bytes(b"precious")
    link = tmp_path / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside / "b" if place.endswith("b") else outside)
    pieces = make()
    for attempt in (
        lambda: pieces.prepare(allocate=False),
        lambda: pieces.write(2, [CONTENT[2]]),
        lambda: pieces.read(2, 0, 1),
        pieces.stat,
    ):
        with pytest.raises(StorageError, match="symbolic link"):
            attempt()
    assert (outside / "b").read_bytes() == b"precious"
    assert sorted(path.name for path in outside.iterdir()) == ["b"]


def test_a_target_that_is_a_link_is_the_users_choice(files: OpenFiles, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    pieces = PieceFiles(LAYOUT, tmp_path / "alias", files)
    pieces.prepare(allocate=False)
    pieces.write(0, [CONTENT[0]])
    assert (tmp_path / "real/top/a").read_bytes() == CONTENT[0]


def test_a_fifo_or_folder_in_the_place_of_a_file_is_refused(make: Callable[..., PieceFiles], tmp_path: Path) -> None:
    (tmp_path / "top/sub/b").mkdir(parents=True)
    os.mkfifo(tmp_path / "top/a")
    pieces = make()
    for attempt in (lambda: pieces.read(0, 0, 1), lambda: pieces.write(0, [CONTENT[0]]), pieces.stat):
        with pytest.raises(StorageError, match="not a regular file"):
            attempt()
    with pytest.raises(StorageError, match=r"directory|regular"):
        pieces.write(2, [CONTENT[2]])


def test_a_write_that_the_kernel_cuts_short_goes_on(
    make: Callable[..., PieceFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwritev

    def short(fd: int, views: list[memoryview], offset: int) -> int:
        return real(fd, [memoryview(views[0])[:7]], offset)

    pieces = make()
    pieces.prepare(allocate=False)
    monkeypatch.setattr(os, "pwritev", short)
    pieces.write(0, [bytes([n]) * 10 for n in range(10)])
    assert pieces.read(0, 0, PIECE) == b"".join(bytes([n]) * 10 for n in range(10))


def test_reads_that_the_kernel_cuts_short_go_on(
    make: Callable[..., PieceFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = make()
    pieces.prepare(allocate=False)
    pieces.write(1, [CONTENT[1]])
    pread, preadv = os.pread, os.preadv
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: pread(fd, min(size, 3), offset))
    monkeypatch.setattr(os, "preadv", lambda fd, views, offset: preadv(fd, [views[0][:3]], offset))
    buffer = memoryview(bytearray(PIECE))
    assert pieces.read_into(1, buffer)
    assert pieces.read(1, 0, PIECE) == buffer == CONTENT[1]


def test_more_views_than_one_call_takes(files: OpenFiles, tmp_path: Path) -> None:
    pieces = PieceFiles(Layout.contiguous(5_000, [Entry(("f",), 5_000)]), tmp_path, files)
    content = os.urandom(5_000)
    pieces.write(0, [content[at : at + 1] for at in range(5_000)])
    assert (tmp_path / "f").read_bytes() == content


def test_a_file_beyond_the_size_limit_is_a_storage_error(make: Callable[..., PieceFiles]) -> None:
    pieces = make()
    pieces.prepare(allocate=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (120, hard))
    try:
        with pytest.raises(StorageError, match="top/a"):
            pieces.write(1, [CONTENT[1]])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize(
    ("number", "kind", "word"),
    [
        (errno.ENOSPC, DiskFullError, "no room"),
        (errno.EDQUOT, DiskFullError, "no room"),
        (errno.ENOENT, MissingContentError, "missing"),
        (errno.EROFS, StorageError, "Read-only"),
        (errno.EACCES, StorageError, "Permission"),
        (errno.EIO, StorageError, "error"),
    ],
)
def test_each_refusal_of_the_kernel_names_the_file_on_one_line(number: int, kind: type, word: str) -> None:
    made = refusal(OSError(number, "x"), "dir/na\x1b[31m\nme")
    assert type(made) is kind
    assert word in str(made)
    assert "dir/na\\x1b[31m\\nme" in str(made)
    assert str(made).isprintable()


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any),
    piece_length=st.integers(1, 50),
    cut=st.integers(1, 50),
    order=st.randoms(use_true_random=False),
)
def test_any_files_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], piece_length: int, cut: int, order: object
) -> None:
    target = tmp_path_factory.mktemp("files")
    layout = Layout.contiguous(piece_length, [Entry((str(n),), size) for n, size in enumerate(lengths)], root=("r",))
    content = bytes(n % 251 for n in range(sum(lengths)))
    with closing(OpenFiles(limit=2)) as files:
        pieces = PieceFiles(layout, target, files)
        pieces.prepare(allocate=False)
        todo = list(range(layout.piece_count))
        order.shuffle(todo)  # type: ignore[attr-defined]
        for piece in todo:
            whole = content[piece * piece_length :][: layout.piece_size(piece)]
            pieces.write(piece, [whole[at : at + cut] for at in range(0, len(whole), cut)])
        assert b"".join((target / "r" / str(n)).read_bytes() for n in range(len(lengths))) == content
        assert len(files) <= 2
