"""What a user may wish of a torrent while it runs or stands still: rates, files, order, trackers, peers.

The rule: a wish holds at once, and for every run to come; the options that the torrent was added with are what is kept
of it. A wish that cannot be granted raises StarlingError and changes nothing.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from p2p.errors import StarlingError
from p2p.session.selection import FIRST_LAST, piece_priorities
from p2p.swarm.piece_picker import PickMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.ids import Address
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.bandwidth import Bandwidth
    from p2p.session.goals import Goals
    from p2p.session.run import Run
    from p2p.session.settings import TorrentOptions
    from p2p.session.tracking import Tracking
    from p2p.swarm.peer_list import PeerList, PeerSource


class TorrentWishes(ABC):
    """The part of a `Torrent` that takes in wishes; the torrent has what is named here."""

    metainfo: Metainfo | None
    options: TorrentOptions
    file_priorities: list[int]
    bandwidth: Bandwidth
    goals: Goals
    tracking: Tracking
    peer_list: PeerList
    _sizes_of: tuple[int, int] | None

    @property
    @abstractmethod
    def current_run(self) -> Run | None:
        """The run that goes; None while it is stopped."""

    @abstractmethod
    def on_lively(self) -> None:
        """Something changed, and more may with time."""

    def set_limits(self, *, down: float | None, up: float | None) -> None:
        """Change the torrent's own rates, in bytes a second; None is unlimited. The session's hold beside them."""
        self.bandwidth.set_limits(down=down, up=up, now=asyncio.get_running_loop().time())
        self.options = replace(self.options, limit_down=down, limit_up=up)

    def set_goals(self, goals: Goals) -> None:
        """Change when it has been seeded enough; one that is reached already ends it now."""
        if goals != self.goals:
            self.goals = goals
            if self.current_run is not None:
                self.current_run.on_goals()

    def set_priorities(self, priorities: Mapping[int, int]) -> None:
        """Change priorities by index of file: 0 unwanted, 1 to 7 wanted, 4 normal. Those not named stay as they are.

        Blocks that are asked for already may still come, and a piece that a wanted file shares is wanted whole. Before
        the metadata is there the choice is kept. Raises StarlingError, and changes nothing, for what is no file or
        no priority.
        """
        files = None if self.metainfo is None else self.metainfo.files
        for index, priority in priorities.items():
            if index < 0 or (files is not None and index >= len(files)):
                raise StarlingError(f"there is no file number {index}")
            if not 0 <= priority <= FIRST_LAST:
                raise StarlingError(f"a priority is a number from 0 to {FIRST_LAST}, not {priority}")
        self.options = replace(self.options, priorities={**self.options.priorities, **priorities})
        if files is not None:
            for index, priority in priorities.items():
                self.file_priorities[index] = 0 if files[index].pad else priority
            self._on_choice()

    def set_mode(self, *, sequential: bool, first_and_last: bool) -> None:
        """Change whether pieces come in order, and whether the first and last of each file come before the rest."""
        self.options = replace(self.options, sequential=sequential, first_and_last=first_and_last)
        if self.current_run is not None:
            self.current_run.set_mode(self.pick_mode)
        self._on_choice()

    @property
    def pick_mode(self) -> PickMode:
        """In which order pieces are asked for."""
        return PickMode.SEQUENTIAL if self.options.sequential else PickMode.RAREST_FIRST

    def _on_choice(self) -> None:
        self._sizes_of = None
        self.on_lively()
        if self.current_run is not None and self.metainfo is not None:
            pieces = piece_priorities(self.metainfo, self.file_priorities, self.options)
            self.current_run.on_choice(pieces, asyncio.get_running_loop().time())

    def set_trackers(self, tiers: Sequence[Sequence[str]]) -> None:
        """Announce to these from now on, tier by tier (BEP 12). Those that go are told `stopped`; if a private torrent
        loses the tracker that it has its peers of, they go too (BEP 27)."""
        self.options = replace(self.options, trackers=tuple(tuple(tier) for tier in tiers))
        self.tracking.set_tiers(tiers)

    def reannounce(self) -> None:
        """Announce to every tracker as early as it allows, see `AnnounceSchedule.reannounce`."""
        self.tracking.reannounce(asyncio.get_running_loop().time())

    def add_peers(self, addresses: list[Address], source: PeerSource) -> None:
        """The one door for addresses of peers."""
        self.peer_list.add(addresses, source, asyncio.get_running_loop().time())
        if self.current_run is not None:
            self.current_run.members.wake()
