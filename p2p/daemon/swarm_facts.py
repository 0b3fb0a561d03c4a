"""The choking round and the pieces of one torrent, read off the engine between inputs. Reads, decides nothing."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Final

from p2p.daemon.own_facts import ChokingFacts, PeerChoking, PieceMap, Reciprocation
from p2p.swarm.choker import OPTIMISTIC_INTERVAL, ROUND_INTERVAL

if TYPE_CHECKING:
    from p2p.session.peer_task import Peer
    from p2p.session.snapshot import PeerSnapshot
    from p2p.session.torrent import Torrent

MANY: Final = 255
"""The most that the availability of a piece can tell."""

_RECIPROCATION: Final = {
    (False, False): Reciprocation.MUTUAL,
    (False, True): Reciprocation.GIVING,
    (True, False): Reciprocation.TAKING,
    (True, True): Reciprocation.NONE,
}
"""By whether we choke it, and whether it chokes us."""


def choking_facts(number: int, torrent: Torrent, now: float) -> ChokingFacts:
    """See `ChokingFacts`. `now` is the loop's time."""
    exchange = torrent.exchange
    choker = None if exchange is None else exchange.serving.choker.snapshot()
    peers = torrent.connected_peers
    shown = tuple(_peer(peer, each, now) for peer, each in zip(peers, torrent.snapshot().peers, strict=True))
    optimistic = next((peer for peer in peers if choker is not None and peer.key == choker.optimistic), None)
    return ChokingFacts(
        id=number,
        hash_string=torrent.info_hash,
        is_running=exchange is not None,
        is_seeding=exchange is not None and exchange.seeding,
        slots=0 if choker is None else choker.slots,
        unchoked=sum(not peer.am_choking for peer in shown),
        interested=sum(peer.peer_interested for peer in shown),
        round_interval=ROUND_INTERVAL,
        next_round_in=None if choker is None else _until(choker.next_round, now),
        optimistic_interval=OPTIMISTIC_INTERVAL,
        next_optimistic_in=None if choker is None else _until(choker.next_optimistic, now),
        optimistic=None if optimistic is None else str(optimistic.address),
        rate_from=0 if exchange is None else int(exchange.rate_down.rate(now)),
        rate_to=0 if exchange is None else int(exchange.rate_up.rate(now)),
        peers=shown,
    )


def _until(due: float | None, now: float) -> float | None:
    """Seconds; None where nothing is due."""
    return None if due is None or not math.isfinite(due) else round(max(0.0, due - now), 3)


def _peer(peer: Peer, shown: PeerSnapshot, now: float) -> PeerChoking:
    unchoked = None if shown.am_choking or peer.last_unchoked is None else round(now - peer.last_unchoked, 3)
    return PeerChoking(
        address=peer.address.host,
        port=peer.address.port,
        client_name=shown.client,
        source=shown.source,
        is_incoming=shown.incoming,
        is_encrypted=shown.encrypted,
        is_seeder=shown.seeder,
        progress=shown.progress,
        am_choking=shown.am_choking,
        am_interested=shown.am_interested,
        peer_choking=shown.peer_choking,
        peer_interested=shown.peer_interested,
        is_snubbed=shown.snubbed,
        is_optimistic=shown.optimistic,
        reciprocation=_RECIPROCATION[shown.am_choking, shown.peer_choking],
        rate_from=int(shown.rate_down),
        rate_to=int(shown.rate_up),
        bytes_from=shown.downloaded,
        bytes_to=shown.uploaded,
        requests_to=shown.requests_out,
        requests_from=shown.requests_in,
        connected_for=round(now - peer.connected_at, 3),
        unchoked_for=unchoked,
    )


def piece_map(number: int, torrent: Torrent) -> PieceMap:
    """See `PieceMap`."""
    metainfo = torrent.metainfo
    counts, copies = torrent.availability()
    return PieceMap(
        id=number,
        hash_string=torrent.info_hash,
        piece_count=0 if metainfo is None else metainfo.piece_count,
        piece_size=0 if metainfo is None else metainfo.piece_length,
        pieces="" if metainfo is None else _text(torrent.store.have.to_bytes()),
        availability=_text(bytes(min(count, MANY) for count in counts)),
        distributed_copies=copies,
    )


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
