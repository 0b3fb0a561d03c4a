"""Trees against a plain definition: pad to a power of two, hash pairs."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import MetainfoError
from p2p.ids import BLOCK_SIZE
from p2p.metainfo import merkle


def plain_rows(leaves: list[bytes]) -> list[list[bytes]]:
    row = leaves + [bytes(32)] * (merkle.width(len(leaves)) - len(leaves))
    rows = [row]
    while len(row) > 1:
        row = [hashlib.sha256(row[i] + row[i + 1]).digest() for i in range(0, len(row), 2)]
        rows.append(row)
    return rows


def leaves_of(count: int) -> list[bytes]:
    return [hashlib.sha256(b"%d" % i).digest() for i in range(count)]


@given(st.integers(1, 70))
@settings(max_examples=40)
def test_root_is_that_of_the_padded_tree(count: int) -> None:
    leaves = leaves_of(count)
    assert merkle.root(leaves) == plain_rows(leaves)[-1][0]


def test_pad_hash_is_a_subtree_of_zeros() -> None:
    rows = plain_rows([bytes(32)] * 16)
    assert [merkle.pad_hash(level) for level in range(5)] == [row[0] for row in rows]


@given(st.integers(5, 70), st.sampled_from([1, 2, 4]))
@settings(max_examples=40)
def test_piece_layer_leads_to_the_file_root(count: int, blocks_per_piece: int) -> None:
    leaves = leaves_of(count)
    layer = merkle.piece_layer(leaves, blocks_per_piece)
    level = blocks_per_piece.bit_length() - 1
    assert layer == plain_rows(leaves)[level][: len(layer)]
    assert len(layer) == -(-count // blocks_per_piece)
    assert merkle.layer_root(b"".join(layer), level) == merkle.root(leaves)


@pytest.mark.parametrize("layer", [b"", b"x" * 31, b"x" * 65])
def test_layer_that_is_not_whole_hashes_is_refused(layer: bytes) -> None:
    with pytest.raises(MetainfoError):
        merkle.layer_root(layer, 1)


@given(st.data(), st.integers(1, 40))
@settings(max_examples=80)
def test_any_subtree_and_its_uncles_lead_to_the_root(data: st.DataObject, count: int) -> None:
    leaves = leaves_of(count)
    full = merkle.width(count)
    length = 1 << data.draw(st.integers(0, full.bit_length() - 1))
    index = data.draw(st.integers(0, full // length - 1)) * length
    row = leaves + [bytes(32)] * (full - count)
    proof = merkle.uncles(leaves, index, length, level=0)
    root = merkle.root(leaves)
    assert merkle.root_from(row[index : index + length], index, proof, level=0) == root
    if count > length:
        other = bytes([row[index][0] ^ 1]) + row[index][1:]
        assert merkle.root_from([other, *row[index + 1 : index + length]], index, proof, level=0) != root


def test_range_cut_short_by_the_end_of_the_row_still_proves() -> None:
    leaves = leaves_of(7)
    proof = merkle.uncles(leaves, 4, 4, level=0)
    assert merkle.root_from(leaves[4:7], 4, proof, level=0) == merkle.root(leaves)


@pytest.mark.parametrize(("index", "length"), [(0, 3), (1, 2), (8, 1), (-1, 1), (0, 16), (0, 0)])
def test_range_that_is_no_subtree_is_refused(index: int, length: int) -> None:
    with pytest.raises(MetainfoError):
        merkle.uncles(leaves_of(7), index, length, level=0)


@pytest.mark.parametrize(("hashes", "index", "uncles"), [(0, 0, 1), (2, 1, 1), (1, 4, 2), (1, -1, 2), (1, 0, 60)])
def test_proof_of_impossible_shape_is_refused(hashes: int, index: int, uncles: int) -> None:
    with pytest.raises(MetainfoError):
        merkle.root_from(leaves_of(hashes), index, leaves_of(uncles), level=0)


@given(st.lists(st.integers(0, 3 * BLOCK_SIZE), max_size=6), st.integers(0, 2**32))
@settings(max_examples=40)
def test_blocks_do_not_depend_on_how_content_is_cut_into_views(sizes: list[int], seed: int) -> None:
    content = random.Random(seed).randbytes(sum(sizes))
    views, at = [], 0
    for size in sizes:
        views.append(memoryview(content)[at : at + size])
        at += size
    expected = [hashlib.sha256(content[i : i + BLOCK_SIZE]).digest() for i in range(0, len(content), BLOCK_SIZE)]
    assert merkle.block_hashes(views, len(content)) == expected
    if content:
        cut = len(content) // 2
        short = [hashlib.sha256(content[i : min(cut, i + BLOCK_SIZE)]).digest() for i in range(0, cut, BLOCK_SIZE)]
        assert merkle.block_hashes(views, cut) == short
