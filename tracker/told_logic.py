"""Tells of every announce and what became of it: for who looks for the reason why two peers do not meet.

The rule: an announce is told once, by the first that refuses it or by the logic that answers it; a passkey never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from p2p.codec import compact
from p2p.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.codec.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry
    from p2p.ids import Address, InfoHash
    from tracker.gate import Admission, Gate
    from tracker.logic import TrackerLogic
    from tracker.store import Answer, Family, Totals


class ToldLogic:
    """A `TrackerLogic` over another one. `tell` is given the word `announce` and its facts, by name."""

    def __init__(self, logic: TrackerLogic, tell: Callable[..., None]) -> None:
        self._logic = logic
        self._tell = tell

    def announce(
        self, info_hash: bytes, peer: bytes, peer_id: bytes, left: int, event: AnnounceEvent, want: int, lists: int
    ) -> tuple[int, Answer]:
        host, port = compact.unpack(peer)
        facts: dict[str, Any] = {"info_hash": info_hash.hex(), "source": host, "port": port, "peer_id": peer_id.hex()}
        try:
            interval, answer = self._logic.announce(info_hash, peer, peer_id, left, event, want, lists)
        except TrackerError as error:
            self._tell("announce", **facts, said=event.value, left=left, refused=str(error))
            raise
        self._tell(
            "announce",
            **facts,
            said=event.value,
            left=left,
            seeders=answer.seeders,
            leechers=answer.leechers,
            given=len(answer.peers) // len(peer),
        )
        return interval, answer

    def peer_ids(self, info_hash: bytes, peers: bytes | bytearray, family: Family) -> list[bytes]:
        return self._logic.peer_ids(info_hash, peers, family)

    def scrape(self, info_hashes: Sequence[InfoHash], family: Family) -> dict[InfoHash, ScrapeEntry]:
        return self._logic.scrape(info_hashes, family)

    def totals(self) -> Totals:
        return self._logic.totals()

    @property
    def min_interval(self) -> int:
        return self._logic.min_interval


class ToldGate:
    """A `Gate` over another one, which tells of whom that refuses."""

    def __init__(self, gate: Gate, tell: Callable[..., None]) -> None:
        self._gate = gate
        self._tell = tell
        self.on_announced = gate.on_announced
        self.may_scrape = gate.may_scrape

    def admit(
        self, request: AnnounceRequest, passkey: str | None, source: Address, user_agent: str | None, now: float
    ) -> Admission:
        """See `tracker.gate.Gate`."""
        try:
            return self._gate.admit(request, passkey, source, user_agent, now)
        except TrackerError as error:
            self._tell(
                "announce",
                info_hash=request.info_hash.hex(),
                source=source.host,
                port=request.port,
                peer_id=request.peer_id.hex(),
                said=request.event.value,
                left=request.left,
                refused=str(error),
            )
            raise


def told_malformed(tell: Callable[..., None]) -> Callable[[str, TrackerError], None]:
    """Tells of announces that cannot be read: from which host, and what is wrong."""

    def on_malformed(host: str, error: TrackerError) -> None:
        tell("announce", source=host, refused=str(error))

    return on_malformed
