"""What the RPC tells of a tracker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackerFacts:
    """A tracker and what came of asking it. Counts are -1 where nobody has said. The states are Transmission's:
    0 inactive, 1 waiting, 2 queued, 3 active."""

    id: int
    announce: str
    scrape: str
    sitename: str
    host: str
    tier: int
    announce_state: int = 0
    download_count: int = -1
    downloader_count: int = -1
    has_announced: bool = False
    has_scraped: bool = False
    is_backup: bool = False
    last_announce_peer_count: int = 0
    last_announce_result: str = ""
    last_announce_start_time: int = 0
    last_announce_succeeded: bool = False
    last_announce_time: int = 0
    last_announce_timed_out: bool = False
    last_scrape_result: str = ""
    last_scrape_start_time: int = 0
    last_scrape_succeeded: bool = False
    last_scrape_time: int = 0
    last_scrape_timed_out: bool = False
    leecher_count: int = -1
    next_announce_time: int = 0
    next_scrape_time: int = 0
    scrape_state: int = 0
    seeder_count: int = -1
