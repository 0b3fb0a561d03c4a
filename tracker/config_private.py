"""The sections of the configuration that only a private tracker reads: its rules, those of `tracker.private.rules`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from p2p.operation.config_schema import key
from p2p.operation.config_values import Duration, Number, Size, Text, Whole, Words
from tracker.private.rules import (
    PLACE_LIFETIME,
    CheatRules,
    ClientRules,
    DutyRules,
    GuessRules,
    LimitRules,
    RatioRules,
)

_DECADE: Final = 3_653 * 86_400.0
_ANY_SIZE: Final = Size(0, 2**62)
_PREFIXES: Final = Words(
    re.compile(r"[!-~]{1,20}"), 'a list of beginnings of peer ids, 1 to 20 signs each, like ["-qB4", "-TR"]'
)

_RATIO: Final = RatioRules()
_DUTY: Final = DutyRules()
_LIMITS: Final = LimitRules()
_CHEATS: Final = CheatRules()
_GUESSES: Final = GuessRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateConfig:
    """Who may announce what."""

    database: str = key("", Text("a path, or nothing"), "SQLite file of members and torrents; none: open to everybody.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioConfig:
    """What a member owes the others."""

    minimum: float = key(
        _RATIO.minimum, Number(0, 100), "Credited upload over credited download; 0 asks for none.", live=True
    )
    free_download: int = key(
        _RATIO.free_download, _ANY_SIZE, "Credited download up to which no ratio is asked.", live=True
    )
    grace: float = key(
        _RATIO.grace, Duration(0, _DECADE), "Below the minimum before the right to download rests.", live=True
    )

    def rules(self) -> RatioRules:
        """For the gate."""
        return RatioRules(minimum=self.minimum, free_download=self.free_download, grace=self.grace)


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyConfig:
    """How long a torrent that was taken is to be seeded."""

    seed_time: float = key(
        _DUTY.seed_time, Duration(0, _DECADE), "To seed each torrent that was taken; 0 asks for none.", live=True
    )
    window: float = key(_DUTY.window, Duration(0, _DECADE), "From the download on, in which it is due.", live=True)
    share: float = key(
        _DUTY.share, Number(0, 1), "Of a torrent downloaded, from which on seeding is a duty.", live=True
    )
    enough_ratio: float = key(
        _DUTY.enough_ratio,
        Number(0, 100),
        "Upload over the torrent's size that fulfils it too; 0: none does.",
        live=True,
    )
    warning_life: float = key(_DUTY.warning_life, Duration(1, _DECADE), "Until a warning is spent.", live=True)
    max_warnings: int = key(
        _DUTY.max_warnings, Whole(0, 1_000, "warnings"), "At which the right to download rests; 0: at none.", live=True
    )

    def rules(self) -> DutyRules:
        """For the gate."""
        return DutyRules(
            seed_time=self.seed_time,
            window=self.window,
            share=self.share,
            enough_ratio=self.enough_ratio,
            warning_life=self.warning_life,
            max_warnings=self.max_warnings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersConfig:
    """What one member may use."""

    slots: int = key(
        _LIMITS.slots, Whole(0, 1_000_000, "torrents"), "Downloaded at once by one member; 0 for any number.", live=True
    )
    places: int = key(_LIMITS.places, Whole(1, 1_000, "clients"), "Of one member at one torrent.", live=True)
    place_lifetime: float = key(
        PLACE_LIFETIME,
        Duration(1, _DECADE),
        "A silent client's counters are kept, so that it goes on where it was; never less than a peer's lifetime.",
        live=True,
    )

    def rules(self) -> LimitRules:
        """For the gate."""
        return LimitRules(slots=self.slots, places=self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheatsConfig:
    """What is not believed."""

    max_speed: int = key(_CHEATS.max_speed, _ANY_SIZE, "A second; upload above it is not credited.", live=True)
    max_rise: int = key(_CHEATS.max_rise, _ANY_SIZE, "In one announce; upload above it is not credited.", live=True)
    first_sight: int = key(
        _CHEATS.first_sight,
        _ANY_SIZE,
        "Reported by a client never seen starting, above which it is flagged.",
        live=True,
    )
    nobody: int = key(
        _CHEATS.nobody, _ANY_SIZE, "Uploaded while nobody was downloading, above which it is flagged.", live=True
    )
    networks: int = key(
        _CHEATS.networks,
        Whole(1, 10_000, "networks"),
        "A passkey is used from at a time before it is flagged.",
        live=True,
    )
    max_networks: int = key(
        _CHEATS.max_networks, Whole(1, 10_000, "networks"), "The same, before further ones are refused.", live=True
    )

    def rules(self) -> CheatRules:
        """For the gate."""
        return CheatRules(
            max_speed=self.max_speed,
            max_rise=self.max_rise,
            first_sight=self.first_sight,
            nobody=self.nobody,
            networks=self.networks,
            max_networks=self.max_networks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientsConfig:
    """Which clients may announce, by the beginning of their peer id. The longest match decides; a tie denies."""

    allow: tuple[str, ...] = key(
        (), _PREFIXES, "Clients that are let in; none lets in all that are not denied.", live=True
    )
    deny: tuple[str, ...] = key((), _PREFIXES, "Clients that are refused.", live=True)

    def rules(self) -> ClientRules:
        """For the gate."""
        return ClientRules(
            allow=tuple(each.encode() for each in self.allow), deny=tuple(each.encode() for each in self.deny)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessesConfig:
    """Who tries passkeys, by announcing or at the login of the status page."""

    limit: int = key(
        _GUESSES.limit,
        Whole(1, 10_000, "passkeys"),
        "Wrong ones from one network in a window; then it is refused.",
        live=True,
    )
    window: float = key(_GUESSES.window, Duration(1, 86_400), "Of that count.", live=True)

    def rules(self) -> GuessRules:
        """For the gate and the login."""
        return GuessRules(limit=self.limit, window=self.window)
