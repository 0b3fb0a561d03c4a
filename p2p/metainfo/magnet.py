"""Magnet links (BEP 9, BEP 52, BEP 53): which torrent a link names, and where to look for it.

The rule: the info-hashes and the file selection must be right or the link is refused, because a wrong guess downloads
something else; names, trackers, web seeds and peers are hints, and those that cannot be used are left out.
"""

from __future__ import annotations

import base64
import binascii
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, unquote_to_bytes

from p2p.errors import MagnetError
from p2p.ids import InfoHash
from p2p.metainfo.paths import safe_name
from p2p.metainfo.urls import MAX_ENDPOINTS, Endpoint, endpoint_text, parse_endpoint, tracker_urls, web_seed_urls

if TYPE_CHECKING:
    from p2p.metainfo.metainfo import Metainfo

MAX_LINK: Final = 65_536
"""Characters of a link: room for hundreds of trackers; no browser or shell passes on more."""

MAX_FIELDS: Final = 2_000
"""Parameters of a link, so that a link made of separators alone costs little."""

MAX_SELECTED: Final = 1_000_000
"""File indices, and one more than the highest: more files than a torrent of the largest size we read can name."""

_BTMH_PREFIX: Final = "1220"
"""The multihash header of SHA-256 (0x12) with 32 bytes (0x20), in hex."""

