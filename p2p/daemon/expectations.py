"""How long a torrent may still need, as the RPC tells it: seconds, or why there is no figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.session.snapshot import TorrentState

if TYPE_CHECKING:
    from p2p.session.torrent import Torrent

NONE: Final = -1
UNKNOWN: Final = -2


def eta(torrent: Torrent, now: float) -> int:
    """Until everything wanted is there, or until the ratio is reached that ends a seeding. `now` is the loop's time."""
    state, exchange = torrent.state, torrent.exchange
    if state is TorrentState.DOWNLOADING:
        wanted, done = torrent.sizes()
        rate = 0 if exchange is None else int(exchange.rate_down.rate(now))
        return (wanted - done) // rate if rate else UNKNOWN
    ratio = torrent.goals.ratio
    if ratio is None or exchange is None or state is not TorrentState.SEEDING:
        return NONE
    missing = ratio * exchange.wanted_size - torrent.ledger.uploaded - exchange.uploaded
    rate = int(exchange.rate_up.rate(now))
    return int(max(0.0, missing) / rate) if rate else UNKNOWN


def eta_idle(torrent: Torrent, now: float) -> int:
    """Until a seed that nobody asks has been idle for long enough to be stopped. `now` is the loop's time."""
    idle, since = torrent.goals.idle, torrent.ledger.quiet_since
    if torrent.state is not TorrentState.SEEDING or idle is None or since is None:
        return NONE
    return int(max(0.0, since + idle - now))
