"""What a peer says of pieces while nobody here knows how many there are: before the metadata of a magnet link has come.

The rule: it is held back, in bounded room, and judged once the torrent is known, as if it had come only then. Requests
are refused, as there is nothing to give. All else goes on, so that metadata and hashes can be exchanged meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final, NoReturn, TypeAlias

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import Block
from p2p.wire import messages as wire
from p2p.wire.events import Event

Judge: TypeAlias = Callable[[int, bytearray, int, int], Event | None]
"""Takes id, buffer, and the payload's offset and length in it."""

MAX_EARLY_BITFIELD: Final = 262_144
"""Bytes: two million pieces. The metadata that we read (32 MiB) has room for the hashes of 1.7 million."""

MAX_EARLY_MESSAGES: Final = 65_536
"""Messages held that name one piece each, 320 KiB: minutes of a peer that downloads fast."""

_ALL_PIECES: Final = frozenset({wire.BITFIELD, wire.HAVE_ALL, wire.HAVE_NONE})
_ONE_PIECE: Final = frozenset({wire.HAVE, wire.ALLOWED_FAST, wire.SUGGEST})
_RECORD: Final = Struct(">BI")


class EarlyMessages:
    """The messages of one peer that wait to be judged.

    `judge` takes those that need not wait and, in the end, the others; `refuse` sends a reject, None where the peer
    knows none.
    """

    __slots__ = ("_judge", "_opening", "_records", "_refuse")

    def __init__(self, judge: Judge, refuse: Callable[[bytes], None] | None) -> None:
        self._judge = judge
        self._refuse = refuse
        self._opening: tuple[int, bytearray] | None = None
        """The last that speaks of all pieces."""
        self._records = bytearray()

    def on_message(self, kind: int, buffer: bytearray, at: int, size: int) -> Event | None:
        """One whole message. Raises RemoteProtocolError for one too many to hold, and what `judge` raises."""
        if kind in _ALL_PIECES:
            self._opening = kind, buffer[at : at + size]
        elif kind in _ONE_PIECE:
            if len(self._records) >= MAX_EARLY_MESSAGES * _RECORD.size:
                raise RemoteProtocolError("the peer says too much of pieces before it gave the metadata")
            self._records.append(kind)
            self._records += buffer[at : at + size]
        elif kind == wire.REQUEST:
            if self._refuse is not None:
                self._refuse(wire.encode_span(wire.REJECT, Block._make(wire.SPAN.unpack_from(buffer, at))))
        elif kind not in (wire.CANCEL, wire.REJECT):  # of requests that are answered, or that we never made
            return self._judge(kind, buffer, at, size)
        return None

    def judged(self) -> list[Event]:
        """What becomes of the messages held, now that they can be judged."""
        judge, records = self._judge, self._records
        events: list[Event | None] = []
        if self._opening is not None:
            kind, payload = self._opening
            events.append(judge(kind, payload, 0, len(payload)))
        events += [judge(records[at], records, at + 1, 4) for at in range(0, len(records), _RECORD.size)]
        return [event for event in events if event is not None]


def no_piece(piece: int) -> NoReturn:
    """The size of a piece of a torrent that is not known yet."""
    raise LocalProtocolError(f"piece {piece} of a torrent that is not known")