_INDEX_RANGE = re.compile(r"([0-9]{1,7})(?:-([0-9]{1,7}))?")
_NUMBERED = re.compile(r"(xt|tr|ws|x\.pe)\.[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Magnet:
    """What a link says. At least one info-hash is there; equal links made of it are equal text."""

    name: str | None = None
    """Display name, cleaned as a file name."""
    info_hash_v1: bytes | None = None
    """20 bytes."""
    info_hash_v2: bytes | None = None
    """32 bytes."""
    trackers: tuple[str, ...] = ()
    web_seeds: tuple[str, ...] = ()
    peers: tuple[Endpoint, ...] = ()
    """Host and port; the host may be a name still to be resolved."""
    select_only: tuple[int, ...] = ()
    """File indices, ascending, each once; empty means all files (BEP 53)."""

    def __post_init__(self) -> None:
        if self.info_hash_v1 is None and self.info_hash_v2 is None:
            raise MagnetError("the link names no BitTorrent info-hash")

    @classmethod
    def parse(cls, uri: str) -> Magnet:
        """Read a link. Raises MagnetError for one that is no magnet link, names no torrent, or passes a bound."""
        fields = _fields(uri)
        hash_v1, hash_v2 = _info_hashes(fields.get("xt", ()))
        names = fields.get("dn", ())
        peers: dict[Endpoint, None] = {}
        for text in fields.get("x.pe", ()):
            place = parse_endpoint(unquote(text))
            if place is not None and len(peers) < MAX_ENDPOINTS:
                peers[place] = None
        return cls(
            name=_display_name(names[0]) if names else None,
            info_hash_v1=hash_v1,
            info_hash_v2=hash_v2,
            trackers=tracker_urls(unquote(text) for text in fields.get("tr", ())),
            web_seeds=web_seed_urls(unquote(text) for text in fields.get("ws", ())),
            peers=tuple(peers),
            select_only=_selection([unquote(text) for text in fields.get("so", ())]),
        )

    @classmethod
    def from_metainfo(cls, metainfo: Metainfo) -> Magnet:
        """The link to a torrent, with its trackers tier by tier and its web seeds."""
        return cls(
            name=metainfo.name,
            info_hash_v1=metainfo.info_hash_v1,
            info_hash_v2=metainfo.info_hash_v2,
            trackers=tuple(url for tier in metainfo.trackers for url in tier),
            web_seeds=metainfo.web_seeds,
        )

    def uri(self) -> str:
        """The link; `Magnet.parse` of it gives this value again."""
        fields: list[str] = []
        if self.info_hash_v1 is not None:
            fields.append(f"xt=urn:btih:{self.info_hash_v1.hex()}")
        if self.info_hash_v2 is not None:
            fields.append(f"xt=urn:btmh:{_BTMH_PREFIX}{self.info_hash_v2.hex()}")
        if self.name is not None:
            fields.append(f"dn={quote(self.name, safe='')}")
        fields += [f"tr={quote(url, safe='')}" for url in self.trackers]
        fields += [f"ws={quote(url, safe='')}" for url in self.web_seeds]
        fields += [f"x.pe={endpoint_text(place)}" for place in self.peers]
        if self.select_only:
            fields.append(f"so={_ranges_text(self.select_only)}")
        return "magnet:?" + "&".join(fields)

    def wire_info_hashes(self) -> tuple[InfoHash, ...]:
        """The 20-byte names of the torrent's swarms: version 1 first, then version 2 cut short (BEP 52)."""
        return wire_info_hashes(self.info_hash_v1, self.info_hash_v2)


def wire_info_hashes(hash_v1: bytes | None, hash_v2: bytes | None) -> tuple[InfoHash, ...]:
    """Info-hashes as handshakes and announces carry them, version 1 first."""
    found: list[InfoHash] = []
    if hash_v1 is not None:
        found.append(InfoHash(hash_v1))
    if hash_v2 is not None:
        found.append(InfoHash(hash_v2[:20]))
    return tuple(found)


def _fields(uri: str) -> dict[str, list[str]]:
    """Parameters by key, still percent-encoded; `tr.1` counts as `tr`."""
    text = uri.strip()
    if len(text) > MAX_LINK:
        raise MagnetError(f"a magnet link of {len(text)} characters is longer than {MAX_LINK}")
    if not text.isascii():
        # Browsers show links with their letters decoded; a lone surrogate is no letter.
        text = quote(text, safe=string.printable, errors="replace")
    if text[:8].lower() != "magnet:?":
        raise MagnetError("a magnet link starts with magnet:?")
    # Links copied out of a page's source still have its escapes.
    pairs = text[8:].partition("#")[0].replace("&amp;", "&").split("&")
    if len(pairs) > MAX_FIELDS:
        raise MagnetError(f"a magnet link with more than {MAX_FIELDS} parameters")
    fields: dict[str, list[str]] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        key = unquote(key).lower()
        if numbered := _NUMBERED.fullmatch(key):
            key = numbered[1]
        fields.setdefault(key, []).append(value)
    return fields


def _info_hashes(topics: list[str] | tuple[()]) -> tuple[bytes | None, bytes | None]:
    hash_v1: bytes | None = None
    hash_v2: bytes | None = None
    for topic in topics:
        text = unquote(topic)
        urn = text[:9].lower()
        if urn == "urn:btih:":
            found = _btih(text[9:])
            if hash_v1 not in (None, found):
                raise MagnetError("the link names two torrents at once")
            hash_v1 = found
        elif urn == "urn:btmh:":
            found = _btmh(text[9:])
            if hash_v2 not in (None, found):
                raise MagnetError("the link names two torrents at once")
            hash_v2 = found
    if hash_v1 is None and hash_v2 is None:
        raise MagnetError("the link names no BitTorrent info-hash (xt=urn:btih: or xt=urn:btmh:)")
    return hash_v1, hash_v2


def _btih(text: str) -> bytes:
    try:
        if len(text) == 40:
            return binascii.unhexlify(text)
        if len(text) == 32:
            return base64.b32decode(text, casefold=True)
    except ValueError as error:
        raise MagnetError("the info-hash is neither hexadecimal nor base32") from error
    raise MagnetError(f"an info-hash has 40 hexadecimal or 32 base32 characters, not {len(text)}")


def _btmh(text: str) -> bytes:
    if len(text) != 68 or not text.startswith(_BTMH_PREFIX):
        raise MagnetError("a version 2 info-hash is 1220 and 64 hexadecimal characters")
    try:
        return binascii.unhexlify(text[4:])
    except ValueError as error:
        raise MagnetError("the version 2 info-hash is not hexadecimal") from error


def _display_name(text: str) -> str | None:
    raw = unquote_to_bytes(text.replace("+", " "))
    return safe_name(raw) if raw else None


def _selection(texts: list[str]) -> tuple[int, ...]:
    """All indices that the ranges name. The ranges are joined before they are spelled out, so overlap is free."""
    ranges: list[tuple[int, int]] = []
    for item in ",".join(texts).split(","):
        text = item.strip()
        if not text:
            continue
        match = _INDEX_RANGE.fullmatch(text)
        if match is None:
            raise MagnetError("the selection (so=) is not a list of file indices and ranges")
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first or last >= MAX_SELECTED:
            raise MagnetError(f"the selection (so=) has a range that runs backwards or past {MAX_SELECTED} files")
        ranges.append((first, last))
    found: list[int] = []
    for first, last in sorted(ranges):
        begin = max(first, found[-1] + 1) if found else first
        found.extend(range(begin, last + 1))
    return tuple(found)


def _ranges_text(indices: tuple[int, ...]) -> str:
    parts: list[str] = []
    first = last = indices[0]
    for index in (*indices[1:], -1):
        if index == last + 1:
            last = index
            continue
        parts.append(str(first) if first == last else f"{first}-{last}")
        first = last = index
    return ",".join(parts)
