"""What every form of the disk port promises, run on each: real files on threads, real files inline, memory."""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import TYPE_CHECKING

import pytest

from p2p.disk.file_storage import FileStorage
from p2p.disk.inline_hasher import InlineHasher
from p2p.disk.memory_storage import MemoryStorage
from p2p.disk.open_files import OpenFiles
from p2p.disk.storage import PieceState
from p2p.disk.thread_hasher import ThreadHasher
from p2p.errors import MissingContentError
from p2p.ids import PieceIndex
from p2p.metainfo.layout import Entry, Layout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from p2p.disk.storage import Storage

PIECE = 1_000
FILES = [
    Entry(("a",), 2_500),
    Entry(("pads", "1"), 500, pad=True),
    Entry(("sub", "empty"), 0),
    Entry(("sub", "b"), 700),
    Entry(("sub", "deep", "c"), 10),
    Entry(("sub", "deep", "d"), 10),
    Entry(("link",), 0, link=True),
    Entry(("e",), 3_333),
]


def layouts() -> list[Layout]:
    return [
        Layout.contiguous(PIECE, FILES, root=("top",)),
        Layout.contiguous(PIECE, [Entry(("only",), 2_999)]),
        Layout.contiguous(PIECE, [Entry(("only",), 3_000)]),
        Layout.aligned(PIECE, [entry for entry in FILES if not entry.pad], root=("top",)),
    ]


def pieces_of(layout: Layout) -> list[bytes]:
    """Content for every piece, with the zeros where its pads are."""
    rng = random.Random(7)
    pieces = []
    for piece in range(layout.piece_count):
        size = layout.piece_size(piece)
        spans = layout.spans(piece, 0, size)
        pieces.append(
            b"".join(
                rng.randbytes(span.length) if layout.files[span.file_index].stored else bytes(span.length)
                for span in spans
            )
        )
    return pieces


def check_of(content: bytes) -> Callable[..., bool]:
    digest = hashlib.sha1(content).digest()

    def check(views: object) -> bool:
        found = hashlib.sha1()
        for view in views:  # type: ignore[attr-defined]
            found.update(view)
        return found.digest() == digest

    return check


@pytest.fixture(params=range(len(layouts())), ids=["multi", "single", "whole-pieces", "aligned"])
def layout(request: pytest.FixtureRequest) -> Layout:
    return layouts()[request.param]


@pytest.fixture(params=["threads", "inline", "memory"])
async def storage(request: pytest.FixtureRequest, layout: Layout, tmp_path: Path) -> AsyncIterator[Storage]:
    if request.param == "memory":
        memory = MemoryStorage(layout)
        yield memory
        await memory.close()
        return
    hasher = ThreadHasher(2) if request.param == "threads" else InlineHasher()
    files = OpenFiles(limit=2)
    on_disk = FileStorage(layout, tmp_path / "target", hasher=hasher, files=files)
    yield on_disk
    await on_disk.close()
    assert len(files) == 0
    await hasher.close()


def cut(content: bytes, size: int) -> list[memoryview]:
    view = memoryview(content)
    return [view[at : at + size] for at in range(0, len(content), size)]


@pytest.mark.parametrize("allocate", [False, True])
async def test_what_is_stored_is_read_back_at_every_offset(storage: Storage, layout: Layout, allocate: bool) -> None:
    pieces = pieces_of(layout)
    await storage.prepare(allocate=allocate)
    order = list(range(layout.piece_count))
    random.Random(3).shuffle(order)
    for piece in order:
        assert await storage.store(PieceIndex(piece), cut(pieces[piece], 16), check_of(pieces[piece]))
    for piece, content in enumerate(pieces):
        for begin, length in [(0, len(content)), (0, 1), (len(content) - 1, 1), (len(content) // 3, len(content) // 2)]:
            assert await storage.read(PieceIndex(piece), begin, length) == content[begin : begin + length]
        assert await storage.verify(PieceIndex(piece), check_of(content)) is PieceState.GOOD
        assert await storage.verify(PieceIndex(piece), check_of(b"other")) is PieceState.BAD
    await storage.sync()
    stats = await storage.stat()
    assert [stat.size if stat else None for stat in stats] == [
        file.length if file.stored else None for file in layout.files
    ]


async def test_a_piece_that_does_not_match_changes_nothing(storage: Storage, layout: Layout) -> None:
    await storage.prepare(allocate=False)
    before = await storage.stat()
    piece = PieceIndex(0)
    assert not await storage.store(piece, [bytes(layout.piece_size(0))], check_of(b"other"))
    assert await storage.stat() == before
    assert await storage.verify(piece, check_of(b"other")) is PieceState.MISSING
    with pytest.raises(MissingContentError):
        await storage.read(piece, 0, 1)


async def test_before_prepare_nothing_is_there(storage: Storage, layout: Layout) -> None:
    assert await storage.stat() == [None] * len(layout.files)
    for piece in range(layout.piece_count):
        assert await storage.verify(PieceIndex(piece), lambda _: True) in (PieceState.MISSING, PieceState.GOOD)
    assert await storage.stat() == [None] * len(layout.files)


async def test_prepare_twice_keeps_what_is_stored(storage: Storage, layout: Layout) -> None:
    content = pieces_of(layout)[0]
    await storage.prepare(allocate=False)
    assert await storage.store(PieceIndex(0), [content], check_of(content))
    await storage.prepare(allocate=True)
    assert await storage.read(PieceIndex(0), 0, len(content)) == content


async def test_pieces_may_be_stored_and_read_at_once(storage: Storage, layout: Layout) -> None:
    pieces = pieces_of(layout)
    await storage.prepare(allocate=False)
    done = await asyncio.gather(
        *(storage.store(PieceIndex(piece), [content], check_of(content)) for piece, content in enumerate(pieces))
    )
    assert all(done)
    read = await asyncio.gather(
        *(storage.read(PieceIndex(piece), 0, len(content)) for piece, content in enumerate(pieces)),
    )
    assert read == pieces
