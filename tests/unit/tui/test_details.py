"""What the tabs say, of what strangers have written too."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.daemon.client import PeerFacts, TorrentDetails, TorrentRow, TrackerFacts
from tui.details import TABS

NOW = 2_000_000_000.0
BY_KEY = {tab.key: tab for tab in TABS}


@settings(max_examples=50)
@given(
    st.builds(
        TorrentDetails,
        peers=st.lists(st.builds(PeerFacts, progress=st.floats()), max_size=3).map(tuple),
        tracker_stats=st.lists(st.builds(TrackerFacts, announce=st.text()), max_size=3).map(tuple),
        date_created=st.integers(-(2**63), 2**63),
        comment=st.text(),
        creator=st.text(),
    )
)
def test_every_cell_is_one_line_that_does_nothing_to_a_terminal(details):
    for tab in TABS:
        for cells in tab.lines(details, TorrentRow(error_string="\x1b[2J"), NOW):
            assert len(cells) == len(tab.headings)
            assert not any(unicodedata.category(each) in ("Cc", "Cf") for cell in cells for each in cell)


def test_a_tracker_says_when_it_is_asked_next():
    tracker = TrackerFacts(1, "http://a/announce", "", "", "", 0, next_announce_time=int(NOW) + 90, seeder_count=3)
    lines = BY_KEY["trackers"].lines(TorrentDetails(tracker_stats=(tracker,)), TorrentRow(), NOW)
    assert lines == [("1", "http://a/announce", "not asked yet", "1m 30s", "3", "")]


def test_a_complete_torrent_is_a_seeder():
    assert ("State", "stopped, as a seeder") in BY_KEY["overview"].lines(TorrentDetails(), TorrentRow(), NOW)
