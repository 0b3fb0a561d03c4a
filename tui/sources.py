"""What a person pastes to add a torrent: a magnet link, a URL, a bare info-hash, or the path of a torrent file.

The rule: what looks like none of the first three is a path on this machine, whose file is read here and sent.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from p2p.errors import MetainfoError, StorageError
from tui.safe_text import safe

MOST_LETTERS: Final = 8_192
"""Of a link or a path: magnet links with a hundred trackers have as many."""

MOST_BYTES: Final = 40 * 1024 * 1024
"""Of a torrent file: in base64 the request that carries it stays below the daemon's bound of 64 MiB."""

_V1: Final = re.compile(r"[0-9a-fA-F]{40}|[a-zA-Z2-7]{32}")
_V2: Final = re.compile(r"[0-9a-fA-F]{64}")
_V2_PREFIX: Final = "1220"
"""BEP 52: the multihash of SHA-256 with 32 bytes."""


def link_of(text: str) -> str | None:
    """The link that `text` is or, as a bare info-hash, stands for; None for what must be a path."""
    text = text.strip()
    if text[:7].lower() == "magnet:" or text[:8].lower().startswith(("http://", "https://")):
        return text
    if _V1.fullmatch(text):
        return f"magnet:?xt=urn:btih:{text.lower() if len(text) == 40 else text.upper()}"
    if _V2.fullmatch(text):
        return f"magnet:?xt=urn:btmh:{_V2_PREFIX}{text.lower()}"
    return None


def read_torrent(text: str) -> bytes:
    """The bytes of the file at the path `text`. Blocking. Raises StorageError, MetainfoError."""
    shown = safe(text[:200])
    try:
        path = Path(text.strip()).expanduser()
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a null; RuntimeError: there is no home
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StorageError(f"{shown}: {reason}") from error
    if len(data) > MOST_BYTES:
        raise MetainfoError(f"{shown}: more than {MOST_BYTES:,} bytes are no torrent file")
    return data
