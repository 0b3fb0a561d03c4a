"""Who may announce and what it counts for: the contract between the server and a private tracker's rules.

The way of an announce: `admit` decides before the swarm is touched; the server then lets the logic answer, keeps the
member's own addresses out of the peers (`others`), and tells the gate with `on_announced`, which does the accounts. The
open tracker has no gate. `now` is wall time here, seconds since the epoch, because accounts outlive the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.codec.announce import AnnounceRequest
    from p2p.ids import Address, InfoHash


@dataclass(frozen=True, slots=True)
class Admission:
    """A welcome. `member` and `torrent` are the gate's own numbers."""

    member: int
    torrent: int
    warning: str | None = None
    """For the answer's `warning message`."""
    gives_peers: bool = True
    """False: the peer is not entered into the swarm (or taken out of it), and the answer has no peers."""
    own_peers: frozenset[bytes] = frozenset()
    """Compact addresses (6 or 18 bytes) of the member's other clients on the torrent, never handed to it."""


class Gate(Protocol):
    def admit(
        self, request: AnnounceRequest, passkey: str | None, source: Address, user_agent: str | None, now: float
    ) -> Admission:
        """Raises TrackerError to refuse, worded so that clients and their users know the case."""

    def on_announced(self, admission: Admission, request: AnnounceRequest, source: Address, now: float) -> None:
        """The announce was answered: take it into the accounts."""

    def may_scrape(
        self, passkey: str | None, info_hashes: Sequence[InfoHash], source: Address, now: float
    ) -> tuple[InfoHash, ...]:
        """Those of `info_hashes` that may be told of, in order. Raises TrackerError to refuse."""


def others(peers: bytes, size: int, own: frozenset[bytes], want: int) -> bytes:
    """At most `want` of the compact `peers`, `size` bytes each, without those in `own`.

    The server draws `want + len(own)`, so that what is left out does not shorten the answer.
    """
    if own:
        each = [peers[at : at + size] for at in range(0, len(peers), size)]
        peers = b"".join([peer for peer in each if peer not in own])
    return peers[: want * size]
