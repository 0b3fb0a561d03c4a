"""Which clients may announce: lists of peer-id prefixes (BEP 20), and no browsers.

The rule: the longest prefix that matches decides, a tie denies; what matches none is allowed only where there is no
list of allowed ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.errors import TrackerError

if TYPE_CHECKING:
    from tracker.private.rules import ClientRules

BROWSERS: Final = ("mozilla/", "opera/", "curl/", "wget/")
"""How the user agents begin of what is no BitTorrent client: somebody trying a passkey in an address bar."""


class ClientList:
    """Looked up in as many steps as there are lengths of prefixes."""

    __slots__ = ("_lengths", "_open", "_verdicts")

    def __init__(self, rules: ClientRules) -> None:
        self._open = not rules.allow
        self._verdicts = dict.fromkeys(rules.allow, True) | dict.fromkeys(rules.deny, False)
        self._lengths = sorted({len(prefix) for prefix in self._verdicts}, reverse=True)

    def check(self, peer_id: bytes, user_agent: str | None) -> None:
        """Raises TrackerError for a client that may not announce."""
        if user_agent is not None and user_agent.lower().startswith(BROWSERS):
            raise TrackerError("This is no BitTorrent client: open the .torrent file in one")
        for length in self._lengths:
            verdict = self._verdicts.get(peer_id[:length])
            if verdict:
                return
            if verdict is False:
                raise TrackerError("Your client is not allowed here")
        if not self._open:
            raise TrackerError("Your client is not on the whitelist")
