"""Filters: what each means, and that nothing that can be typed is more than refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.client import ErrorKind, Status, TorrentRow
from tui.query import MOST_CHARACTERS, MOST_DEPTH, parse
from tui.terms import KEYS, OPERATORS, STATES, QueryError

NOW = 2_000_000_000.0

SEED = TorrentRow(
    id=1,
    name="Debian [netinst] 13.iso",
    status=Status.SEEDING,
    total_size=2 * 1024**3,
    percent_done=1.0,
    upload_ratio=1.5,
    rate_upload=150 * 1024,
    seeders=10,
    tracker="tracker.debian.example",
    labels=("linux", "ISO"),
    added_date=int(NOW) - 3 * 86_400,
    download_dir="/srv/a=b",
)
LEECH = TorrentRow(
    id=2,
    name="holiday pictures",
    status=Status.DOWNLOAD_QUEUED,
    error=ErrorKind.TRACKER_ERROR,
    total_size=1024,
    left_until_done=512,
    percent_done=0.5,
    eta=7_200,
    peers_connected=3,
)


@pytest.mark.parametrize(
    ("text", "seed", "leech"),
    [
        ("", True, True),
        ("debian", True, False),
        ("DEBIAN 13", True, False),
        ('"n 13"', False, False),
        ('"] 13"', True, False),
        ("[netinst]", True, False),
        ("deb*iso", True, False),
        ("[net*] 1?.iso", True, False),
        ("size>1G", True, False),
        ("size > 1G & seeding & tracker:debian", True, False),
        ("size<=1KiB", False, True),
        ("seeding | queued", True, True),
        ("!seeding", False, True),
        ("!(seeding | queued)", False, False),
        ("state:leeching", False, True),
        ("state!=leeching", True, False),
        ("label:lin", True, False),
        ("label=iso", True, False),
        ("label!=iso", False, True),
        ("up>=100K/s", True, False),
        ("done=50%", False, True),
        ("ratio<100", True, False),
        ("seeders<5", False, False),
        ("eta<3h", False, True),
        ("added<4d", True, False),
        ("added>4d", False, False),
        ("added>=2033-05-01", True, False),
        ("added:2033-05-01T03:30", False, False),
        ("error", False, True),
        ("path:/srv/a=b", True, False),
        ("name!=holiday", True, True),
        ("peers=3 incomplete", False, True),
    ],
)
def test_a_filter_means_what_it_says(text: str, seed: bool, leech: bool) -> None:
    matches = parse(text).matches
    assert (matches(SEED, NOW), matches(LEECH, NOW)) == (seed, leech)


@pytest.mark.parametrize(
    ("text", "position", "word"),
    [
        ("size>", 5, "missing"),
        ("size>much", 5, "like 1.5G"),
        ("ratio>nan", 6, "number"),
        ("colour:red", 0, "nothing to ask for"),
        ("seeding &", 9, "missing at the end"),
        ("(seeding", 8, "not closed"),
        ("seeding)", 7, "not expected"),
        ('name:"open', 5, "missing"),
        ('"open', 0, "quote"),
        ("state:asleep", 6, "no state"),
        ("name>a", 0, "text"),
        ("added:2d", 6, "exactly"),
        ("added>someday", 6, "no age"),
        (">5", 0, "not expected"),
        ("!" * (MOST_DEPTH + 2) + "a", MOST_DEPTH + 1, "too many"),
        ("a" * (MOST_CHARACTERS + 1), MOST_CHARACTERS, "at most"),
    ],
)
def test_what_means_nothing_is_refused_where_it_stops_to(text: str, position: int, word: str) -> None:
    with pytest.raises(QueryError, match=word) as refused:
        parse(text)
    assert refused.value.position == position


PIECES = st.sampled_from([*KEYS, *STATES, *OPERATORS, "&", "|", "!", "(", ")", '"', " ", "1G", "5", "2d", "x"])


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60))
def test_whatever_is_typed_is_answered_or_refused(text: str) -> None:
    refused = None
    try:
        matches = parse(text).matches
    except QueryError as error:
        refused = error
    if refused is None:
        assert matches(SEED, NOW) in (True, False)
        assert matches(TorrentRow(), NOW) in (True, False)
    else:
        assert 0 <= refused.position <= len(text)
        assert str(refused)


@given(st.sampled_from(["seeding", "size>1K", "debian", "eta<3h"]), st.sampled_from(["queued", "error", "peers=3"]))
def test_and_or_and_not_keep_de_morgan(one: str, other: str) -> None:
    apart, together = parse(f"!{one} & !{other}").matches, parse(f"!({one} | {other})").matches
    assert [apart(row, NOW) for row in (SEED, LEECH)] == [together(row, NOW) for row in (SEED, LEECH)]
