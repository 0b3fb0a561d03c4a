"""What another maker's daemon tells of choking and pieces, brought into the shape in which ours tells it. Pure.

The rule: nothing is guessed. What such a daemon does not tell is 0, None or, for the number of slots, NOT_TOLD.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from p2p.daemon.own_facts import ChokingFacts, PeerChoking, PieceMap, Reciprocation

if TYPE_CHECKING:
    from p2p.daemon.client_values import PeerFacts, TorrentDetails

NOT_TOLD: Final = -1
"""In place of the number of slots."""

_OPTIMISTIC: Final = "O"
"""Transmission's flag for the peer that is unchoked to try it."""

_MANY: Final = 255


def choking_of(details: TorrentDetails) -> ChokingFacts:
    """Of the flags of peers. Who is snubbed, and when the next round is, such a daemon does not tell."""
    peers = tuple(map(_peer, details.peers))
    optimistic = next((f"{peer.address}:{peer.port}" for peer in peers if peer.is_optimistic), None)
    return ChokingFacts(
        id=details.id,
        hash_string=details.hash_string,
        is_running=bool(peers),
        is_seeding=bool(peers) and not any(peer.am_interested for peer in peers) and any(p.rate_to for p in peers),
        slots=NOT_TOLD,
        unchoked=sum(not peer.am_choking for peer in peers),
        interested=sum(peer.peer_interested for peer in peers),
        round_interval=0.0,
        next_round_in=None,
        optimistic_interval=0.0,
        next_optimistic_in=None,
        optimistic=optimistic,
        rate_from=sum(peer.rate_from for peer in peers),
        rate_to=sum(peer.rate_to for peer in peers),
        peers=peers,
    )


def _peer(peer: PeerFacts) -> PeerChoking:
    match peer.peer_is_choked, peer.client_is_choked:
        case False, False:
            reciprocation = Reciprocation.MUTUAL
        case False, True:
            reciprocation = Reciprocation.GIVING
        case True, False:
            reciprocation = Reciprocation.TAKING
        case _:
            reciprocation = Reciprocation.NONE
    return PeerChoking(
        address=peer.address,
        port=peer.port,
        client_name=peer.client_name,
        source="",
        is_incoming=peer.is_incoming,
        is_encrypted=peer.is_encrypted,
        is_seeder=peer.progress >= 1,
        progress=peer.progress,
        am_choking=peer.peer_is_choked,
        am_interested=peer.client_is_interested,
        peer_choking=peer.client_is_choked,
        peer_interested=peer.peer_is_interested,
        is_snubbed=peer.starling_snubbed,
        is_optimistic=peer.starling_optimistic or _OPTIMISTIC in peer.flag_str,
        reciprocation=reciprocation,
        rate_from=peer.rate_to_client,
        rate_to=peer.rate_to_peer,
        bytes_from=peer.bytes_to_client,
        bytes_to=peer.bytes_to_peer,
        requests_to=0,
        requests_from=0,
        connected_for=0.0,
        unchoked_for=None,
    )


def pieces_of(details: TorrentDetails) -> PieceMap:
    """Transmission tells -1 of a piece that it has itself: among peers that is not known, and counted as none."""
    counts = bytes(min(max(0, number), _MANY) for number in details.availability)
    return PieceMap(
        id=details.id,
        hash_string=details.hash_string,
        piece_count=details.piece_count,
        piece_size=details.piece_size,
        pieces=details.pieces,
        availability=base64.b64encode(counts).decode(),
        distributed_copies=0.0,
    )
