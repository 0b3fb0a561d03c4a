"""What a screen can look at beyond the list and a torrent's details, and how the feed asks a daemon for it.

The rule: a daemon of ours tells all of it. Another one is asked for what its RPC has, which is brought into the same
shape; what it does not have is None, and screens say so.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from p2p.daemon.client_errors import RefusedError, UnsupportedError
from p2p.daemon.client_values import Part
from tui.foreign import choking_of, pieces_of

if TYPE_CHECKING:
    from p2p.daemon.client import Client
    from p2p.daemon.own_facts import (
        ChokingFacts,
        DhtFacts,
        DiskFacts,
        LogFacts,
        PieceMap,
        RateHistory,
        TrackerHealthFacts,
    )


class Sight(Enum):
    CHOKING = "choking"
    PIECES = "pieces"
    RATES = "rates"
    """Of the torrent that is named, or of the session."""
    LOG = "log"
    TRACKERS = "trackers"
    DHT = "dht"
    DISK = "disk"


Seeing: TypeAlias = (
    "ChokingFacts | PieceMap | RateHistory | LogFacts | TrackerHealthFacts | DhtFacts | DiskFacts | None"
)


async def see(client: Client, sight: Sight, hash_string: str | None, since: int) -> Seeing:
    """One look; None for what the daemon does not tell. `since` is the last line of the log that is known.

    Raises StarlingError for whatever keeps a daemon from answering.
    """
    try:
        if (await client.info()).ours:
            return await _ours(client, sight, hash_string, since)
        return await _foreign(client, sight, hash_string)
    except (RefusedError, UnsupportedError):  # the torrent is gone, or the daemon is older than we are
        return None


async def _ours(client: Client, sight: Sight, hash_string: str | None, since: int) -> Seeing:
    match sight:
        case Sight.CHOKING:
            return None if hash_string is None else await client.own.choking(hash_string)
        case Sight.PIECES:
            return None if hash_string is None else await client.own.pieces(hash_string)
        case Sight.RATES:
            return await client.own.rates(hash_string)
        case Sight.LOG:
            return await client.own.log(since=since)
        case Sight.TRACKERS:
            return await client.own.trackers()
        case Sight.DHT:
            return await client.own.dht()
        case Sight.DISK:
            return await client.own.disk()


async def _foreign(client: Client, sight: Sight, hash_string: str | None) -> Seeing:
    if hash_string is None:
        return None
    if sight is Sight.CHOKING:
        details = await client.details(hash_string, Part.PEERS)
        return None if details is None else choking_of(details)
    if sight is Sight.PIECES:
        details = await client.details(hash_string, Part.PIECES)
        return None if details is None else pieces_of(details)
    return None
