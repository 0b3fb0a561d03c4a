"""Torrents made by the daemon: one after another, cancelled, refused, bounded, never over anything."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from fake_library import FakeLibrary

from p2p.daemon import creation as creation_module
from p2p.daemon.creation import Creations, Wanted
from p2p.daemon.own_facts import CreationState
from p2p.daemon.rpc_errors import RpcError
from p2p.errors import StarlingError
from p2p.metainfo.metainfo import Metainfo


@asynccontextmanager
async def running(folder, library=None):
    creations = Creations(library or FakeLibrary(), folder, wall=lambda: 1000.0)
    task = asyncio.create_task(creations.run())
    try:
        yield creations
    finally:
        task.cancel()
        await asyncio.wait([task])


async def ended(creations, job):
    while (found := creations.one(job.job)).ended is None:
        await asyncio.sleep(0.005)
    return found


@pytest.fixture
def content(tmp_path):
    path = tmp_path / "album"
    path.mkdir()
    (path / "a").write_bytes(b"a" * 50_000)
    (path / "link").symlink_to(path / "a")
    return path


async def test_a_job_is_done_and_told_of(tmp_path, content):
    async with running(tmp_path / "made") as creations:
        begun = creations.start(Wanted(str(content), version="hybrid", comment="c"))
        assert (begun.job, begun.state, begun.name, begun.started) == (1, CreationState.WAITING, "album", 1000.0)
        done = await ended(creations, begun)
        assert (done.state, done.bytes_done, done.bytes_total, done.torrent) == (
            CreationState.DONE,
            50_000,
            50_000,
            None,
        )
        metainfo = Metainfo.from_bytes(await creations.file(1))
        assert (metainfo.version, metainfo.name, metainfo.comment) == ("hybrid", "album", "c")
        assert done.hash_string == metainfo.info_hash_v1.hex()
        assert done.magnet_link.startswith("magnet:?xt=urn:btih:")
        assert any("link" in notice for notice in done.notices)
        assert creations.all() == (done,)


async def test_an_output_is_never_written_over(tmp_path, content):
    output = tmp_path / "x.torrent"
    async with running(tmp_path / "made") as creations:
        first = await ended(creations, creations.start(Wanted(str(content), output=str(output))))
        assert first.torrent_file == str(output)
        before = output.read_bytes()
        again = await ended(creations, creations.start(Wanted(str(content), output=str(output), comment="other")))
        assert (again.state, again.torrent_file) == (CreationState.FAILED, "")
        assert "exists" in again.error
        assert output.read_bytes() == before
        assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "wanted",
    [
        {"path": "/nowhere/at/all"},
        {"piece_length": 3},
        {"output": "/nowhere/at/all.torrent"},
        {"tiers": (("nonsense",),)},
    ],
)
async def test_what_fails_says_why_and_leaves_nothing(tmp_path, content, wanted):
    async with running(tmp_path / "made") as creations:
        job = await ended(creations, creations.start(Wanted(**{"path": str(content), **wanted})))
        assert job.state is CreationState.FAILED
        assert job.error
        assert "\n" not in job.error
        with pytest.raises(RpcError):
            await creations.file(job.job)
        assert not (tmp_path / "made").exists()


async def test_jobs_go_one_by_one_and_are_cancelled(tmp_path, content, monkeypatch):
    begun, let_go = asyncio.Event(), asyncio.Event()
    real = creation_module.create

    async def slow(path, **options):
        begun.set()
        await let_go.wait()
        return await real(path, **options)

    monkeypatch.setattr(creation_module, "create", slow)
    async with running(tmp_path / "made") as creations:
        first, second, third = (creations.start(Wanted(str(content))) for _ in range(3))
        await begun.wait()
        assert [job.state.value for job in creations.all()] == ["hashing", "waiting", "waiting"]
        assert creations.cancel(second.job).state is CreationState.CANCELLED
        creations.cancel(first.job)
        assert (await ended(creations, first)).state is CreationState.CANCELLED
        let_go.set()
        assert (await ended(creations, third)).state is CreationState.DONE
        assert creations.cancel(third.job).state is CreationState.DONE
        assert [job.state.value for job in creations.all()] == ["cancelled", "cancelled", "done"]


async def test_jobs_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(creation_module, "MAX_WAITING", 2)
    monkeypatch.setattr(creation_module, "MAX_ENDED", 2)
    creations = Creations(FakeLibrary(), tmp_path, wall=lambda: 1.0)  # nobody does the jobs
    jobs = [creations.start(Wanted("/x")) for _ in range(2)]
    with pytest.raises(RpcError):
        creations.start(Wanted("/x"))
    for _ in range(4):
        creations.cancel(jobs.pop(0).job)
        jobs.append(creations.start(Wanted("/x")))
    assert [job.job for job in creations.all()] == [3, 4, 5, 6]
    with pytest.raises(RpcError):
        creations.one(1)


async def test_a_torrent_that_cannot_be_added_is_kept_as_a_file(tmp_path, content):
    library = FakeLibrary()
    library.failure = StarlingError("no room")
    async with running(tmp_path / "made", library) as creations:
        job = await ended(creations, creations.start(Wanted(str(content), seed=True)))
        assert (job.state, job.error, job.torrent) == (CreationState.FAILED, "no room", None)
        assert Metainfo.from_bytes(await creations.file(job.job)).name == "album"
