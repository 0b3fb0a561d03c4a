"""What holds in a swarm at every moment, whatever its seed: looked at while it runs."""

from __future__ import annotations

import asyncio

from p2p.session.uploads import MAX_UPLOAD_QUEUE
from p2p.swarm.choker import ROUND_INTERVAL

UNTIL_NEXT_ROUND = ROUND_INTERVAL + 1.5
"""Seconds, a tick and a look included. Between rounds nobody is choked: who lost interest, and with it the slot, may
want again what it was unchoked for, and in the opening slots become fewer."""


class Invariants:
    """Looks at the sessions of a world now and then. `looks` counts how often; AssertionError names what broke."""

    def __init__(self, world):
        self.looks = 0
        self._world = world
        self._had = {}
        self._crowded = {}

    async def watch(self, interval):
        while True:
            self.look()
            await asyncio.sleep(interval)

    def look(self):
        self.looks += 1
        sessions = [peer for peer in self._world.peers if peer.torrent.exchange is not None]
        by_host = {peer.address.host: peer for peer in sessions}
        for peer in sessions:
            self._look_at_pieces(peer)
            exchange = peer.torrent.exchange
            unchoked = 0
            for line in exchange.peers.values():
                if line.ended.done():
                    continue
                unchoked += line.wire.peer_interested and not line.wire.am_choking
                assert line.requests.outstanding <= line.requests.limit, f"{peer.name} asks {line.address} for too much"
                assert len(line.uploads) <= MAX_UPLOAD_QUEUE, f"{peer.name} queues too much for {line.address}"
                other = by_host.get(line.address.host)
                if other is not None:
                    said = exchange.picker.peer_bitfield(line.key).mask()
                    ahead = said & ~self._had[other.name] if other.name in self._had else 0
                    assert not ahead & ~verified(self._world, other), f"{other.name} said have of what it has not"
            if unchoked <= exchange.serving.choker.slots + 1:
                self._crowded.pop(peer.name, None)
            else:
                since = self._crowded.setdefault(peer.name, asyncio.get_running_loop().time())
                elapsed = asyncio.get_running_loop().time() - since
                assert elapsed < UNTIL_NEXT_ROUND, f"{peer.name} has {unchoked} unchoked"

    def _look_at_pieces(self, peer):
        had = peer.torrent.exchange.picker.have.mask()
        before = self._had.get(peer.name, 0)
        assert not before & ~had, f"{peer.name} had pieces that it has no more"
        assert not had & ~verified(self._world, peer), f"{peer.name} counts pieces that are not on its disk"
        self._had[peer.name] = had


def verified(world, peer):
    """The pieces on its disk that equal the content, as bits, the first piece in the highest."""
    content = peer.disk.content
    mask = 0
    for piece, right in world.content.items():
        found = content.get(piece)
        if found is not None and (found is right or found == right):
            mask |= 1 << (world.metainfo.piece_count - 1 - piece)
    return mask


def check_bytes(world, *, lossless):
    """What was received was sent; where no connection ended in between, all that was sent was received too."""
    exchanges = [peer.torrent.exchange for peer in world.peers if peer.torrent.exchange is not None]
    sent = sum(exchange.uploaded for exchange in exchanges)
    received = sum(exchange.downloaded for exchange in exchanges)
    assert received <= sent
    if lossless:
        assert received == sent
    for exchange in exchanges:
        if exchange.picker.have.complete and exchange.downloaded:
            size = world.metainfo.total_size
            # What one sender gave of a piece that another then sends whole is in no count.
            assert exchange.downloaded >= size + exchange.wasted + exchange.corrupt
