"""What the operator of a private tracker decides, with the defaults. Bytes, seconds and plain numbers.

A rule that limits is switched off by 0 where its words say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GIB = 1024**3
DAY = 86_400.0

PLACE_LIFETIME = DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioRules:
    """Credited upload over credited download, and what happens below the minimum."""

    minimum: float = 0.4
    """0 asks for no ratio."""
    free_download: int = 5 * GIB
    """Credited download up to which no ratio is asked: a newcomer has nothing to give yet."""
    grace: float = 7 * DAY
    """Seconds below the minimum, with a warning in each answer, before the right to download rests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRules:
    """Seed-time duty: who takes a torrent gives it time, or has hit and run."""

    seed_time: float = 3 * DAY
    """Seconds to seed each torrent, all clients of a member together; 0 asks for none."""
    window: float = 14 * DAY
    """Seconds from when the duty arose in which they are due. Who still seeds at the end may go on."""
    share: float = 0.10
    """Of the torrent downloaded, below which there is no duty."""
    enough_ratio: float = 1.0
    """Uploaded over the torrent's size (or the download, if that was more) that also fulfils; 0: only time does."""
    warning_life: float = 14 * DAY
    max_warnings: int = 3
    """In force, at which the right to download rests until one expires or is made good; 0 takes no right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRules:
    slots: int = 0
    """Torrents a member downloads at once; 0 for any number. A member may have a number of its own."""
    places: int = 3
    """Clients of one member at one torrent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheatRules:
    """Where a report stops being believed, or a passkey being one member's."""

    max_speed: int = 1_250_000_000
    """Bytes a second, 10 Gbit/s. Upload above it is not credited."""
    max_rise: int = 4_096 * GIB
    """Bytes in one announce, however long ago the last one was. Upload above it is not credited."""
    first_sight: int = 10 * GIB
    """Bytes reported by a client that was never seen starting, above which it is flagged. Never credited anyway."""
    nobody: int = 64 * 1024**2
    """Bytes uploaded while nobody else was downloading the torrent, above which the member is flagged."""
    networks: int = 1
    """IPv4 addresses, or IPv6 networks of 64 bits, that one passkey is used from at a time before it is flagged. A
    client that moves is in one."""
    max_networks: int = 6
    """The same, before further ones are refused; those in use go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRules:
    """Clients by the beginning of their peer id, such as `-TR` or `-qB4`. The longest match decides; a tie denies."""

    allow: tuple[bytes, ...] = ()
    """None allows every client that is not denied."""
    deny: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessRules:
    limit: int = 10
    """Different unknown passkeys from one network (IPv4 address, 64 bits of IPv6) in a window."""
    window: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateRules:
    """All of them. `peer_lifetime` is the server's own: seconds after the last announce at which a peer is gone."""

    ratio: RatioRules = field(default_factory=RatioRules)
    duty: DutyRules = field(default_factory=DutyRules)
    limits: LimitRules = field(default_factory=LimitRules)
    cheats: CheatRules = field(default_factory=CheatRules)
    clients: ClientRules = field(default_factory=ClientRules)
    guesses: GuessRules = field(default_factory=GuessRules)
    peer_lifetime: float = 4_500.0
    place_lifetime: float = PLACE_LIFETIME
    """Seconds a client's last counters are kept, so that one that slept or lost its line goes on where it was. Never
    less than `peer_lifetime`: counters that are forgotten between two announces would credit nobody."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "place_lifetime", max(self.place_lifetime, self.peer_lifetime))
