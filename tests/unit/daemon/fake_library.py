"""The port `p2p.daemon.ports.Library` in memory: verbs are written down, facts are what the test puts there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from p2p.daemon.deltas import ChangeLog
from p2p.daemon.own_facts import ChokingFacts, PieceMap
from p2p.daemon.ports import (
    UNCHANGED,
    Added,
    ErrorKind,
    FileFacts,
    GoalMode,
    Group,
    PeerFacts,
    PeersFrom,
    Priority,
    Space,
    Statistics,
    Status,
    Totals,
    TrackerFacts,
)
from p2p.daemon.session_fields import KEPT


@dataclass
class FakeTorrent:
    id: int
    name: str = "name"
    comment: str = ""
    creator: str = ""
    date_created: int = 0
    is_private: bool = False
    piece_count: int = 3
    piece_size: int = 16384
    total_size: int = 40000
    primary_mime_type: str = "application/octet-stream"
    torrent_file: str = ""
    download_dir: str = "/downloads"
    labels: tuple[str, ...] = ()
    group: str = ""
    queue_position: int = 0
    status: Status = Status.SEEDING
    error: ErrorKind = ErrorKind.NONE
    error_string: str = ""
    is_finished: bool = False
    is_stalled: bool = False
    metadata_percent_complete: float = 1.0
    recheck_progress: float = 0.0
    percent_complete: float = 1.0
    percent_done: float = 1.0
    size_when_done: int = 40000
    left_until_done: int = 0
    have_valid: int = 40000
    have_unchecked: int = 0
    desired_available: int = 0
    corrupt_ever: int = 0
    downloaded_ever: int = 0
    uploaded_ever: int = 0
    upload_ratio: float = -1
    rate_download: int = 0
    rate_upload: int = 0
    eta: int = -1
    eta_idle: int = -1
    activity_date: int = 0
    added_date: int = 0
    done_date: int = 0
    edit_date: int = 0
    start_date: int = 0
    manual_announce_time: int = 0
    seconds_downloading: int = 0
    seconds_seeding: int = 0
    bandwidth_priority: Priority = Priority.NORMAL
    download_limit: int = 100
    download_limited: bool = False
    upload_limit: int = 100
    upload_limited: bool = False
    honors_session_limits: bool = True
    peer_limit: int = 50
    seed_idle_limit: int = 30
    seed_idle_mode: GoalMode = GoalMode.GLOBAL
    seed_ratio_limit: float = 2.0
    seed_ratio_mode: GoalMode = GoalMode.GLOBAL
    starling_seed_time_limit: int = 1440
    starling_seed_time_mode: GoalMode = GoalMode.GLOBAL
    sequential_download: bool = False
    peers_connected: int = 0
    peers_getting_from_us: int = 0
    peers_sending_to_us: int = 0
    starling_seeders: int = -1
    starling_leechers: int = -1
    starling_tracker: str = "a.test"
    web_seeds: tuple[str, ...] = ()
    web_seeds_sending_to_us: int = 0
    tiers: tuple[tuple[str, ...], ...] = (("http://a.test/announce", "http://b.test/announce"), ("udp://c.test:1",))
    connected: list[PeerFacts] = field(default_factory=list)

    @property
    def hash_string(self):
        return hashlib.sha1(b"%d" % self.id).hexdigest()

    @property
    def file_count(self):
        return 2

    def magnet_link(self):
        return f"magnet:?xt=urn:btih:{self.hash_string}"

    def starling_choking(self):
        return ChokingFacts(
            id=self.id,
            hash_string=self.hash_string,
            is_running=False,
            is_seeding=False,
            slots=0,
            unchoked=0,
            interested=0,
            round_interval=10.0,
            next_round_in=None,
            optimistic_interval=30.0,
            next_optimistic_in=None,
            optimistic=None,
            rate_from=0,
            rate_to=0,
            peers=(),
        )

    def starling_pieces(self):
        return PieceMap(self.id, self.hash_string, 3, 16384, "4A==", "AAAA", 1.0)

    def files(self):
        return [
            FileFacts("name/a", 30000, 30000, wanted=True, priority=0, begin_piece=0, end_piece=2),
            FileFacts("name/b", 10000, 10000, wanted=False, priority=-1, begin_piece=1, end_piece=3),
        ]

    def peers(self):
        return self.connected

    def peers_from(self):
        return PeersFrom(from_dht=1)

    def trackers(self):
        urls = [(tier, url) for tier, urls in enumerate(self.tiers) for url in urls]
        return [TrackerFacts(at, url, "", "test", "", tier) for at, (tier, url) in enumerate(urls)]

    def pieces(self):
        return b"\xe0"

    def availability(self):
        return [-1, 2, 0]


class FakeLibrary:
    """`verbs` are the calls that changed something, in order: name, ids, and what else was said."""

    def __init__(self, count=3):
        self.kept = {number: FakeTorrent(number) for number in range(1, count + 1)}
        self.verbs = []
        self.values = dict.fromkeys(KEPT, 0) | {"encryption": "allowed", "download_dir": "/downloads"}
        self.log = ChangeLog(1000)
        self.now = 0.0
        self.named = {}
        self.failure = None

    def torrents(self):
        return list(self.kept.values())

    def by_id(self, number):
        return self.kept.get(number)

    def by_hash(self, hash_string):
        return next((each for each in self.kept.values() if each.hash_string == hash_string), None)

    def recent(self):
        return self.log.recent(self.now)

    def since(self, revision):
        return self.log.since(revision)

    def settings(self):
        return self.values

    def statistics(self):
        return Statistics(1, 2, 3, 4, 5, Totals(uploaded_bytes=6), Totals(session_count=7))

    def groups(self):
        return list(self.named.values())

    def _done(self, verb, torrents=(), *said):
        if self.failure is not None:
            raise self.failure
        self.verbs.append((verb, [each.id for each in torrents], *said))

    async def add(self, addition):
        self._done("add", (), addition)
        known = addition.source == b"known"
        return Added(self.kept[1] if known else FakeTorrent(9, "new"), duplicate=known)

    async def remove(self, torrents, content):
        self._done("remove", torrents, content)

    async def start(self, torrents, when):
        self._done("start", torrents, when)

    async def stop(self, torrents):
        self._done("stop", torrents)

    async def verify(self, torrents):
        self._done("verify", torrents)

    async def reannounce(self, torrents):
        self._done("reannounce", torrents)

    async def change(self, torrents, change):
        said = {name: value for name in change.__slots__ if (value := getattr(change, name)) is not UNCHANGED}
        self._done("change", torrents, said)

    async def set_location(self, torrents, location, content):
        self._done("set_location", torrents, location, content)

    async def rename(self, torrent, path, name):
        self._done("rename", [torrent], path, name)

    async def move_in_queue(self, torrents, step):
        self._done("move_in_queue", torrents, step)

    async def set_settings(self, changes):
        self._done("set_settings", (), dict(changes))
        self.values |= changes

    async def set_group(self, name, changes):
        self._done("set_group", (), name, dict(changes))
        self.named[name] = replace(self.named.get(name, Group(name)), **changes)

    async def free_space(self, path):
        self._done("free_space", (), path)
        return Space(free=10, total=20)

    async def test_port(self, ip_protocol):
        self._done("test_port", (), ip_protocol)
        return True

    async def update_blocklist(self):
        self._done("update_blocklist")
        return 5

    def removals(self):
        return ()

    async def undo_removal(self, names):
        self._done("undo_removal", (), names)
        return self.kept[:1]

    async def purge_removal(self, names):
        self._done("purge_removal", (), names)

    async def settle(self):
        """Nothing is kept."""

    def close(self):
        self._done("close")
