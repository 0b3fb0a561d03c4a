"""How much room a target has."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.disk.refusals import refusal

if TYPE_CHECKING:
    from pathlib import Path


UNKNOWN: Final = 1 << 62
"""Bytes of room where nobody can tell: more than there is anywhere."""


@dataclass(frozen=True, slots=True)
class Room:
    """A filesystem at a moment."""

    device: int
    """Which one it is, of all that are mounted at the time."""
    free: int
    """Bytes that this user may still write."""


def room_at(target: Path) -> Room:
    """The filesystem where `target` is, or will be once its folders are made. StorageError.

    One that has no size, as some over a network, is taken to have room.
    """
    place = target.absolute()
    while True:
        try:
            found = os.statvfs(place)
            free = found.f_bavail * found.f_frsize if found.f_blocks else UNKNOWN
            return Room(place.stat().st_dev, free)
        except (FileNotFoundError, NotADirectoryError) as error:
            if place == place.parent:
                raise refusal(error, target) from error
            place = place.parent
        except OSError as error:
            raise refusal(error, target) from error


def endless_room(target: Path) -> Room:  # noqa: ARG001 - the shape of `room_at`
    """A filesystem that has room for everything, for disks that are none."""
    return Room(0, UNKNOWN)
