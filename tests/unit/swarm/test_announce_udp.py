from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec.announce import AnnounceEvent, AnnounceReply, AnnounceRequest, ScrapeEntry
from p2p.codec.udp_tracker import (
    ConnectRequest,
    ConnectResponse,
    ErrorResponse,
    Request,
    Response,
    UdpAnnounceRequest,
    UdpAnnounceResponse,
    UdpScrapeRequest,
    UdpScrapeResponse,
    decode_request,
    encode_response,
)
from p2p.ids import Address, InfoHash, PeerId
from p2p.swarm.announce_udp import (
    MAX_TRACKERS,
    UdpAnnounceDone,
    UdpEvent,
    UdpFailed,
    UdpScrapeDone,
    UdpTrackerClient,
)

TRACKER = Address("10.0.0.1", 6969)
OTHER = Address("10.0.0.2", 6969)
PEERS = (Address("10.1.0.1", 1), Address("10.1.0.2", 2))


def request(event: AnnounceEvent = AnnounceEvent.STARTED) -> AnnounceRequest:
    return AnnounceRequest(
        info_hash=InfoHash(b"h" * 20),
        peer_id=PeerId(b"p" * 20),
        port=6881,
        uploaded=1,
        downloaded=2,
        left=3,
        event=event,
        key=4,
        num_want=50,
    )


def sent(client: UdpTrackerClient, address: Address = TRACKER) -> list[Request]:
    datagrams = client.datagrams_to_send()
    assert all(to == address for _, to in datagrams)
    return [decode_request(data) for data, _ in datagrams]


def connect(client: UdpTrackerClient, now: float, connection_id: int = 77, address: Address = TRACKER) -> list[Request]:
    (asked,) = sent(client, address)
    assert isinstance(asked, ConnectRequest)
    client.receive_datagram(encode_response(ConnectResponse(asked.transaction_id, connection_id)), address, now)
    return sent(client, address)


def reply_to(asked: Request, interval: float = 1_800.0) -> bytes:
    reply = AnnounceReply(interval=interval, seeders=5, leechers=6, peers=PEERS)
    return encode_response(UdpAnnounceResponse(asked.transaction_id, reply))


def events(client: UdpTrackerClient) -> list[UdpEvent]:
    found = []
    while (event := client.next_event()) is not None:
        found.append(event)
    return found


def failure(client: UdpTrackerClient) -> str:
    (event,) = events(client)
    assert isinstance(event, UdpFailed)
    return str(event.error)


def test_connect_announce_reply() -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"/dir?a=b", request(), 0.0)
    (asked,) = connect(client, 1.0)
    assert isinstance(asked, UdpAnnounceRequest)
    assert (asked.connection_id, asked.announce, asked.url_data) == (77, request(), b"/dir?a=b")
    client.receive_datagram(reply_to(asked), TRACKER, 2.0)
    (done,) = events(client)
    assert isinstance(done, UdpAnnounceDone)
    assert (done.job, done.reply.peers, done.reply.seeders, done.reply.leechers) == (1, PEERS, 5, 6)
    assert client.next_timer() is None


def test_one_connection_id_serves_a_minute_of_queries() -> None:
    client = UdpTrackerClient(Random(0))
    for job in range(3):
        client.announce(job, TRACKER, b"", request(), 0.0)
    assert len(connect(client, 0.5)) == 3  # one connect for all of them
    client.announce(3, TRACKER, b"", request(), 60.4)
    (asked,) = sent(client)
    assert isinstance(asked, UdpAnnounceRequest)
    client.announce(4, TRACKER, b"", request(), 60.5)
    (asked,) = sent(client)
    assert isinstance(asked, ConnectRequest)


def test_connect_that_times_out_is_sent_at_0_15_45_and_given_up_at_105() -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"", request(), 0.0)
    times = [(0.0, len(sent(client)))]
    while (due := client.next_timer()) is not None:
        client.on_timer(due)
        times.append((due, len(sent(client))))
    assert times == [(0.0, 1), (15.0, 1), (45.0, 1), (105.0, 0)]
    assert failure(client) == "the tracker did not answer"


