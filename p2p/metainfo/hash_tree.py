"""Piece layers over the wire (BEP 52): which a torrent still lacks, and what answers a request for hashes.

The rule: a span of hashes is whole with its proof, the uncle hashes that lead from it to the root of its file, and what
is asked for can be answered from the piece layer or not at all; hashes below it would need the content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.codec.bencode import MAX_SIZE, decode, raw_span
from p2p.errors import BencodeError, MetainfoError
from p2p.ids import BLOCK_SIZE
from p2p.metainfo import merkle
from p2p.metainfo.fields import integer
from p2p.metainfo.file_list import read_v2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.metainfo.metainfo import Metainfo

MAX_SPAN: Final = 512
"""Hashes of a base layer in one request (BEP 52)."""


@dataclass(frozen=True, slots=True)
class HashSpan:
    """A span of a file's hash tree, its fields those of the wire.

    `base_layer` counts levels above the leaves, `index` and `length` hashes in it, `proof_layers` the levels above it
    for which uncles are asked.
    """

    pieces_root: bytes
    base_layer: int
    index: int
    length: int
    proof_layers: int


@dataclass(frozen=True, slots=True)
class WantedLayer:
    """The piece layer of a file: `count` hashes at `level`, under `root`."""

    root: bytes
    count: int
    level: int


def wanted_layers(info_bytes: bytes, known: Mapping[bytes, bytes] | None = None) -> tuple[WantedLayer, ...]:
    """The piece layers that an info dict needs and `known` lacks, in the order of files; none for version 1.

    Equal files share a layer. Raises MetainfoError for an info dict of which no torrent can be made, so that nothing is
    fetched for it.
    """
    try:
        info = decode(info_bytes)
    except BencodeError as error:
        if b"12:meta versioni2e" not in info_bytes:
            return ()  # version 1 is read leniently, and has no layers
        raise MetainfoError(f"a version 2 info dict must be canonical bencode: {error}") from error
    if not isinstance(info, dict):
        raise MetainfoError("the info dict is not a dict")
    if info.get(b"meta version") != 2:
        return ()
    piece_length = integer(info, b"piece length", "the info dict")
    if piece_length < BLOCK_SIZE or piece_length & (piece_length - 1):
        raise MetainfoError(f"a version 2 piece length of {piece_length} is no power of two from {BLOCK_SIZE} on")
    level = merkle.level_of(piece_length)
    wanted: dict[bytes, WantedLayer] = {}
    for file in read_v2(info).files:
        if file.root is None or file.length <= piece_length or (known is not None and file.root in known):
            continue
        layer = WantedLayer(file.root, -(-file.length // piece_length), level)
        if wanted.setdefault(file.root, layer) != layer:
            raise MetainfoError("two files of different lengths have the same root")
    total = len(info_bytes) + sum(layer.count * merkle.HASH_SIZE for layer in wanted.values())
    if total > MAX_SIZE:
        raise MetainfoError(f"a torrent of {total} bytes is too large to be read")
    return tuple(wanted.values())


def has_version_1(info_bytes: bytes) -> bool:
    """Whether an info dict that `wanted_layers` takes has the piece hashes of version 1, so that it can do without
    layers."""
    return raw_span(info_bytes, b"pieces") is not None


def spans_of(layer: WantedLayer) -> list[HashSpan]:
    """The requests that bring a layer whole, each with the proof that leads to the root."""
    full = merkle.width(layer.count)
    length = min(full, MAX_SPAN)
    proof_layers = full.bit_length() - 2  # to the level below the root; the width is at least two
    return [HashSpan(layer.root, layer.level, index, length, proof_layers) for index in range(0, layer.count, length)]


def check_span(span: HashSpan, layer: WantedLayer, hashes: Sequence[bytes]) -> bytes | None:
    """The layer's own hashes out of the answer to one of `spans_of(layer)`, one after another; None if they are false.

    An answer may leave out the pads behind the end of the layer.
    """
    mine = min(span.length, layer.count - span.index)
    uncle_count = merkle.width(layer.count).bit_length() - span.length.bit_length()
    filled = len(hashes) - uncle_count
    if filled not in (span.length, mine):
        return None
    row = [*hashes[:mine], *[merkle.pad_hash(span.base_layer)] * (span.length - mine)]
    if filled == span.length and list(hashes[:filled]) != row:
        return None
    try:
        found = merkle.root_from(row, span.index, hashes[filled:], level=span.base_layer)
    except MetainfoError:
        return None
    return b"".join(hashes[:mine]) if found == layer.root else None


class HashTrees:
    """The hashes that a torrent's piece layers answer for. Rows above a layer are made when first asked for, and kept.

    They take as much memory again as the layers, at most.
    """

    __slots__ = ("_layers", "_level", "_rows")

    def __init__(self, metainfo: Metainfo) -> None:
        self._layers = metainfo.piece_layers
        self._level = merkle.level_of(metainfo.piece_length) if metainfo.info_hash_v2 is not None else 0
        self._rows: dict[bytes, list[bytes]] = {}

    def answer(self, span: HashSpan) -> list[bytes] | None:
        """The hashes of a span, pads included, then its uncles, lowest first; None for a request to be rejected.

        Answered are the piece layer and those above it of files longer than a piece.
        """
        layer = self._layers.get(span.pieces_root)
        if layer is None or span.base_layer < self._level:
            return None
        rows = self._rows.get(span.pieces_root)
        if rows is None:
            rows = self._rows[span.pieces_root] = _rows_above(layer, self._level)
        height = span.base_layer - self._level
        if height >= len(rows) - 1:
            return None  # the root itself proves nothing
        full = 1 << (len(rows) - 1 - height)
        length, index = span.length, span.index
        # A length that the layer's end cuts short stands for the whole span.
        width = merkle.width(length)
        cut_short = index + length == len(rows[height]) // merkle.HASH_SIZE
        if not 2 <= width <= MAX_SPAN or index % width or index + width > full or (width != length and not cut_short):
            return None
        found = [self._at(rows, height, index + at) for at in range(length)]
        below = width.bit_length() - 1
        highest = min(span.proof_layers, len(rows) - 2 - height)
        found += [self._at(rows, height + above, (index >> above) ^ 1) for above in range(max(below, 1), highest + 1)]
        return found

    def _at(self, rows: list[bytes], height: int, index: int) -> bytes:
        at = index * merkle.HASH_SIZE
        return rows[height][at : at + merkle.HASH_SIZE] or merkle.pad_hash(self._level + height)


def _rows_above(layer: bytes, level: int) -> list[bytes]:
    """The layer and each row above it up to the root, pads left out, each row's hashes one after another."""
    row = [layer[at : at + merkle.HASH_SIZE] for at in range(0, len(layer), merkle.HASH_SIZE)]
    rows = [layer]
    while len(row) > 1:
        row = merkle.parents(row, level)
        level += 1
        rows.append(b"".join(row))
    return rows
