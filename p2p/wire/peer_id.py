"""Peer ids (BEP 20): ours, and which client stands behind those of others. For display: a peer id proves nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from p2p.codec.text import clean_line
from p2p.ids import PeerId

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT_CODE: Final = "SL"
"""Ours. Free in BEP 20 and in the tables that other clients identify peers by; `ST` is SymTorrent."""

_AZUREUS: Final[dict[str, str]] = {
    CLIENT_CODE: "Starling",
    "7T": "aTorrent",
    "AG": "Ares",
    "AZ": "Azureus",
    "BC": "BitComet",
    "BE": "BitTorrent SDK",
    "BI": "BiglyBT",
    "BL": "BitLord",
    "BT": "BitTorrent",
    "BW": "BitTorrent Web",
    "CD": "Enhanced CTorrent",
    "CT": "CTorrent",
    "DE": "Deluge",
    "ES": "Electric Sheep",
    "FD": "Free Download Manager",
    "FG": "FlashGet",
    "FL": "Folx",
    "FW": "FrostWire",
    "FX": "Freebox",
    "KG": "KGet",
    "KT": "KTorrent",
    "LP": "Lphant",
    "LT": "libtorrent",
    "LW": "LimeWire",
    "MG": "MediaGet",
    "MO": "MonoTorrent",
    "MR": "Miro",
    "NX": "Net Transport",
    "OS": "OneSwarm",
    "PI": "PicoTorrent",
    "QD": "QQDownload",
    "QT": "Qt example",
    "SB": "Swiftbit",
    "SD": "Xunlei",
    "SP": "BitSpirit",
    "SS": "SwarmScope",
    "ST": "SymTorrent",
    "SZ": "Shareaza",
    "TL": "Tribler",
    "TN": "Torrent.NET",
    "TR": "Transmission",
    "TX": "Tixati",
    "UE": "\u00b5Torrent Embedded",
    "UM": "\u00b5Torrent Mac",
    "UT": "\u00b5Torrent",
    "UW": "\u00b5Torrent Web",
    "WD": "WebTorrent Desktop",
    "WT": "BitLet",
    "WW": "WebTorrent",
    "XF": "Xfplay",
    "XL": "Xunlei",
    "XT": "XanTorrent",
    "ZT": "ZipTorrent",
    "lt": "rTorrent",
    "qB": "qBittorrent",
    "st": "SharkTorrent",
    "tT": "tTorrent",
}

_SHADOW: Final[dict[str, str]] = {
    "A": "ABC",
    "O": "Osprey Permaseed",
    "Q": "BTQueue",
    "R": "Tribler",
    "S": "Shadow",
    "T": "BitTornado",
    "U": "UPnP NAT",
}

_MAINLINE: Final[dict[str, str]] = {"M": "Mainline", "Q": "Queen Bee"}

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-"

_AZUREUS_ID: Final = re.compile(rb"-([A-Za-z0-9~]{2})([0-9A-Za-z]{3})([0-9A-Za-z])[-0-9A-Za-z]", re.DOTALL)
_MAINLINE_ID: Final = re.compile(rb"([MQ])(\d{1,2})-(\d{1,2})-(\d{1,2})-")
_ARIA_ID: Final = re.compile(rb"A2-(\d{1,2})-(\d{1,2})-(\d{1,2})-")
_SHADOW_ID: Final = re.compile(rb"([A-Z])([0-9A-Za-z.]{1,5}?)-{3,}")


def make_peer_id(random: Callable[[int], bytes], version: str) -> PeerId:
    """`-SL0100-` and 12 bytes from `random(12)` for version "0.1.0": up to four numbers of one digit, 35 at most.

    Raises ValueError for a version that does not fit or a source that gives another number of bytes.
    """
    numbers = [int(number) for number in version.split(".")]
    if len(numbers) > 4 or not all(0 <= number <= 35 for number in numbers):
        raise ValueError(f"version {version} does not fit into a peer id")
    digits = "".join(_DIGITS[number] for number in numbers).ljust(4, "0")
    tail = random(12)
    if len(tail) != 12:
        raise ValueError("a peer id ends in 12 random bytes")
    return PeerId(f"-{CLIENT_CODE}{digits}-".encode() + tail)


def client_name(peer_id: PeerId) -> str:
    """Client and version where the id tells, else its readable part; always one short printable line."""
    if found := _AZUREUS_ID.match(peer_id):
        code, version, last = (group.decode() for group in found.groups())
        numbers = [str(_DIGITS.index(digit)) for digit in version]
        if last.isdigit() and last != "0":
            numbers.append(last)
        return f"{_AZUREUS.get(code, code)} {'.'.join(numbers)}"
    if found := _ARIA_ID.match(peer_id):
        return "aria2 " + b".".join(found.groups()).decode()
    if found := _MAINLINE_ID.match(peer_id):
        return f"{_MAINLINE[found[1].decode()]} {b'.'.join(found.groups()[1:]).decode()}"
    if (found := _SHADOW_ID.match(peer_id)) and (name := _SHADOW.get(found[1].decode())):
        return f"{name} {'.'.join(str(_DIGITS.index(digit)) for digit in found[2].decode())}"
    readable = clean_line(peer_id[:8], 8)
    return f"unknown ({readable})" if readable.isascii() and readable else "unknown"
