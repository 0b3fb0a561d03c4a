"""Other names for a torrent's files and folders, chosen by a user: which are allowed, and what they make of the paths.

The rule: a name holds to what `p2p.metainfo.paths` makes of a stranger's, so none leads out of its folder or means a
device; and no two names become one, even where case or Unicode composition is ignored, nor through a suffix that a file
may have while it is not whole. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.errors import StarlingError
from p2p.metainfo.paths import folded, safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.metainfo.layout import Layout

Parts = tuple[str, ...]


class NameRefusedError(StarlingError):
    """A file or folder cannot be called so, or there is none to be renamed."""


def own_name(layout: Layout, index: int) -> Parts:
    """The path of a file as the torrent has it, its top folder included."""
    return (*layout.root, *layout.files[index].parts)


def renamed(
    layout: Layout, names: Mapping[int, Parts], path: Parts, name: str, *, suffixes: Sequence[str] = ()
) -> dict[int, Parts]:
    """The names of the files, by index, that are not the torrent's own once `path` has another `name`.

    `names` are those of before. `path` is a file's or a folder's, from the torrent's top; `suffixes` are what names may
    end in for a while. Raises NameRefusedError.
    """
    if not name or safe_name(name.encode("utf-8", "replace")) != name:
        raise NameRefusedError(f"{name!r} cannot be the name of a file or folder everywhere")
    current = {
        index: names.get(index) or own_name(layout, index) for index, file in enumerate(layout.files) if file.stored
    }
    depth = len(path)
    below = {index: parts for index, parts in current.items() if parts[:depth] == path}
    if not path or not below:
        raise NameRefusedError(f"the torrent has no file or folder {'/'.join(path)!r}")
    siblings = {parts[depth - 1] for parts in current.values() if parts[: depth - 1] == path[:-1]} - {path[-1]}
    taken = {folded(each + suffix): each for each in siblings for suffix in ("", *suffixes)}
    clash = taken.get(folded(name)) or next((taken[at] for s in suffixes if (at := folded(name + s)) in taken), None)
    if clash is not None:
        raise NameRefusedError(f"{name!r} and {clash!r} would be one name, or become one")
    changed = {**current, **{index: (*path[:-1], name, *parts[depth:]) for index, parts in below.items()}}
    return {index: parts for index, parts in changed.items() if parts != own_name(layout, index)}
