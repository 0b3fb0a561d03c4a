"""The choking round of a torrent in text: slots, clocks, peers in the order of what they have, and what changed.

The rule: everything that a peer has written goes through `safe`. Pure; times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from p2p.daemon.own_facts import Reciprocation
from p2p.quantities import count, format_duration, format_rate, format_size
from tui.columns import GAP, Side, percent
from tui.details import Heading
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from p2p.daemon.own_facts import ChokingFacts, PeerChoking
    from tui.details import Cells

TAKEN, FREE, OPTIMISTIC, WAITS = "●", "○", "◆", "·"
PAST, TO_COME = "▰", "▱"

MOST_SLOTS: Final = 24
"""Slots that are drawn singly."""

MOST_NEWS: Final = 20
"""Lines that one look adds to the journal; what is beyond is counted."""

_GIVES: Final[Mapping[Reciprocation, str]] = {
    Reciprocation.MUTUAL: "⇄ both",
    Reciprocation.GIVING: "→ we",
    Reciprocation.TAKING: "← it",
    Reciprocation.NONE: "",
}


_SIGNS: Final = {Reciprocation.MUTUAL: "⇄", Reciprocation.TAKING: "←", Reciprocation.GIVING: "→"}


def address_of(peer: PeerChoking) -> str:
    host = f"[{peer.address}]" if ":" in peer.address else peer.address
    return safe(f"{host}:{peer.port}")


def _rate(rate: int) -> str:
    return format_size(rate).removesuffix("iB") if rate > 0 else ""


def _choke(choking: bool, interested: bool) -> str:  # noqa: FBT001 - one state, as the protocol has it
    return ("choked" if choking else "unchoked") + ("*" if interested else "")


def standing(peer: PeerChoking) -> str:
    """What it has of our slots: the optimistic one, a regular one, none and wants one, or none."""
    if peer.is_optimistic:
        return OPTIMISTIC
    return TAKEN if not peer.am_choking else WAITS if peer.peer_interested else ""


def gives(peer: PeerChoking) -> str:
    """Who gives whom, or that it does not answer."""
    return "snubbed" if peer.is_snubbed else _GIVES[peer.reciprocation]


@dataclass(frozen=True, slots=True)
class _Column:
    """`rank`: those with the greatest are left out first where there is no room."""

    heading: Heading
    rank: int
    text: Callable[[PeerChoking], str]


def _right(text: str, width: int) -> Heading:
    return Heading(text, width, Side.RIGHT)


_COLUMNS: Final = (
    _Column(Heading("", 1), 0, standing),
    _Column(Heading("Peer", 21), 0, address_of),
    _Column(Heading("Client"), 0, lambda peer: safe(peer.client_name)),
    _Column(Heading("We: it", 9), 1, lambda peer: _choke(peer.am_choking, peer.peer_interested)),
    _Column(Heading("It: us", 9), 1, lambda peer: _choke(peer.peer_choking, peer.am_interested)),
    _Column(Heading("Gives", 7), 1, gives),
    _Column(_right("Down", 8), 1, lambda peer: _rate(peer.rate_from)),
    _Column(_right("Up", 8), 1, lambda peer: _rate(peer.rate_to)),
    _Column(_right("Has", 4), 2, lambda peer: percent(peer.progress)),
    _Column(_right("Taken", 9), 3, lambda peer: format_size(peer.bytes_from) if peer.bytes_from else ""),
    _Column(_right("Given", 9), 3, lambda peer: format_size(peer.bytes_to) if peer.bytes_to else ""),
    _Column(_right("We ask", 6), 4, lambda peer: str(peer.requests_to or "")),
    _Column(_right("It asks", 7), 4, lambda peer: str(peer.requests_from or "")),
    _Column(
        _right("Unchoked", 8),
        5,
        lambda peer: "" if peer.unchoked_for is None else format_duration(peer.unchoked_for),
    ),
    _Column(_right("Here for", 8), 6, lambda peer: format_duration(peer.connected_for) if peer.connected_for else ""),
    _Column(Heading("From", 9), 7, lambda peer: "incoming" if peer.is_incoming else safe(peer.source)),
    _Column(Heading("Link", 9), 8, lambda peer: "encrypted" if peer.is_encrypted else "plain"),
)
_NARROWEST_CLIENT: Final = 14
"""Cells that it has at least before a column is left out for it, but for those that are always there."""


def table_of(facts: ChokingFacts, width: int) -> tuple[tuple[Heading, ...], list[Cells], list[str]]:
    """Headings for which `width` cells suffice, a line for each peer, and the class of each line's style."""
    columns = list(_COLUMNS)
    while True:
        taken = sum(column.heading.width or _NARROWEST_CLIENT for column in columns) + GAP * len(columns)
        last = max(columns, key=lambda column: column.rank)
        if taken <= width or last.rank <= 1:
            break
        columns.remove(last)
    peers = sorted(facts.peers, key=_order)
    return (
        tuple(column.heading for column in columns),
        [tuple(column.text(peer) for column in columns) for peer in peers],
        [_class(peer) for peer in peers],
    )


