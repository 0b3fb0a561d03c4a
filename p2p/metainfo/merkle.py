"""Merkle trees over file content (BEP 52): which hashes stand for which bytes.

The rule: a file's leaves are the SHA-256 of its 16 KiB blocks, the last of them as short as the file ends; the leaf row
is filled to a power of two with zero hashes; a parent is the SHA-256 of its two children. Level 0 is the leaf row. The
hash of a subtree that lies past the file's end depends on its level alone and is never stored (`pad_hash`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from p2p.errors import MetainfoError
from p2p.ids import BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HASH_SIZE: Final = 32
"""Bytes of a SHA-256 digest."""

MAX_LEVEL: Final = 50
"""Levels above the leaves; 2**50 blocks of 16 KiB are 2**64 bytes, past any file."""

_sha256 = hashlib.sha256


def _pads() -> tuple[bytes, ...]:
    row = [bytes(HASH_SIZE)]
    while len(row) <= MAX_LEVEL:
        row.append(_sha256(row[-1] + row[-1]).digest())
    return tuple(row)


_PADS: Final = _pads()


def pad_hash(level: int) -> bytes:
    """The hash of a subtree of `level` levels (0..MAX_LEVEL) that holds no content at all."""
    return _PADS[level]


def block_count(length: int) -> int:
    """How many 16 KiB blocks `length` bytes take, the last perhaps short."""
    return -(-length // BLOCK_SIZE)


def width(count: int) -> int:
    """The power of two that `count` hashes of a row are filled to; 1 for none."""
    return 1 << (count - 1).bit_length() if count > 1 else 1


def level_of(piece_length: int) -> int:
    """The level whose hashes cover `piece_length` bytes each, a power of two of at least 16 KiB."""
    return (piece_length // BLOCK_SIZE).bit_length() - 1


def parents(row: Sequence[bytes], level: int) -> list[bytes]:
    """The row above `row`, which stands at `level`; an odd end is paired with the pad hash."""
    even = len(row) & ~1
    above = [_sha256(row[i] + row[i + 1]).digest() for i in range(0, even, 2)]
    if even != len(row):
        above.append(_sha256(row[-1] + _PADS[level]).digest())
    return above


def root(row: Sequence[bytes], *, level: int = 0, height: int = 0) -> bytes:
    """The hash over all of `row`, which stands at `level`.

    At least `height` levels above the row are gone up, so a lone piece can be raised to its piece layer. An empty row
    counts as one pad.
    """
    row = row or (_PADS[level],)
    goal = level + height
    while len(row) > 1 or level < goal:
        row = parents(row, level)
        level += 1
    return row[0]


def piece_layer(blocks: Sequence[bytes], blocks_per_piece: int) -> list[bytes]:
    """The hash of each piece of a file longer than one piece, from its block hashes."""
    height = blocks_per_piece.bit_length() - 1
    return [root(blocks[i : i + blocks_per_piece], height=height) for i in range(0, len(blocks), blocks_per_piece)]


def layer_root(layer: bytes, level: int) -> bytes:
    """The file root over a stored layer: its hashes one after another, each at `level`.

    Raises MetainfoError for a layer that is empty or not whole hashes.
    """
    if not layer or len(layer) % HASH_SIZE:
        raise MetainfoError(f"a hash layer of {len(layer)} bytes is not whole hashes")
    return root([layer[i : i + HASH_SIZE] for i in range(0, len(layer), HASH_SIZE)], level=level)


def uncles(row: Sequence[bytes], index: int, length: int, *, level: int) -> list[bytes]:
    """The hashes that lead from a range of `row` to the root, lowest first (BEP 52, hash requests).

    `row` is a whole row at `level` without its pads; the range begins at `index` and has `length` hashes, a power of
    two that divides `index`. Raises MetainfoError for another range or one beyond the row.
    """
    full = width(len(row))
    if length < 1 or length & (length - 1) or index < 0 or index % length or index + length > full:
        raise MetainfoError(f"{length} hashes at {index} are no subtree of a row of {full}")
    found: list[bytes] = []
    at = index
    size = 1
    while len(row) > 1:
        if size >= length:
            sibling = at ^ 1
            found.append(row[sibling] if sibling < len(row) else _PADS[level])
        row = parents(row, level)
        level += 1
        size *= 2
        at //= 2
    return found


def root_from(hashes: Sequence[bytes], index: int, uncle_hashes: Sequence[bytes], *, level: int) -> bytes:
    """The root that a range of a row and its uncles, lowest first, lead to; the caller compares it with the file's.

    `hashes` begin at `index` of the row at `level`; a range cut short by the row's end is filled with pads. Raises
    MetainfoError if `index` is not a multiple of the range's width, there are no hashes, or the tree would be too high.
    """
    span = width(len(hashes))
    height = span.bit_length() - 1
    if not hashes or index < 0 or index % span or level + height + len(uncle_hashes) > MAX_LEVEL:
        raise MetainfoError(f"{len(hashes)} hashes at {index} are no subtree")
    at = index // span
    if at >> len(uncle_hashes):
        raise MetainfoError(f"{len(uncle_hashes)} uncle hashes do not reach the root from {index}")
    node = root(hashes, level=level)
    for uncle in uncle_hashes:
        node = _sha256(uncle + node if at & 1 else node + uncle).digest()
        at //= 2
    return node


class BlockHasher:
    """Takes content in views of any size and gives the hash of each 16 KiB block, copying nothing."""

    __slots__ = ("_hashes", "_open", "_room")

    def __init__(self) -> None:
        self._hashes: list[bytes] = []
        self._open = _sha256()
        self._room = BLOCK_SIZE

    def update(self, view: bytes | memoryview) -> None:
        """Take the next bytes of the content."""
        size = len(view)
        if size == BLOCK_SIZE and self._room == BLOCK_SIZE:
            self._hashes.append(_sha256(view).digest())
            return
        view = memoryview(view)
        at = 0
        while at < size:
            taken = min(self._room, size - at)
            if taken == BLOCK_SIZE:
                self._hashes.append(_sha256(view[at : at + BLOCK_SIZE]).digest())
            else:
                self._open.update(view[at : at + taken])
                self._room -= taken
                if not self._room:
                    self._close()
            at += taken

    def finish(self) -> list[bytes]:
        """The block hashes, the last one over what is left; nothing may be added after."""
        if self._room < BLOCK_SIZE:
            self._close()
        return self._hashes

    def _close(self) -> None:
        self._hashes.append(self._open.digest())
        self._open = _sha256()
        self._room = BLOCK_SIZE


def block_hashes(views: Iterable[bytes | memoryview], length: int) -> list[bytes]:
    """The hash of each block of the first `length` bytes that the views hold together."""
    hasher = BlockHasher()
    for view in views:
        if len(view) >= length:
            hasher.update(view if len(view) == length else memoryview(view)[:length])
            break
        hasher.update(view)
        length -= len(view)
    return hasher.finish()
