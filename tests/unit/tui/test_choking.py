"""The choking round in text, of ours and of another maker's daemon."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.daemon.client import ChokingFacts, PeerChoking, PeerFacts, Reciprocation, TorrentDetails
from tui.choking import MOST_NEWS, clock, gives, news, standing, summary, table_of
from tui.foreign import choking_of

NOW = 2_000_000_000.0
PEER = PeerChoking(
    address="192.0.2.1",
    port=6881,
    client_name="one",
    source="tracker",
    is_incoming=False,
    is_encrypted=True,
    is_seeder=False,
    progress=0.5,
    am_choking=False,
    am_interested=True,
    peer_choking=False,
    peer_interested=True,
    is_snubbed=False,
    is_optimistic=False,
    reciprocation=Reciprocation.MUTUAL,
    rate_from=2048,
    rate_to=1024,
    bytes_from=1,
    bytes_to=1,
    requests_to=1,
    requests_from=1,
    connected_for=90.0,
    unchoked_for=20.0,
)
FACTS = ChokingFacts(1, "a", True, False, 4, 1, 1, 10.0, 7.0, 30.0, 15.0, None, 2048, 1024, (PEER,))


def test_slots_and_clocks():
    first, slots, clocks = summary(FACTS)
    assert first == "leeching  ▼ 2 KiB/s  ▲ 1 KiB/s  1 peer  ⇄ 1  ← 0  → 0  0 snubbed"
    assert slots == "slots ●○○○ 1 of 4  ◆ nobody  1 interested"
    assert clocks == "next round ▰▰▰▱▱▱▱▱▱▱ 7 s   next optimistic ▰▰▰▰▰▱▱▱▱▱ 15 s"


def test_the_optimistic_slot_is_no_regular_one():
    tried = replace(PEER, is_optimistic=True)
    slots = summary(replace(FACTS, peers=(tried,), optimistic="192.0.2.1:6881"))[1]
    assert slots == "slots ○○○○ 0 of 4  ◆ 192.0.2.1:6881  1 interested"
    assert standing(tried) == "◆"


def test_many_slots_are_counted():
    assert summary(replace(FACTS, slots=10**9))[1] == "slots 1 of 1,000,000,000  ◆ nobody  1 interested"


def test_a_clock_that_is_not_known_says_so():
    assert clock(None, 10.0) == clock(3.0, 0.0) == "-"


def test_standing_and_giving():
    assert standing(replace(PEER, am_choking=True)) == "·"
    assert standing(replace(PEER, am_choking=True, peer_interested=False)) == ""
    assert gives(replace(PEER, is_snubbed=True)) == "snubbed"
    assert gives(PEER) == "⇄ both"


def test_whoever_has_a_slot_comes_first_and_columns_fit():
    waits = replace(PEER, address="192.0.2.0", am_choking=True)
    headings, lines, classes = table_of(replace(FACTS, peers=(waits, PEER)), 80)
    assert [line[1] for line in lines] == ["192.0.2.1:6881", "192.0.2.0:6881"]
    assert lines[0][3:8] == ("unchoked*", "unchoked*", "⇄ both", "2 K", "1 K")
    assert classes[0] == "table--good"
    assert sum(heading.width for heading in headings) + len(headings) < 80
    assert len(table_of(FACTS, 200)[0]) == 17


def test_what_changed_is_told():
    other = replace(PEER, address="2001:db8::1", am_choking=True)
    later = replace(
        FACTS,
        next_round_in=9.5,
        optimistic="192.0.2.1:6881",
        peers=(replace(PEER, am_choking=True, peer_choking=True, is_snubbed=True), other),
    )
    assert [line.partition(" ")[2] for line in news(FACTS, later, NOW)] == [
        "round: 1 unchoked of 1 interested",
        "◆ optimistic slot to 192.0.2.1:6881",
        "we choke 192.0.2.1:6881",
        "chokes us: 192.0.2.1:6881",
        "snubs us: 192.0.2.1:6881",
        "[2001:db8::1]:6881 has come",
    ]
    assert [line.partition(" ")[2] for line in news(later, FACTS, NOW)][-1] == "[2001:db8::1]:6881 has left"
    assert news(None, FACTS, NOW) == news(FACTS, FACTS, NOW) == []


def test_a_rush_of_news_is_counted():
    crowd = replace(FACTS, peers=tuple(replace(PEER, port=port) for port in range(1, 1001)))
    lines = news(replace(FACTS, peers=()), crowd, NOW)
    assert len(lines) == MOST_NEWS + 1
    assert lines[-1].endswith("and 980 more")


def peer_facts(**other):
    known = {
        "address": "192.0.2.9",
        "port": 1,
        "client_name": "x",
        "flag_str": "",
        "progress": 0.0,
        "rate_to_client": 10,
        "rate_to_peer": 0,
        "is_encrypted": False,
        "is_incoming": False,
        "is_utp": False,
        "is_downloading_from": True,
        "is_uploading_to": False,
        "client_is_choked": False,
        "client_is_interested": True,
        "peer_is_choked": True,
        "peer_is_interested": True,
        "peer_id": "",
        "bytes_to_client": 0,
        "bytes_to_peer": 0,
        "starling_optimistic": False,
        "starling_snubbed": False,
    }
    return PeerFacts(**{**known, **other})


def test_of_another_daemon_what_its_flags_tell():
    details = TorrentDetails(peers=(peer_facts(), peer_facts(flag_str="OUE", peer_is_choked=False, port=2)))
    facts = choking_of(details)
    assert [peer.reciprocation for peer in facts.peers] == [Reciprocation.TAKING, Reciprocation.MUTUAL]
    assert (facts.optimistic, facts.rate_from, facts.unchoked, facts.interested) == ("192.0.2.9:2", 20, 1, 2)
    assert summary(facts)[1:] == ("1 unchoked, 2 interested  ◆ 192.0.2.9:2", "rounds are not told")


@settings(max_examples=50)
@given(st.builds(PeerChoking), st.floats())
def test_every_cell_is_one_line_that_does_nothing_to_a_terminal(peer, left):
    facts = replace(FACTS, peers=(peer,), optimistic=peer.address)
    _, (cells,), _ = table_of(facts, 200)
    for text in (*cells, *summary(facts), *news(replace(FACTS, peers=()), facts, NOW)):
        assert not any(unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") for each in text)
    clock(left, 10.0)
