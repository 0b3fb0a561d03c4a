"""The lines of figures: what they say, and what stays of them where there is little room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from p2p.daemon.client_values import Space, Statistics, Totals
from p2p.daemon.own_facts import Filesystem
from tui.around import Around
from tui.figures import BAD, Figure, Standing, fitted, room_figures, session_figures, sparkline, sum_figures
from tui.rows import Sums

TIB = 1 << 40
SETTINGS = {
    "speed_limit_down": 5_000,
    "speed_limit_down_enabled": True,
    "peer_port": 51413,
    "starling_interface": "wg0",
}


def standing(**parts):
    statistics = Statistics(12, 3, 15, 2_000_000, 300_000, Totals(), Totals())
    usual = {"settings": SETTINGS, "around": Around(nodes=312), "errors": 2, "down": (0, 1, 2), "up": (0, 0, 1)}
    return Standing("nas", statistics, **{**usual, **parts})


def told(figures, width=400):
    return "".join(" " * each.gap + each.text for each in fitted(figures, width)).strip()


def test_the_session_in_a_line():
    assert told(session_figures(standing(port_open=True))) == (
        "▼ 1.9 MiB/s of 4.8 MiB/s ▁▄█  ▲ 293 KiB/s ▁▁▄  2 errors  port 51413 open  DHT 312  via wg0"
        "  12 active, 3 stopped  ● nas"
    )
    slow = {**SETTINGS, "alt_speed_enabled": True, "alt_speed_down": 50, "alt_speed_up": 10}
    assert "of 48.8 KiB/s" in told(session_figures(standing(settings=slow)))
    assert "slow" in told(session_figures(standing(settings=slow)))


@pytest.mark.parametrize(("is_open", "text"), [(None, "port 51413 "), (False, "port 51413 closed")])
def test_a_port_is_as_it_was_tested(is_open, text):
    assert text in told(session_figures(standing(port_open=is_open)))


def test_in_eighty_columns_rates_trouble_and_place_are_there():
    line = told(session_figures(standing(port_open=False)), 78)
    assert all(part in line for part in ("▼ 1.9 MiB/s", "▲ 293 KiB/s", "2 errors", "port 51413 closed", "● nas"))


@given(
    st.lists(st.builds(Figure, st.text("a▼あ", max_size=9), st.integers(0, 9), gap=st.integers(0, 2)), max_size=8),
    st.integers(0, 60),
)
def test_what_stays_fits_and_nothing_of_a_lower_rank_goes_first(figures, width):
    kept = fitted(figures, width)
    if len(kept) > 1:
        assert sum(cell_len(each.text) + each.gap for each in kept) - kept[0].gap <= width
    gone = [each for each in figures if each.text and not any(each is one for one in kept)]
    assert all(one.rank <= min((each.rank for each in gone), default=9) for one in kept)


def test_low_disks_are_warned_of_and_named_first():
    disks = [("/big", 2 * TIB, 4 * TIB, 9), ("/full", TIB // 100, 4 * TIB, 1), ("/c", TIB, TIB, 2), ("/d", TIB, TIB, 1)]
    systems = tuple(
        Filesystem(at, mount, (), free, total, torrents) for at, (mount, free, total, torrents) in enumerate(disks)
    )
    figures = room_figures(Around(filesystems=systems))
    assert told(figures) == "low: /full 10.2 GiB free  /big 2 TiB free  /c 1 TiB free"
    assert [each.style for each in figures] == [BAD, "", ""]
    assert told(room_figures(Around(Space(free=TIB, total=2 * TIB)))) == "1 TiB free"
    assert told(room_figures(Around())) == ""


def test_sums_and_sparklines():
    assert told(sum_figures(Sums(2, 4096, 1024, 10, 0, 100, 50))) == "Σ 3 KiB of 4 KiB ▼ 10 B/s ▲ 0 B/s ratio 0.50"
    assert sum_figures(Sums()) == []
    assert (sparkline((0, 50, 100), 100), sparkline((5,), 0)) == ("▁▄█", "")
