"""Who is let in, in what order, with which words, and whom an answer leaves out."""

from __future__ import annotations

import pytest

from p2p.errors import TrackerError
from tracker.gate import others
from tracker.private import members, torrents
from tracker.private.clients import ClientList
from tracker.private.rules import ClientRules, GuessRules, LimitRules, PrivateRules

OTHER = b"-TR4000-bbbbbbbbbbbb"
THIRD = b"-TR4000-cccccccccccc"


def refused(house, key, **fields):
    with pytest.raises(TrackerError) as caught:
        house.announce(key, **fields)
    return str(caught.value)


def test_a_passkey_that_nobody_has_is_refused(house):
    house.torrent()
    assert refused(house, "0" * 32) == "Passkey not found"
    assert refused(house, None).startswith("Passkey not found")


@pytest.mark.parametrize(
    "key", ["", "a", "' OR 1=1 --", "a" * 65, "\udcff" * 32, "é" * 32, "a" * 31 + "\n", "../../etc/passwd", "%00" * 10]
)
def test_what_cannot_be_a_passkey_is_no_member(house, key):
    house.torrent()
    house.member()
    assert refused(house, key) == "Passkey not found"


def test_a_member_is_let_in(house):
    house.torrent()
    admission = house.announce(house.member(), event="started")
    assert admission.gives_peers
    assert admission.warning is None
    assert admission.own_peers == frozenset()


def test_a_disabled_member_reads_why_and_comes_back(house):
    house.torrent()
    key = house.member()
    members.disable(house.connection, "ann", reason="shared the passkey")
    house.notice()
    assert refused(house, key) == "Your account is disabled: shared the passkey"
    members.enable(house.connection, "ann")
    house.notice()
    assert house.announce(key).gives_peers


def test_only_registered_torrents_are_tracked(house):
    key = house.member()
    with pytest.raises(TrackerError, match=r"^Unregistered torrent$") as caught:
        house.announce(key)
    assert caught.value.retry_in == 300.0
    house.torrent()
    assert house.announce(key).gives_peers
    torrents.remove(house.connection, b"h" * 20, reason="Dupe")
    house.notice()
    assert refused(house, key) == "Unregistered torrent: Dupe"
    torrents.add(house.connection, [b"h" * 20], "again", size=None, now=house.now)
    house.notice()
    assert house.announce(key).gives_peers


def test_an_old_passkey_goes_on_with_a_warning_until_its_grace_ends(house):
    house.torrent()
    old = house.member()
    new = members.change_passkey(house.connection, "ann", now=house.now, secrets=house.rng.randbytes, grace=3_600.0)
    house.notice()
    assert "passkey was changed" in house.announce(old).warning
    assert house.announce(new).warning is None
    house.now += 3_601.0
    assert refused(house, old) == "Passkey not found"
    house.restart()
    assert refused(house, old) == "Passkey not found"
    assert house.announce(new).gives_peers


def test_a_stolen_passkey_ends_at_once(house):
    house.torrent()
    old = house.member()
    members.change_passkey(house.connection, "ann", now=house.now, secrets=house.rng.randbytes, grace=0.0)
    house.notice()
    assert refused(house, old) == "Passkey not found"


def test_a_second_change_does_not_lengthen_the_grace_of_the_first_key(house):
    first = house.member()
    house.torrent()
    for _ in range(2):
        members.change_passkey(house.connection, "ann", now=house.now, secrets=house.rng.randbytes, grace=100.0)
        house.notice()
        house.now += 60.0
    assert refused(house, first) == "Passkey not found"


