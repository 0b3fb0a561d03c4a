"""Which files of a torrent are wanted, and what that makes of its pieces. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from p2p.errors import StarlingError

if TYPE_CHECKING:
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.settings import TorrentOptions

NORMAL = 4
"""Priority of a wanted file: 1 to 7, higher first."""

FIRST_LAST = 7


def file_priorities(metainfo: Metainfo, options: TorrentOptions) -> list[int]:
    """One priority a file, pads 0. StarlingError when a pattern or index matches nothing: a typing error otherwise
    downloads everything or nothing."""
    files = metainfo.files
    if not options.select and not options.select_indices:
        wanted = [not file.pad for file in files]
    else:
        wanted = [False] * len(files)
        for index in options.select_indices:
            if not 0 <= index < len(files):
                raise StarlingError(f"there is no file number {index}; the torrent has {len(files)}")
            wanted[index] = not files[index].pad
        for pattern in options.select:
            hits = [i for i, file in enumerate(files) if not file.pad and _matches(file.path, metainfo.name, pattern)]
            if not hits:
                raise StarlingError(f"no file of {metainfo.name} matches {pattern!r}")
            for index in hits:
                wanted[index] = True
    return [
        0 if file.pad else options.priorities.get(index, NORMAL if wanted[index] else 0)
        for index, file in enumerate(files)
    ]


def _matches(path: str, name: str, pattern: str) -> bool:
    return (
        fnmatchcase(path, pattern)
        or fnmatchcase(f"{name}/{path}", pattern)
        or fnmatchcase(path.rsplit("/", 1)[-1], pattern)
    )


def piece_priorities(metainfo: Metainfo, files: list[int], options: TorrentOptions) -> bytes:
    """One priority a piece: the highest of the files that it holds bytes of, first and last pieces raised if asked."""
    layout = metainfo.layout
    if len(set(files)) == 1 and not options.first_and_last:
        return bytes([files[0]]) * layout.piece_count
    priorities = bytearray(layout.piece_count)
    for index, priority in enumerate(files):
        if not priority:
            continue
        pieces = layout.pieces_of_file(index)
        for piece in pieces:
            priorities[piece] = max(priorities[piece], priority)
        if options.first_and_last and len(pieces):
            priorities[pieces[0]] = priorities[pieces[-1]] = FIRST_LAST
    return bytes(priorities)
