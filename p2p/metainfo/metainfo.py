"""What a torrent is: version 1, version 2 or both at once (BEP 3, 12, 27, 47, 52).

The rule: a Metainfo that exists is whole and consistent. Its info-hashes are over the info bytes as they came, its
pieces are as many as its files need, its hash layers lead to its roots, and the halves of a hybrid describe the same
content, so nothing behind this door checks again. Only version 1 forgives keys out of order, which old writers left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from p2p.codec.bencode import Value, decode, decode_lenient, raw_span
from p2p.errors import BencodeError, MetainfoError
from p2p.ids import BLOCK_SIZE, InfoHash
from p2p.metainfo import merkle
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.fields import integer, mapping, string, text
from p2p.metainfo.file_list import DeclaredFile, FileList, check_halves, read_v1, read_v2
from p2p.metainfo.layout import Entry, Layout
from p2p.metainfo.magnet import wire_info_hashes
from p2p.metainfo.paths import safe_name, safe_paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.metainfo.urls import Endpoint

PieceCheck: TypeAlias = Callable[[Sequence[bytes | memoryview]], bool]
"""Whether a piece's content, given as consecutive views, matches. Pure and re-entrant; hashing releases the GIL."""

Version: TypeAlias = Literal["1", "2", "hybrid"]

MAX_PIECE_LENGTH: Final = 512 * 1024 * 1024
"""Bytes of a piece: a piece is checked as one, so this bounds what one costs; no client in use makes larger ones."""

_SHA1_SIZE: Final = 20


class File(NamedTuple):
    """A file of the torrent.

    `path` is safe, joined by "/": below the folder `Metainfo.name` in a multi-file torrent, the name itself in a
    single-file one. `length` is bytes. `attributes` are BEP 47's letters (l link, x executable, h hidden, p padding).
    """

    path: str
    length: int
    pad: bool
    attributes: str


