"""What a made-up daemon tells: torrents in every state, some with names that try something, and a busy session."""

from __future__ import annotations

import base64
import math
import random

from p2p.daemon.client_values import (
    ErrorKind,
    FileFacts,
    PeerFacts,
    PeersFrom,
    Space,
    Statistics,
    Status,
    TorrentDetails,
    TorrentRow,
    Totals,
    TrackerFacts,
)
from p2p.daemon.own_facts import (
    ChokingFacts,
    DhtBucket,
    DhtFacts,
    DhtFamily,
    DhtTraffic,
    DiskFacts,
    DiskJobs,
    Filesystem,
    LogFacts,
    LogLine,
    PeerChoking,
    PieceMap,
    RateHistory,
    RateSeries,
    Reciprocation,
    TrackerHealthFacts,
    TrackerHost,
)

NOW = 2_000_000_000.0
K, M, G = 1024, 1024**2, 1024**3
DAY = 86_400

HOSTILE = "\x1b[2J\x1b[31mred [bold]markup[/bold] \u202egpj.exe\u202c"
WIDE = "写真と地図 アーカイブ 2033 ｗｉｄｅ"
RIGHT_TO_LEFT = "ספר שירים عربي"

_ROWS = (
    # name, status, done, size, down, up, ratio, seeders, leechers, peers, labels, age in days
    ("atlas-of-the-southern-sky", Status.DOWNLOADING, 0.634, 4.2 * G, 3.1 * M, 610 * K, 0.42, 41, 17, 24, "maps", 0.02),
    ("field-recordings-spring-2033", Status.DOWNLOADING, 0.081, 700 * M, 212 * K, 0, 0.0, 3, 9, 7, "audio", 0.1),
    ("kernel-sources-7.1.tar.xz", Status.SEEDING, 1.0, 151 * M, 0, 88 * K, 12.41, 310, 4, 4, "linux,source", 40),
    ("weather-stations-1979-2032", Status.SEEDING, 1.0, 88 * G, 0, 1.4 * M, 3.07, 12, 31, 19, "maps,climate", 210),
    ("lectures-on-number-theory", Status.STOPPED, 0.37, 12 * G, 0, 0, 0.11, 5, 0, 0, "", 3),
    ("old-radio-plays", Status.STOPPED, 1.0, 2.4 * G, 0, 0, 2.0, 8, 1, 0, "audio", 95),
    ("installer-amd64.iso", Status.CHECKING, 0.0, 660 * M, 0, 0, 0.9, 1250, 88, 0, "linux", 1),
    ("a link whose metadata is not here yet", Status.DOWNLOADING, 0.0, 0, 0, 0, -1, -1, -1, 1, "", 0.001),
    ("a-tracker-that-does-not-answer", Status.DOWNLOADING, 0.5, 1.5 * G, 0, 0, 0.3, -1, -1, 0, "", 6),
    ("letters-and-diaries-scans", Status.SEED_QUEUED, 1.0, 9 * G, 0, 0, 0.8, 2, 0, 0, "scans", 12),
    ("waits-for-its-turn", Status.DOWNLOAD_QUEUED, 0.0, 33 * G, 0, 0, 0.0, 60, 20, 0, "", 0.3),
    (HOSTILE, Status.DOWNLOADING, 0.25, 1.1 * M, 0, 0, 0.0, 1, 1, 1, "[red]odd[/red]", 0.5),
    (WIDE, Status.SEEDING, 1.0, 21 * G, 0, 12 * K, 1.5, 9, 2, 3, "写真", 400),
    (RIGHT_TO_LEFT, Status.SEEDING, 1.0, 48 * M, 0, 0, 0.05, 4, 0, 0, "", 8),
    ("a-name-that-goes-on-" * 12, Status.STOPPED, 0.02, 3 * K, 0, 0, 0.0, 0, 0, 0, "a, b, c, d, e, f, g, h", 2),
)


