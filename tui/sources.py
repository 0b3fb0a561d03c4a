"""What a person pastes to add torrents: magnet links, URLs, bare info-hashes, or paths of torrent files, one a line.

The rule: what looks like none of the first three is a path on this machine, whose file is read here and sent. Only a
plain file is ever opened: a pipe or a device would not end.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from p2p.errors import MetainfoError, StarlingError, StorageError
from p2p.quantities import count, format_size
from tui.safe_text import safe

MOST_LETTERS: Final = 8_192
"""Of a link or a path: magnet links with a hundred trackers have as many."""

MOST_SOURCES: Final = 100
"""That are added at once: each is a question to the daemon, and nobody looks through more."""

MOST_PASTED: Final = 256 * 1024
"""Letters of all sources: a hundred usual magnet links, with room."""

MOST_BYTES: Final = 40 * 1024 * 1024
"""Of a torrent file: in base64 the request that carries it stays below the daemon's bound of 64 MiB."""

NEXT: Final = " ⏎ "
"""Between sources where they stand on one line."""

_V1: Final = re.compile(r"[0-9a-fA-F]{40}|[a-zA-Z2-7]{32}")
_V2_PREFIX: Final = "1220"
"""BEP 52: the multihash of SHA-256 with 32 bytes."""
_V2: Final = re.compile(r"(?:1220)?([0-9a-fA-F]{64})")


def sources_of(text: str) -> tuple[str, ...]:
    """The sources in what was typed or pasted, each once; at most one more than can be added."""
    lines = (line.strip() for line in re.split(r"[\r\n⏎]+", text[:MOST_PASTED]))
    return tuple(dict.fromkeys(line for line in lines if line))[: MOST_SOURCES + 1]


def on_one_line(text: str) -> str:
    """The same sources as they are written into a line."""
    return NEXT.join(sources_of(text))


def link_of(text: str) -> str | None:
    """The link that `text` is or, as a bare info-hash, stands for; None for what must be a path."""
    text = text.strip()
    if text[:7].lower() == "magnet:" or text[:8].lower().startswith(("http://", "https://")):
        return text
    if _V1.fullmatch(text):
        return f"magnet:?xt=urn:btih:{text.lower() if len(text) == 40 else text.upper()}"
    found = _V2.fullmatch(text)
    if found:
        return f"magnet:?xt=urn:btmh:{_V2_PREFIX}{found[1].lower()}"
    return None


def kind_of(text: str) -> str:
    """What one source is, in words."""
    link = link_of(text)
    if link is None:
        return "torrent file"
    if link != text.strip():
        return "info-hash of version 2" if "btmh" in link else "info-hash"
    return "magnet link" if link[:7].lower() == "magnet:" else "URL"


@dataclass(frozen=True, slots=True)
class Look:
    """What can be known of sources before they are added. `size` is bytes, None where it is not known of each."""

    words: str
    size: int | None = None
    is_wrong: bool = False


def look_at(text: str) -> Look:
    """At all sources of a text. Blocking, as files are read."""
    found = sources_of(text)
    if len(found) > MOST_SOURCES:
        return Look(f"at most {MOST_SOURCES} at once", is_wrong=True)
    if not found:
        return Look("")
    looks = [_look(each) for each in found]
    sizes = [each.size for each in looks]
    size = sum(each for each in sizes if each is not None) if None not in sizes else None
    if len(looks) == 1:
        return looks[0]
    kinds = [kind_of(each) for each in found]
    words = ", ".join(_several(kinds.count(kind), kind) for kind in dict.fromkeys(kinds))
    wrong = next((each.words for each in looks if each.is_wrong), "")
    return Look(f"{len(found)} torrents: {words}" + (f"; {wrong}" if wrong else ""), size, bool(wrong))


def _several(number: int, kind: str) -> str:
    return f"{number} {kind}" if number == 1 else f"{number} {kind.replace('hash', 'hashe')}s"


def _look(source: str) -> Look:
    from p2p.metainfo.magnet import Magnet  # noqa: PLC0415 - only for who adds something
    from p2p.metainfo.metainfo import Metainfo  # noqa: PLC0415 - the same

    kind, link = kind_of(source), link_of(source)
    try:
        if link is None:
            torrent = Metainfo.from_bytes(read_torrent(source))
            files = sum(not file.pad for file in torrent.files)
            words = f"{safe(torrent.name)}, {count(files, 'file')}, {format_size(torrent.total_size)}"
            return Look(f"{kind}: {words}", torrent.total_size)
        if link[:7].lower() == "magnet:":
            name = Magnet.parse(link).name
            return Look(f"{kind}: {safe(name)}" if name else kind)
    except StarlingError as error:
        return Look(safe(str(error)), is_wrong=True)
    return Look(kind)


def path_of(text: str) -> str:
    """The path that `text` is, which may be a `file:` URL."""
    text = text.strip()
    return unquote(urlsplit(text).path) if text[:7].lower() == "file://" else text


def read_torrent(text: str) -> bytes:
    """The bytes of the file at the path `text`. Blocking. Raises StorageError, MetainfoError."""
    shown = safe(text.strip().rstrip("/").rpartition("/")[2][:60]) or "/"
    try:
        path = Path(path_of(text)).expanduser()
        if not stat.S_ISREG(path.stat().st_mode):
            raise MetainfoError(f"{shown}: it is a folder" if path.is_dir() else f"{shown}: it is no file")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a null; RuntimeError: there is no home
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StorageError(f"{shown}: {reason}") from error
    if len(data) > MOST_BYTES:
        raise MetainfoError(f"{shown}: more than {MOST_BYTES:,} bytes are no torrent file")
    return data
