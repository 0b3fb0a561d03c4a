"""What others say our address is (BEP 42), and when enough of them agree.

The rule: one vote a /24 or /64, the latest; an address is ours once VOTES of them name it and no other has as many. So
one host, or one network, cannot make us change our id.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from p2p.dht.node_id import Reach, reach, subnet

if TYPE_CHECKING:
    from p2p.ids import Address

VOTES: Final = 8
"""Voices that must agree: as many as searches meet in their first seconds."""
MAX_VOTES: Final = 64


class OutsideView:
    """The votes of one address family."""

    def __init__(self) -> None:
        self._votes: dict[bytes, str] = {}  # by subnet of the voter, oldest first
        self.host: str | None = None
        """Our IP address as others agree on it; None until they do."""

    def vote(self, voter: Address, seen: Address) -> bool:
        """`voter` sees us at `seen`. Whether our address has become known, or another, by that."""
        if reach(seen.host) is not Reach.PUBLIC or reach(voter.host) is not Reach.PUBLIC:
            return False
        if seen.is_ipv6 != voter.is_ipv6:
            return False
        net = subnet(voter.host)
        self._votes.pop(net, None)
        self._votes[net] = seen.host
        if len(self._votes) > MAX_VOTES:
            del self._votes[next(iter(self._votes))]
        if seen.host == self.host:
            return False
        counts = Counter(self._votes.values())
        count = counts[seen.host]
        if count < VOTES or any(each >= count for host, each in counts.items() if host != seen.host):
            return False
        self.host = seen.host
        return True
