"""Where the content of a torrent is, when a user points at it: at the content itself, or at the folder that holds it.

The rule: what the user names may be a link or have another name than in the torrent; below it names are the torrent's.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.disk.refusals import printable
from p2p.errors import MissingContentError, StorageError

if TYPE_CHECKING:
    from p2p.metainfo.layout import Layout
    from p2p.metainfo.metainfo import Metainfo

_SAMPLE: Final = 100
"""Files that are looked for to tell two places apart."""


class ContentPlace(NamedTuple):
    """A layout and the folder that it is below; the layout's top name is that which the content has on disk."""

    layout: Layout
    target: Path


def find_content(metainfo: Metainfo, path: str | os.PathLike[str]) -> ContentPlace:
    """Where the torrent's content is, given its file or top folder, or the folder that holds it.

    Raises MissingContentError if there is nothing at `path`, StorageError if it cannot be the content. The content need
    not be whole, or there at all: an empty folder is one that holds it.
    """
    try:
        place = Path(path).resolve(strict=True)
        inner = place / _top(metainfo.layout)
        held = inner.resolve(strict=True) if place.is_dir() and inner.is_symlink() else inner
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise MissingContentError(f"there is nothing at {printable(path)}") from error
    single = not metainfo.layout.root
    if not place.is_dir():
        if not single:
            raise StorageError(f"{printable(path)} is a file, and the content of the torrent is a folder")
        return _named(metainfo.layout, place)
    if single:
        return _named(metainfo.layout, held)
    itself, within = _named(metainfo.layout, place), _named(metainfo.layout, held)
    return itself if _count(itself) > _count(within) else within


def _top(layout: Layout) -> str:
    return layout.root[0] if layout.root else layout.files[0].parts[0]


def _named(layout: Layout, place: Path) -> ContentPlace:
    """The layout with `place` as its file or top folder."""
    if place.name == _top(layout):
        return ContentPlace(layout, place.parent)
    if layout.root:
        return ContentPlace(replace(layout, root=(place.name,)), place.parent)
    return ContentPlace(replace(layout, files=(layout.files[0]._replace(parts=(place.name,)),)), place.parent)


def _count(place: ContentPlace) -> int:
    """How many of the first files are there."""
    stored = [file for file in place.layout.files[:_SAMPLE] if file.stored]
    return sum(os.path.lexists(place.target.joinpath(*place.layout.root, *file.parts)) for file in stored)