def _row(number, facts):
    name, status, done, size, down, up, ratio, seeders, leechers, peers, labels, age = facts
    size = int(size)
    left = int(size * (1 - done))
    failing = name == "a-tracker-that-does-not-answer"
    return TorrentRow(
        id=number,
        hash_string=f"{number * 0x1234567:040x}",
        name=name,
        status=status,
        error=ErrorKind.TRACKER_ERROR if failing else ErrorKind.NONE,
        error_string="connection timed out" if failing else "",
        total_size=size,
        size_when_done=size,
        left_until_done=left,
        have_valid=size - left,
        percent_done=done,
        metadata_percent_complete=0.0 if not size else 1.0,
        recheck_progress=0.42 if status is Status.CHECKING else 0.0,
        rate_download=int(down),
        rate_upload=int(up),
        eta=int(left / down) if down else -1,
        upload_ratio=ratio,
        uploaded_ever=int(max(0.0, ratio) * size),
        downloaded_ever=size - left,
        peers_connected=peers,
        peers_sending_to_us=peers // 2 if down else 0,
        peers_getting_from_us=peers // 3 if up else 0,
        seeders=seeders,
        leechers=leechers,
        tracker="tracker.example.org" if number % 3 else "open.example.net",
        queue_position=number - 1,
        labels=tuple(labels.split(",")) if labels else (),
        is_finished=name == "old-radio-plays",
        is_stalled=name == RIGHT_TO_LEFT,
        is_private=number == 4,
        added_date=int(NOW - age * DAY),
        done_date=int(NOW - age * DAY / 2) if done == 1 else 0,
        activity_date=int(NOW - age * 60),
        download_dir="/srv/downloads",
    )


ROWS = tuple(_row(number, facts) for number, facts in enumerate(_ROWS, 1))
LEECHING = ROWS[0]
"""The torrent that screens of one torrent are about."""


def many(number):
    """As many rows, of the same kinds."""
    return tuple(_row(at, (f"{_ROWS[at % 11][0]} {at:03}", *_ROWS[at % 11][1:])) for at in range(1, number + 1))


STATISTICS = Statistics(
    active_torrent_count=9,
    paused_torrent_count=6,
    torrent_count=15,
    download_speed=int(3.3 * M),
    upload_speed=int(2.1 * M),
    current=Totals(int(61 * G), int(140 * G), 12, 1, 200_000),
    cumulative=Totals(int(9_310 * G), int(4_120 * G), 861, 77, 41_000_000),
)
SPACE = Space(free=int(412 * G), total=int(2000 * G))
SETTINGS = {
    "download_dir": "/srv/downloads",
    "speed_limit_down": 4000,
    "speed_limit_down_enabled": False,
    "speed_limit_up": 2500,
    "speed_limit_up_enabled": True,
    "alt_speed_enabled": False,
    "alt_speed_down": 500,
    "alt_speed_up": 100,
    "alt_speed_time_enabled": True,
    "alt_speed_time_begin": 540,
    "alt_speed_time_end": 1020,
    "alt_speed_time_day": 62,
    "download_queue_enabled": True,
    "download_queue_size": 5,
    "seed_queue_enabled": False,
    "seed_queue_size": 10,
    "queue_stalled_enabled": True,
    "queue_stalled_minutes": 30,
    "seed_ratio_limited": True,
    "seed_ratio_limit": 2.0,
    "idle_seeding_limit_enabled": False,
    "idle_seeding_limit": 30,
    "peer_limit_global": 200,
    "peer_limit_per_torrent": 50,
    "peer_port": 51413,
    "dht_enabled": True,
    "pex_enabled": True,
    "lpd_enabled": True,
    "utp_enabled": True,
    "encryption": "preferred",
    "version": "0.1.0",
}

_CLIENTS = ("Starling 0.1.0", "qBittorrent 5.1.2", "Transmission 4.0.6", "libtorrent 2.0.11", "aria2 1.37.0")


def _peer(number):
    rng = random.Random(number)
    seeds, gives, takes = number % 4 == 0, number % 3 != 2, number % 5 < 2
    address = f"2001:db8::{number:x}" if number % 7 == 3 else f"192.0.2.{10 + number}"
    odd = number == 5
    return PeerChoking(
        address=address,
        port=51413 if number % 2 else 6881 + number,
        client_name=HOSTILE if odd else WIDE if number == 6 else _CLIENTS[number % 5],
        source=("tracker", "dht", "pex", "lsd")[number % 4],
        is_incoming=number % 6 == 1,
        is_encrypted=number % 2 == 0,
        is_seeder=seeds,
        progress=1.0 if seeds else rng.random(),
        am_choking=not takes,
        am_interested=True,
        peer_choking=not gives,
        peer_interested=not seeds,
        is_snubbed=number == 7,
        is_optimistic=number == 11,
        reciprocation=(
            Reciprocation.MUTUAL
            if gives and takes
            else Reciprocation.TAKING
            if gives
            else Reciprocation.GIVING
            if takes
            else Reciprocation.NONE
        ),
        rate_from=rng.randrange(400 * K) if gives and number != 7 else 0,
        rate_to=rng.randrange(90 * K) if takes and not seeds else 0,
        bytes_from=rng.randrange(300 * M),
        bytes_to=rng.randrange(80 * M),
        requests_to=rng.randrange(60) if gives else 0,
        requests_from=rng.randrange(9) if takes else 0,
        connected_for=60.0 * number + 12,
        unchoked_for=12.0 * number if takes else None,
    )


