"""What a node makes of garbage, forgeries, liars and floods."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec import bencode
from p2p.codec.compact import CompactNode
from p2p.dht import krpc, outside, rate_limit
from p2p.dht.events import IdChanged, PeersFound, PingFailed, Pong, SearchDone
from p2p.dht.krpc import AnnouncePeer, ErrorReply, FindNode, GetPeers, Ping, Query, Response
from p2p.dht.node import MAX_OWN_ADDRESSES, DhtNode
from p2p.dht.node_id import id_for, is_id_for
from p2p.dht.peer_store import MAX_PER_HASH
from p2p.dht.routing_table import K
from p2p.dht.token import ROTATION
from p2p.dht.upkeep import MAX_VERIFYING
from p2p.ids import Address

HASH = bytes(range(20))
THEM = Address("40.0.0.1", 4_000)
ELSEWHERE = Address("41.0.0.1", 4_000)


def make(now=0.0, **options):
    ids = {False: id_for("20.0.0.1", random.Random(1))}
    return DhtNode(ids, rng=random.Random(2), secret=b"s" * 16, now=now, **options)


def own_id(node):
    return node._families[False].own_id


def said(node):
    """What the node sends now: (message, to)."""
    return [(krpc.decode(datagram), to) for datagram, to in node.datagrams_to_send()]


def tell(node, message, source=THEM, now=0.0):
    node.receive_datagram(krpc.encode(message), source, now)


def events(node):
    found = []
    while (event := node.next_event()) is not None:
        found.append(event)
    return found


def asked(node, now=0.0):
    """A node that searches, with one query under way to THEM; and that query."""
    node.bootstrap([THEM], now)
    ((query, to),) = said(node)
    assert to == THEM
    return query


def ask(node, what, source=THEM, now=0.0, transaction=b"aa"):
    """The answer to a query of a read-only stranger, None if there is none."""
    tell(node, Query(transaction, b"q" * 20, what, read_only=True), source, now)
    answers = said(node)
    assert all(to == source for _, to in answers)
    return answers[0][0] if answers else None


def contacts(node):
    return [contact.id for contact in node._families[False].table.contacts()]


@pytest.mark.parametrize(
    "garbage", [b"", b"\0" * 2_000, b"d", b"d1:y1:qe", b"i1e", b"d1:t2:aa1:y1:re", b"\xff" * 65_000, b"l" * 60_000]
)
def test_garbage_is_counted_and_nothing_else(garbage):
    node = make()
    node.receive_datagram(garbage, THEM, 0.0)
    assert node.datagrams_to_send() == []
    assert contacts(node) == []
    traffic = node.snapshot(0.0).traffic
    assert traffic.broken == traffic.received == 1


def test_every_cut_of_a_real_packet_is_harmless():
    node = make()
    whole = krpc.encode(Query(b"aa", b"q" * 20, GetPeers(HASH), read_only=True))
    for end in range(len(whole)):
        node.receive_datagram(whole[:end], THEM, float(end))
    assert contacts(node) == []
    assert len(said(node)) == 0


def test_an_answer_needs_the_transaction_it_was_asked_with():
    node = make()
    query = asked(node)
    for wrong in (b"", b"aa", query.transaction[:-1], query.transaction + b"a", bytes(4)):
        tell(node, Response(wrong, b"r" * 20, [CompactNode(b"n" * 20, ELSEWHERE)]))
    assert contacts(node) == []
    assert said(node) == []
    assert node.snapshot(0.0).traffic.unasked == 5
    tell(node, Response(query.transaction, b"r" * 20))
    assert contacts(node) == [b"r" * 20]


def test_an_answer_must_come_from_where_the_question_went():
    node = make()
    query = asked(node)
    for liar in (ELSEWHERE, Address(THEM.host, THEM.port + 1)):
        tell(node, Response(query.transaction, b"r" * 20, [CompactNode(b"n" * 20, ELSEWHERE)]), liar)
        tell(node, ErrorReply(query.transaction, 201, "no"), liar)
    assert contacts(node) == []
    assert said(node) == []
    tell(node, Response(query.transaction, b"r" * 20))
    assert contacts(node) == [b"r" * 20]


def test_an_answer_counts_once():
    node = make()
    query = asked(node)
    tell(node, Response(query.transaction, b"r" * 20))
    tell(node, Response(query.transaction, b"x" * 20))
    assert contacts(node) == [b"r" * 20]
    assert node.snapshot(0.0).traffic.unasked == 1


def test_a_token_of_another_address_stores_nothing():
    node = make()
    token = ask(node, GetPeers(HASH)).token
    refusal = ask(node, AnnouncePeer(HASH, 5, token), ELSEWHERE)
    assert isinstance(refusal, ErrorReply)
    assert refusal.code == krpc.PROTOCOL_ERROR
    assert node.snapshot(0.0).families[0].stored_peers == 0
    assert isinstance(ask(node, AnnouncePeer(HASH, 5, token), Address(THEM.host, 9)), Response)  # a port may change
    assert ask(node, GetPeers(HASH)).values == [Address(THEM.host, 5)]


@pytest.mark.parametrize(("age", "kind"), [(ROTATION, Response), (2 * ROTATION, ErrorReply)])
def test_a_token_too_old_stores_nothing(age, kind):
    node = make()
    token = ask(node, GetPeers(HASH)).token
    assert isinstance(ask(node, AnnouncePeer(HASH, 5, token), now=age), kind)
    assert node.snapshot(age).families[0].stored_peers == (kind is Response)


@pytest.mark.parametrize("token", [b"", b"guess", bytes(8), bytes(64)])
def test_a_made_up_token_stores_nothing(token):
    node = make()
    assert isinstance(ask(node, AnnouncePeer(HASH, 5, token)), ErrorReply)
    assert node.snapshot(0.0).families[0].stored_peers == 0


def test_a_method_that_is_not_known_and_a_query_that_makes_no_sense_get_an_error():
    node = make()
    for fields, code in (
        ({b"q": b"vote", b"a": {b"id": b"q" * 20}}, krpc.METHOD_UNKNOWN),
        ({b"q": b"find_node", b"a": {b"id": b"q" * 20}}, krpc.PROTOCOL_ERROR),
        ({b"q": b"ping"}, krpc.PROTOCOL_ERROR),
    ):
        raw = bencode.encode({b"t": b"aa", b"y": b"q"} | fields)
        node.receive_datagram(raw, THEM, 0.0)
        ((error, to),) = said(node)
        assert (error.code, error.transaction, to) == (code, b"aa", THEM)


def test_a_node_that_answers_under_another_id_is_who_it_says_and_the_first_is_gone():
    node = make()
    tell(node, Response(asked(node).transaction, b"r" * 20))
    events(node)
    node.find_node(HASH, 1.0)
    ((query, _),) = said(node)
    tell(node, Response(query.transaction, b"s" * 20), now=1.0)
    assert contacts(node) == [b"s" * 20]
    done = next(event for event in events(node) if isinstance(event, SearchDone))
    assert [node_id for node_id, _ in done.nearest] == [b"s" * 20]


def test_whoever_changes_its_id_with_each_answer_has_one_place():
    node = make()
    tell(node, Response(asked(node).transaction, b"r" * 20))
    for number in range(50):
        node.ping(THEM, float(number))
        ((query, _),) = said(node)
        tell(node, Response(query.transaction, bytes([number]) * 20), now=float(number))
        said(node)
        assert contacts(node) == [bytes([number]) * 20]


def test_an_id_that_somebody_has_cannot_be_taken_by_another():
    node = make()
    tell(node, Response(asked(node).transaction, b"r" * 20))
    said(node)
    node.ping(ELSEWHERE, 1.0)
    ((query, _),) = said(node)
    tell(node, Response(query.transaction, b"r" * 20), ELSEWHERE, 1.0)
    (contact,) = node._families[False].table.contacts()
    assert contact.address == THEM


def test_nodes_that_cannot_be_there_are_not_asked():
    node = make()
    query = asked(node)
    nowhere = [
        Address("40.9.0.1", 0),
        Address("10.0.0.1", 1),
        Address("192.168.1.1", 1),
        Address("127.0.0.1", 1),
        Address("169.254.1.1", 1),
        Address("0.0.0.0", 1),
        Address("224.0.0.1", 1),
        Address("255.255.255.255", 1),
    ]
    told = [CompactNode(bytes([number + 1]) * 20, address) for number, address in enumerate(nowhere)]
    told += [CompactNode(own_id(node), Address("42.0.0.1", 1)), CompactNode(b"g" * 20, Address("43.0.0.1", 1))]
    tell(node, Response(query.transaction, b"r" * 20, told))
    assert [to for _, to in said(node)] == [Address("43.0.0.1", 1)]


def test_peers_that_cannot_be_there_are_not_told():
    node = make()
    tell(node, Response(asked(node).transaction, b"r" * 20))
    said(node)
    number = node.get_peers(HASH, 0.0)
    ((query, _),) = said(node)
    peers = [Address("44.0.0.1", 0), Address("10.0.0.1", 1), Address("127.0.0.1", 1), Address("44.0.0.1", 7)]
    tell(node, Response(query.transaction, b"r" * 20, values=peers))
    found = [event for event in events(node) if isinstance(event, PeersFound)]
    assert found == [PeersFound(number, (Address("44.0.0.1", 7),), THEM)]


def test_we_are_no_contact_of_ourselves_and_are_not_asked_again():
    node = make()
    mirror = Address("20.0.0.1", 6881)
    ping = node.ping(mirror, 0.0)
    ((query, _),) = said(node)
    tell(node, query, mirror)
    ((answer, _),) = said(node)
    tell(node, answer, mirror)
    assert contacts(node) == []
    (failed,) = events(node)
    assert isinstance(failed, PingFailed)
    assert failed.ping == ping
    node.add_node(mirror, 100.0)
    node.bootstrap([mirror], 100.0)
    assert said(node) == []
    tell(node, Query(b"aa", own_id(node), Ping()), mirror, 100.0)
    assert said(node) == []


def test_nobody_is_believed_who_tells_of_another_where_we_are():
    node = make()
    mirror = Address("20.0.0.1", 6881)
    node.ping(mirror, 0.0)
    ((query, _),) = said(node)
    tell(node, Response(query.transaction, own_id(node)), mirror)
    told = [CompactNode(b"g" * 20, mirror), CompactNode(b"h" * 20, Address("43.0.0.1", 1))]
    tell(node, Response(asked(node).transaction, b"r" * 20, told))
    assert [to for _, to in said(node)] == [Address("43.0.0.1", 1)]


def test_what_is_remembered_of_hearsay_is_bounded(monkeypatch):
    monkeypatch.setattr("p2p.dht.family.MAX_TOLD", 20)
    node = make()
    query = asked(node)
    told = [CompactNode(bytes([number + 1]) * 20, Address(f"43.0.{number}.1", 1)) for number in range(30)]
    tell(node, Response(query.transaction, b"r" * 20, told))
    assert len(node._families[False].told) == 20


@pytest.mark.parametrize("place", [Address("40.0.0.1", 0), Address("0.0.0.0", 1), Address("255.255.255.255", 1)])
def test_nobody_is_reached_where_a_port_message_cannot_mean(place):
    node = make()
    node.add_node(place, 0.0)
    assert said(node) == []


def test_what_comes_from_port_0_is_not_answered_as_no_answer_could_arrive():
    node = make()
    assert ask(node, Ping(), Address(THEM.host, 0)) is None
    assert ask(node, Ping()) is not None


def test_who_copies_our_id_costs_no_memory():
    node = make()
    for number in range(100):
        node.ping(Address(f"45.0.0.{number}", 1), 0.0)
    for query, to in said(node):
        tell(node, Response(query.transaction, own_id(node)), to)
    assert contacts(node) == []
    assert len(node._families[False].own_addresses) == MAX_OWN_ADDRESSES


def test_a_flood_from_one_host_gets_its_share_and_no_more():
    node = make()
    for number in range(5_000):
        tell(node, Query(b"aa", b"q" * 20, GetPeers(HASH), read_only=True), Address(THEM.host, 1 + number), 0.0)
    assert len(said(node)) == rate_limit.HOST_BURST
    assert ask(node, Ping(), ELSEWHERE) is not None
    assert node.snapshot(0.0).traffic.over_limit == 5_000 - rate_limit.HOST_BURST


def test_a_flood_from_everywhere_gets_what_there_is_in_all():
    node = make()
    for number in range(5_000):
        source = Address(f"60.{number >> 8}.{number & 255}.1", 1)
        tell(node, Query(b"aa", b"q" * 20, Ping(), read_only=True), source, 0.0)
    assert len(said(node)) == rate_limit.TOTAL_BURST


def test_a_flood_of_strangers_makes_us_ping_a_few_and_fills_no_bucket():
    node = make()
    rng = random.Random(1)
    for _ in range(5_000):
        source = Address(f"{rng.randint(40, 90)}.{rng.randrange(256)}.{rng.randrange(256)}.1", 1)
        tell(node, Query(b"aa", rng.randbytes(20), Ping()), source, 0.0)
    pings = [message for message, _ in said(node) if isinstance(message, Query)]
    assert len(pings) <= MAX_VERIFYING
    assert contacts(node) == []


def test_one_host_with_many_ids_and_ports_has_one_place():
    node = make()
    rng = random.Random(1)
    for number in range(200):
        node.ping(Address("40.0.0.1", 1 + number), 0.0)
        ((query, to),) = said(node)
        tell(node, Response(query.transaction, id_for("40.0.0.1", rng)), to)
        said(node)
    assert len(contacts(node)) == 1


def test_answers_that_aim_us_at_one_victim_reach_it_once_a_search():
    node = make()
    query = asked(node)
    rng = random.Random(1)
    victim = [CompactNode(rng.randbytes(20), Address("66.0.0.1", 1 + port)) for port in range(16)]
    tell(node, Response(query.transaction, b"r" * 20, victim))
    assert len(said(node)) == 1


def test_peers_announced_by_one_host_are_bounded():
    node = make(limit=rate_limit.RateLimit(host_burst=1e9, total_burst=1e9))
    token = ask(node, GetPeers(HASH)).token
    for number in range(1_000):
        ask(node, AnnouncePeer(number.to_bytes(20, "big"), 5, token))
    assert node.snapshot(0.0).families[0].stored_peers == 200


def test_peers_of_one_hash_are_bounded_and_the_latest_stay():
    node = make(limit=rate_limit.RateLimit(host_burst=1e9, total_burst=1e9))
    for number in range(MAX_PER_HASH + 100):
        source = Address(f"46.{number >> 8}.{number & 255}.1", 1)
        token = ask(node, GetPeers(HASH), source).token
        ask(node, AnnouncePeer(HASH, 5, token), source)
    assert node.snapshot(0.0).families[0].stored_peers == MAX_PER_HASH


def test_no_answer_is_larger_than_it_may_be():
    node = make(limit=rate_limit.RateLimit(host_burst=1e9, total_burst=1e9))
    for number in range(400):
        source = Address(f"46.{number >> 8}.{number & 255}.1", 1)
        token = ask(node, GetPeers(HASH), source).token
        ask(node, AnnouncePeer(HASH, 5, token), source)
    tell(node, Query(b"t" * 32, b"q" * 20, GetPeers(HASH, (False, True)), read_only=True))
    ((datagram, _),) = node.datagrams_to_send()
    assert len(datagram) <= krpc.MAX_SENT
    assert len(krpc.decode(datagram).values) > 50


def test_our_id_follows_the_address_that_enough_others_see():
    node = make()
    rng = random.Random(3)
    seen = Address("77.1.2.3", 6881)
    old = own_id(node)
    for number in range(outside.VOTES):
        assert own_id(node) == old
        voter = Address(f"50.{number}.0.1", 1)
        node.ping(voter, 0.0)
        query = next(message for message, to in said(node) if to == voter)
        tell(node, Response(query.transaction, id_for(voter.host, rng), ip=seen), voter)
    changed = [event for event in events(node) if isinstance(event, IdChanged)]
    assert [event.node_id for event in changed] == [own_id(node)]
    assert is_id_for(own_id(node), seen.host)
    assert own_id(node) != old
    assert len(contacts(node)) == outside.VOTES
    assert node.snapshot(0.0).families[0].outside == seen.host


def test_one_host_cannot_make_us_change_our_id():
    node = make()
    rng = random.Random(3)
    old = own_id(node)
    for port in range(1, 100):
        voter = Address("50.0.0.1", port)
        node.ping(voter, 0.0)
        query = next(message for message, to in said(node) if to == voter)
        tell(node, Response(query.transaction, id_for(voter.host, rng), ip=Address("77.1.2.3", 1)), voter)
    assert own_id(node) == old


def test_an_error_ends_a_ping_and_is_told_in_one_line():
    node = make()
    node.ping(THEM, 0.0)
    ((query, _),) = said(node)
    tell(node, ErrorReply(query.transaction, 202, "out\nof order"))
    (failed,) = events(node)
    assert isinstance(failed, PingFailed)
    assert "202" in str(failed.error)
    assert "\n" not in str(failed.error)


def test_who_is_asked_for_bootstrap_may_answer_with_nonsense():
    node = make()
    query = asked(node)
    tell(node, ErrorReply(query.transaction, 201, "no"))
    assert [type(event).__name__ for event in events(node)] == ["Joined"]


strangers = st.sampled_from([THEM, ELSEWHERE, Address("10.0.0.9", 9), Address("20.0.0.1", 6881)])
asks = st.sampled_from(
    [Ping(), FindNode(HASH), FindNode(HASH, (False, True)), GetPeers(HASH), AnnouncePeer(HASH, 5, b"")]
)
node_ids = st.integers(0, 5).map(lambda number: bytes([number * 50]) * 20)
addresses = st.sampled_from([THEM, ELSEWHERE, *(Address(f"47.0.{number}.1", number) for number in range(8))])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("query"), node_ids, asks, strangers),
            st.tuples(st.just("answer"), node_ids, st.lists(st.builds(CompactNode, node_ids, addresses), max_size=3),
                      st.lists(addresses, max_size=2)),
            st.tuples(st.just("error"), st.just(0), st.just(0), st.just(0)),
            st.tuples(st.just("noise"), st.binary(max_size=80), strangers, st.just(0)),
            st.tuples(st.just("search"), st.sampled_from(["peers", "announce", "find", "ping", "add"]), addresses,
                      st.just(0)),
            st.tuples(st.just("wait"), st.floats(0, 400), st.just(0), st.just(0)),
        ),
        max_size=60,
    )
)  # fmt: skip
def test_whatever_comes_the_node_goes_on_and_every_search_ends(steps):
    node, now, under_way, told = make(), 0.0, [], []
    searches, pings = {}, {}
    node.bootstrap([THEM], now)
    for kind, one, two, three in steps:
        match kind:
            case "query":
                tell(node, Query(b"aa", one, two), three, now)
            case "answer" if under_way:
                query, to = under_way.pop(0)
                tell(node, Response(query.transaction, one, two, values=three, token=b"k"), to, now)
            case "error" if under_way:
                query, to = under_way.pop()
                tell(node, ErrorReply(query.transaction, 201, "no"), to, now)
            case "noise":
                node.receive_datagram(one, two, now)
            case "search":
                match one:
                    case "peers":
                        searches[node.get_peers(HASH, now)] = None
                    case "announce":
                        searches[node.announce(HASH, 5, now)] = None
                    case "find":
                        searches[node.find_node(HASH, now)] = None
                    case "ping":
                        pings[node.ping(two, now)] = None
                    case "add":
                        node.add_node(two, now)
            case "wait":
                now += one
                node.on_timer(now)
        under_way += [(message, to) for message, to in said(node) if isinstance(message, Query)]
        told += events(node)
        assert node.contact_count <= 160 * K
    for _ in range(3_000):
        now = max(node.next_timer(), now)
        node.on_timer(now)
        assert node.next_timer() > now
        said(node)
        told += events(node)
        if now > 1e5 or not node.snapshot(now).searches:
            break
    assert sorted(event.search for event in told if isinstance(event, SearchDone)) == sorted(searches)
    for _ in range(10):
        now = node.next_timer()
        node.on_timer(now)
        told += events(node)
    assert sorted(event.ping for event in told if isinstance(event, Pong | PingFailed)) == sorted(pings)
