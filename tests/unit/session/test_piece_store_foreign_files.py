"""Files that somebody else put where those of a torrent belong are never changed unasked, wanted or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2p.errors import StorageError
from p2p.session.ledger import Totals
from p2p.session.settings import TorrentOptions

PIECE = 16_384
UNWANTED = [(("album",), PIECE + 5_000), (("notes",), 9_000)]
"""The second piece is shared, and all of `notes` lies in it."""

NEIGHBOURS = [(("big",), 15_000), (("small",), 500), (("tail",), 10_000)]


async def fill(store, torrent):
    for piece in range(torrent.metainfo.piece_count):
        if not store.have[piece]:
            assert await store.store(piece, [torrent.pieces[piece]])


@pytest.mark.parametrize("size", [200, 9_000])
async def test_an_unwanted_file_is_not_written_by_a_shared_piece(make_store_torrent, size):
    torrent = make_store_torrent(UNWANTED)
    torrent.put("notes", b"x" * size)
    store = torrent.store(wanted=lambda index: index == 0)
    await torrent.open(store)
    assert await store.store(0, [torrent.pieces[0]])
    with pytest.raises(StorageError, match="notes holds other content; move it away"):
        await store.store(1, [torrent.pieces[1]])
    assert not store.have[1]
    assert torrent.path("album").stat().st_size == PIECE  # nothing of the piece was written
    await store.close(Totals())
    assert torrent.path("notes").read_bytes() == b"x" * size


@pytest.mark.parametrize("orderly", [True, False], ids=["stopped", "crashed"])
async def test_it_is_still_not_ours_at_the_next_start(make_store_torrent, orderly):
    torrent = make_store_torrent(UNWANTED)
    torrent.put("notes", b"x" * 9_000)
    for _ in range(2):
        store = torrent.store(wanted=lambda index: index == 0)
        await torrent.open(store)
        with pytest.raises(StorageError, match="holds other content"):
            await store.store(1, [torrent.pieces[1]])
        await store.close(Totals())
        if not orderly:
            await torrent.rewrite_record(lambda state: replace(state, clean=False))
    assert torrent.path("notes").read_bytes() == b"x" * 9_000


async def test_a_file_of_the_right_length_whose_neighbours_are_absent_is_not_written(make_store_torrent):
    torrent = make_store_torrent(NEIGHBOURS)
    torrent.put("small", b"x" * 500)
    store = torrent.store()
    await torrent.open(store)
    with pytest.raises(StorageError, match="small holds other content"):
        await store.store(0, [torrent.pieces[0]])
    await store.close(Totals())
    assert torrent.path("small").read_bytes() == b"x" * 500
    assert torrent.path("big").stat().st_size == 0


async def test_a_small_file_that_is_right_is_taken_as_it_is(make_store_torrent):
    torrent = make_store_torrent(NEIGHBOURS)
    torrent.put("small", torrent.content_of("small"))
    torrent.path("small").chmod(0o400)
    before = torrent.path("small").stat()
    store = torrent.store()
    await torrent.open(store)
    await fill(store, torrent)
    await store.close(Totals())
    assert torrent.path("small").stat().st_mtime_ns == before.st_mtime_ns
    for name in ("big", "small", "tail"):
        assert torrent.path(name).read_bytes() == torrent.content_of(name)
    again = torrent.store()
    await torrent.open(again)
    assert again.have.complete
    await again.close(Totals())


async def test_overwriting_is_done_when_asked(make_store_torrent):
    torrent = make_store_torrent(NEIGHBOURS)
    torrent.put("small", b"x" * 500)
    torrent.put("tail", b"x" * 70)
    store = torrent.store(options=TorrentOptions(overwrite=True))
    await torrent.open(store)
    await fill(store, torrent)
    await store.close(Totals())
    for name in ("big", "small", "tail"):
        assert torrent.path(name).read_bytes() == torrent.content_of(name)


async def test_what_a_crashed_run_left_is_ours(make_store_torrent):
    torrent = make_store_torrent(UNWANTED)
    store = torrent.store(wanted=lambda index: index == 0)
    await torrent.open(store)
    assert await store.store(1, [torrent.pieces[1]])
    await store.close(Totals())
    await torrent.rewrite_record(lambda state: replace(state, clean=False))
    torrent.put("notes", b"x" * 9_000)  # what a power cut makes of it
    again = torrent.store(wanted=lambda index: index == 0, options=TorrentOptions(recheck=True))
    await torrent.open(again)
    await fill(again, torrent)
    await again.close(Totals())
    assert torrent.path("notes").read_bytes() == torrent.content_of("notes")
