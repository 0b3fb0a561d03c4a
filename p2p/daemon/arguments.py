"""Arguments of a call, checked one by one as a method asks for them.

The rule: what a client sends is hostile. Whatever is not of the right type, out of range, too long, or a trick with a
path is refused with a sentence that names the argument; null is the same as nothing. Clients write booleans as 0 and
1, and whole numbers as 2.0, so those are taken. Arguments that no method knows are left alone.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final, TypeVar

from p2p.codec.bencode import MAX_SIZE
from p2p.daemon.rpc_errors import Code, RpcError, invalid
from p2p.metainfo.paths import MAX_NAME
from p2p.metainfo.urls import MAX_URLS, tracker_urls

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import IntEnum

    from p2p.daemon.names import Json

    Choice = TypeVar("Choice", bound=IntEnum)

MAX_IDS: Final = 100_000
"""Torrents that one call may name: ten times as many as the daemon is made for."""

MAX_INDICES: Final = 1_000_000
"""Files that one call may name: more than a torrent of the largest size that is read can have."""

MAX_PATH: Final = 4096
"""Bytes of a path in UTF-8: PATH_MAX of Linux."""

MAX_TEXT: Final = 16_384
"""Letters of a text that has no bound of its own, such as a magnet link or a URL."""

MAX_TRACKER_LIST: Final = 262_144
"""Letters of a list of trackers."""

MAX_LABELS: Final = 100
MAX_LABEL: Final = 255
"""Letters of a label."""

MAX_LIMIT: Final = 10**9
"""The highest limit of anything, in its unit: in kilobytes a second, a terabyte."""

_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Arguments:
    """See the module's head. Each reader returns None for what is not there."""

    def __init__(self, given: Mapping[str, Json]) -> None:
        self._given = given

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) is not None

    def raw(self, name: str) -> Json:
        return self._given.get(name)

    def boolean(self, name: str) -> bool | None:
        value = self._given.get(name)
        return None if value is None else as_boolean(name, value)

    def integer(self, name: str, low: int, high: int) -> int | None:
        value = self._given.get(name)
        return None if value is None else as_integer(name, value, low, high)

    def number(self, name: str, low: float, high: float) -> float | None:
        value = self._given.get(name)
        return None if value is None else as_number(name, value, low, high)

    def choice(self, name: str, kind: type[Choice]) -> Choice | None:
        value = self._given.get(name)
        if value is None:
            return None
        number = as_integer(name, value, min(kind), max(kind))
        return kind(number)

    def text(self, name: str, longest: int = MAX_TEXT) -> str | None:
        value = self._given.get(name)
        return None if value is None else as_text(name, value, longest)

    def location(self, name: str) -> str | None:
        """An absolute path without a step up."""
        value = self._given.get(name)
        return None if value is None else as_location(name, value)

    def labels(self, name: str) -> tuple[str, ...] | None:
        """Each once, in order."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > MAX_LABELS:
            raise invalid(f"{name} must be a list of at most {MAX_LABELS} labels")
        found: dict[str, None] = {}
        for each in value:
            label = as_text(name, each, MAX_LABEL).strip()
            if not label:
                raise invalid(f"{name}: a label cannot be empty")
            if "," in label:
                raise invalid(f"{name}: a label cannot contain a comma")
            if _CONTROLS.search(label):
                raise invalid(f"{name}: a label is one line of text")
            found[label] = None
        return tuple(found)

    def indices(self, name: str) -> tuple[int, ...] | None:
        """File indices, ascending, each once; None for all files, which an empty list stands for."""
        value = self._given.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > MAX_INDICES:
            raise invalid(f"{name} must be a list of at most {MAX_INDICES} file indices")
        return tuple(sorted({as_index(name, each) for each in value})) or None

    def metainfo(self, name: str) -> bytes | None:
        """The bytes that base64 stands for."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > 2 * MAX_SIZE:
            raise invalid(f"{name} must be a torrent file in base64")
        try:
            return base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise RpcError(Code.CORRUPT_TORRENT, f"{name} is not base64") from error


def as_boolean(name: str, value: Json) -> bool:
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    raise invalid(f"{name} must be true or false")


def as_integer(name: str, value: Json, low: int, high: int) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not low <= value <= high
        or value != int(value)
    ):
        raise invalid(f"{name} must be a whole number from {low} to {high}")
    return int(value)


def as_number(name: str, value: Json, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise invalid(f"{name} must be a number from {low:g} to {high:g}")
    return float(value)


def as_text(name: str, value: Json, longest: int) -> str:
    if not isinstance(value, str):
        raise invalid(f"{name} must be text")
    if len(value) > longest:
        raise invalid(f"{name} is longer than {longest} letters")
    if "\x00" in value:
        raise invalid(f"{name} has a zero byte")
    return value


def as_index(name: str, value: Json) -> int:
    try:
        return as_integer(name, value, 0, MAX_INDICES)
    except RpcError as error:
        raise RpcError(Code.FILE_INDEX, str(error)) from error


def as_location(name: str, value: Json) -> str:
    path = as_text(name, value, MAX_PATH)
    if not path.startswith("/"):
        raise RpcError(Code.PATH_NOT_ABSOLUTE, f"{name} must be an absolute path")
    if ".." in path.split("/"):
        raise RpcError(Code.PATH_NOT_ABSOLUTE, f"{name} must not go up by ..")
    if _CONTROLS.search(path) or len(path.encode()) > MAX_PATH:
        raise invalid(f"{name} is no path")
    return path


def file_name(name: str, value: Json) -> str:
    """One part of a path, as it can stand on any disk."""
    text = as_text(name, value, MAX_NAME)
    if not text or text in (".", "..") or "/" in text or "\\" in text or _CONTROLS.search(text):
        raise invalid(f"{name} must be the name of one file or folder")
    if len(text.encode()) > MAX_NAME:
        raise invalid(f"{name} is longer than {MAX_NAME} bytes")
    return text


def inner_path(name: str, value: Json) -> str:
    """A path inside a torrent: relative, without a step up."""
    text = as_text(name, value, MAX_PATH)
    if not text or any(part in ("", ".", "..") for part in text.split("/")) or _CONTROLS.search(text):
        raise invalid(f"{name} must be a path inside the torrent")
    return text


def tiers_of(name: str, value: Json) -> tuple[tuple[str, ...], ...]:
    """Tiers from a text with one announce URL a line and blank lines between tiers (BEP 12)."""
    text = as_text(name, value, MAX_TRACKER_LIST)
    tiers: list[list[str]] = [[]]
    count = 0
    for line in text.splitlines():
        url = line.strip()
        if not url:
            tiers.append([])
            continue
        count += 1
        tiers[-1].append(announce_url(name, url))
    if count > MAX_URLS:
        raise RpcError(Code.INVALID_TRACKER_LIST, f"{name} has more than {MAX_URLS} trackers")
    return tuple(tuple(dict.fromkeys(tier)) for tier in tiers if tier)


def announce_url(name: str, value: Json) -> str:
    """The URL of a tracker, as it is kept."""
    text = as_text(name, value, MAX_TEXT)
    urls = tracker_urls((text,))
    if not urls:
        raise RpcError(Code.INVALID_TRACKER_LIST, f"{name}: {text[:100]!r} is no tracker address (http, https, udp)")
    return urls[0]
