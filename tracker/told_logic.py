"""A logic that tells of every announce it answers: for who looks for the reason why two peers do not meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from p2p.codec import compact
from p2p.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.codec.announce import AnnounceEvent, ScrapeEntry
    from p2p.ids import InfoHash
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