@dataclass(frozen=True, slots=True)
class Metainfo:
    """A torrent. Make one with `from_bytes` or `from_info`.

    `name` is cleaned (`paths.safe_name`). Sizes are bytes; `total_size` is without pads. Text fields are None where the
    torrent has none. `trackers` are tiers in order (BEP 12).
    """

    name: str
    version: Version
    info_hash_v1: bytes | None
    """20 bytes."""
    info_hash_v2: bytes | None
    """32 bytes."""
    total_size: int
    piece_length: int
    piece_count: int
    private: bool
    files: tuple[File, ...] = field(repr=False)
    """In the torrent's order, pad files included; the indices are those of `layout.files` and of BEP 53."""
    trackers: tuple[tuple[str, ...], ...]
    web_seeds: tuple[str, ...]
    nodes: tuple[Endpoint, ...]
    comment: str | None
    created_by: str | None
    creation_date: int | None
    """Seconds since the epoch."""
    source: str | None
    layout: Layout = field(repr=False, compare=False)
    info_bytes: bytes = field(repr=False)
    """The encoded info dict as it came: what the info-hashes are over and what `ut_metadata` serves (BEP 9)."""
    raw: bytes = field(repr=False)
    """The torrent file as it came."""
    piece_layers: dict[bytes, bytes] = field(repr=False, compare=False)
    """By `pieces root`, the hashes of a file's pieces one after another; for version 2 files longer than a piece."""
    _pieces: bytes = field(repr=False)
    _roots: tuple[bytes | None, ...] = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes) -> Metainfo:
        """Read a torrent file. Raises MetainfoError with one line of reason."""
        opened = _open(data)
        content = _content(opened.info, opened.version)
        layers = {} if opened.version == "1" else _layers(opened.outer, content)
        return cls._of(opened, opened.version, content, layers)

    @classmethod
    def version_1_half(cls, data: bytes) -> Metainfo:
        """Read a hybrid's torrent file that has no piece layers, as the version 1 torrent that it is as well.

        Its halves must agree all the same. Raises MetainfoError, also for anything that is no such file.
        """
        opened = _open(data)
        if opened.version != "hybrid" or b"piece layers" in opened.outer:
            raise MetainfoError("the torrent is no hybrid without piece layers")
        content = _content(opened.info, opened.version)
        rootless = [file._replace(root=None) for file in content.files]
        return cls._of(opened, "1", content._replace(files=rootless), {})

    @classmethod
    def _of(cls, opened: _Opened, version: Version, content: _Content, layers: dict[bytes, bytes]) -> Metainfo:
        info, info_bytes = opened.info, opened.info_bytes
        envelope = Envelope.read(opened.outer)
        return cls(
            name=content.name,
            version=version,
            info_hash_v1=None if version == "2" else hashlib.sha1(info_bytes).digest(),
            info_hash_v2=None if version == "1" else hashlib.sha256(info_bytes).digest(),
            total_size=content.layout.total_size,
            piece_length=content.layout.piece_length,
            piece_count=content.layout.piece_count,
            private=info.get(b"private") == 1,
            files=tuple(
                File("/".join(placed.parts), file.length, file.pad, file.attributes)
                for file, placed in zip(content.files, content.layout.files, strict=True)
            ),
            trackers=envelope.trackers,
            web_seeds=envelope.web_seeds,
            nodes=envelope.nodes,
            comment=envelope.comment,
            created_by=envelope.created_by,
            creation_date=envelope.creation_date,
            source=text(info, b"source"),
            layout=content.layout,
            info_bytes=info_bytes,
            raw=opened.data,
            piece_layers=layers,
            _pieces=content.pieces,
            _roots=tuple(file.root for file in content.files),
        )

    @classmethod
    def from_info(
        cls,
        info_bytes: bytes,
        *,
        trackers: Sequence[str] = (),
        web_seeds: Sequence[str] = (),
        piece_layers: Mapping[bytes, bytes] | None = None,
    ) -> Metainfo:
        """A torrent from the info dict that peers served for a magnet link (BEP 9), each tracker a tier of its own.

        The caller has compared the hash of `info_bytes` with the link's. Raises MetainfoError, also for a version 2
        torrent that needs piece layers which are not given.
        """
        envelope = Envelope(trackers=tuple((url,) for url in trackers), web_seeds=tuple(web_seeds))
        return cls.from_bytes(envelope.wrap(info_bytes, piece_layers))

    def wire_info_hashes(self) -> tuple[InfoHash, ...]:
        """The 20-byte names of the torrent's swarms: version 1 first, then version 2 cut short (BEP 52)."""
        return wire_info_hashes(self.info_hash_v1, self.info_hash_v2)

    def piece_check(self, piece: int) -> PieceCheck:
        """The check of one piece's content, `layout.piece_size(piece)` bytes; in a hybrid both hashes must hold.

        Views may be of any sizes; they are hashed one by one and never joined. Raises IndexError for no such piece.
        """
        index = self.layout.file_at(piece)
        digest = self._pieces[piece * _SHA1_SIZE : (piece + 1) * _SHA1_SIZE]
        root = self._roots[index]
        if root is None:
            return partial(_matches_v1, digest)
        file = self.layout.files[index]
        within = piece - file.offset // self.piece_length
        content = min(self.piece_length, file.length - within * self.piece_length)
        if file.length <= self.piece_length:
            check = partial(_matches_v2, root, 0, content)
        else:
            at = within * merkle.HASH_SIZE
            expected = self.piece_layers[root][at : at + merkle.HASH_SIZE]
            check = partial(_matches_v2, expected, merkle.level_of(self.piece_length), content)
        if self.version == "2":
            return check
        return partial(_matches_both, digest, check)


def _matches_v1(digest: bytes, views: Sequence[bytes | memoryview]) -> bool:
    sha1 = hashlib.sha1()
    for view in views:
        sha1.update(view)
    return sha1.digest() == digest


def _matches_v2(expected: bytes, height: int, length: int, views: Sequence[bytes | memoryview]) -> bool:
    """`height` levels stand between blocks and `expected`, or as few as `length` bytes need. Bytes beyond are pads."""
    return merkle.root(merkle.block_hashes(views, length), height=height) == expected


def _matches_both(digest: bytes, check_v2: PieceCheck, views: Sequence[bytes | memoryview]) -> bool:
    return _matches_v1(digest, views) and check_v2(views)


class _Content(NamedTuple):
    name: str
    files: list[DeclaredFile]
    layout: Layout
    pieces: bytes


class _Opened(NamedTuple):
    """A torrent file, decoded as far as it is the same for all versions."""

    data: bytes
    outer: dict[bytes, Value]
    info: dict[bytes, Value]
    info_bytes: bytes
    version: Version


def _open(data: bytes) -> _Opened:
    outer, canonical = _decode(data)
    span = raw_span(data, b"info")
    if span is None:
        raise MetainfoError("the torrent file has no dict 'info'")
    info = mapping(outer, b"info", "the torrent file")
    version = _version(info)
    if version != "1" and not canonical:
        raise MetainfoError("a version 2 torrent must be canonical bencode, its keys in order")
    return _Opened(data, outer, info, data[span[0] : span[1]], version)