def _order(peer: PeerChoking) -> tuple[object, ...]:
    """Who has a slot first, then who wants one; among them by address, so that lines stand still."""
    return (peer.am_choking, not peer.peer_interested, not peer.is_optimistic, peer.address, peer.port)


def _class(peer: PeerChoking) -> str:
    if peer.is_snubbed:
        return "table--bad"
    match peer.reciprocation:
        case Reciprocation.MUTUAL:
            return "table--good"
        case Reciprocation.GIVING | Reciprocation.TAKING:
            return "table--busy"
        case Reciprocation.NONE:
            return "table--line" if peer.peer_interested or peer.am_interested else "table--faint"


def clock(left: float | None, interval: float, cells: int = 10) -> str:
    """A bar that fills until it is due, and the seconds that are left."""
    if left is None or interval <= 0:
        return "-"
    part = min(1.0, max(0.0, 1 - left / interval))
    past = int(part * cells)
    return f"{PAST * past}{TO_COME * (cells - past)} {left:.0f} s"


def summary(facts: ChokingFacts) -> tuple[str, str, str]:
    """Who we are here, the slots, and the clocks."""
    by = {way: sum(peer.reciprocation is way for peer in facts.peers) for way in Reciprocation}
    snubbed = sum(peer.is_snubbed for peer in facts.peers)
    role = "not running" if not facts.is_running else "seeding" if facts.is_seeding else "leeching"
    pairs = "  ".join(f"{sign} {by[way]:,}" for way, sign in _SIGNS.items())
    first = (
        f"{role}  ▼ {format_rate(facts.rate_from)}  ▲ {format_rate(facts.rate_to)}"
        f"  {count(len(facts.peers), 'peer')}  {pairs}  {snubbed:,} snubbed"
    )
    tried = f"  {OPTIMISTIC} {safe(facts.optimistic)}" if facts.optimistic else f"  {OPTIMISTIC} nobody"
    if facts.slots < 0:
        return first, f"{facts.unchoked:,} unchoked, {facts.interested:,} interested{tried}", "rounds are not told"
    clocks = (
        f"next round {clock(facts.next_round_in, facts.round_interval)}"
        f"   next optimistic {clock(facts.next_optimistic_in, facts.optimistic_interval)}"
    )
    regular = sum(not peer.am_choking and not peer.is_optimistic for peer in facts.peers)
    few = max(regular, facts.slots) <= MOST_SLOTS
    drawn = TAKEN * regular + FREE * max(0, facts.slots - regular) + " " if few else ""
    return (
        first,
        f"slots {drawn}{regular:,} of {facts.slots:,}{tried}  {facts.interested:,} interested",
        clocks,
    )


def news(before: ChokingFacts | None, after: ChokingFacts, now: float) -> list[str]:
    """What became otherwise between two looks, with the time of day: at most MOST_NEWS lines, and one that counts."""
    if before is None:
        return []
    old = {(peer.address, peer.port): peer for peer in before.peers}
    new = {(peer.address, peer.port): peer for peer in after.peers}
    said: list[str] = []
    if _began(before.next_round_in, after.next_round_in):
        said.append(f"round: {after.unchoked:,} unchoked of {after.interested:,} interested")
    if after.optimistic is not None and after.optimistic != before.optimistic:
        said.append(f"{OPTIMISTIC} optimistic slot to {safe(after.optimistic)}")
    for key, peer in new.items():
        said += _changes(old.get(key), peer)
    said += [f"{address_of(peer)} has left" for key, peer in old.items() if key not in new]
    beyond = len(said) - MOST_NEWS
    if beyond > 0:
        said = [*said[:MOST_NEWS], f"and {beyond:,} more"]
    time = f"{datetime.fromtimestamp(now, UTC).astimezone():%H:%M:%S}"
    return [f"{time} {line}" for line in said]


def _began(before: float | None, after: float | None) -> bool:
    """A clock that runs down has jumped up."""
    return after is not None and (before is None or after > before + 1)


def _changes(before: PeerChoking | None, after: PeerChoking) -> Iterable[str]:
    who = address_of(after)
    if before is None:
        yield f"{who} has come"
        return
    flags: Sequence[tuple[bool, bool, str, str]] = (
        (before.am_choking, after.am_choking, "we choke", "we unchoke"),
        (before.peer_choking, after.peer_choking, "chokes us:", "unchokes us:"),
        (before.is_snubbed, after.is_snubbed, "snubs us:", "answers again:"),
    )
    for was, is_so, begun, ended in flags:
        if was != is_so:
            yield f"{begun if is_so else ended} {who}"
