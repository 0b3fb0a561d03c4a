"""HTTP announces (BEP 3, 23, 7, 24) as a tracker under load reads and writes them: one pattern, one formatting.

The rule: what is taken here is what nearly every client sends, and it is taken as `p2p.codec.http_tracker` and an HTTP
parser would, which a test holds it to; everything else is None here, good or bad, and left to those two.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.codec.announce import ANY_NUMBER, AnnounceEvent

if TYPE_CHECKING:
    from collections.abc import Callable

_TAIL: Final = (
    rb" HTTP/1\.([01])\r\n"
    rb"(?:(?i:Connection: (?:(close)|(keep-alive))|User-Agent: ([ -~\x80-\xff]*)"
    rb"|(?:Host|Accept|Accept-Encoding|Accept-Language|Cache-Control|Pragma): [ -~\x80-\xff]*)\r\n)*\r\n"
)
"""The end of a request line, and fields that tell of no body, of no other protocol and of nobody else who asks."""

_VALUE: Final = rb"[!\"$%'-\[\]-~]"
"""A sign of a query's value. A backslash is left to others because `_unescape` gives it a meaning."""

usual_request: Final[Callable[[bytes], re.Match[bytes] | None]] = re.compile(
    rb"GET (/[!-\"$->@-\[\]-~]*)\?((?:" + _VALUE + rb"|&)*)" + _TAIL
).fullmatch
"""A GET with a query. Groups: path, query, minor version, `close` and `keep-alive` where asked for, user agent."""

_usual_announce: Final = re.compile(
    rb"GET /announce\?info_hash=(" + _VALUE + rb"+)&peer_id=(" + _VALUE + rb"+)&port=([0-9]{1,5})"
    rb"&uploaded=[0-9]{1,19}&downloaded=[0-9]{1,19}&left=([0-9]{1,19})"
    rb"((?:&(?:event=(started|stopped|completed|paused|)|numwant=([0-9]{1,9})|compact=1"
    rb"|(?:key|no_peer_id|corrupt|supportcrypto|redundant)=[!\"$'-\[\]-~]*))*)" + _TAIL
).fullmatch
"""The order of fields that the first client had and most have kept. No counter of 64 bits has more digits."""

_ONCE: Final = (b"&event=", b"&numwant=", b"&key=", b"&compact=", b"&no_peer_id=")
"""Fields that are refused where they are given twice, which the pattern does not see."""

_EVENTS: Final = {event.value.encode(): event for event in AnnounceEvent} | {None: AnnounceEvent.NONE}


class UsualAnnounce(NamedTuple):
    """What an open tracker needs of an announce that asks for compact peers."""

    info_hash: bytes
    peer_id: bytes
    port: bytes
    """As it stands in a compact peer."""
    left: int
    event: AnnounceEvent
    want: int
    stays: bool
    """Whether the connection is to stay open after the answer."""


def stays(request: re.Match[bytes]) -> bool:
    """Whether the connection of a `usual_request` is to stay open after the answer."""
    _, _, minor, close, keep, _ = request.groups()
    return close is None and (minor == b"1" or keep is not None)


def read_announce(received: bytes) -> UsualAnnounce | None:
    """The announce that a whole request makes."""
    found = _usual_announce(received)
    if found is None:
        return None
    info_hash, peer_id, port, left, more, event, want, minor, close, keep, _ = found.groups()
    if b"%" in info_hash:
        # The decoder that pickles of protocol 0 need: `unquote_to_bytes` takes a text apart, at eight times the time.
        try:
            info_hash = codecs.escape_decode(info_hash.replace(b"%", b"\\x"))[0]
        except ValueError:
            return None
    if b"%" in peer_id:
        try:
            peer_id = codecs.escape_decode(peer_id.replace(b"%", b"\\x"))[0]
        except ValueError:
            return None
    number = int(port)
    if number > 65_535 or len(info_hash) != 20 or len(peer_id) != 20:
        return None
    for name in _ONCE:
        if more.count(name) > 1:
            return None
    return _new(
        UsualAnnounce,
        (
            info_hash,
            peer_id,
            number.to_bytes(2, "big"),
            int(left),
            _EVENTS[event],
            ANY_NUMBER if want is None else int(want),
            close is None and (minor == b"1" or keep is not None),
        ),
    )


_new = tuple.__new__  # half the price of a named tuple's own

COMPACT_ANSWER: Final = (
    b"d8:completei%de10:downloadedi%de11:external ip4:%b10:incompletei%de8:intervali%de12:min intervali%de5:peers%d:%be"
)
"""Seeders, completed, the asker's host, leechers, the two intervals, bytes of the peers, the peers."""

COMPACT_ANSWER6: Final = (
    b"d8:completei%de10:downloadedi%de11:external ip16:%b10:incompletei%de8:intervali%de12:min intervali%de"
    b"5:peers0:6:peers6%d:%be"
)


def with_warning(body: bytes, warning: str) -> bytes:
    """The same answer with a text for the client's user, whose key comes after all others."""
    text = warning.encode()
    return b"%b15:warning message%d:%be" % (body[:-1], len(text), text)
