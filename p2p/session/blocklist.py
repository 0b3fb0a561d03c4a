"""Addresses that a user wants nothing to do with: lists of them read, and one looked up. Pure.

Three forms are read, line by line and also mixed, each plain or gzipped: P2P text of PeerGuardian (`name:first-last`),
DAT of eMule (`first - last , level , name`, where a level of 128 and more lets in), and plain addresses, ranges or
networks (`192.0.2.0/24`). IPv4 and IPv6. The rule: a line that is none of these is passed over and counted; what is
no list at all is refused, and so is one that is larger than anybody's.

Ranges are kept sorted and merged, four bytes a bound for IPv4, so that half a million of them take a few megabytes and
a look takes a microsecond.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
import sys
import zlib
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from p2p.errors import BlocklistError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_TEXT: Final = 128 << 20
"""Bytes of a list, inflated: the largest in use have a third of it."""

MAX_RANGES: Final = 2_000_000
"""Ranges of IPv4, as many as all public lists have together."""

MAX_RANGES_IPV6: Final = 250_000
MAX_LINE: Final = 2_048
"""Bytes of a line: a name and two addresses have a hundred."""

STEP: Final = 1 << 18
"""Bytes inflated and read at a time."""

LET_IN: Final = 128
"""The level of a DAT entry from which on it blocks nothing."""

_MAGIC: Final = b"starling blocklist 1\n"
_HEAD: Final = struct.Struct("<dIII")
"""When it was fetched (seconds since the epoch), ranges of IPv4 and of IPv6, CRC-32 of what follows."""

_QUAD: Final = rb"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})"
_RANGE: Final = re.compile(
    rb"(?:[^\n]*:)?\s*" + _QUAD + rb"\s*-\s*" + _QUAD + rb"\s*(?:,\s*(\d{1,4})\s*(?:,[^\n]*)?)?(?:[#;][^\n]*)?\Z"
)
_COMMENT: Final = re.compile(rb"[#;].*|//.*")

_Ranges = list[tuple[int, int]]


class Blocklist:
    """See the module's head. `refuses` is asked for every peer; nothing else changes after it was made."""

    __slots__ = ("_ends", "_ends_ipv6", "_starts", "_starts_ipv6", "passed_over")

    def __init__(self, ipv4: Iterable[int] = (), ipv6: Iterable[tuple[int, int]] = (), *, passed_over: int = 0) -> None:
        """`ipv4` are ranges as `first << 32 | last`, `ipv6` as pairs; in any order, overlapping or not."""
        self._starts, self._ends = _merged_ipv4(ipv4)
        self._starts_ipv6, self._ends_ipv6 = _merged(ipv6)
        self.passed_over = passed_over
        """Lines that said nothing that could be used."""

    def __len__(self) -> int:
        """Ranges, after those that touch were joined."""
        return len(self._starts) + len(self._starts_ipv6)

    def refuses(self, host: str) -> bool:
        """Whether `host`, an IP address, is on the list."""
        if ":" in host:
            if not self._starts_ipv6:
                return False
            number = int.from_bytes(socket.inet_pton(socket.AF_INET6, host), "big")
            at = bisect_right(self._starts_ipv6, number) - 1
            return at >= 0 and number <= self._ends_ipv6[at]
        if not self._starts:
            return False
        number = int.from_bytes(socket.inet_aton(host), "big")
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]

    def encode(self, fetched_at: float) -> bytes:
        """For a file of ours: read again in milliseconds."""
        numbers = [*self._starts_ipv6, *self._ends_ipv6]
        body = (
            _little(self._starts).tobytes()
            + _little(self._ends).tobytes()
            + b"".join(number.to_bytes(16, "little") for number in numbers)
        )
        head = _HEAD.pack(fetched_at, len(self._starts), len(self._starts_ipv6), zlib.crc32(body))
        return _MAGIC + head + body

    @classmethod
    def decode(cls, kept: bytes) -> tuple[Blocklist, float]:
        """What `encode` made, and when it was fetched. Raises BlocklistError for anything else."""
        at = len(_MAGIC) + _HEAD.size
        if not kept.startswith(_MAGIC) or len(kept) < at:
            raise BlocklistError("not a blocklist that was kept")
        fetched_at, count, count_ipv6, checksum = _HEAD.unpack_from(kept, len(_MAGIC))
        body = memoryview(kept)[at:]
        if len(body) != 8 * count + 32 * count_ipv6 or zlib.crc32(body) != checksum:
            raise BlocklistError("the blocklist that was kept is damaged")
        found = cls()
        found._starts, found._ends = array("I"), array("I")
        found._starts.frombytes(body[: 4 * count])
        found._ends.frombytes(body[4 * count : 8 * count])
        found._starts, found._ends = _little(found._starts), _little(found._ends)
        rest = body[8 * count :]
        numbers = [int.from_bytes(rest[begin : begin + 16], "little") for begin in range(0, len(rest), 16)]
        found._starts_ipv6, found._ends_ipv6 = numbers[:count_ipv6], numbers[count_ipv6:]
        return found, fetched_at


