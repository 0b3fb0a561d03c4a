"""Hash requests answered from piece layers, and their answers checked (BEP 52)."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec import bencode
from p2p.errors import MetainfoError
from p2p.metainfo import merkle
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.hash_tree import MAX_SPAN, HashSpan, HashTrees, WantedLayer, check_span, spans_of, wanted_layers
from p2p.metainfo.metainfo import Metainfo

BLOCK = 16_384


def torrent(lengths, *, version="2", piece_length=BLOCK):
    rng = random.Random(sum(lengths))
    plan = CreationPlan(
        "content", [((f"{i}",), n) for i, n in enumerate(lengths)], version=version, piece_length=piece_length
    )
    return Metainfo.from_bytes(plan.finish([hash_job(job, [rng.randbytes(job.length)]) for job in plan.jobs()]))


class FakeTorrent:
    """As much of a torrent as hash trees need, for layers too long to make content for."""

    def __init__(self, count, level=0):
        hashes = [random.Random(i).randbytes(32) for i in range(count)]
        layer = b"".join(hashes)
        self.layer = WantedLayer(merkle.layer_root(layer, level), count, level)
        self.piece_layers = {self.layer.root: layer}
        self.piece_length = BLOCK << level
        self.info_hash_v2 = bytes(32)


@pytest.mark.parametrize("version", ["2", "hybrid"])
def test_layers_of_a_torrent_travel_whole(version):
    metainfo = torrent([10 * BLOCK + 5, 3, 2 * BLOCK, 0, 4 * BLOCK + 1], version=version, piece_length=2 * BLOCK)
    wanted = wanted_layers(metainfo.info_bytes)
    assert {layer.root for layer in wanted} == set(metainfo.piece_layers)
    trees, fetched = HashTrees(metainfo), {}
    for layer in wanted:
        parts = [check_span(span, layer, trees.answer(span)) for span in spans_of(layer)]
        fetched[layer.root] = b"".join(parts)
    assert Metainfo.from_info(metainfo.info_bytes, piece_layers=fetched).piece_layers == metainfo.piece_layers
    assert wanted_layers(metainfo.info_bytes, fetched) == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 1_600), st.integers(0, 3), st.data())
def test_spans_prove_themselves_and_nothing_else(count, level, data):
    torrent = FakeTorrent(count, level)
    layer, trees = torrent.layer, HashTrees(torrent)
    spans = spans_of(layer)
    assert all(span.length <= MAX_SPAN for span in spans)
    span = data.draw(st.sampled_from(spans))
    hashes = trees.answer(span)
    mine = min(span.length, count - span.index)
    expected = torrent.piece_layers[layer.root][span.index * 32 : (span.index + mine) * 32]
    assert check_span(span, layer, hashes) == expected
    assert check_span(span, layer, [*hashes[:mine], *hashes[span.length :]]) == expected
    at = data.draw(st.integers(0, len(hashes) - 1))
    assert check_span(span, layer, [*hashes[:at], bytes(31) + b"x", *hashes[at + 1 :]]) is None
    assert check_span(span, layer, hashes[1:]) is None
    assert check_span(span, layer, [*hashes, bytes(32)]) is None
    assert check_span(span, layer, []) is None


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 300), st.integers(0, 9), st.integers(0, 8), st.integers(0, 300), st.integers(0, 12))
def test_every_level_from_the_pieces_up_leads_to_the_root(count, height, log_length, number, proof_layers):
    torrent = FakeTorrent(count, 1)
    length = 1 << log_length
    span = HashSpan(torrent.layer.root, 1 + height, number * length, length, proof_layers)
    hashes = HashTrees(torrent).answer(span)
    levels = merkle.width(count).bit_length() - 1
    possible = height < levels and length >= 2 and (number + 1) * length <= 1 << (levels - height)
    if not possible:
        assert hashes is None
        return
    full = levels - height - log_length
    asked = min(full, max(0, proof_layers - (log_length - 1)))
    assert len(hashes) == length + asked
    if asked == full:
        root = merkle.root_from(hashes[:length], span.index, hashes[length:], level=span.base_layer)
        assert root == torrent.layer.root


def test_a_length_cut_short_by_the_end_of_the_layer_is_answered():
    torrent = FakeTorrent(11)
    trees = HashTrees(torrent)
    cut = trees.answer(HashSpan(torrent.layer.root, 0, 8, 3, 3))
    whole = trees.answer(HashSpan(torrent.layer.root, 0, 8, 4, 3))
    assert cut == [*whole[:3], *whole[4:]]


@pytest.mark.parametrize(
    "change",
    [
        {"pieces_root": bytes(32)},
        {"base_layer": 1},
        {"base_layer": 64},
        {"index": 1},
        {"index": 16},
        {"index": 2**32 - 2},
        {"length": 1},
        {"length": 3},
        {"length": 32},
        {"length": 2**32 - 1},
    ],
)
def test_what_cannot_be_answered_is_rejected(change):
    torrent = FakeTorrent(11, 2)
    trees = HashTrees(torrent)
    good = HashSpan(torrent.layer.root, 2, 0, 2, 3)
    assert trees.answer(good) is not None
    assert trees.answer(replace(good, **change)) is None


def test_a_long_span_is_rejected_even_where_it_exists():
    torrent = FakeTorrent(1_024)
    assert HashTrees(torrent).answer(HashSpan(torrent.layer.root, 0, 0, 1_024, 0)) is None


def test_version_1_needs_and_answers_nothing():
    metainfo = torrent([5 * BLOCK], version="1")
    assert wanted_layers(metainfo.info_bytes) == ()
    assert HashTrees(metainfo).answer(HashSpan(bytes(32), 0, 0, 2, 0)) is None
    assert wanted_layers(b"d4:name1:n12:piece lengthi16384e6:lengthi1ee") == ()


@pytest.mark.parametrize(
    "info",
    [
        b"i1e",
        b"d12:meta versioni2ee",
        b"d9:file treed0:de e12:meta versioni2e",
        bencode.encode({b"meta version": 2, b"piece length": 5, b"file tree": {}}),
        bencode.encode({b"meta version": 2, b"piece length": BLOCK, b"file tree": {b"a": {b"": {b"length": 1}}}}),
        bencode.encode(
            {
                b"meta version": 2,
                b"piece length": BLOCK,
                b"file tree": {
                    b"a": {b"": {b"length": 2 * BLOCK, b"pieces root": bytes(32)}},
                    b"b": {b"": {b"length": 3 * BLOCK, b"pieces root": bytes(32)}},
                },
            }
        ),
        bencode.encode(
            {
                b"meta version": 2,
                b"piece length": BLOCK,
                b"file tree": {b"a": {b"": {b"length": 2**40, b"pieces root": bytes(32)}}},
            }
        ),
    ],
)
def test_nothing_is_fetched_for_what_is_no_torrent(info):
    with pytest.raises(MetainfoError):
        wanted_layers(info)
