"""Lines after `:`, understood, refused at the right place, and completed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.client import TorrentRow
from tui.said import Here, LineError, offered, understood
from tui.verb import Takes
from tui.verbs import BY_NAME

ROWS = tuple(
    TorrentRow(id=number, hash_string=f"{number:040x}", name=name)
    for number, name in enumerate(["Debian 12", "Debian 13", "arch", "a [x]*"])
)
KNOWN = {Takes.FOLDER: ("/srv/films", "/srv/iso"), Takes.LABELS: ("iso", "linux"), Takes.LEVEL: ("debug", "info")}
HERE = Here(BY_NAME, frozenset(BY_NAME) - {"file-skip"}, ROWS, KNOWN)


def names(said):
    return [row.name for row in said.rows]


def test_a_verb_gets_the_words_after_it_or_the_torrents_they_name():
    assert understood("  move  /srv/a b ", HERE).words == "/srv/a b"
    assert understood("start", HERE).rows is None
    assert names(understood("remove ARCH", HERE)) == ["arch"]
    assert names(understood("stop debian*", HERE)) == ["Debian 12", "Debian 13"]
    assert names(understood("stop deb* 13", HERE)) == ["Debian 13"]
    assert names(understood("stop [x]", HERE)) == ["a [x]*"]
    assert understood("limit", HERE).verb.name == "limits"


@pytest.mark.parametrize(
    ("line", "position", "reason"),
    [
        (" st", 1, "no verb 'st'; there are start, start-now, stop"),
        ("starrt", 0, "no verb 'starrt'; there are start"),
        ("zzzz", 0, "no verb 'zzzz'; Tab offers those"),
        ("stop  debian", 6, "2 torrents are so named: Debian 12, Debian 13"),
        ("remove suse", 7, "no torrent that is seen is so named"),
        ("unmark all", 7, "nothing stands after unmark"),
        ("sort name sise", 10, "no column 'sise'"),
        ("file-skip", 0, "file-skip is for files, which are not here"),
    ],
)
def test_a_line_is_refused_at_the_place(line, position, reason):
    with pytest.raises(LineError, match="^" + reason.replace("'", ".")) as refused:
        understood(line, HERE)
    assert refused.value.position == position


@pytest.mark.parametrize(
    ("line", "start", "texts"),
    [
        ("reann", 0, ("reannounce ",)),
        ("lim", 0, ("limit ", "limits ")),
        ("move /srv/f", 5, ("/srv/films",)),
        ("remove deb", 7, ("Debian 12", "Debian 13")),
        ("labels new, li", 7, ("new, linux",)),
        ("sort name -si", 10, ("-size",)),
        ("log-level d", 10, ("debug",)),
        ("nothing x", 9, ()),
    ],
)
def test_what_can_stand_there_is_offered(line, start, texts):
    offer = offered(line, HERE)
    assert (offer.start, offer.texts) == (start, texts)


def test_what_is_offered_begins_alike():
    assert offered("remove deb", HERE).alike == "Debian 1"
    assert offered("nothing x", HERE).alike == ""


@given(
    st.text(max_size=30)
    | st.sampled_from(sorted(BY_NAME)).flatmap(lambda name: st.text(max_size=20).map(f"{name} ".__add__))
)
def test_any_line_is_understood_or_refused_within_it(line):
    offer = offered(line, HERE)
    assert 0 <= offer.start <= len(line)
    assert all(text.startswith(offer.alike) for text in offer.texts)
    place = 0
    try:
        understood(line, HERE)
    except LineError as error:
        place = error.position
    assert 0 <= place <= len(line)
