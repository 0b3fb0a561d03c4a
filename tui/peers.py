"""The peers of one torrent in words: who gives us, who takes from us, and what the flags of each say. Pure.

The flags are those of Transmission (docs/Peer-Status-Text.md of its sources), which our daemon writes too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.quantities import format_rate
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from p2p.daemon.client_values import PeerFacts

MOST_NAMED: Final = 4
"""Peers of each kind that are named in an overview: with the rest, they fit on 24 lines."""

FLAGS: Final[Mapping[str, str]] = {
    "O": "optimistic unchoke",
    "D": "we download from it",
    "d": "we would download, if it unchoked us",
    "U": "we upload to it",
    "u": "it would take, if we unchoked it",
    "K": "it unchokes us, and has nothing for us",
    "?": "we unchoke it, and it wants nothing",
    "E": "encrypted",
    "H": "known from the DHT",
    "X": "known from peer exchange",
    "I": "it has connected to us",
    "T": "over µTP",
}


def flags_in_words(flags: str) -> str:
    """Each flag there is a word for; the others as they are."""
    return ", ".join(FLAGS.get(flag, safe(flag)) for flag in dict.fromkeys(flags[:20]))


def address_of(peer: PeerFacts) -> str:
    host = f"[{peer.address}]" if ":" in peer.address else peer.address
    return safe(f"{host}:{peer.port}")


def order_of(peers: Sequence[PeerFacts]) -> list[PeerFacts]:
    """Those who give or take most first."""
    return sorted(peers, key=lambda peer: (-peer.rate_to_client - peer.rate_to_peer, peer.address, peer.port))


def with_whom(peers: Sequence[PeerFacts]) -> Iterator[tuple[str, str]]:
    """Who gives us, and who takes from us, each in a line, those with the greatest rate first."""
    giving = sorted((peer for peer in peers if peer.rate_to_client > 0), key=lambda peer: -peer.rate_to_client)
    taking = sorted((peer for peer in peers if peer.rate_to_peer > 0), key=lambda peer: -peer.rate_to_peer)
    yield from _named("From", [(peer, peer.rate_to_client) for peer in giving])
    yield from _named("To", [(peer, peer.rate_to_peer) for peer in taking])


def _named(word: str, pairs: Sequence[tuple[PeerFacts, int]]) -> Iterator[tuple[str, str]]:
    for number, (peer, rate) in enumerate(pairs[:MOST_NAMED]):
        role = "a seeder" if peer.progress >= 1 else "a leecher"
        client = f", {safe(peer.client_name)}" if peer.client_name else ""
        yield "" if number else word, f"{format_rate(rate)}  {address_of(peer)}{client}, {role}"
    if len(pairs) > MOST_NAMED:
        yield "", f"and {len(pairs) - MOST_NAMED:,} more"
