"""Metrics, stats and log records as programs read them; the documents list every metric there is."""

from __future__ import annotations

import io
import json
import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from p2p.operation.log_lines import LogLevel
from tracker.config import LogConfig, LogFormat
from tracker.event_log import logging_to, tell
from tracker.figures import Figures, RateWindow, RedisFigures, Traffic, add_traffic, stats_json
from tracker.metrics import PREFIX, metrics_text
from tracker.private.gate import GateTotals
from tracker.store import Totals

DOCUMENT = Path(__file__).parents[3] / "docs" / "tracker.md"

OPEN = Figures(
    version="1",
    started=1_000.0,
    now=1_060.0,
    workers=1,
    totals=Totals(torrents=3, peers=10, seeders=4),
    traffic=Traffic(http_announces=5, udp_announces=7, udp_connects=2, http_refusals=1),
    announce_rate=1.5,
    scrape_rate=0.0,
)
SHARED = replace(
    OPEN,
    redis=RedisFigures(up=True, lag=0.02, unsent=1, batches=2, sent=3, received=4, refused=0, outages=1, comparisons=1),
)
PRIVATE = replace(OPEN, saved=1_050.0, accounts=GateTotals(2, 1, 1, 1, 3, 4, 0, 9, 0, "disk full"))


def samples_of(figures):
    return {
        (sample.name.removeprefix(f"{PREFIX}_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics_text(figures).decode())
        for sample in family.samples
    }


def test_prometheus_reads_what_is_told():
    samples = samples_of(OPEN)
    assert samples["peers", "seeder"] == 4
    assert samples["peers", "leecher"] == 6
    assert samples["requests_total", "announce", "udp"] == 7
    assert samples["refusals_total", "http"] == 1
    assert "members" not in {name for name, *_ in samples}
    private = samples_of(PRIVATE)
    assert (private["members",], private["database_down",], private["saved_time_seconds",]) == (2, 1, 1_050)


def test_the_document_lists_every_metric_with_its_labels():
    told = {
        sample.name.removeprefix(f"{PREFIX}_"): set(sample.labels)
        for figures in (PRIVATE, SHARED)
        for family in text_string_to_metric_families(metrics_text(figures).decode())
        for sample in family.samples
    }
    table = DOCUMENT.read_text(encoding="utf-8").partition("## Metrics")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", table, re.MULTILINE))
    assert set(listed) == set(told)
    assert [name for name, labels in told.items() if not labels <= set(re.findall(r"`(\w+)`", listed[name]))] == []


def test_stats_say_the_same():
    stats = json.loads(json.dumps(stats_json(PRIVATE)))
    assert (stats["mode"], stats["uptime"], stats["leechers"], stats["saved"]) == ("private", 60.0, 6, 1_050.0)
    assert stats["accounts"]["outage"] == "disk full"
    assert "accounts" not in stats_json(OPEN)


def test_rates_are_those_of_the_last_minute():
    window = RateWindow()
    assert window.rates(0.0, Traffic()) == (0.0, 0.0)
    for second in range(0, 301, 5):
        window.on_sample(float(second), Traffic(http_announces=second * 10, udp_scrapes=second))
    announces, scrapes = window.rates(300.0, Traffic(http_announces=3_600, udp_scrapes=300))
    assert announces == pytest.approx((3_600 - 2_400) / 60)
    assert scrapes == pytest.approx(1.0)


def test_traffic_of_several_processes_adds_up():
    both = add_traffic((Traffic(http_announces=1, udp_dropped=2), Traffic(http_announces=3, http_open=1)))
    assert (both.http_announces, both.udp_dropped, both.http_open, both.announces) == (4, 2, 1, 4)


def test_a_record_stays_on_its_line_whatever_is_in_it():
    for form in LogFormat:
        stream = io.StringIO()
        with logging_to(stream, LogConfig(format=form)):
            tell("odd\nevent", reason='a "b"\nc\x1b[31m', urls=("x", "y z"), rate=1.50)
            logging.getLogger("tracker.private").warning("of %s", "others")
            logging.getLogger("tracker").debug("not this")
        first, second = stream.getvalue().splitlines()
        assert "\x1b" not in first
        if form is LogFormat.JSON:
            record = json.loads(first)
            assert (record["event"], record["reason"], record["level"]) == ("odd\nevent", 'a "b"\nc\x1b[31m', "info")
            assert json.loads(second)["event"] == "of others"
        else:
            assert r'odd\nevent reason="a \"b\"\nc\u001b[31m" urls=x,"y z" rate=1.5' in first
            assert second.endswith("warning of others")


def test_level_and_format_change_in_a_running_log():
    stream = io.StringIO()
    with logging_to(stream, LogConfig(level=LogLevel.ERROR)) as control:
        tell("silent")
        control.apply(LogConfig(format=LogFormat.JSON))
        tell("heard")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["heard"]


def test_a_reader_that_went_away_stops_nothing():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with logging_to(Gone(), LogConfig()):
        tell("one")
        tell("two")
