"""What a torrent file or magnet link says, for people and for programs; shared by `create` and `show`.

The rule: a value that the source does not tell is null for programs and left out for people; it is never guessed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from p2p.disk.refusals import printable
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.urls import endpoint_text
from p2p.quantities import count, format_ranges, format_size

if TYPE_CHECKING:
    from p2p.cli.console import Json
    from p2p.metainfo.metainfo import Metainfo


def torrent_json(metainfo: Metainfo) -> dict[str, Json]:
    """The keys of `show --json`. Sizes are bytes, info-hashes hex; pad files are left out."""
    return {
        "name": metainfo.name,
        "info_hash_v1": _hex(metainfo.info_hash_v1),
        "info_hash_v2": _hex(metainfo.info_hash_v2),
        "version": metainfo.version,
        "total_size": metainfo.total_size,
        "piece_length": metainfo.piece_length,
        "piece_count": metainfo.piece_count,
        "private": metainfo.private,
        "files": [{"path": file.path, "length": file.length} for file in metainfo.files if not file.pad],
        "trackers": [list(tier) for tier in metainfo.trackers],
        "web_seeds": list(metainfo.web_seeds),
    }


def magnet_json(magnet: Magnet) -> dict[str, Json]:
    """The same keys, null for what only the metainfo tells. The version is that of the link's info-hashes."""
    return {
        "name": magnet.name,
        "info_hash_v1": _hex(magnet.info_hash_v1),
        "info_hash_v2": _hex(magnet.info_hash_v2),
        "version": _version(magnet),
        "total_size": None,
        "piece_length": None,
        "piece_count": None,
        "private": None,
        "files": None,
        "trackers": [[url] for url in magnet.trackers],
        "web_seeds": list(magnet.web_seeds),
    }


def torrent_fields(metainfo: Metainfo) -> list[tuple[str, str]]:
    """Names and values for two columns."""
    files = [file for file in metainfo.files if not file.pad]
    fields = [
        ("name", printable(metainfo.name)),
        ("size", f"{format_size(metainfo.total_size)} in {count(len(files), 'file')}"),
        ("pieces", f"{metainfo.piece_count:,} of {format_size(metainfo.piece_length)}"),
        *_hash_fields(metainfo.version, metainfo.info_hash_v1, metainfo.info_hash_v2),
    ]
    if metainfo.private:
        fields.append(("private", "yes: peers come from its trackers only"))
    if metainfo.source is not None:
        fields.append(("source", printable(metainfo.source)))
    fields += _place_fields(metainfo.trackers, metainfo.web_seeds)
    if metainfo.nodes:
        fields.append(("DHT nodes", "\n".join(map(endpoint_text, metainfo.nodes))))
    if metainfo.comment is not None:
        fields.append(("comment", printable(metainfo.comment)))
    if metainfo.created_by is not None:
        fields.append(("created by", printable(metainfo.created_by)))
    if metainfo.creation_date is not None:
        fields.append(("created", f"{datetime.fromtimestamp(metainfo.creation_date, UTC):%Y-%m-%d %H:%M:%S} UTC"))
    return fields


def magnet_fields(magnet: Magnet) -> list[tuple[str, str]]:
    """Names and values for two columns."""
    fields = [] if magnet.name is None else [("name", printable(magnet.name))]
    fields += _hash_fields(_version(magnet), magnet.info_hash_v1, magnet.info_hash_v2)
    fields += _place_fields(tuple((url,) for url in magnet.trackers), magnet.web_seeds)
    if magnet.peers:
        fields.append(("peers", "\n".join(map(endpoint_text, magnet.peers))))
    if magnet.select_only:
        fields.append(("selected", f"files {format_ranges(magnet.select_only)}"))
    return fields


def file_lines(metainfo: Metainfo) -> list[str]:
    """One line a file: its size, then its path."""
    files = [(format_size(file.length), printable(file.path)) for file in metainfo.files if not file.pad]
    width = max(len(size) for size, _ in files)
    return [f"{size:>{width}}  {path}" for size, path in files]


def magnet_link(metainfo: Metainfo) -> str:
    """The magnet link of a torrent."""
    return Magnet.from_metainfo(metainfo).uri()


def _version(magnet: Magnet) -> str:
    if magnet.info_hash_v1 is not None and magnet.info_hash_v2 is not None:
        return "hybrid"
    return "1" if magnet.info_hash_v2 is None else "2"


def _hash_fields(version: str, hash_v1: bytes | None, hash_v2: bytes | None) -> list[tuple[str, str]]:
    fields = [("version", "hybrid (1 and 2)" if version == "hybrid" else version)]
    if hash_v1 is not None:
        fields.append(("info-hash" if hash_v2 is None else "info-hash 1", hash_v1.hex()))
    if hash_v2 is not None:
        fields.append(("info-hash" if hash_v1 is None else "info-hash 2", hash_v2.hex()))
    return fields


def _place_fields(tiers: tuple[tuple[str, ...], ...], web_seeds: tuple[str, ...]) -> list[tuple[str, str]]:
    fields = []
    if tiers:
        fields.append(("trackers", "\n".join(printable(", ".join(tier)) for tier in tiers)))
    if web_seeds:
        fields.append(("web seeds", "\n".join(map(printable, web_seeds))))
    return fields


def _hex(raw: bytes | None) -> str | None:
    return None if raw is None else raw.hex()
