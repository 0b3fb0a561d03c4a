"""Copies out what there is to see of a torrent. Reads, decides nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from p2p.session.file_progress import file_progress
from p2p.session.snapshot import FileSnapshot, PeerSnapshot, TorrentRow, TorrentSnapshot, TorrentState
from p2p.wire.peer_id import client_name

if TYPE_CHECKING:
    from p2p.session.exchange import Exchange
    from p2p.session.peer_task import Peer
    from p2p.session.torrent import Torrent


def torrent_snapshot(torrent: Torrent, now: float) -> TorrentSnapshot:
    """See `TorrentSnapshot`."""
    metainfo, exchange = torrent.metainfo, torrent.exchange
    store = None if metainfo is None else torrent.store
    ledger = torrent.ledger
    total_size = 0 if metainfo is None else metainfo.total_size
    wanted, done = torrent.sizes()
    uploaded = 0 if exchange is None else exchange.uploaded
    downloaded = 0 if exchange is None else exchange.downloaded
    rate_down = 0.0 if exchange is None else exchange.rate_down.rate(now)
    rate_up = 0.0 if exchange is None else exchange.rate_up.rate(now)
    peers = tuple(_peer(exchange, peer, now) for peer in torrent.connected_peers)
    trackers = torrent.tracking.snapshot()
    left = wanted - done
    downloading = torrent.state is TorrentState.DOWNLOADING
    total_up = ledger.uploaded + uploaded
    return TorrentSnapshot(
        info_hash=torrent.info_hash,
        name=torrent.name,
        state=torrent.state,
        message=torrent.message,
        total_size=total_size,
        wanted_size=wanted,
        done_size=done,
        check_progress=torrent.check_progress,
        rate_down=rate_down,
        rate_up=rate_up,
        downloaded=ledger.downloaded + downloaded,
        uploaded=total_up,
        session_downloaded=ledger.session_downloaded + downloaded,
        session_uploaded=ledger.session_uploaded + uploaded,
        wasted=ledger.wasted + (0 if exchange is None else exchange.wasted),
        corrupt=ledger.corrupt + (0 if exchange is None else exchange.corrupt),
        ratio=total_up / total_size if total_size else 0.0,
        eta=left / rate_down if downloading and rate_down >= 1 and left else None,
        peers=peers,
        connected_seeders=sum(peer.seeder for peer in peers),
        connected_leechers=sum(not peer.seeder for peer in peers),
        swarm_seeders=max((t.seeders for t in trackers if t.seeders is not None), default=None),
        swarm_leechers=max((t.leechers for t in trackers if t.leechers is not None), default=None),
        known_peers=len(torrent.peer_list),
        trackers=trackers,
        piece_count=0 if metainfo is None else metainfo.piece_count,
        pieces_had=0 if store is None else store.have.count,
        pieces=b"" if store is None else store.have.to_bytes(),
        metadata_progress=torrent.metadata_progress,
        added_time=ledger.added_time,
        started_time=ledger.started_time,
        completed_time=ledger.completed_time,
        active_time=ledger.active_time,
        downloading_seconds=ledger.downloading_for(now),
        seeding_seconds=ledger.seeding_for(now),
        sources=tuple(sorted(Counter(peer.source for peer in peers).items())),
    )


def torrent_row(torrent: Torrent, now: float) -> TorrentRow:
    """See `TorrentRow`."""
    metainfo, exchange, ledger = torrent.metainfo, torrent.exchange, torrent.ledger
    wanted, done = torrent.sizes()
    return TorrentRow(
        key=torrent.key,
        info_hash=torrent.info_hash,
        name=torrent.name,
        state=torrent.state,
        message=torrent.message,
        total_size=0 if metainfo is None else metainfo.total_size,
        wanted_size=wanted,
        done_size=done,
        left=torrent.left,
        check_progress=torrent.check_progress,
        metadata_progress=torrent.metadata_progress,
        rate_down=0.0 if exchange is None else exchange.rate_down.rate(now),
        rate_up=0.0 if exchange is None else exchange.rate_up.rate(now),
        downloaded=ledger.downloaded + (0 if exchange is None else exchange.downloaded),
        uploaded=ledger.uploaded + (0 if exchange is None else exchange.uploaded),
        connected=len(torrent.connected_peers),
        added_time=ledger.added_time,
        completed_time=ledger.completed_time,
        active_time=ledger.active_time,
    )


def torrent_files(torrent: Torrent) -> tuple[FileSnapshot, ...]:
    """Each file that is no pad; none while the metadata is not there. One walk over the pieces."""
    metainfo = torrent.metainfo
    if metainfo is None:
        return ()
    names = torrent.store.places.names
    below = 1 if metainfo.layout.root else 0
    done = file_progress(metainfo.layout, torrent.store.have)
    return tuple(
        FileSnapshot(
            index,
            "/".join(names[index][below:]) if index in names else file.path,
            file.length,
            done[index],
            torrent.file_priorities[index],
        )
        for index, file in enumerate(metainfo.files)
        if not file.pad
    )


def _peer(exchange: Exchange | None, peer: Peer, now: float) -> PeerSnapshot:
    wire = peer.wire
    has = None if exchange is None or peer.key not in exchange.peers else exchange.picker.peer_bitfield(peer.key)
    extension = wire.peer_extension
    return PeerSnapshot(
        address=str(peer.address),
        client=(extension.client if extension is not None else None) or client_name(peer.handshake.peer_id),
        incoming=peer.incoming,
        encrypted=peer.encrypted,
        source=peer.source.value,
        progress=0.0 if has is None else has.count / has.size if has.size else 1.0,
        seeder=has is not None and has.complete,
        am_choking=wire.am_choking,
        am_interested=wire.am_interested,
        peer_choking=wire.peer_choking,
        peer_interested=wire.peer_interested,
        snubbed=peer.requests.snubbed,
        optimistic=exchange is not None and exchange.serving.choker.snapshot().optimistic == peer.key,
        rate_down=peer.rate_from.rate(now),
        rate_up=peer.rate_to.rate(now),
        downloaded=wire.payload_received,
        uploaded=wire.payload_sent,
        requests_out=peer.requests.outstanding,
        requests_in=len(peer.uploads),
    )
