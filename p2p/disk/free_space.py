"""How much room a target has."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2p.disk.refusals import refusal

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Room:
    """A filesystem at a moment."""

    device: int
    """Which one it is, of all that are mounted at the time."""
    free: int
    """Bytes that this user may still write."""


def free_bytes(target: Path) -> int:
    """Bytes that this user may still write where `target` is, or will be once its folders are made. StorageError."""
    return room_at(target).free


def room_at(target: Path) -> Room:
    """The filesystem where `target` is, or will be once its folders are made. StorageError."""
    place = target.absolute()
    while True:
        try:
            found = os.statvfs(place)
            return Room(place.stat().st_dev, found.f_bavail * found.f_frsize)
        except (FileNotFoundError, NotADirectoryError) as error:
            if place == place.parent:
                raise refusal(error, target) from error
            place = place.parent
        except OSError as error:
            raise refusal(error, target) from error


def endless_room(target: Path) -> Room:  # noqa: ARG001 - the shape of `room_at`
    """A filesystem that has room for everything, for disks that are none."""
    return Room(0, 1 << 62)