def _decode(data: bytes) -> tuple[dict[bytes, Value], bool]:
    """The decoded file, and whether it was canonical."""
    canonical = True
    try:
        outer = decode(data)
    except BencodeError as error:
        try:
            outer = decode_lenient(data)
        except BencodeError:
            raise MetainfoError(f"not a torrent file: {error}") from error
        canonical = False
    if not isinstance(outer, dict):
        raise MetainfoError("not a torrent file: it is no bencoded dict")
    return outer, canonical


def _version(info: dict[bytes, Value]) -> Version:
    declared = info.get(b"meta version")
    if declared is None:
        return "1"
    if isinstance(declared, int) and declared > 2:
        raise MetainfoError(f"the torrent is of meta version {declared}; the latest known here is 2")
    if declared != 2:
        raise MetainfoError("the torrent's meta version is not 2, the only one there is")
    return "hybrid" if b"pieces" in info or b"files" in info or b"length" in info else "2"


def _content(info: dict[bytes, Value], version: Version) -> _Content:
    """Names, files and hashes, checked against each other."""
    piece_length = integer(info, b"piece length", "the info dict")
    if not 1 <= piece_length <= MAX_PIECE_LENGTH:
        raise MetainfoError(f"a piece length of {piece_length} bytes is outside 1..{MAX_PIECE_LENGTH}")
    name = string(info, b"name", "the info dict")
    if version == "1":
        listed = read_v1(info, name)
        name = _utf8_name(info, name)
    else:
        if piece_length < BLOCK_SIZE or piece_length & (piece_length - 1):
            raise MetainfoError(f"a version 2 piece length of {piece_length} is no power of two from {BLOCK_SIZE} on")
        listed = read_v2(info)
        if version == "2" and listed.single:
            name = listed.files[0].path[0]  # where they differ, 'name' is mere advice (BEP 52)
    pieces = b""
    if version == "hybrid":
        tree = listed
        listed = read_v1(info, name)
        check_halves(listed, tree, piece_length)
        listed = _with_roots(listed, tree)
    cleaned = safe_name(name)
    entries = _entries(listed, cleaned)
    root = () if listed.single else (cleaned,)
    if version == "2":
        layout = Layout.aligned(piece_length, entries, root=root)
    else:
        layout = Layout.contiguous(piece_length, entries, root=root)
        pieces = string(info, b"pieces", "the info dict")
        if len(pieces) != layout.piece_count * _SHA1_SIZE:
            raise MetainfoError(f"{len(pieces)} bytes of piece hashes for {layout.piece_count} pieces of 20 bytes each")
    if not layout.total_size:
        raise MetainfoError("the torrent has no content")
    return _Content(cleaned, listed.files, layout, pieces)


def _utf8_name(info: dict[bytes, Value], name: bytes) -> bytes:
    """`name.utf-8`, which old writers added beside a name in another encoding."""
    better = info.get(b"name.utf-8")
    return better if isinstance(better, bytes) and better else name


def _with_roots(v1: FileList, v2: FileList) -> FileList:
    """The version 1 list, pads included, each file with its version 2 root. The halves have been checked."""
    roots = iter([file.root for file in v2.files])
    return FileList([file if file.pad else file._replace(root=next(roots)) for file in v1.files], single=v1.single)


def _entries(listed: FileList, name: str) -> list[Entry]:
    """Files with safe paths. Pads and links never reach a disk, so they take no name from a file that does."""
    files = listed.files
    if listed.single:
        return [Entry((name,), files[0].length, files[0].pad, files[0].link)]
    stored = iter(safe_paths([file.path for file in files if not (file.pad or file.link)]))
    return [
        Entry(tuple(map(safe_name, file.path)), file.length, file.pad, file.link)
        if file.pad or file.link
        else Entry(next(stored), file.length)
        for file in files
    ]


def _layers(outer: dict[bytes, Value], content: _Content) -> dict[bytes, bytes]:
    """The piece layer of every file longer than a piece, each checked against its root (BEP 52)."""
    stored = outer.get(b"piece layers", {})
    if not isinstance(stored, dict):
        raise MetainfoError("'piece layers' is not a dict")
    piece_length = content.layout.piece_length
    level = merkle.level_of(piece_length)
    layers: dict[bytes, bytes] = {}
    for file in content.files:
        if file.root is None or file.length <= piece_length:
            continue
        layer = stored.get(file.root)
        if not isinstance(layer, bytes):
            raise MetainfoError("the torrent lacks the piece layer of a file, without which its pieces have no hashes")
        if len(layer) != -(-file.length // piece_length) * merkle.HASH_SIZE:
            raise MetainfoError(f"a piece layer of {len(layer)} bytes does not fit a file of {file.length} bytes")
        if file.root not in layers and merkle.layer_root(layer, level) != file.root:
            raise MetainfoError("a piece layer does not lead to the root of its file")
        layers[file.root] = layer
    return layers
