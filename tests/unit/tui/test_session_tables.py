"""The session's tables: trackers by host, DHT, disk, limits."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.daemon.client import (
    DhtBucket,
    DhtFacts,
    DhtFamily,
    DhtTraffic,
    DiskFacts,
    DiskJobs,
    Filesystem,
    Space,
    Statistics,
    Totals,
    TrackerHealthFacts,
    TrackerHost,
)
from tui.session_tables import (
    DISK_HEADINGS,
    HOST_HEADINGS,
    dht_lines,
    disk_lines,
    disk_sums,
    hosts_of,
    limit_lines,
    trouble_of,
)

NOW = 2_000_000_000.0
WELL = TrackerHost("well.example", 9, 30, 1, 0, 0, NOW - 5, NOW - 900, "timed out", 0.12)
GONE = TrackerHost("gone.example", 1, 0, 4, 7, 4, None, NOW - 60, "refused", None)
SUMS = Statistics(1, 2, 3, 0, 0, Totals(uploaded_bytes=1024), Totals(downloaded_bytes=2048))


def test_trackers_that_do_not_answer_come_first():
    facts = TrackerHealthFacts((WELL, GONE))
    lines, classes = hosts_of(facts, NOW)
    assert lines == [
        ("gone.example", "1", "0", "4", "7", "", "1m 00s", "4 in a row: refused"),
        ("well.example", "9", "30", "1", "0", "120 ms", "5s", ""),
    ]
    assert classes == ["table--bad", "table--good"]
    assert trouble_of(facts, 0) == "gone.example: refused"
    assert trouble_of(facts, 99) == "well.example: timed out"
    assert trouble_of(TrackerHealthFacts(()), 0) == "no tracker has been asked yet"


def test_the_dht_is_told_by_family_with_its_buckets():
    family = DhtFamily(False, "ab" * 20, None, 5, 1, 0, 2, 9, 0.05, (DhtBucket(3, 8, 6, 2, 61.0),))
    facts = DhtFacts(True, False, True, 6881, 1, 2, DhtTraffic(*range(10)), (family,))
    lines = dict(dht_lines(facts))
    assert lines["State"] == "looking for the nodes nearest to us, UDP port 6881, read only"
    assert lines["Nodes"] == "5 good, 1 questionable, 0 bad, answer in 50 ms"
    assert lines["Outside"] == "not known"
    assert lines["  /3"] == "■■■■■■□□ 6 of 8 good, 2 waiting, changed 1m 01s ago"
    assert dht_lines(replace(facts, is_running=False)) == [("DHT", "off")]


def test_the_disk_is_told_by_job_and_by_filesystem():
    facts = DiskFacts(
        1,
        2048.0,
        4096,
        (DiskJobs("read", 1, 20, 0, 1024, 0.0021, 0.5, None, 12.0),),
        (Filesystem(1, "/full", (), 1, 100, 3), Filesystem(2, "/", (), 50, 100, 4)),
    )
    lines, classes = disk_lines(facts)
    assert lines[0] == ("read", "1", "20", "0", "1 KiB", "2.1 ms", "500 ms", "", "12000 ms")
    assert lines[2][:5] == ("Filesystem", "Torr", "", "", "Free")
    assert lines[3][:5] == ("/full", "3", "1% free", "", "1 B")
    assert classes == ["table--line", "table--faint", "table--faint", "table--bad", "table--good"]
    assert {len(line) for line in lines} == {len(DISK_HEADINGS)}
    assert disk_sums(facts).startswith("1 job waiting   hashing 2 KiB/s   4 KiB hashed")


def test_limits_and_schedule():
    settings_ = {
        "speed_limit_down_enabled": True,
        "speed_limit_down": 1024,
        "alt_speed_down": 50,
        "alt_speed_enabled": True,
        "alt_speed_time_enabled": True,
        "alt_speed_time_begin": 540,
        "alt_speed_time_end": 1020,
        "alt_speed_time_day": 0b0111110,
        "seed_ratio_limited": True,
        "seed_ratio_limit": 1.5,
        "queue_stalled_enabled": True,
        "queue_stalled_minutes": 30,
    }
    lines = dict(limit_lines(settings_, SUMS, Space(1024, 2048)))
    assert lines["Down"] == "1000 KiB/s"
    assert lines["Up"] == "off"
    assert lines["Alternative"] == "down 48.8 KiB/s, up 0 B/s, in force"
    assert lines["Schedule"] == "09:00 to 17:00, Mon, Tue, Wed, Thu, Fri"
    assert (lines["Ratio"], lines["Stalled"]) == ("1.50", "after 30 minutes")
    assert (lines["This run"], lines["Ever"]) == ("0 B down, 1 KiB up", "2 KiB down, 0 B up")
    assert lines["Room"] == "1 KiB free of 2 KiB"


def test_settings_of_another_kind_are_none():
    wrong = {"alt_speed_time_enabled": True, "alt_speed_time_day": "x", "peer_port": None, "download_dir": 5}
    lines = dict(limit_lines(wrong, SUMS, None))
    assert lines["Schedule"] == "00:00 to 00:00, on no day"
    assert lines["Room"] == "not known"


@settings(max_examples=40)
@given(st.builds(TrackerHost), st.builds(DhtFamily, buckets=st.just(())), st.builds(Filesystem))
def test_every_cell_is_one_line_that_does_nothing_to_a_terminal(host, family, system):
    facts = TrackerHealthFacts((host,))
    (cells,), _ = hosts_of(facts, NOW)
    assert len(cells) == len(HOST_HEADINGS)
    dht = dht_lines(DhtFacts(True, True, False, 1, 0, 0, None, (family,)))
    (*_, disk), _ = disk_lines(DiskFacts(0, 0.0, 0, (), (system,)))
    for text in (*cells, trouble_of(facts, 0), *(text for line in dht for text in line), *disk):
        assert not any(unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") for each in text)
