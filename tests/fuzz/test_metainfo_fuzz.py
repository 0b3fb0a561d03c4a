"""Torrent files and links from a hostile world: a value or the declared error, in bounded time."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from p2p.codec.bencode import encode
from p2p.errors import MagnetError, MetainfoError
from p2p.metainfo import Magnet, Metainfo
from p2p.metainfo.create import CreationPlan, hash_job

KEYS = st.sampled_from(
    b"|a|announce|announce-list|attr|file tree|files|info|length|meta version|name|nodes|path|piece layers|"
    b"piece length|pieces|pieces root|private|url-list|path.utf-8".split(b"|")
)
SCALARS = st.one_of(
    st.sampled_from([0, 1, 2, 16_384, 32_768, -1, 2**62, 2**63]),
    st.integers(-(10**20) + 1, 10**20 - 1),
    st.sampled_from([b"", b"a", b"p", b"l", b"..", bytes(20), bytes(32), b"http://a.example/"]),
    st.binary(max_size=40),
)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(KEYS, v, max_size=6), max_leaves=25)
INFOS = st.fixed_dictionaries(
    {b"name": SCALARS, b"piece length": st.sampled_from([1, 16_384, 32_768]) | SCALARS},
    optional={
        b"pieces": st.integers(0, 4).map(lambda n: bytes(20 * n)) | VALUES,
        b"length": SCALARS,
        b"files": st.lists(
            st.fixed_dictionaries({b"length": SCALARS, b"path": st.lists(SCALARS, max_size=3)}), max_size=4
        ),
        b"meta version": st.just(2) | SCALARS,
        b"file tree": VALUES,
        b"private": SCALARS,
    },
)
OUTERS = st.fixed_dictionaries(
    {b"info": INFOS}, optional={b"piece layers": VALUES, b"nodes": VALUES, b"url-list": VALUES}
)


def one_line(error: Exception) -> None:
    assert str(error)
    assert "\n" not in str(error)


def read(data: bytes) -> Metainfo | None:
    try:
        metainfo = Metainfo.from_bytes(data)
    except MetainfoError as error:
        one_line(error)
        return None
    assert metainfo.piece_count == metainfo.layout.piece_count > 0
    assert metainfo.total_size == sum(file.length for file in metainfo.files if not file.pad)
    for piece in {0, metainfo.piece_count - 1}:
        size = metainfo.layout.piece_size(piece)
        assert sum(span.length for span in metainfo.layout.spans(piece, 0, size)) == size
        metainfo.piece_check(piece)([b"x"])
    Magnet.parse(Magnet.from_metainfo(metainfo).uri())
    return metainfo


@given(OUTERS)
@settings(max_examples=300)
def test_any_dict_shaped_like_a_torrent_is_read_or_refused(outer: dict[bytes, object]) -> None:
    read(encode(outer))


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read(data)


def torrent(version: str) -> bytes:
    content = {("a",): 40_000, ("b", "c"): 5, ("d",): 16_384}
    plan = CreationPlan("top", content.items(), version=version, piece_length=16_384)
    return plan.finish([hash_job(job, [bytes(job.length)]) for job in plan.jobs()])


SEEDS = {version: torrent(version) for version in ("1", "2", "hybrid")}


@pytest.mark.parametrize("version", list(SEEDS))
@given(st.integers(0, 2**32))
@settings(max_examples=150)
def test_a_torrent_with_bytes_changed_is_read_or_refused(version: str, seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(SEEDS[version])
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[at] = rng.choice(b"0123456789deil:\x00\xff")
            case 1:
                del data[at]
            case 2:
                data.insert(at, rng.choice(b"0123456789deil:"))
    read(bytes(data))


HINTS = "magnet:?|&|xt=|urn:btih:|urn:btmh:1220|so=|0-9|,|-|x.pe=|[::1]:5|tr=|http://a/|%|%00|%ff|dn=|&amp;|#|é|.1="
MAGNET_PIECES = st.sampled_from([*HINTS.split("|"), "a" * 40, "b" * 32, "0" * 64, "\ud800"])


@given(st.lists(MAGNET_PIECES | st.text(max_size=5), max_size=15).map("".join) | st.text(max_size=80))
@example("magnet:?xt=urn:btih:" + "a" * 40 + "&dn=\ud800")
@settings(max_examples=400)
def test_any_text_is_a_link_or_refused(text: str) -> None:
    for uri in (text, f"magnet:?xt=urn:btih:{'a' * 40}&{text}"):
        try:
            magnet = Magnet.parse(uri)
        except MagnetError as error:
            one_line(error)
            continue
        assert Magnet.parse(magnet.uri()) == magnet


@pytest.mark.parametrize(
    "info",
    [
        {b"files": [{b"length": 1, b"path": [b"same"]}] * 50_000, b"pieces": bytes(20)},
        {b"files": [{b"length": 1, b"path": [b"d"] * 100}] * 3_000, b"pieces": bytes(20)},
        {b"files": [{b"length": 0, b"path": [b"\xff" * 300]}] * 20_000, b"pieces": bytes(20)},
    ],
    ids=["one name", "deep", "long"],
)
def test_torrents_made_to_be_slow_are_not(info: dict[bytes, object]) -> None:
    data = encode({b"info": {b"name": b"n", b"piece length": 65_536, **info}})
    begun = time.perf_counter()
    read(data)
    assert time.perf_counter() - begun < 20