CHOKING_PEERS = tuple(_peer(number) for number in range(1, 25))


def choking(row, *, next_round=6.0, without=0):
    peers = CHOKING_PEERS[: len(CHOKING_PEERS) - without]
    return ChokingFacts(
        id=row.id,
        hash_string=row.hash_string,
        is_running=True,
        is_seeding=False,
        slots=10,
        unchoked=sum(not peer.am_choking for peer in peers),
        interested=sum(peer.peer_interested for peer in peers),
        round_interval=10.0,
        next_round_in=next_round,
        optimistic_interval=30.0,
        next_optimistic_in=next_round + 10,
        optimistic="192.0.2.21:51413",
        rate_from=row.rate_download,
        rate_to=row.rate_upload,
        peers=peers,
    )


def _peer_facts(peer):
    return PeerFacts(
        address=peer.address,
        port=peer.port,
        client_name=peer.client_name,
        flag_str=("D" if not peer.peer_choking else "d")
        + ("U" if not peer.am_choking else "u" * peer.peer_interested)
        + "E" * peer.is_encrypted
        + "I" * peer.is_incoming,
        progress=peer.progress,
        rate_to_client=peer.rate_from,
        rate_to_peer=peer.rate_to,
        is_encrypted=peer.is_encrypted,
        is_incoming=peer.is_incoming,
        is_utp=False,
        is_downloading_from=peer.rate_from > 0,
        is_uploading_to=peer.rate_to > 0,
        client_is_choked=peer.peer_choking,
        client_is_interested=peer.am_interested,
        peer_is_choked=peer.am_choking,
        peer_is_interested=peer.peer_interested,
        peer_id="",
        bytes_to_client=peer.bytes_from,
        bytes_to_peer=peer.bytes_to,
        starling_optimistic=peer.is_optimistic,
        starling_snubbed=peer.is_snubbed,
    )


_FILES = (
    ("readme.txt", 4 * K, 1.0, True, 0),
    ("north/plate-01.tif", 310 * M, 1.0, True, 1),
    ("north/plate-02.tif", 298 * M, 0.71, True, 1),
    ("north/index/stars.csv", 44 * M, 0.4, True, 0),
    ("south/plate-01.tif", 305 * M, 0.2, True, 0),
    ("south/plate-02.tif", 322 * M, 0.0, False, 0),
    ("south/" + WIDE + ".jpg", 2 * M, 1.0, True, -1),
    ("south/" + HOSTILE, 9 * K, 0.0, True, 0),
    ("empty", 0, 1.0, True, 0),
)
_TRACKERS = (
    ("https://tracker.example.org/announce", "Success", 1500, 41, 17),
    ("udp://open.example.net:6969/announce", "Success", 320, 38, 12),
    ("udp://gone.example.com:1337/announce", "connection timed out", 75, -1, -1),
    ("http://192.0.2.250:8000/announce", "", 0, -1, -1),
)


def details(row):
    return TorrentDetails(
        id=row.id,
        hash_string=row.hash_string,
        name=row.name,
        comment="Plates of the southern survey, scanned at 4800 dpi. \x1b[31mNot red. [bold]Not bold.",
        creator="Starling 0.1.0",
        date_created=int(NOW - 30 * DAY),
        piece_count=1076,
        piece_size=4 * M,
        file_count=len(_FILES),
        magnet_link=f"magnet:?xt=urn:btih:{row.hash_string}",
        corrupt_ever=4 * M,
        seconds_downloading=5_000,
        seconds_seeding=0,
        seed_ratio_limit=2.0,
        peers_from=PeersFrom(from_dht=6, from_incoming=4, from_pex=5, from_tracker=9),
        files=tuple(
            FileFacts(f"{row.name}/{name}", size, int(size * done), wanted, priority, 0, 1)
            for name, size, done, wanted, priority in _FILES
        ),
        peers=tuple(map(_peer_facts, CHOKING_PEERS)),
        tracker_stats=tuple(
            TrackerFacts(
                id=number,
                announce=url,
                scrape="",
                sitename="",
                host=url.split("/")[2],
                tier=number,
                has_announced=bool(answer),
                last_announce_result=answer,
                last_announce_succeeded=answer == "Success",
                last_announce_time=int(NOW - 300),
                next_announce_time=int(NOW + due) if due else 0,
                seeder_count=seeders,
                leecher_count=leechers,
            )
            for number, (url, answer, due, seeders, leechers) in enumerate(_TRACKERS)
        ),
    )


