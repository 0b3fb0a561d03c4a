"""A private tracker's way of an announce, the same for HTTP and UDP: the gate, the logic, the gate again.

The rule: whom the gate refuses has not touched the swarm; whom it lets in without peers is no longer in the swarm; and
the accounts hear of an announce after it was answered, whatever the answer held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from p2p.codec import compact
from p2p.codec.announce import AnnounceEvent
from p2p.ids import Address
from tracker.gate import others

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.codec.announce import AnnounceRequest, ScrapeEntry
    from p2p.ids import InfoHash
    from tracker.gate import Gate
    from tracker.logic import TrackerLogic
    from tracker.store import Answer, Family


class GatedAnswer(NamedTuple):
    interval: int
    """Seconds to wait until the next announce."""
    answer: Answer
    warning: str | None


class GatedLogic:
    """A `logic` behind a `gate`. `wall_clock` gives seconds since the epoch."""

    __slots__ = ("_gate", "_logic", "_wall_clock")

    def __init__(self, logic: TrackerLogic, gate: Gate, wall_clock: Callable[[], float]) -> None:
        self._logic = logic
        self._gate = gate
        self._wall_clock = wall_clock

    def announce(
        self, request: AnnounceRequest, passkey: str | None, source: Address, user_agent: str | None, lists: int
    ) -> GatedAnswer:
        """Raises TrackerError to refuse, worded for the member."""
        now = self._wall_clock()
        admission = self._gate.admit(request, passkey, source, user_agent, now)
        peer = compact.pack(Address(source.host, request.port))
        event = request.event if admission.gives_peers else AnnounceEvent.STOPPED
        own = admission.own_peers
        want = request.num_want
        # What is left out must not shorten the answer, so more are drawn; the logic bounds the number as always.
        drawn = want + len(own) if want > 0 else want
        interval, answer = self._logic.announce(
            request.info_hash, peer, request.peer_id, request.left, event, drawn, lists
        )
        if own:
            left = others(bytes(answer.peers), len(peer), own, want if want > 0 else len(answer.peers))
            answer = answer._replace(peers=left)
        self._gate.on_announced(admission, request, source, now)
        return GatedAnswer(interval, answer, admission.warning)

    def scrape(
        self, info_hashes: Sequence[InfoHash], passkey: str | None, source: Address, family: Family
    ) -> dict[InfoHash, ScrapeEntry]:
        """The swarms of `family` among those asked for that the gate tells of. Raises TrackerError to refuse."""
        seen = self._gate.may_scrape(passkey, info_hashes, source, self._wall_clock())
        return self._logic.scrape(seen, family) if seen else {}

    def peer_ids(self, info_hash: bytes, peers: bytes | bytearray, family: Family) -> list[bytes]:
        """See `Store.peer_ids`."""
        return self._logic.peer_ids(info_hash, peers, family)

    @property
    def min_interval(self) -> int:
        """Whole seconds before which a peer is given no peers again."""
        return self._logic.min_interval


def passkey_of(path: bytes) -> str | None:
    """The passkey in the path of a tracker's URL: `/announce/KEY` or `/KEY/announce`, `scrape` alike; None if none."""
    parts = path.partition(b"?")[0].split(b"/")
    if len(parts) != 3 or parts[0]:
        return None
    for word, key in ((parts[1], parts[2]), (parts[2], parts[1])):
        if word in {b"announce", b"scrape"} and key and key.isascii():
            return key.decode("ascii")
    return None
