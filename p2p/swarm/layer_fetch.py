"""Fetching the piece layers of version 2 torrents by hash requests (BEP 52), before their pieces can be checked.

The rule: every span is asked for with the proof that leads from it to its file's root, so each answer is judged on its
own and a false one convicts its sender at once. A span goes to one peer at a time, unless that one keeps it waiting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from p2p.metainfo.hash_tree import HashSpan, WantedLayer, check_span, spans_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PIPELINE: Final = 4
"""Requests a peer has at once: each answer is up to 18 KiB."""

REQUEST_TIMEOUT: Final = 10.0
"""Seconds until a request is made again elsewhere."""

TAKEOVER: Final = 2.0
"""Seconds after which an unanswered request is also made to a peer that has nothing else to do."""

REST: Final = 20.0
"""Seconds a peer is left alone after it rejected a request or let one time out; doubled each time."""
REST_MAX: Final = 300.0


@dataclass(slots=True)
class _Peer:
    asked: dict[HashSpan, float] = field(default_factory=dict)
    rest_until: float = -math.inf
    setbacks: int = 0

    def rest(self, now: float) -> None:
        self.rest_until = now + min(REST * 2.0 ** min(self.setbacks, 8), REST_MAX)
        self.setbacks += 1


class LayerFetch:
    """See the module's head. Peers are keys of the caller's; times its `now`, in seconds."""

    def __init__(self, wanted: Iterable[WantedLayer]) -> None:
        self._layer_of: dict[HashSpan, WantedLayer] = {span: layer for layer in wanted for span in spans_of(layer)}
        self._found: dict[HashSpan, bytes] = {}
        self._peers: dict[int, _Peer] = {}

    @property
    def complete(self) -> bool:
        return len(self._found) == len(self._layer_of)

    @property
    def progress(self) -> float:
        """Part of the spans that are there, 0.0 to 1.0."""
        return len(self._found) / len(self._layer_of) if self._layer_of else 1.0

    def layers(self) -> dict[bytes, bytes]:
        """By root, the layers that are whole, as `Metainfo.from_info` takes them."""
        parts: dict[bytes, list[bytes] | None] = {}
        for span, layer in self._layer_of.items():  # a layer's spans in their order
            found = self._found.get(span)
            known = parts.setdefault(layer.root, [])
            if found is None or known is None:
                parts[layer.root] = None
            else:
                known.append(found)
        return {root: b"".join(known) for root, known in parts.items() if known is not None}

    def on_peer(self, key: int) -> None:
        """The peer can be asked."""
        self._peers.setdefault(key, _Peer())

    def on_left(self, key: int) -> None:
        """The peer is gone; what it was asked is asked of others."""
        self._peers.pop(key, None)

    def on_hashes(self, key: int, span: HashSpan, hashes: Sequence[bytes]) -> bool:
        """The peer answers. False: it answers with what is no part of the tree, and lies. Unasked ones are passed over.

        A liar is asked no more.
        """
        peer = self._peers.get(key)
        layer = self._layer_of.get(span)
        if peer is None or layer is None or span in self._found:
            return True
        asked = peer.asked.pop(span, None) is not None
        found = check_span(span, layer, hashes)
        if found is None:
            if asked:
                self.on_left(key)
            return not asked
        peer.setbacks = 0
        self._found[span] = found
        for other in self._peers.values():
            other.asked.pop(span, None)
        return True

    def on_reject(self, key: int, span: HashSpan, now: float) -> None:
        """The peer does not answer a request, and so rests."""
        peer = self._peers.get(key)
        if peer is not None and peer.asked.pop(span, None) is not None:
            peer.rest(now)

    def next_requests(self, now: float) -> list[tuple[int, HashSpan]]:
        """Peer and span of the requests to make now."""
        asked: dict[HashSpan, float] = {}
        for peer in self._peers.values():
            overdue = [span for span, at in peer.asked.items() if now - at >= REQUEST_TIMEOUT]
            for span in overdue:
                del peer.asked[span]
            if overdue:
                peer.rest(now)
            for span, at in peer.asked.items():
                asked[span] = max(at, asked.get(span, at))
        ready = [
            (key, peer) for key, peer in self._peers.items() if peer.rest_until <= now and len(peer.asked) < PIPELINE
        ]
        if not ready or self.complete:
            return []
        ready.sort(key=lambda entry: (entry[1].setbacks, len(entry[1].asked)))
        missing = [span for span in self._layer_of if span not in self._found and span not in asked]
        missing.reverse()
        requests: list[tuple[int, HashSpan]] = []
        while ready and missing:
            key, peer = ready.pop(0)
            span = missing.pop()
            peer.asked[span] = now
            requests.append((key, span))
            if len(peer.asked) < PIPELINE:
                ready.append((key, peer))
        idle = [(key, peer) for key, peer in ready if not peer.asked]
        slow = [span for span, at in asked.items() if now - at >= TAKEOVER]
        for (key, peer), span in zip(idle, slow, strict=False):
            peer.asked[span] = now
            requests.append((key, span))
        return requests

    def next_timer(self, now: float) -> float | None:
        """When `next_requests` should be asked again at the latest; None if only news can change its answer."""
        if self.complete:
            return None
        times: list[float] = []
        for peer in self._peers.values():
            if peer.rest_until > now:
                times.append(peer.rest_until)
            for at in peer.asked.values():
                times.append(at + REQUEST_TIMEOUT)
                if at + TAKEOVER > now:
                    times.append(at + TAKEOVER)
        return max(min(times), now) if times else None
