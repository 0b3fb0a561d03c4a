"""Peers and trackers of the session as the RPC tells of them. Pure."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from p2p.daemon.ports import PeerFacts, TrackerFacts
from p2p.swarm.announce import TrackerState

if TYPE_CHECKING:
    from p2p.session.snapshot import PeerSnapshot
    from p2p.swarm.announce import TrackerSnapshot

SOURCES: Final = {
    "dht": "from_dht",
    "incoming": "from_incoming",
    "lsd": "from_lpd",
    "local": "from_lpd",
    "pex": "from_pex",
    "tracker": "from_tracker",
}


def peer_facts(peer: PeerSnapshot) -> PeerFacts:
    host, _, port = peer.address.rpartition(":")
    down, up = peer.am_interested and not peer.peer_choking, peer.peer_interested and not peer.am_choking
    flags = (
        ("O" if peer.optimistic else "")
        + ("D" if down else "d" if peer.am_interested else "")
        + ("U" if up else "u" if peer.peer_interested else "")
        + ("K" if not peer.peer_choking and not peer.am_interested else "")
        + ("?" if not peer.am_choking and not peer.peer_interested else "")
        + ("E" if peer.encrypted else "")
        + ("H" if peer.source == "dht" else "X" if peer.source == "pex" else "")
        + ("I" if peer.incoming else "")
    )
    return PeerFacts(
        address=host.strip("[]"),
        port=int(port),
        client_name=peer.client,
        flag_str=flags,
        progress=peer.progress,
        rate_to_client=int(peer.rate_down),
        rate_to_peer=int(peer.rate_up),
        is_encrypted=peer.encrypted,
        is_incoming=peer.incoming,
        is_utp=False,
        is_downloading_from=down,
        is_uploading_to=up,
        client_is_choked=peer.peer_choking,
        client_is_interested=peer.am_interested,
        peer_is_choked=peer.am_choking,
        peer_is_interested=peer.peer_interested,
        peer_id="",
        bytes_to_client=peer.downloaded,
        bytes_to_peer=peer.uploaded,
        starling_optimistic=peer.optimistic,
        starling_snubbed=peer.snubbed,
    )


@lru_cache(maxsize=4096)  # thousands of torrents name a few trackers, and lists ask for each
def tracker_host(url: str) -> str:
    """Host of a tracker's URL, empty for what is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=4096)
def site_name(host: str) -> str:
    """What people call a tracker's host: the word before its last part; an address is whole."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rpartition(".")[0].rpartition(".")[2] or host
    return host


def tracker_facts(at: int, tracker: TrackerSnapshot, offset: float) -> TrackerFacts:
    host = tracker_host(tracker.url)
    last = 0 if tracker.last_announce is None else int(tracker.last_announce + offset)
    following = 0 if tracker.next_announce is None else int(tracker.next_announce + offset)
    answered = tracker.last_announce is not None
    return TrackerFacts(
        id=at,
        announce=tracker.url,
        scrape="",
        sitename=site_name(host),
        host=host,
        tier=tracker.tier,
        announce_state=3 if tracker.state is TrackerState.ANNOUNCING else 1 if following else 0,
        download_count=-1 if tracker.completed is None else tracker.completed,
        has_announced=answered,
        last_announce_peer_count=tracker.peers,
        last_announce_result=tracker.error or ("Success" if answered else ""),
        last_announce_start_time=last,
        last_announce_succeeded=answered and tracker.error is None,
        last_announce_time=last,
        leecher_count=-1 if tracker.leechers is None else tracker.leechers,
        next_announce_time=following,
        seeder_count=-1 if tracker.seeders is None else tracker.seeders,
    )