@pytest.mark.parametrize(
    ("allow", "deny", "peer_id", "verdict"),
    [
        ((), (), b"-XX0001-", True),
        ((), (b"-XX",), b"-XX0001-", False),
        ((b"-TR",), (), b"-TR4000-", True),
        ((b"-TR",), (), b"-qB4000-", False),
        ((b"-TR",), (b"-TR2",), b"-TR2940-", False),
        ((b"-TR",), (b"-TR2",), b"-TR4000-", True),
        ((b"-TR294",), (b"-TR2",), b"-TR2940-", True),
        ((b"-TR",), (b"-TR",), b"-TR4000-", False),
    ],
)
def test_the_longest_prefix_of_a_client_decides(allow, deny, peer_id, verdict):
    clients = ClientList(ClientRules(allow=allow, deny=deny))
    if verdict:
        clients.check(peer_id.ljust(20, b"x"), "Transmission/4.0")
    else:
        with pytest.raises(TrackerError, match="Your client is not"):
            clients.check(peer_id.ljust(20, b"x"), "Transmission/4.0")


def test_a_browser_is_no_client(house):
    house.torrent()
    key = house.member()
    assert "no BitTorrent client" in refused(house, key, user_agent="Mozilla/5.0 (X11)")
    assert house.announce(key, user_agent="qBittorrent/4.6.0").gives_peers


def test_one_member_has_so_many_clients_at_a_torrent(open_house):
    house = open_house(PrivateRules(limits=LimitRules(places=2)))
    house.torrent()
    house.torrent(b"i" * 20)
    key = house.member()
    house.announce(key)
    house.announce(key, peer_id=OTHER, port=6_882)
    assert "2 clients at this torrent" in refused(house, key, peer_id=THIRD, port=6_883)
    assert house.announce(key, peer_id=THIRD, port=6_883, info_hash=b"i" * 20).gives_peers
    house.announce(key, event="stopped")
    assert house.announce(key, peer_id=THIRD, port=6_883).gives_peers


def test_a_client_that_crashed_takes_its_place_again_and_a_silent_one_frees_it(open_house):
    house = open_house(PrivateRules(limits=LimitRules(places=1)))
    house.torrent()
    key = house.member()
    house.announce(key)
    assert house.announce(key, peer_id=OTHER).gives_peers  # the same address and port
    assert "1 clients" in refused(house, key, peer_id=THIRD, port=6_883)
    assert house.announce(key, peer_id=OTHER, host="10.0.0.2").gives_peers  # it moved
    house.now += house.rules.peer_lifetime + 1.0
    assert house.announce(key, peer_id=THIRD, port=6_883).gives_peers


def test_over_the_slots_there_is_a_warning_and_no_peers(open_house):
    house = open_house(PrivateRules(limits=LimitRules(slots=1)))
    for each in (b"1", b"2", b"3"):
        house.torrent(each * 20)
    key = house.member()
    assert house.announce(key, info_hash=b"1" * 20).gives_peers
    over = house.announce(key, info_hash=b"2" * 20)
    assert not over.gives_peers
    assert over.warning == "Your slot limit is reached! You may at most download 1 torrents at the same time"
    assert house.announce(key, info_hash=b"2" * 20, left=0).gives_peers  # seeding takes no slot
    assert house.announce(key, info_hash=b"1" * 20).gives_peers  # and the first keeps its own
    house.announce(key, info_hash=b"1" * 20, event="stopped")
    assert house.announce(key, info_hash=b"3" * 20).gives_peers
    members.set_slots(house.connection, "ann", 2)
    house.notice()
    assert house.announce(key, info_hash=b"2" * 20).gives_peers
    members.set_slots(house.connection, "ann", 0)
    house.notice()
    assert house.announce(key, info_hash=b"1" * 20).gives_peers


def test_the_members_other_clients_are_told_to_be_left_out(house):
    house.torrent()
    key, other = house.member(), house.member("bob")
    house.announce(key, host="10.0.0.1", port=6_881)
    house.announce(other, host="10.0.0.9", port=6_881, peer_id=THIRD)
    admission = house.announce(key, host="2001:db8::1", port=6_882, peer_id=OTHER)
    assert bytes([10, 0, 0, 1, 0x1A, 0xE1]) in admission.own_peers
    assert bytes([10, 0, 0, 9, 0x1A, 0xE1]) not in admission.own_peers


