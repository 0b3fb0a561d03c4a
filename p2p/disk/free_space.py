"""How much room a target has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from p2p.disk.refusals import refusal

if TYPE_CHECKING:
    from pathlib import Path


def free_bytes(target: Path) -> int:
    """Bytes that this user may still write where `target` is, or will be once its folders are made. StorageError."""
    place = target.absolute()
    while True:
        try:
            found = os.statvfs(place)
        except (FileNotFoundError, NotADirectoryError) as error:
            if place == place.parent:
                raise refusal(error, target) from error
            place = place.parent
        except OSError as error:
            raise refusal(error, target) from error
        else:
            return found.f_bavail * found.f_frsize
