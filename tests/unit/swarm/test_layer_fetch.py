"""Piece layers from honest, lying, silent and rejecting peers."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.metainfo import merkle
from p2p.metainfo.hash_tree import HashTrees, WantedLayer
from p2p.swarm.layer_fetch import PIPELINE, REQUEST_TIMEOUT, REST, TAKEOVER, LayerFetch


class FakeTorrent:
    """As much of a torrent as hash trees need: layers of so many hashes each."""

    def __init__(self, counts, level=1):
        self.piece_layers, self.wanted = {}, []
        for number, count in enumerate(counts):
            rng = random.Random(number)
            layer = b"".join(rng.randbytes(32) for _ in range(count))
            root = merkle.layer_root(layer, level)
            self.piece_layers[root] = layer
            self.wanted.append(WantedLayer(root, count, level))
        self.piece_length = 16_384 << level
        self.info_hash_v2 = bytes(32)


def honest(trees):
    return trees.answer


def liar(trees):
    return lambda span: [bytes(32), *trees.answer(span)[1:]]


def short(trees):
    return lambda span: trees.answer(span)[:-1] or [bytes(32)]


def rejecting(_):
    return lambda _: False


def silent(_):
    return lambda _: None


def play(torrent, kinds, until=5_000.0):
    fetch = LayerFetch(torrent.wanted)
    trees = HashTrees(torrent)
    peers = {key: kind(trees) for key, kind in enumerate(kinds)}
    for key in peers:
        fetch.on_peer(key)
    now, pending, liars = 0.0, [], []
    while not fetch.complete and now < until:
        for key, span in fetch.next_requests(now):
            pending.append((now + 0.1, key, span))
        assert all(sum(entry[1] == key for entry in pending) <= PIPELINE for key in peers)
        timer = fetch.next_timer(now)
        if not pending and timer is None:
            break
        if not pending or (timer is not None and timer < pending[0][0]):
            now = max(timer, now + 1e-6)
            continue
        now, key, span = pending.pop(0)
        answer = peers[key](span)
        if answer is False:
            fetch.on_reject(key, span, now)
        elif answer is not None and not fetch.on_hashes(key, span, answer):
            liars.append(key)
    return fetch, liars, now


def test_layers_of_several_files_come_from_several_peers():
    torrent = FakeTorrent([2, 513, 3_000])
    fetch, liars, when = play(torrent, [honest, honest])
    assert fetch.complete
    assert fetch.layers() == torrent.piece_layers
    assert liars == []
    assert fetch.progress == 1.0
    assert when < 0.5


def test_a_torrent_that_needs_none_is_complete():
    fetch = LayerFetch([])
    assert fetch.complete
    assert fetch.layers() == {}
    assert fetch.next_requests(0.0) == []
    assert fetch.next_timer(0.0) is None


def test_until_it_is_whole_a_layer_is_not_given_out():
    torrent = FakeTorrent([600, 4])
    fetch, trees = LayerFetch(torrent.wanted), HashTrees(torrent)
    fetch.on_peer(1)
    requests = fetch.next_requests(0.0)
    assert len(requests) == 3
    assert fetch.on_hashes(1, requests[0][1], trees.answer(requests[0][1]))
    assert fetch.layers() == {}
    assert fetch.on_hashes(1, requests[2][1], trees.answer(requests[2][1]))
    assert list(fetch.layers()) == [torrent.wanted[1].root]


def test_answers_nobody_asked_for_convict_nobody():
    torrent = FakeTorrent([4])
    fetch, trees = LayerFetch(torrent.wanted), HashTrees(torrent)
    fetch.on_peer(1)
    fetch.on_peer(2)
    ((key, span),) = fetch.next_requests(0.0)
    assert key == 1
    assert fetch.on_hashes(2, span, [bytes(32)])
    assert fetch.on_hashes(3, span, [bytes(32)])
    assert fetch.on_hashes(2, span, trees.answer(span))
    assert fetch.complete


def test_who_rejects_rests_and_who_is_slow_is_helped():
    torrent = FakeTorrent([4])
    fetch = LayerFetch(torrent.wanted)
    fetch.on_peer(1)
    ((_, span),) = fetch.next_requests(0.0)
    fetch.on_peer(2)
    assert fetch.next_requests(1.0) == []
    assert fetch.next_timer(1.0) == TAKEOVER
    assert fetch.next_requests(TAKEOVER) == [(2, span)]
    fetch.on_reject(2, span, 3.0)
    assert fetch.next_requests(REQUEST_TIMEOUT) == []
    assert fetch.next_timer(REQUEST_TIMEOUT) == 3.0 + REST
    assert fetch.next_requests(3.0 + REST) == [(2, span)]
    fetch.on_left(2)
    assert fetch.next_requests(REQUEST_TIMEOUT + REST) == [(1, span)]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(2, 1_300), min_size=1, max_size=3),
    st.lists(st.sampled_from([liar, short, rejecting, silent]), max_size=4),
    st.integers(0, 4),
)
def test_one_honest_peer_is_enough_and_never_blamed(counts, bad, place):
    torrent = FakeTorrent(counts)
    kinds = [*bad[:place], honest, *bad[place:]]
    fetch, liars, _ = play(torrent, kinds)
    assert fetch.layers() == torrent.piece_layers
    assert all(kinds[key] is liar or kinds[key] is short for key in liars)