def test_peers_of_ones_own_are_cut_out_and_the_rest_is_bounded():
    peers = b"aaaaaabbbbbbccccccdddddd"
    assert others(peers, 6, frozenset({b"bbbbbb"}), 10) == b"aaaaaaccccccdddddd"
    assert others(peers, 6, frozenset({b"bbbbbb"}), 2) == b"aaaaaacccccc"
    assert others(peers, 6, frozenset(), 1) == b"aaaaaa"
    assert others(b"", 18, frozenset({b"x" * 18}), 5) == b""


def test_stopped_is_always_taken_and_gives_no_peers(house):
    house.torrent()
    key = house.member()
    house.announce(key, event="started")
    members.forbid_download(house.connection, "ann")
    house.notice()
    admission = house.announce(key, uploaded=5, event="stopped", after=60.0)
    assert not admission.gives_peers
    assert house.totals()[0] == 5


def test_a_scrape_tells_of_registered_torrents_to_members(house):
    from p2p.ids import Address

    house.torrent()
    key = house.member()
    source = Address("10.0.0.1", 9)
    assert house.desk.may_scrape(key, (b"x" * 20, b"h" * 20), source, house.now) == (b"h" * 20,)
    for passkey, hashes in ((None, (b"h" * 20,)), ("0" * 32, (b"h" * 20,)), (key, ())):
        with pytest.raises(TrackerError):
            house.desk.may_scrape(passkey, hashes, source, house.now)
    members.disable(house.connection, "ann")
    house.notice()
    with pytest.raises(TrackerError, match="disabled"):
        house.desk.may_scrape(key, (b"h" * 20,), source, house.now)


def test_guesses_of_passkeys_are_stopped_for_their_network_alone(open_house):
    house = open_house(PrivateRules(guesses=GuessRules(limit=5, window=600.0)))
    house.torrent()
    key = house.member()
    for number in range(5):
        assert refused(house, f"{number:032}", host="10.0.0.66") == "Passkey not found"
    assert refused(house, "9" * 32, host="10.0.0.66").startswith("Too many unknown passkeys")
    # a right one reads the same, or the guesser would know that it is right
    assert refused(house, key, host="10.0.0.66").startswith("Too many unknown passkeys")
    assert house.announce(key, host="10.0.0.67").gives_peers
    house.now += 601.0
    assert house.announce(key, host="10.0.0.66").gives_peers


def test_guesses_from_an_ipv6_network_count_together(open_house):
    house = open_house(PrivateRules(guesses=GuessRules(limit=2)))
    house.torrent()
    key = house.member()
    refused(house, "1" * 32, host="2001:db8:0:1::1")
    refused(house, "2" * 32, host="2001:db8:0:1:ffff::2")
    assert refused(house, key, host="2001:db8:0:1::3").startswith("Too many")
    assert house.announce(key, host="2001:db8:0:2::1").gives_peers


def test_an_old_torrent_file_that_repeats_its_wrong_passkey_stops_nobody(open_house):
    house = open_house(PrivateRules(guesses=GuessRules(limit=2)))
    house.torrent()
    key = house.member()
    for _ in range(100):
        refused(house, "1" * 32)
    assert house.announce(key).gives_peers


def test_a_member_that_shares_its_address_with_a_guesser_goes_on(open_house):
    house = open_house(PrivateRules(guesses=GuessRules(limit=2)))
    house.torrent()
    key = house.member()
    house.announce(key)
    for number in range(5):
        refused(house, f"{number:032}")
    assert house.announce(key).gives_peers


def test_guessers_networks_are_bounded():
    from tracker.private.guesses import MAX_NETWORKS, GuessLimiter

    limiter = GuessLimiter(GuessRules(limit=1))
    for number in range(MAX_NETWORKS + 10):
        limiter.on_wrong(str(number), b"", 0.0)
    assert not limiter.is_stopped("0", 1.0)
    assert limiter.is_stopped(str(MAX_NETWORKS + 9), 1.0)
    assert limiter.wrong == MAX_NETWORKS + 10
