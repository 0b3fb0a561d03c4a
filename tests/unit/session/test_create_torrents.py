"""Creating: the bytes that come out, what is walked, what is refused, and how a run ends early."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import threading
from typing import TYPE_CHECKING

import libtorrent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import MetainfoError, MissingContentError, StorageError
from p2p.metainfo.metainfo import Metainfo
from p2p.session import create as module
from p2p.session.create import create
from p2p.session.verify import verify
from p2p.session.work_through import work_through

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ("1", "2", "hybrid")


def fill(root: Path, files: dict[str, int]) -> None:
    rng = random.Random(5)
    for name, size in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(rng.randbytes(size))


@pytest.fixture
def album(tmp_path: Path) -> Path:
    root = tmp_path / "album"
    fill(root, {"b/2": 70_000, "b/1": 1, "a": 16_384, "empty": 0, ".hidden": 5, "ü": 33_000})
    return root


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_was_made_is_what_libtorrent_reads(album: Path, version: str) -> None:
    data = await create(
        album,
        version=version,  # type: ignore[arg-type]
        piece_length=16_384,
        trackers=["http://a/announce"],
        tiers=[["udp://b:1", "udp://c:2"]],
        web_seeds=["http://w/"],
        nodes=[("127.0.0.1", 6881)],
        private=True,
        source="S",
        comment="C",
        creation_date=7,
    )
    mine = Metainfo.from_bytes(data)
    assert [file.path for file in mine.files if not file.pad] == [".hidden", "a", "b/1", "b/2", "empty", "ü"]
    assert mine.trackers == (("http://a/announce",), ("udp://b:1", "udp://c:2"))
    assert (mine.private, mine.source, mine.comment, mine.creation_date) == (True, "S", "C", 7)
    theirs = libtorrent.torrent_info(libtorrent.bdecode(data))
    hashes = theirs.info_hashes()
    assert (hashes.v1.to_bytes() if mine.info_hash_v1 else None) == mine.info_hash_v1
    assert (hashes.v2.to_bytes() if mine.info_hash_v2 else None) == mine.info_hash_v2
    assert theirs.total_size() >= mine.total_size
    assert (await verify(mine, album)).whole


async def test_the_same_content_gives_the_same_bytes_on_any_number_of_threads(album: Path) -> None:
    made = [await create(album, version="hybrid", piece_length=16_384, threads=threads) for threads in (1, 2, 7)]
    assert made[0] == made[1] == made[2]


async def test_pieces_longer_than_a_window_and_progress(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(5 << 20)
    (tmp_path / "f").write_bytes(content)
    seen: list[tuple[int, int]] = []
    data = await create(tmp_path / "f", piece_length=4 << 20, progress=lambda done, total: seen.append((done, total)))
    assert hashlib.sha1(content[: 4 << 20]).digest() + hashlib.sha1(content[4 << 20 :]).digest() in data
    assert seen[-1] == (5 << 20, 5 << 20)
    assert seen == sorted(seen)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([0, 1, 16_383, 16_384, 16_385, 40_000]), min_size=1, max_size=6).filter(any),
    version=st.sampled_from(VERSIONS),
    piece_length=st.sampled_from([16_384, 32_768]),
)
def test_whatever_is_made_verifies(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], version: str, piece_length: int
) -> None:
    root = tmp_path_factory.mktemp("made")
    fill(root, {f"d{n % 2}/{n}": size for n, size in enumerate(sizes)})

    async def run() -> None:
        data = await create(root, version=version, piece_length=piece_length)  # type: ignore[arg-type]
        report = await verify(Metainfo.from_bytes(data), root)
        assert report.whole
        assert report.good_count == report.piece_count

    asyncio.run(run())


async def test_links_and_special_files_are_left_out_and_said(album: Path) -> None:
    (album / "out").symlink_to(album.parent)
    (album / "loop").symlink_to(album)
    (album / "b/in").symlink_to(album / "a")
    os.mkfifo(album / "fifo")
    told: list[str] = []
    data = await create(album, notice=told.append)
    paths = [file.path for file in Metainfo.from_bytes(data).files]
    assert paths == [".hidden", "a", "b/1", "b/2", "empty", "ü"]
    assert sorted(told) == [
        "left out: b/in is a symbolic link",
        "left out: fifo is not a regular file",
        "left out: loop is a symbolic link",
        "left out: out is a symbolic link",
    ]


async def test_a_link_to_the_content_stands_for_it(album: Path) -> None:
    (album.parent / "alias").symlink_to(album)
    assert await create(album.parent / "alias") == await create(album)


async def test_a_name_no_client_may_use_is_said(tmp_path: Path) -> None:
    fill(tmp_path / "r", {"con": 3, "x": 1})
    told: list[str] = []
    await create(tmp_path / "r", notice=told.append)
    assert len(told) == 1
    assert "con" in told[0]


@pytest.mark.parametrize(
    ("settings_", "word"),
    [
        ({"trackers": ["nonsense"]}, "nonsense"),
        ({"tiers": [["http://ok/", "file:///x"]]}, "file:///x"),
        ({"web_seeds": ["udp://x:1"]}, "web seed"),
        ({"nodes": [("a b", 1)]}, "DHT"),
        ({"piece_length": 1000}, "piece length"),
        ({"piece_length": 3 * 16_384, "version": "2"}, "power of two"),
    ],
)
async def test_settings_that_no_client_would_take_are_refused(album: Path, settings_: dict, word: str) -> None:
    with pytest.raises(MetainfoError, match=word):
        await create(album, **settings_)


async def test_what_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingContentError, match="nowhere"):
        await create(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StorageError):
        await create(tmp_path / "loop")
    with pytest.raises(MetainfoError, match="nothing to share"):
        await create(tmp_path)
    with pytest.raises(StorageError, match="neither"):
        await create("/dev/null")
    (os.fsencode(tmp_path) + b"/\xff").decode("utf-8", "surrogateescape")
    with open(os.fsencode(tmp_path) + b"/\xff", "wb") as file:  # noqa: PTH123 - a name that is no text
        file.write(b"x")
    with pytest.raises(MetainfoError, match="UTF-8"):
        await create(tmp_path)


@pytest.mark.parametrize("change", ["grow", "shrink", "touch", "remove", "add"])
async def test_content_that_changes_meanwhile_is_an_error(
    album: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    real = module.hash_job

    def meddle(job: object, views: object) -> object:
        made = real(job, views)  # type: ignore[arg-type]
        victim = album / "b/2"
        if change == "grow":
            victim.write_bytes(bytes(80_000))
        elif change == "shrink":
            os.truncate(victim, 10)
        elif change == "touch":
            os.utime(victim, ns=(1, 1))
        elif change == "remove":
            victim.unlink(missing_ok=True)
        else:
            (album / "b/new").write_bytes(b"x")
        return made

    monkeypatch.setattr(module, "hash_job", meddle)
    with pytest.raises(StorageError, match=r"changed while|missing"):
        await create(album, piece_length=16_384)


async def test_an_unreadable_file_is_named(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, views: object, offset: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "preadv", refuse)
    with pytest.raises(StorageError, match=r"album/\S+: Permission denied"):
        await create(album)


async def test_a_cancelled_run_leaves_no_thread_at_work() -> None:
    begun, go = threading.Event(), threading.Event()
    done: list[int] = []

    def work(item: int) -> None:
        begun.set()
        go.wait()
        done.append(item)

    task = asyncio.create_task(work_through(iter(range(100)), lambda: work, threads=2, tick=lambda: None))
    while not begun.is_set():
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(done) <= 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("crew")]


async def test_a_failure_ends_the_run(tmp_path: Path) -> None:
    def work(item: int) -> int:
        if item == 5:
            raise StorageError("as asked")
        return item

    with pytest.raises(StorageError, match="as asked"):
        await work_through(iter(range(10**9)), lambda: work, threads=2, tick=lambda: None)