def parse(content: bytes) -> Blocklist:
    """Read a list in any of the forms; half a million lines take about a second. Raises BlocklistError."""
    ipv4: list[int] = []
    ipv6: _Ranges = []
    passed_over = 0
    for line in _lines(content):
        match = _RANGE.match(line)
        if match is not None:
            a, b, c, d, e, f, g, h, level = match.groups()
            quads = (int(a), int(b), int(c), int(d), int(e), int(f), int(g), int(h))
            first = quads[0] << 24 | quads[1] << 16 | quads[2] << 8 | quads[3]
            last = quads[4] << 24 | quads[5] << 16 | quads[6] << 8 | quads[7]
            if max(quads) > 255 or first > last:
                passed_over += 1
            elif level is None or int(level) < LET_IN:
                ipv4.append(first << 32 | last)
        else:
            plain = _COMMENT.sub(b"", line).strip()
            if plain:
                passed_over += not _read_other(plain, ipv4, ipv6)
        if len(ipv4) > MAX_RANGES or len(ipv6) > MAX_RANGES_IPV6:
            raise BlocklistError(f"a list of more than {MAX_RANGES} ranges ({MAX_RANGES_IPV6} of IPv6)")
    if not ipv4 and not ipv6 and passed_over:
        raise BlocklistError("not a blocklist: no line of it names an address")
    return Blocklist(ipv4, ipv6, passed_over=passed_over)


def _read_other(line: bytes, ipv4: list[int], ipv6: _Ranges) -> bool:
    """A network, an address, or a range of IPv6; whether it is one of these."""
    text = line.decode("ascii", "replace")
    words = [word.strip() for word in text.split(",")]
    if len(words) > 1 and words[1].isdecimal() and len(words[1]) < 5 and int(words[1]) >= LET_IN:
        return True
    first, dash, last = words[0].rpartition("-")
    try:
        if dash:
            low, high = _ipv6_of(first.strip()), int(ipaddress.IPv6Address(last.strip()))
            if low > high:
                return False
            ipv6.append((low, high))
            return True
        network = ipaddress.ip_network(last.strip(), strict=False)
    except ValueError:
        return False
    low, high = int(network.network_address), int(network.broadcast_address)
    if network.version == 4:
        ipv4.append(low << 32 | high)
    else:
        ipv6.append((low, high))
    return True


def _ipv6_of(text: str) -> int:
    """An address, alone or after a name, which then has no colon. Raises ValueError."""
    try:
        return int(ipaddress.IPv6Address(text))
    except ValueError:
        return int(ipaddress.IPv6Address(text.partition(":")[2]))


def _lines(content: bytes) -> Iterator[bytes]:
    """The lines, without their ends; longer ones than MAX_LINE are cut."""
    rest = b""
    for piece in _inflated(content):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line[:MAX_LINE].rstrip()
        rest = rest[:MAX_LINE]
    yield rest.rstrip()


def _inflated(content: bytes) -> Iterator[bytes]:
    """The text in pieces of at most STEP bytes. Raises BlocklistError."""
    if content[:4] == b"PK\x03\x04":
        raise BlocklistError("a zip archive is not read; lists are text, plain or gzipped")
    if content[:2] != b"\x1f\x8b":
        if len(content) > MAX_TEXT:
            raise _too_large()
        for begin in range(0, len(content), STEP):
            yield content[begin : begin + STEP]
        return
    taken = 0
    rest = content
    while rest[:2] == b"\x1f\x8b":  # members may follow each other (RFC 1952, section 2.2)
        inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        while not inflater.eof:
            try:
                piece = inflater.decompress(rest, STEP)
            except zlib.error as error:
                raise BlocklistError("a gzipped list that is damaged") from error
            rest = inflater.unconsumed_tail
            taken += len(piece)
            if taken > MAX_TEXT:
                raise _too_large()
            if not piece and not rest and not inflater.eof:
                raise BlocklistError("a gzipped list that is cut short")
            yield piece
        rest = inflater.unused_data


def _too_large() -> BlocklistError:
    return BlocklistError(f"a list of more than {MAX_TEXT >> 20} MiB")


def _merged_ipv4(ranges: Iterable[int]) -> tuple[array[int], array[int]]:
    starts, ends = array("I"), array("I")
    end = -2
    for each in sorted(ranges):
        first, last = each >> 32, each & 0xFFFFFFFF
        if first > end + 1:
            if end >= 0:
                ends.append(end)
            starts.append(first)
            end = last
        elif last > end:
            end = last
    if end >= 0:
        ends.append(end)
    return starts, ends


def _merged(ranges: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    starts: list[int] = []
    ends: list[int] = []
    for first, last in sorted(ranges):
        if not ends or first > ends[-1] + 1:
            starts.append(first)
            ends.append(last)
        else:
            ends[-1] = max(ends[-1], last)
    return starts, ends


def _little(numbers: array[int]) -> array[int]:
    if sys.byteorder == "little":
        return numbers
    swapped = numbers[:]
    swapped.byteswap()
    return swapped
