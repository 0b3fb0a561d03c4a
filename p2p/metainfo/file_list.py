"""The files an info dict declares: the list of version 1 (BEP 3, BEP 47) and the tree of version 2 (BEP 52).

The rule: both are read into one form, in the torrent's order, with every length bounded and every contradiction
refused; names stay the bytes they came as, so the two halves of a hybrid can be compared before anything is cleaned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.errors import MetainfoError
from p2p.metainfo.fields import integer, mapping, string

if TYPE_CHECKING:
    from p2p.codec.bencode import Value

MAX_TOTAL: Final = 2**63 - 1
"""Bytes of content: file offsets are signed 64-bit numbers on every platform."""

MAX_PARTS: Final = 100
"""Parts of a path: as deep as bencode may nest, so both versions have the same limit; no filesystem path goes deeper
within the 4,096 bytes that Linux allows unless its names are a few letters."""

_MAX_ATTRIBUTES: Final = 16
"""Attribute letters that are kept; BEP 47 knows four."""


class DeclaredFile(NamedTuple):
    """One file as declared. `path` is below the torrent's name, or the name itself for a single file."""

    path: tuple[bytes, ...]
    length: int
    attributes: str
    root: bytes | None = None
    """The 32-byte `pieces root`, where version 2 gives one."""

    @property
    def pad(self) -> bool:
        return "p" in self.attributes

    @property
    def link(self) -> bool:
        return "l" in self.attributes


class FileList(NamedTuple):
    """Files in the torrent's order. `single`: the content is one file, not a folder."""

    files: list[DeclaredFile]
    single: bool


def read_v1(info: dict[bytes, Value], name: bytes) -> FileList:
    """The version 1 list, pad files included. Raises MetainfoError."""
    listed = info.get(b"files")
    if listed is None:
        single = _file_v1(info, (name,), "the info dict")
        if single.pad:
            raise MetainfoError("the only file is padding")
        return FileList([single], single=True)
    if b"length" in info:
        raise MetainfoError("the info dict has both 'length' and 'files'")
    if not isinstance(listed, list) or not listed:
        raise MetainfoError("the info dict has no list of 'files'")
    files: list[DeclaredFile] = []
    for number, fields in enumerate(listed):
        where = f"file {number}"
        if not isinstance(fields, dict):
            raise MetainfoError(f"{where} is not a dict")
        files.append(_file_v1(fields, None, where))
    _check_total(files)
    return FileList(files, single=False)


def read_v2(info: dict[bytes, Value]) -> FileList:
    """The files of the version 2 tree in its order, which is that of the raw bytes of names. Raises MetainfoError."""
    tree = mapping(info, b"file tree", "the info dict")
    if b"" in tree:
        raise MetainfoError("the root of the file tree is a file")
    files: list[DeclaredFile] = []
    # A stack of what is still to visit, last first: the tree's depth costs no recursion of ours.
    ahead: list[tuple[tuple[bytes, ...], Value]] = [((name,), node) for name, node in reversed(tree.items())]
    while ahead:
        path, node = ahead.pop()
        if not isinstance(node, dict):
            raise MetainfoError("the file tree has something that is neither a file nor a folder")
        if b"" in node:
            if len(node) > 1:
                raise MetainfoError("the file tree has a file with files inside")
            files.append(_file_v2(mapping(node, b"", "the file tree"), path))
            continue
        ahead += [((*path, name), below) for name, below in reversed(node.items())]
    if not files:
        raise MetainfoError("the file tree has no files")
    _check_total(files)
    return FileList(files, single=len(tree) == 1 and len(files[0].path) == 1)


def check_halves(v1: FileList, v2: FileList, piece_length: int) -> None:
    """Raise MetainfoError unless both halves of a hybrid are the same files at the same pieces (BEP 52, Upgrade Path).

    Padding after the last file is a matter of taste: it moves nothing.
    """
    offset = 0
    aligned = 0
    real: list[DeclaredFile] = []
    for file in v1.files:
        if not file.pad:
            real.append(file)
            if file.length and offset != aligned:
                raise MetainfoError("a file of the version 1 half does not start at the piece where version 2 has it")
            aligned += -(-file.length // piece_length) * piece_length
        offset += file.length
    if offset > aligned:
        raise MetainfoError("the version 1 half has more pieces than the version 2 half")
    if len(real) != len(v2.files):
        raise MetainfoError(f"the version 1 half has {len(real)} files, the version 2 half {len(v2.files)}")
    for one, two in zip(real, v2.files, strict=True):
        if one.path != two.path:
            raise MetainfoError("the version 1 and 2 halves differ in the names or the order of files")
        if one.length != two.length:
            raise MetainfoError("the version 1 and 2 halves differ in the length of a file")


def _file_v1(fields: dict[bytes, Value], path: tuple[bytes, ...] | None, where: str) -> DeclaredFile:
    attributes = _attributes(fields)
    length = _length(fields, attributes, where)
    if path is None:
        # BEP 47 lets pad files go without a path.
        nameless = "p" in attributes and b"path" not in fields
        path = (b".pad", b"%d" % length) if nameless else _path(fields, where)
    return DeclaredFile(path, length, attributes)


def _file_v2(fields: dict[bytes, Value], path: tuple[bytes, ...]) -> DeclaredFile:
    where = "a file of the file tree"
    attributes = _attributes(fields)
    if "p" in attributes:
        raise MetainfoError("the file tree has padding, which version 2 does not know")
    length = _length(fields, attributes, where)
    if not length:
        return DeclaredFile(path, 0, attributes)
    root = string(fields, b"pieces root", where)
    if len(root) != 32:
        raise MetainfoError(f"a 'pieces root' of {len(root)} bytes instead of 32")
    return DeclaredFile(path, length, attributes, root)


def _length(fields: dict[bytes, Value], attributes: str, where: str) -> int:
    if "l" in attributes:
        return 0  # whatever it says: a link takes no piece space (BEP 47)
    length = integer(fields, b"length", where)
    if not 0 <= length <= MAX_TOTAL:
        raise MetainfoError(f"{where} has a length of {length} bytes")
    return length


def _path(fields: dict[bytes, Value], where: str) -> tuple[bytes, ...]:
    """`path.utf-8`, which old writers added beside a path in another encoding, where it is sound, else `path`."""
    for key in (b"path.utf-8", b"path"):
        value = fields.get(key)
        parts = [part for part in value if isinstance(part, bytes)] if isinstance(value, list) else []
        if parts and isinstance(value, list) and len(parts) == len(value):
            if len(parts) > MAX_PARTS:
                raise MetainfoError(f"{where} lies more than {MAX_PARTS} folders deep")
            return tuple(parts)
    raise MetainfoError(f"{where} has no 'path'")


def _attributes(fields: dict[bytes, Value]) -> str:
    value = fields.get(b"attr")
    if not isinstance(value, bytes):
        return ""
    letters = value.decode("ascii", "ignore")
    return "".join(dict.fromkeys(letter for letter in letters if letter.isalpha()))[:_MAX_ATTRIBUTES]


def _check_total(files: list[DeclaredFile]) -> None:
    if sum(file.length for file in files) > MAX_TOTAL:
        raise MetainfoError("the files are together longer than 2**63 bytes")
