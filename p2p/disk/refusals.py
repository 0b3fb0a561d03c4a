"""What the kernel's refusals mean to a torrent, as one line that names the file.

The rule: an OSError never leaves this package; it becomes the narrowest StorageError that tells the caller what to do.
"""

from __future__ import annotations

import errno
import os
import unicodedata
from typing import Final

from p2p.errors import DiskFullError, MissingContentError, StorageError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_JOINERS: Final = "\u200c\u200d"
"""What Persian, Indic scripts and emoji are written with."""
_MISSING: Final = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESTALE)


def refusal(error: OSError, name: str | os.PathLike[str]) -> StorageError:
    """The StorageError that `error`, met while working on `name`, stands for; to be raised from it."""
    place = printable(name)
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        return DiskFullError(f"no room left for {place} ({reason})")
    if error.errno in _MISSING:
        return MissingContentError(f"{place} is missing ({reason})")
    if error.errno == errno.ELOOP:
        return StorageError(f"{place} is a symbolic link, which is not followed")
    if error.errno == errno.ENOTDIR:
        return StorageError(f"{place} lies below something that is not a folder (symbolic links are not followed)")
    return StorageError(f"{place}: {reason}")


def other_content(name: str | os.PathLike[str]) -> StorageError:
    """The StorageError of a file in the place of one of the torrent's, that somebody else put there."""
    return StorageError(f"{printable(name)} holds other content; move it away, or write over it with --overwrite")


def printable(name: str | os.PathLike[str]) -> str:
    """`name` on one line: what a terminal would act on, and bytes that are no text, are escaped.

    So are marks that turn the direction of writing, which hide what a name ends in. Letters and spaces of every script
    stay as they are.
    """
    text = os.fspath(name)
    if text.isprintable():
        return text
    return "".join(sign if _is_harmless(sign) else sign.encode("unicode_escape").decode("ascii") for sign in text)


def _is_harmless(sign: str) -> bool:
    return sign.isprintable() or sign in _JOINERS or unicodedata.category(sign) == "Zs"
