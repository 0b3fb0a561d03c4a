"""Torrents that are made: stable, in order, and as other clients make them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from p2p.codec.bencode import decode
from p2p.errors import MetainfoError, StorageError
from p2p.metainfo import Metainfo
from p2p.metainfo.create import CreationPlan, PieceHashes, automatic_piece_length, hash_job
from p2p.metainfo.envelope import Envelope

KIB = 1024
VERSIONS = ["1", "2", "hybrid"]


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0, 16 * KIB),
        (2000 * 16 * KIB, 16 * KIB),
        (2000 * 16 * KIB + 1, 32 * KIB),
        (1024**3, 1024 * KIB),
        (10**14, 16 * KIB * KIB),
    ],
)
def test_automatic_piece_length_keeps_a_torrent_under_two_thousand_pieces(total, expected) -> None:
    assert automatic_piece_length(total) == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_same_content_gives_same_bytes_in_whatever_order_it_is_listed_and_hashed(make_torrent, version) -> None:
    content = {("b",): b"1" * 40_000, ("a", "z"): b"2" * 7, ("a.b",): b"", ("ä",): b"3"}
    backwards = dict(reversed(content.items()))
    assert make_torrent(content, version).torrent == make_torrent(backwards, version).torrent


def test_files_are_in_the_order_of_the_file_tree(make_torrent) -> None:
    content = {("a.b",): b"1", ("a", "z"): b"2", ("a-b",): b"3", ("Z",): b"4"}
    torrent = make_torrent(content, "hybrid").torrent
    paths = [file.path for file in Metainfo.from_bytes(torrent).files if not file.pad]
    assert paths == ["Z", "a/z", "a-b", "a.b"]


def test_hybrid_pads_between_files_only(make_torrent) -> None:
    content = {("a",): b"1" * 5, ("b",): b"", ("c",): b"2" * 32_768, ("d",): b"3", ("e",): b""}
    info: Any = decode(make_torrent(content, "hybrid").torrent)[b"info"]
    pad = {b"attr": b"p", b"length": 32_763, b"path": [b".pad", b"32763"]}
    assert [file[b"path"][-1] for file in info[b"files"]] == [b"a", b"32763", b"b", b"c", b"d", b"e"]
    assert info[b"files"][1] == pad


def test_no_date_or_author_unless_asked(make_torrent) -> None:
    outer: Any = decode(make_torrent({(): b"x"}).torrent)
    assert list(outer) == [b"info"]
    assert list(outer[b"info"]) == [b"length", b"name", b"piece length", b"pieces"]


def test_one_tracker_needs_no_tiers(make_torrent) -> None:
    one: Any = decode(make_torrent({(): b"x"}, envelope=Envelope(trackers=(("http://a.example/",),))).torrent)
    assert (one[b"announce"], b"announce-list" in one) == (b"http://a.example/", False)
    two: Any = decode(make_torrent({(): b"x"}, envelope=Envelope(trackers=(("http://a/",), ("http://b/",)))).torrent)
    assert two[b"announce-list"] == [[b"http://a/"], [b"http://b/"]]


def test_private_and_source_change_the_info_hash(make_torrent) -> None:
    hashes = {
        Metainfo.from_bytes(make_torrent({(): b"x"}, **settings).torrent).info_hash_v1
        for settings in ({}, {"private": True}, {"source": "A"}, {"source": "B"})
    }
    assert len(hashes) == 4


@pytest.mark.parametrize("version", VERSIONS)
def test_jobs_read_every_byte_once_and_no_more_than_a_piece_each(version) -> None:
    rng = random.Random(5)
    entries = [((f"f{i:02}",), rng.choice([0, 1, 16_384, 50_000, 200_000])) for i in range(12)]
    plan = CreationPlan("top", entries, version=version, piece_length=65_536)
    seen = dict.fromkeys(range(len(plan.files)), 0)
    jobs = list(plan.jobs())
    assert [job.index for job in jobs] == list(range(plan.piece_count))
    for job in jobs:
        assert 0 < job.length <= 65_536
        for span in job.spans:
            assert span.file_offset == seen[span.file_index]
            seen[span.file_index] += span.length
    assert seen == {index: file.length for index, file in enumerate(plan.files)}
    assert sum(job.length for job in jobs) == plan.total_size


def test_file_that_changed_while_it_was_read_is_noticed() -> None:
    plan = CreationPlan("top", [((), 10)], version="1", piece_length=16_384)
    (job,) = plan.jobs()
    for content in (b"x" * 9, b"x" * 11):
        with pytest.raises(StorageError, match="changed"):
            hash_job(job, [content])


def test_results_must_be_those_of_the_plan() -> None:
    plan = CreationPlan("top", [((), 20_000)], version="1", piece_length=16_384)
    one = PieceHashes(0, bytes(20), None)
    for results in ([], [one], [one, one]):
        with pytest.raises(ValueError, match="results"):
            plan.finish(results)


@pytest.mark.parametrize(
    ("name", "entries", "version", "piece_length"),
    [
        ("top", [], "1", 16_384),
        ("top", [(("a",), 0)], "1", 16_384),
        ("top", [(("a",), -1), (("b",), 5)], "1", 16_384),
        ("top", [(("a",), 2**62), (("b",), 2**62)], "1", 16_384),
        ("top", [(("a",), 1), (("a",), 1)], "1", 16_384),
        ("top", [(("a",), 1), (("a", "b"), 1)], "2", 16_384),
        ("top", [((), 1), (("a",), 1)], "1", 16_384),
        ("top", [(("..",), 1)], "1", 16_384),
        ("top", [(("a/b",), 1)], "1", 16_384),
        ("top", [(("\udcff",), 1)], "1", 16_384),
        ("top", [(("a",) * 101, 1)], "1", 16_384),
        ("", [((), 1)], "1", 16_384),
        ("top", [((), 1)], "1", 16_383),
        ("top", [((), 1)], "1", 0),
        ("top", [((), 1)], "1", 2**30),
        ("top", [((), 1)], "2", 3 * 16_384),
    ],
)
def test_what_no_torrent_can_hold_is_refused(name, entries, version, piece_length) -> None:
    with pytest.raises(MetainfoError):
        CreationPlan(name, entries, version=version, piece_length=piece_length)


def test_names_that_would_be_looked_for_elsewhere_are_told() -> None:
    plan = CreationPlan("top", [(("README",), 1), (("readme",), 1), (("ok",), 1)], version="1", piece_length=16_384)
    ((declared, placed),) = plan.renamed
    assert declared == ("readme",)
    assert placed[0].startswith("readme~")
    single = CreationPlan("nul", [((), 1)], version="1", piece_length=16_384)
    assert single.renamed == ((("nul",), ("_nul",)),)
    assert CreationPlan("ok", [((), 1)], version="1", piece_length=16_384).renamed == ()
