"""The UDP tracker protocol (BEP 15) as a tracker under load reads and writes it: one unpacking and packing a packet.

`p2p.codec.udp_tracker` has the values for everybody else, and both agree: a test reads what either has written.
"""

from __future__ import annotations

import struct
from typing import Final

from p2p.codec.announce import AnnounceEvent

CONNECT: Final = 0
ANNOUNCE: Final = 1

CONNECT_REQUEST: Final = struct.Struct("!QI4s")
"""The protocol's number, action, transaction id."""

CONNECT_ANSWER: Final = struct.Struct("!I4s7sB")
"""Action, transaction id, and the connection id in two parts."""

ANNOUNCE_REQUEST: Final = struct.Struct("!7sBI4s20s20s8xQ8xI4x4xi2s")
"""Connection id in two parts, action, transaction id, info-hash, peer id, left, event, num_want, port as it stands in a
compact peer: what an open tracker needs. The counters, `ip` and `key` are passed over."""

ANNOUNCE_ANSWER: Final = struct.Struct("!I4siii")
"""Action, transaction id, interval, leechers, seeders; compact peers follow."""

EVENTS: Final = (
    AnnounceEvent.NONE,
    AnnounceEvent.COMPLETED,
    AnnounceEvent.STARTED,
    AnnounceEvent.STOPPED,
    AnnounceEvent.PAUSED,
)
"""By their number. BEP 15 has none for `paused`; 4 is what clients that send one have settled on."""
