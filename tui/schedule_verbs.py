"""The verb that changes when the slow limits hold: from one time of day to another, on days of the week.

The rule: times are of the daemon's clock. One that ends before it begins goes on past midnight, as the daemon has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.errors import ConfigError
from tui.form import YES, Field, Form
from tui.session_tables import DAYS
from tui.verb import ActsOn, Verb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.daemon.client_values import TorrentRow
    from p2p.daemon.names import Json
    from tui.verb import Deck

EVERY_DAY: Final = (1 << len(DAYS)) - 1
_GROUPS: Final = {"every day": EVERY_DAY, "weekdays": 0b0111110, "weekends": 0b1000001}


def time_of_day(text: str) -> int:
    """Minutes since midnight, of `7:30` or `07:30`. Raises ConfigError."""
    hours, colon, minutes = text.strip().partition(":")
    if colon and all(part.isascii() and part.isdecimal() and len(part) <= 2 for part in (hours, minutes)):
        found = int(hours), int(minutes)
        if found[0] < 24 and found[1] < 60:
            return 60 * found[0] + found[1]
    raise ConfigError("a time from 0:00 to 23:59")


def days(text: str) -> int:
    """As bits, from Sunday on, of `mon tue`, `every day`, `weekdays`, `weekends`. Raises ConfigError."""
    given = " ".join(text.casefold().replace(",", " ").split())
    if given in _GROUPS:
        return _GROUPS[given]
    names = [day.casefold() for day in DAYS]
    found = 0
    for word in given.split():
        at = next((number for number, name in enumerate(names) if word.startswith(name)), None)
        if at is None:
            raise ConfigError(f"days such as: mon tue; {', '.join(_GROUPS)}")
        found |= 1 << at
    if not found:
        raise ConfigError("one day at least")
    return found


def _in_words(bits: object) -> str:
    if not isinstance(bits, int):
        return "every day"
    known = next((name for name, group in _GROUPS.items() if group == bits & EVERY_DAY), None)
    return known or " ".join(day.casefold() for number, day in enumerate(DAYS) if bits >> number & 1)


def _clock(minutes: object) -> str:
    given = minutes if isinstance(minutes, int) else 0
    return f"{given // 60 % 24:02}:{given % 60:02}"


def _schedule(deck: Deck, _: Sequence[TorrentRow], __: str) -> None:
    deck.learn("the schedule", lambda client: client.settings(), lambda told: _ask(deck, told))


def _ask(deck: Deck, told: Mapping[str, Json]) -> None:
    form = Form(
        "When the slow limits hold",
        (
            Field(
                "enabled", "By this schedule", YES if told.get("alt_speed_time_enabled") is True else "", switch=True
            ),
            Field("begin", "From", _clock(told.get("alt_speed_time_begin")), check=time_of_day),
            Field("end", "To", _clock(told.get("alt_speed_time_end")), check=time_of_day),
            Field("days", "On", _in_words(told.get("alt_speed_time_day")), "every day", days),
        ),
        "By the daemon's clock. What the slow limits are is among the limits of the session.",
    )

    def then(answers: Mapping[str, str]) -> None:
        changes = schedule_of(answers)
        deck.do("change the schedule", lambda client: client.set_settings(changes))

    deck.ask_form(form, then)


def schedule_of(answers: Mapping[str, str]) -> dict[str, Json]:
    """What the dialog says, as settings. Raises ConfigError."""
    return {
        "alt_speed_time_enabled": answers["enabled"] == YES,
        "alt_speed_time_begin": time_of_day(answers["begin"]),
        "alt_speed_time_end": time_of_day(answers["end"]),
        "alt_speed_time_day": days(answers["days"]),
    }


SCHEDULE_VERBS: Final = (
    Verb("schedule", "T", "When the slow limits hold: times and days", ActsOn.INTERFACE, _schedule),
)
