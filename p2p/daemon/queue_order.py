"""The order of the queue: one for all torrents, whatever they are at, as the RPC's `queue_position` counts it.

The rule: positions run from 0 without a gap, and torrents that are moved together keep their order. Whoever moves
is told whose position is another now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.daemon.ports import Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


class QueueOrder:
    """See the module's head. Torrents are known by their ids."""

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._positions: dict[int, int] | None = {}
        """None after a change, until somebody asks."""

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def position(self, key: int) -> int:
        """KeyError for who is not in it."""
        if self._positions is None:
            self._positions = {each: at for at, each in enumerate(self._keys)}
        return self._positions[key]

    def append(self, key: int) -> None:
        """At the end."""
        if self._positions is not None:
            self._positions[key] = len(self._keys)
        self._keys.append(key)

    def remove(self, keys: Collection[int]) -> tuple[int, ...]:
        """Those behind move up."""
        gone = set(keys)
        return self._set([key for key in self._keys if key not in gone])

    def move(self, keys: Collection[int], step: Step) -> tuple[int, ...]:
        """To the top or the bottom, or one place up or down, where those that stand at the end stay."""
        chosen = set(keys)
        moved = [key for key in self._keys if key in chosen]
        others = [key for key in self._keys if key not in chosen]
        match step:
            case Step.TOP:
                return self._set(moved + others)
            case Step.BOTTOM:
                return self._set(others + moved)
            case Step.UP:
                return self._set(_shifted(self._keys, chosen))
            case Step.DOWN:
                return self._set(_shifted(self._keys[::-1], chosen)[::-1])

    def place(self, keys: Collection[int], position: int) -> tuple[int, ...]:
        """The first of them at `position`, counted without them, or at the end if that is beyond it; the others
        behind it."""
        chosen = set(keys)
        moved = [key for key in self._keys if key in chosen]
        others = [key for key in self._keys if key not in chosen]
        return self._set(others[:position] + moved + others[position:])

    def arrange(self, keys: Sequence[int]) -> tuple[int, ...]:
        """As in `keys`, which may name others or not all: who is not named keeps its order, behind."""
        known = set(self._keys)
        first = [key for key in dict.fromkeys(keys) if key in known]
        named = set(first)
        return self._set(first + [key for key in self._keys if key not in named])

    def _set(self, keys: list[int]) -> tuple[int, ...]:
        changed = tuple(key for at, key in enumerate(keys) if self._keys[at] != key)
        self._keys = keys
        self._positions = None
        return changed


def _shifted(keys: Sequence[int], chosen: Collection[int]) -> list[int]:
    """One place to the front, for each of those chosen that has one before it that is not."""
    result = list(keys)
    for at in range(1, len(result)):
        if result[at] in chosen and result[at - 1] not in chosen:
            result[at - 1], result[at] = result[at], result[at - 1]
    return result
