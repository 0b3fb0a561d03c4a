"""KRPC: the BEP's own packets, round trips, and what hostile datagrams come to."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec import bencode
from p2p.codec.compact import CompactNode
from p2p.dht import krpc
from p2p.dht.krpc import AnnouncePeer, BadQuery, ErrorReply, FindNode, GetPeers, Ping, Query, Response
from p2p.errors import DhtError
from p2p.ids import Address

ME, YOU = b"abcdefghij0123456789", b"mnopqrstuvwxyz123456"
V4, V6 = Address("192.0.2.7", 6881), Address("2001:db8::7", 6881)

ANNOUNCE = (
    b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz123456"
    b"4:porti%e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe"
)

ids = st.binary(min_size=20, max_size=20)
transactions = st.binary(max_size=krpc.MAX_TRANSACTION)
ports = st.integers(1, 65_535)
addresses4 = st.builds(Address, st.ip_addresses(v=4).map(str), ports)
addresses6 = st.builds(Address.parse, st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None).map(str), ports)
wants = st.sampled_from([(), (False,), (True,), (False, True)])
asks = st.one_of(
    st.just(Ping()),
    st.builds(FindNode, ids, wants),
    st.builds(GetPeers, ids, wants),
    st.builds(AnnouncePeer, ids, ports, st.binary(max_size=krpc.MAX_TOKEN), st.booleans()),
)
versions = st.one_of(st.none(), st.binary(max_size=krpc.MAX_VERSION))
queries = st.builds(Query, transactions, ids, asks, st.booleans(), versions)
responses = st.builds(
    Response,
    transactions,
    ids,
    st.lists(st.builds(CompactNode, ids, addresses4), max_size=8),
    st.lists(st.builds(CompactNode, ids, addresses6), max_size=8),
    st.lists(st.one_of(addresses4, addresses6), max_size=8),
    st.one_of(st.none(), st.binary(max_size=krpc.MAX_TOKEN)),
    st.one_of(st.none(), addresses4, addresses6),
    versions,
)
errors = st.builds(
    ErrorReply, transactions, st.integers(200, 299), st.text("abcäé", max_size=20), st.one_of(st.none(), addresses4)
)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", Query(b"aa", ME, Ping(), version=None)),
        (b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re", Response(b"aa", YOU, version=None)),
        (
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
            Query(b"aa", ME, FindNode(YOU), version=None),
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
            Query(b"aa", ME, GetPeers(YOU), version=None),
        ),
        (
            ANNOUNCE.replace(b"%", b"6881"),
            Query(b"aa", ME, AnnouncePeer(YOU, 6881, b"aoeusnth", True), version=None),
        ),
        (
            b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
            Response(
                b"aa",
                ME,
                values=[Address("97.120.106.101", 11893), Address("105.100.104.116", 28269)],
                token=b"aoeusnth",
                version=None,
            ),
        ),
        (b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee", ErrorReply(b"aa", 201, "A Generic Error Ocurred")),
    ],
)
def test_the_packets_of_bep_5(raw, message):
    assert krpc.decode(raw) == message
    if not isinstance(message, ErrorReply):  # ours say what program we are
        assert krpc.encode(message) == raw


def test_a_read_only_query_is_that_of_bep_43():
    assert b"2:roi1e" in krpc.encode(Query(b"aa", ME, Ping(), read_only=True))


@settings(max_examples=60)
@given(queries)
def test_queries_round_trip(query):
    raw = krpc.encode(query)
    assert krpc.decode(raw) == query
    assert bencode.encode(bencode.decode(raw)) == raw  # canonical, as the general encoder has it


@settings(max_examples=60)
@given(responses)
def test_responses_round_trip(response):
    raw = krpc.encode(response)
    assert bencode.encode(bencode.decode(raw)) == raw
    found = krpc.decode(raw)
    assert found._replace(nodes=list(found.nodes), nodes6=list(found.nodes6), values=list(found.values)) == response


@settings(max_examples=40)
@given(errors)
def test_errors_round_trip(error):
    assert krpc.decode(krpc.encode(error)) == error


@settings(max_examples=40)
@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 300), st.booleans())
def test_no_response_of_eight_nodes_is_larger_than_bep_32_allows(nodes, nodes6, values, ipv6):
    node, node6 = CompactNode(YOU, V4), CompactNode(YOU, V6)
    raw = krpc.encode(
        Response(b"t" * krpc.MAX_TRANSACTION, ME, [node] * nodes, [node6] * nodes6, [V6 if ipv6 else V4] * values,
                 b"k" * 8, V6)
    )  # fmt: skip
    assert len(raw) <= krpc.MAX_SENT
    told = krpc.decode(raw)
    assert (len(told.nodes), len(told.nodes6)) == (nodes, nodes6)
    if values >= 20 and nodes6 == 0:
        assert len(told.values) >= 20


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=60).map(lambda raw: b"d1:t2:aa1:y1:q" + raw)))
def test_any_bytes_are_a_message_or_a_dht_error(raw):
    with suppress(DhtError):
        krpc.decode(raw)


values = st.recursive(
    st.one_of(st.integers(-9, 70_000), st.binary(max_size=30), ids),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.binary(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
keys = st.sampled_from(
    [b"a", b"q", b"r", b"e", b"v", b"ip", b"ro", b"id", b"target", b"info_hash", b"token", b"port", b"nodes", b"nodes6",
     b"values", b"want", b"implied_port"]
)  # fmt: skip
methods = st.sampled_from([b"ping", b"find_node", b"get_peers", b"announce_peer", b"vote"])


@settings(max_examples=300)
@given(
    st.sampled_from([b"q", b"r", b"e"]),
    methods,
    st.dictionaries(keys, values, max_size=4),
    st.one_of(values, st.dictionaries(keys, values, max_size=6)),
)
def test_bencode_of_any_shape_is_a_message_or_a_dht_error(kind, method, fields, body):
    raw = bencode.encode({b"q": method} | fields | {b"t": b"aa", b"y": kind, {b"q": b"a"}.get(kind, kind): body})
    try:
        message = krpc.decode(raw)
    except DhtError:
        return
    if isinstance(message, Query | Response):
        assert len(message.sender) == 20
    if isinstance(message, Query) and isinstance(message.ask, AnnouncePeer):
        assert message.ask.implied_port or 0 < message.ask.port <= 65_535


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe", krpc.METHOD_UNKNOWN),
        (b"d1:q4:ping1:t2:aa1:y1:qe", krpc.PROTOCOL_ERROR),
        (b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe", krpc.PROTOCOL_ERROR),
        (b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe", krpc.PROTOCOL_ERROR),
        (b"d1:ad2:id20:abcdefghij01234567899:info_hash3:abce1:q9:get_peers1:t2:aa1:y1:qe", krpc.PROTOCOL_ERROR),
        (
            ANNOUNCE.replace(b"%", b"0").replace(b"12:implied_porti1e", b""),
            krpc.PROTOCOL_ERROR,
        ),
        (ANNOUNCE.replace(b"%", b"1").replace(b"8:aoeusnth", b"65:" + bytes(65)), krpc.PROTOCOL_ERROR),
    ],
)
def test_a_query_that_makes_no_sense_is_owed_an_error(raw, code):
    found = krpc.decode(raw)
    assert isinstance(found, BadQuery)
    assert (found.transaction, found.code) == (b"aa", code)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"d1:t2:aa1:y1:qe" + bytes(krpc.MAX_RECEIVED),
        bencode.encode({b"a": {b"id": ME}, b"q": b"ping", b"t": b"aa", b"y": b"q", b"z": bytes(krpc.MAX_RECEIVED)}),
        b"d1:y1:qe",
        b"d1:t33:" + bytes(33) + b"1:y1:qe",
        b"d1:t2:aa1:y1:xe",
        b"d1:t2:aa1:y1:re",
        b"d1:rd2:id19:abcdefghij012345678e1:t2:aa1:y1:re",
        b"d1:rd2:id20:abcdefghij01234567895:nodes25:" + bytes(25) + b"e1:t2:aa1:y1:re",
        b"d1:rd2:id20:abcdefghij01234567895:token65:" + bytes(65) + b"e1:t2:aa1:y1:re",
        b"d1:rd2:id20:abcdefghij01234567896:valuesi1ee1:t2:aa1:y1:re",
        b"d1:eli201ee1:t2:aa1:y1:ee",
        b"l" * 4000,
    ],
)
def test_what_is_no_message_is_a_dht_error(raw):
    with pytest.raises(DhtError):
        krpc.decode(raw)


def test_what_is_told_beyond_bounds_is_left_and_a_broken_peer_costs_only_itself():
    node = YOU + bytes([192, 0, 2, 7, 0, 80])
    fields = {
        b"r": {b"id": ME, b"nodes": node * 50, b"values": [b"12345", 7, b"\xc0\0\2\7\0\x50"]},
        b"t": b"t" * 2,
        b"v": b"v" * 100,
        b"y": b"r",
        b"ip": b"nonsense",
    }
    found = krpc.decode(bencode.encode(fields))
    assert len(found.nodes) == krpc.MAX_NODES
    assert found.values == [Address("192.0.2.7", 80)]
    assert found.version == b"v" * krpc.MAX_VERSION
    assert found.ip is None


def test_lists_of_any_kind_are_cut_at_their_bounds():
    body = {b"id": ME, b"nodes6": (YOU + bytes([0x20, 1] * 8) + b"\0\x50") * 50}
    assert len(krpc.decode(bencode.encode({b"r": body, b"t": b"aa", b"y": b"r"})).nodes6) == krpc.MAX_NODES
    values = [bytes([9, 9, n >> 8, n & 255, 0, 80]) for n in range(450)]
    raw = bencode.encode({b"r": {b"id": ME, b"values": values}, b"t": b"aa", b"y": b"r"})
    assert len(raw) <= krpc.MAX_RECEIVED
    assert len(krpc.decode(raw).values) == krpc.MAX_VALUES


def test_keys_may_stand_in_any_order_and_unknown_wants_are_passed_over():
    raw = b"d1:y1:q1:t2:aa1:q9:find_node1:ad6:target20:" + YOU + b"2:id20:" + ME + b"4:wantl2:n62:x92:n4eee"
    assert krpc.decode(raw).ask == FindNode(YOU, (False, True))


def told(raw):
    """What a datagram comes to, in values that compare; the reason for one that is no message."""
    try:
        message = krpc.decode(raw)
    except DhtError:
        return "no message"
    if isinstance(message, Response):
        return message._replace(**{name: list(getattr(message, name)) for name in ("nodes", "nodes6", "values")})
    return message


@settings(max_examples=300)
@given(st.one_of(queries, responses), st.lists(st.tuples(st.integers(0, 600), st.binary(max_size=3)), max_size=2))
def test_the_usual_forms_are_read_as_the_decoder_reads_them(message, changes):
    raw = krpc.encode(message)
    for at, patch in changes:
        raw = raw[:at] + patch + raw[at + len(patch) :]
    with pytest.MonkeyPatch.context() as patching:
        for name in ("_ANSWER", "_QUESTION"):
            patching.setattr(krpc, name, re.compile(b"(?!)"))
        expected = told(raw)
    assert told(raw) == expected


@pytest.mark.parametrize(
    ("message", "usual"),
    [
        (Query(b"abcd", ME, GetPeers(YOU)), "_QUESTION"),
        (Query(b"ab", ME, FindNode(YOU), version=None), "_QUESTION"),
        (Query(b"abcd", ME, Ping(), read_only=True), "_QUESTION"),
        (Response(b"abcd", ME, [CompactNode(YOU, V4)] * 8, values=[V4] * 30, token=b"k" * 8, ip=V4), "_ANSWER"),
        (Response(b"ab", ME, token=b"k" * 20, version=None), "_ANSWER"),
    ],
)
def test_the_usual_forms_are_those_that_nodes_send(message, usual):
    assert getattr(krpc, usual).fullmatch(krpc.encode(message))
