"""Which torrents have something to do every second, and which are other than they were when somebody last looked.

The rule: a torrent is named here when a fact of it changes, so that nobody has to look at all torrents to find the few.
A lively torrent is looked at every second, and is lively until it says itself that time alone changes nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from p2p.session.torrent import Torrent


class Notices:
    """See the module's head."""

    def __init__(self) -> None:
        self._lively: dict[Torrent, None] = {}
        self._changed: dict[Torrent, None] = {}

    @property
    def lively(self) -> list[Torrent]:
        """In the order in which they became so."""
        return list(self._lively)

    def on_change(self, torrent: Torrent) -> None:
        """Something that can be seen of it is other than it was."""
        self._changed[torrent] = None

    def on_lively(self, torrent: Torrent) -> None:
        """It has to be looked at in a second."""
        self._lively[torrent] = self._changed[torrent] = None

    def on_calm(self, torrent: Torrent) -> None:
        """Until the next fact there is nothing to do for it."""
        self._lively.pop(torrent, None)

    def take_changed(self) -> list[Torrent]:
        """Those that may have changed since this was last asked, each once."""
        changed, self._changed = self._changed, {}
        return list(changed)

    def forget(self, torrent: Torrent) -> None:
        """It is no longer in the session."""
        self._lively.pop(torrent, None)
        self._changed.pop(torrent, None)
