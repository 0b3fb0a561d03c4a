"""What a torrent file carries around its info dict (BEP 3, 5, 12, 19).

The rule: nothing here is covered by the info-hash, so anyone may have changed it; it is read leniently, entry by entry,
and bounded, and never decides what the content is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.codec.bencode import encode
from p2p.metainfo.fields import text, texts
from p2p.metainfo.urls import MAX_ENDPOINTS, Endpoint, endpoint, tracker_urls, web_seed_urls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.codec.bencode import Encodable, Value

_LAST_DATE: Final = 253_402_300_799
"""The end of the year 9999 in seconds since the epoch: later dates cannot be shown."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The fields outside the info dict. `creation_date` is whole seconds since the epoch; None where absent."""

    trackers: tuple[tuple[str, ...], ...] = ()
    """Tiers in order of preference (BEP 12)."""
    web_seeds: tuple[str, ...] = ()
    nodes: tuple[Endpoint, ...] = ()
    """DHT nodes to start from (BEP 5)."""
    comment: str | None = None
    created_by: str | None = None
    creation_date: int | None = None

    @classmethod
    def read(cls, outer: dict[bytes, Value]) -> Envelope:
        """From the decoded torrent file. What cannot be used is left out; raises nothing."""
        date = outer.get(b"creation date")
        return cls(
            trackers=_tiers(outer),
            web_seeds=web_seed_urls(texts(outer.get(b"url-list"))),
            nodes=_nodes(outer.get(b"nodes")),
            comment=text(outer, b"comment"),
            created_by=text(outer, b"created by"),
            creation_date=date if isinstance(date, int) and 0 <= date <= _LAST_DATE else None,
        )

    def wrap(self, info: bytes, piece_layers: Mapping[bytes, bytes] | None = None) -> bytes:
        """A torrent file of `info`, the encoded info dict, byte for byte, and these fields."""
        outer: dict[bytes, Encodable] = {}
        urls = [url for tier in self.trackers for url in tier]
        if urls:
            outer[b"announce"] = urls[0].encode()
        if len(urls) > 1:
            outer[b"announce-list"] = [[url.encode() for url in tier] for tier in self.trackers if tier]
        if self.comment is not None:
            outer[b"comment"] = self.comment.encode()
        if self.created_by is not None:
            outer[b"created by"] = self.created_by.encode()
        if self.creation_date is not None:
            outer[b"creation date"] = self.creation_date
        if self.nodes:
            outer[b"nodes"] = [[host.encode(), port] for host, port in self.nodes]
        if piece_layers is not None:
            outer[b"piece layers"] = dict(piece_layers)
        if self.web_seeds:
            outer[b"url-list"] = [url.encode() for url in self.web_seeds]
        # Joined by hand in key order: the info dict must stay the bytes that its hash is over.
        before = {key: value for key, value in outer.items() if key < b"info"}
        after = {key: value for key, value in outer.items() if key > b"info"}
        return b"".join((encode(before)[:-1], b"4:info", info, encode(after)[1:]))


def _tiers(outer: dict[bytes, Value]) -> tuple[tuple[str, ...], ...]:
    """The tiers of `announce-list`, or where none of it is usable, `announce` alone (BEP 12). A URL counts once."""
    declared = outer.get(b"announce-list")
    rows = [texts(row) for row in declared] if isinstance(declared, list) else []
    kept = dict.fromkeys(tracker_urls(url for row in rows for url in row))
    if not kept:
        return tuple((url,) for url in tracker_urls(texts(outer.get(b"announce"))))
    tiers: list[tuple[str, ...]] = []
    for row in rows:
        tier = [url.strip() for url in row]
        mine = tuple(dict.fromkeys(url for url in tier if url in kept))
        for url in mine:
            del kept[url]
        if mine:
            tiers.append(mine)
    return tuple(tiers)


def _nodes(value: Value | None) -> tuple[Endpoint, ...]:
    found: dict[Endpoint, None] = {}
    for item in value if isinstance(value, list) else []:
        match item:
            case [bytes() as host, int() as port] if host.isascii():
                place = endpoint(host.decode(), port)
                if place is not None and len(found) < MAX_ENDPOINTS:
                    found[place] = None
            case _:
                continue
    return tuple(found)