def test_announce_times_out_as_in_bep_15() -> None:
    client = UdpTrackerClient(Random(0), tries=5)
    client.announce(1, TRACKER, b"", request(), 0.0)
    seen = [(2.0, *map(type, connect(client, 2.0)))]
    for _ in range(4):
        due = client.next_timer()
        assert due is not None
        client.on_timer(due)
        seen.append((due, *map(type, sent(client))))
    assert seen == [
        (2.0, UdpAnnounceRequest),
        (17.0, UdpAnnounceRequest),
        (47.0, UdpAnnounceRequest),
        (107.0, ConnectRequest),  # the connection id has expired
        (227.0, ConnectRequest),
    ]


def test_a_late_answer_to_an_earlier_packet_counts() -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"", request(), 0.0)
    (asked,) = connect(client, 0.0)
    client.on_timer(15.0)
    client.receive_datagram(reply_to(asked), TRACKER, 16.0)
    assert isinstance(events(client)[0], UdpAnnounceDone)


def test_noise_is_ignored() -> None:
    client = UdpTrackerClient(Random(0))
    client.receive_datagram(reply_to(ConnectRequest(0)), TRACKER, 0.0)
    client.announce(1, TRACKER, b"", request(), 0.0)
    (asked,) = connect(client, 0.0)
    assert isinstance(asked, UdpAnnounceRequest)
    client.receive_datagram(reply_to(asked), OTHER, 1.0)
    client.receive_datagram(reply_to(asked), Address(TRACKER.host, 1), 1.0)
    client.receive_datagram(reply_to(ConnectRequest(asked.transaction_id ^ 1)), TRACKER, 1.0)
    client.receive_datagram(b"", TRACKER, 1.0)
    client.receive_datagram(b"\0" * 7, TRACKER, 1.0)
    assert events(client) == []
    client.receive_datagram(reply_to(asked), TRACKER, 1.0)
    client.receive_datagram(reply_to(asked), TRACKER, 1.0)
    assert len(events(client)) == 1


def test_an_answer_before_the_query_was_sent_is_noise() -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"", request(), 0.0)
    guess = client._queries[1].transaction_id
    client.receive_datagram(reply_to(ConnectRequest(guess)), TRACKER, 0.1)
    assert events(client) == []


def test_errors_fail_the_query_they_answer() -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"", request(), 0.0)
    client.announce(2, TRACKER, b"", request(), 0.0)
    first, _ = connect(client, 0.0)
    client.receive_datagram(encode_response(ErrorResponse(first.transaction_id, "unregistered torrent")), TRACKER, 1.0)
    assert failure(client) == "unregistered torrent"
    assert client.next_timer() == 15.0


def test_an_error_on_connect_fails_all_that_wait() -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"", request(), 0.0)
    client.announce(2, TRACKER, b"", request(), 0.0)
    (asked,) = sent(client)
    client.receive_datagram(encode_response(ErrorResponse(asked.transaction_id, "")), TRACKER, 1.0)
    assert [type(event) for event in events(client)] == [UdpFailed, UdpFailed]


def test_an_unknown_connection_id_is_replaced_once() -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"", request(), 0.0)
    (asked,) = connect(client, 0.0)
    client.receive_datagram(
        encode_response(ErrorResponse(asked.transaction_id, "Connection ID missmatch.")), TRACKER, 1.0
    )
    (asked,) = connect(client, 2.0, connection_id=88)
    assert isinstance(asked, UdpAnnounceRequest)
    assert asked.connection_id == 88
    client.receive_datagram(
        encode_response(ErrorResponse(asked.transaction_id, "Connection ID missmatch.")), TRACKER, 3.0
    )
    assert failure(client) == "Connection ID missmatch."


@pytest.mark.parametrize("tail", [b"", b"\0\0\0\1", b"\xff" * 3])
def test_garbage_under_the_right_transaction_fails_the_query(tail: bytes) -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"", request(), 0.0)
    (asked,) = connect(client, 0.0)
    client.receive_datagram(b"\0\0\0\1" + asked.transaction_id.to_bytes(4, "big") + tail, TRACKER, 1.0)
    assert failure(client)