def pieces(row):
    count = 1076
    rng = random.Random(3)
    have = bytearray(-(-count // 8))
    among = bytearray(count)
    for piece in range(count):
        if piece < 500 or rng.random() < 0.3:
            have[piece // 8] |= 128 >> piece % 8
        among[piece] = 0 if 900 < piece < 905 else min(9, int(abs(rng.gauss(4, 3))) + (piece < 700))
    return PieceMap(
        row.id, row.hash_string, count, 4 * M, base64.b64encode(have).decode(), base64.b64encode(among).decode(), 3.71
    )


def rates(number=None):
    def series(interval, steps):
        down = tuple(int(M * (2 + math.sin(at / 23) + 0.5 * math.sin(at / 3))) for at in range(steps))
        up = tuple(int(400 * K * (1 + math.sin(at / 41))) if at % 97 > 20 else 0 for at in range(steps))
        return RateSeries(interval, NOW, down, up)

    return RateHistory(number, (series(1.0, 300), series(10.0, 360)))


TRACKER_HEALTH = TrackerHealthFacts(
    (
        TrackerHost("tracker.example.org", 9, 412, 3, 0, 0, NOW - 90, NOW - 4_000, "timed out", 0.041),
        TrackerHost("open.example.net:6969", 5, 207, 11, 2, 0, NOW - 300, NOW - 900, "timed out", 0.180),
        TrackerHost("gone.example.com:1337", 1, 0, 14, 6, 14, None, NOW - 75, "connection timed out", None),
        TrackerHost(HOSTILE, 1, 2, 1, 0, 1, NOW - 900, NOW - 10, HOSTILE, 0.3),
        TrackerHost("192.0.2.250:8000", 1, 0, 0, 0, 0, None, None, "", None),
    )
)
DHT = DhtFacts(
    is_running=True,
    is_ready=True,
    is_read_only=False,
    port=51413,
    lookups=3,
    waiting=5,
    traffic=DhtTraffic(41_200, 39_800, 6 * M, 5 * M, 20_100, 21_000, 18_900, 12, 7, 88),
    families=tuple(
        DhtFamily(
            ipv6=ipv6,
            node_id="5a" * 20,
            outside=None if ipv6 else "198.51.100.7:51413",
            good=60,
            questionable=7,
            bad=2,
            stored_hashes=140,
            stored_peers=731,
            round_trip=0.084,
            buckets=tuple(DhtBucket(bits, 8, 8 - bits % 4, bits % 5, 40.0 * bits) for bits in range(9 - 4 * ipv6)),
        )
        for ipv6 in (False, True)
    ),
)
DISK = DiskFacts(
    queue=2,
    hash_rate=410.0 * M,
    hashed=int(160 * G),
    jobs=(
        DiskJobs("write", 1, 35_110, 0, int(140 * G), 0.0021, 0.011, 0.040, 0.310),
        DiskJobs("read", 0, 15_230, 0, int(61 * G), 0.0009, 0.006, 0.020, 0.120),
        DiskJobs("hash", 1, 36_002, 0, int(160 * G), 0.0090, 0.012, 0.031, 0.090),
        DiskJobs("move", 0, 2, 1, int(12 * G), None, None, None, None),
    ),
    filesystems=(
        Filesystem("8:17", "/srv", ("/srv/downloads",), int(412 * G), int(2000 * G), 14),
        Filesystem("8:33", "/media/old-disk", ("/media/old-disk/torrents",), int(3 * G), int(500 * G), 1),
    ),
)
_LINES = (
    ("info", "p2p.session", "listening on 0.0.0.0:51413 and [::]:51413"),
    ("info", "p2p.session", f"torrent {LEECHING.hash_string} added: 1,076 pieces of 4 MiB in 9 files"),
    ("debug", "p2p.session", f"{LEECHING.hash_string}: 192.0.2.14:51413 connected, Starling 0.1.0"),
    ("warning", "p2p.session", f"{LEECHING.hash_string}: udp://gone.example.com:1337/announce: connection timed out"),
    ("info", "p2p.daemon", "the alternative limits are in force until 17:00"),
    (
        "error",
        "p2p.disk",
        f"/media/old-disk: no space left on device while {LEECHING.hash_string} was moved there " * 2,
    ),
    ("info", "p2p.session", f"{LEECHING.hash_string}: a peer calls itself {HOSTILE}"),
)
LOG = LogFacts(
    "debug",
    len(_LINES),
    tuple(LogLine(at, NOW - 600 + 60 * at, *line) for at, line in enumerate(_LINES, 1)),
)
