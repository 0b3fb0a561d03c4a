"""What the demo shares, and how it is compared byte by byte with what arrived.

Blocking, and meant for a thread: `halted` is asked after each megabyte or so, and once it says so the work ends there.
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Final

from p2p.disk.refusals import printable, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME: Final = "Starling demo"

_SMALL: Final = {
    "empty.txt": 0,
    "one byte": 1,
    "nested/folders/deep down/notes.txt": 10_007,
    "Ünïcödé/鳥/椋鳥.bin": 777_777,
    "Ünïcödé/скворец.bin": 123_456,
}
"""Path to bytes. No size is a multiple of anything, so that files share pieces."""

MIN_SIZE: Final = 2 * sum(_SMALL.values())
"""Bytes of content that leave the big file the biggest."""

_WINDOW: Final = 1 << 20


def make_content(folder: Path, size: int, *, halted: Callable[[], bool]) -> Path:
    """Write `size` bytes, at least MIN_SIZE, in files of several shapes below `folder`, the same every time.

    Returns their top folder. Raises StorageError.
    """
    top = folder / NAME
    rng = random.Random(NAME)
    big = size - sum(_SMALL.values())
    for path, length in {"big.bin": big, **_SMALL}.items():
        file = top / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as out:
                for at in range(0, length, _WINDOW):
                    if halted():
                        return top
                    out.write(rng.randbytes(min(_WINDOW, length - at)))
        except OSError as error:
            raise refusal(error, file) from error
    return top


def differences(source: Path, copy: Path, *, halted: Callable[[], bool]) -> list[str]:
    """One line for each file that is not the same in both; none means that every byte is. Raises StorageError."""
    there, here = _files(source), _files(copy)
    lines = [f"{printable(path)} is missing" for path in there if path not in here]
    lines += [f"{printable(path)} belongs to nothing" for path in here if path not in there]
    for path, file in there.items():
        if path in here and _hash(file, halted) != _hash(here[path], halted):
            lines.append(f"{printable(path)} differs")
    return lines


def _files(top: Path) -> dict[str, Path]:
    return {str(path.relative_to(top)): path for path in sorted(top.rglob("*")) if not path.is_dir()}


def _hash(file: Path, halted: Callable[[], bool]) -> bytes:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as content:
            while not halted() and (window := content.read(_WINDOW)):
                digest.update(window)
    except OSError as error:
        raise refusal(error, file) from error
    return digest.digest()