def test_scrape() -> None:
    client = UdpTrackerClient(Random(0))
    hashes = (InfoHash(b"a" * 20), InfoHash(b"b" * 20))
    client.scrape(9, TRACKER, hashes, 0.0)
    (asked,) = connect(client, 0.0)
    assert isinstance(asked, UdpScrapeRequest)
    assert asked.info_hashes == hashes
    entries = (ScrapeEntry(1, 2, 3), ScrapeEntry(4, 5, 6))
    client.receive_datagram(encode_response(UdpScrapeResponse(asked.transaction_id, entries)), TRACKER, 1.0)
    assert events(client) == [UdpScrapeDone(9, entries)]
    client.scrape(10, TRACKER, hashes, 2.0)
    (asked,) = sent(client)
    client.receive_datagram(encode_response(UdpScrapeResponse(asked.transaction_id, entries[:1])), TRACKER, 3.0)
    assert failure(client) == "the tracker's scrape is too short"
    client.scrape(11, TRACKER, hashes, 4.0)
    (asked,) = sent(client)
    client.receive_datagram(reply_to(asked), TRACKER, 5.0)
    assert "something else" in failure(client)


def test_peers_of_an_ipv6_tracker_are_ipv6() -> None:
    client = UdpTrackerClient(Random(0))
    tracker = Address("2001:db8::1", 6969)
    client.announce(1, tracker, b"", request(), 0.0)
    (asked,) = connect(client, 0.0, address=tracker)
    reply = AnnounceReply(interval=60.0, peers=(Address("2001:db8::2", 5),))
    client.receive_datagram(encode_response(UdpAnnounceResponse(asked.transaction_id, reply)), tracker, 1.0)
    (done,) = events(client)
    assert isinstance(done, UdpAnnounceDone)
    assert done.reply.peers == reply.peers


def test_cancelled_queries_are_forgotten() -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"", request(), 0.0)
    client.cancel(1)
    client.cancel(1)
    assert client.next_timer() is None
    assert connect(client, 1.0) == []
    assert events(client) == []


def test_the_addresses_remembered_are_bounded() -> None:
    client = UdpTrackerClient(Random(0))
    for number in range(3 * MAX_TRACKERS):
        client.announce(number, Address("10.0.0.1", number + 1), b"", request(), 0.0)
        client.cancel(number)
    assert len(client._trackers) <= MAX_TRACKERS


def test_a_job_number_in_use_is_our_bug() -> None:
    client = UdpTrackerClient(Random(0))
    client.announce(1, TRACKER, b"", request(), 0.0)
    with pytest.raises(ValueError):
        client.announce(1, TRACKER, b"", request(), 0.0)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_query_ends_once_whatever_the_trackers_do(data: st.DataObject) -> None:
    client = UdpTrackerClient(Random(0))
    now, jobs = 0.0, 0
    ended: list[int] = []
    inbox: list[tuple[Request, Address]] = []
    for _ in range(data.draw(st.integers(1, 25))):
        action = data.draw(st.sampled_from(["announce", "scrape", "answer", "answer", "noise", "wait"]))
        address = data.draw(st.sampled_from([TRACKER, OTHER]))
        if action == "announce":
            jobs += 1
            client.announce(jobs, address, b"/x", request(), now)
        elif action == "scrape":
            jobs += 1
            client.scrape(jobs, address, [InfoHash(b"a" * 20)], now)
        elif action == "answer" and inbox:
            asked, address = inbox.pop(data.draw(st.integers(0, len(inbox) - 1)))
            responses: list[Response] = [
                ConnectResponse(asked.transaction_id, 5),
                UdpScrapeResponse(asked.transaction_id, (ScrapeEntry(1, 2, 3),)),
                UdpAnnounceResponse(asked.transaction_id, AnnounceReply(interval=9.0)),
                ErrorResponse(asked.transaction_id, "connection"),
            ]
            client.receive_datagram(encode_response(data.draw(st.sampled_from(responses))), address, now)
        elif action == "noise":
            tail = data.draw(st.binary(max_size=40))
            head = data.draw(st.sampled_from(inbox))[0].transaction_id.to_bytes(4, "big") if inbox else b""
            client.receive_datagram(data.draw(st.binary(max_size=4)) + head + tail, address, now)
        else:
            now += data.draw(st.floats(0, 50))
            client.on_timer(now)
        inbox += [(decode_request(packet), to) for packet, to in client.datagrams_to_send()]
        ended += [event.job for event in events(client)]
    while (due := client.next_timer()) is not None:
        now = max(now, due)
        client.on_timer(now)
        client.datagrams_to_send()
        ended += [event.job for event in events(client)]
    assert sorted(ended) == list(range(1, jobs + 1))
    assert now <= 25 * 50 + 200
