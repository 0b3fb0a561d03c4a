"""Writing a file that must not be there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.disk.refusals import printable, refusal
from p2p.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


def write_new(path: Path, data: bytes) -> None:
    """Write `path`, never over anything; nothing is left of it where that fails. Raises StorageError."""
    try:
        with path.open("xb") as file:
            try:
                file.write(data)
                file.flush()
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError as error:
        raise StorageError(f"{printable(path)} is there already") from error
    except OSError as error:
        raise refusal(error, path) from error
