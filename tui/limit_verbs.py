"""The verbs that limit rates, ratio and idle time, of torrents and of the session.

The rule: an empty answer is no limit of its own; kilobytes are the RPC's, of 1,000 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.client_values import GoalMode, Part, TorrentChanges
from tui.form import YES, Field, Form, kilo, minutes, ratio
from tui.schedule_verbs import SCHEDULE_VERBS
from tui.verb import ActsOn, Verb, ids_of, which

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentDetails, TorrentRow
    from p2p.daemon.names import Json
    from tui.verb import Deck


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _limits(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
    """What is written is the first one's."""
    deck.learn(
        f"limits of {which(rows)}",
        lambda client: client.details(rows[0].hash_string, Part.FACTS),
        lambda details: _ask_limits(deck, rows, details),
    )


def _ask_limits(deck: Deck, rows: Sequence[TorrentRow], details: TorrentDetails | None) -> None:
    if details is None:
        deck.say("this torrent is gone", warn=True)
        return
    goal, idle = details.seed_ratio_mode, details.seed_idle_mode
    form = Form(
        f"Limits of {which(rows)}",
        (
            Field(
                "down", "Download, kB/s", str(details.download_limit) if details.download_limited else "", "none", kilo
            ),
            Field("up", "Upload, kB/s", str(details.upload_limit) if details.upload_limited else "", "none", kilo),
            Field(
                "ratio",
                "Seed up to the ratio",
                _number(details.seed_ratio_limit) if goal is GoalMode.OWN else "",
                "the session's",
                ratio,
            ),
            Field(
                "idle",
                "Seed until idle for minutes",
                str(details.seed_idle_limit) if idle is GoalMode.OWN else "",
                "the session's",
                minutes,
            ),
            Field("endless", "Seed without end", YES if goal is GoalMode.UNLIMITED else "", switch=True),
            Field(
                "honors",
                "Stay within the session's limits too",
                YES if details.honors_session_limits else "",
                switch=True,
            ),
        ),
    )

    def then(answers: Mapping[str, str]) -> None:
        changes = limits_of(answers)
        deck.do(f"limit {which(rows)}", lambda client: client.change(ids_of(rows), changes))

    deck.ask_form(form, then)


def limits_of(answers: Mapping[str, str]) -> TorrentChanges:
    """What the limits dialog says. Raises ConfigError."""
    down, up = kilo(answers["down"]), kilo(answers["up"])
    goal, idle = ratio(answers["ratio"]), minutes(answers["idle"])
    endless = answers["endless"] == YES
    return TorrentChanges(
        download_limited=down is not None,
        download_limit=down,
        upload_limited=up is not None,
        upload_limit=up,
        seed_ratio_limit=goal,
        seed_ratio_mode=_mode(goal, endless=endless),
        seed_idle_limit=idle,
        seed_idle_mode=_mode(idle, endless=endless),
        honors_session_limits=answers["honors"] == YES,
    )


def _mode(limit: float | None, *, endless: bool) -> GoalMode:
    if endless:
        return GoalMode.UNLIMITED
    return GoalMode.GLOBAL if limit is None else GoalMode.OWN


_SESSION: Final = (
    ("speed_limit_down", "speed_limit_down_enabled", "Download, kB/s"),
    ("speed_limit_up", "speed_limit_up_enabled", "Upload, kB/s"),
    ("alt_speed_down", "", "Slow: download, kB/s"),
    ("alt_speed_up", "", "Slow: upload, kB/s"),
    ("seed_ratio_limit", "seed_ratio_limited", "Seed up to the ratio"),
    ("idle_seeding_limit", "idle_seeding_limit_enabled", "Seed until idle for minutes"),
)
"""A setting, the one that says whether it holds (none: it always does), and what to call it."""


def _session_limits(deck: Deck, _: Sequence[TorrentRow], __: str) -> None:
    deck.learn("limits of the session", lambda client: client.settings(), lambda told: _ask_session(deck, told))


def _ask_session(deck: Deck, told: Mapping[str, Json]) -> None:
    fields = []
    for name, holds, label in _SESSION:
        value = told.get(name, 0) if not holds or told.get(holds) is True else ""
        check = ratio if name == "seed_ratio_limit" else minutes if name.startswith("idle") else kilo
        fields.append(Field(name, label, _number(value), "none" if holds else "0", check))
    fields.append(
        Field("alt_speed_enabled", "Slow now", YES if told.get("alt_speed_enabled") is True else "", switch=True)
    )

    def then(answers: Mapping[str, str]) -> None:
        changes = session_limits_of(answers)
        deck.do("limit the session", lambda client: client.set_settings(changes))

    deck.ask_form(Form("Limits of the session", tuple(fields)), then)


def session_limits_of(answers: Mapping[str, str]) -> dict[str, Json]:
    """What the session's limits dialog says, as settings. Raises ConfigError."""
    changes: dict[str, Json] = {"alt_speed_enabled": answers["alt_speed_enabled"] == YES}
    for name, holds, _ in _SESSION:
        said = answers[name]
        value = ratio(said) if name == "seed_ratio_limit" else minutes(said) if name.startswith("idle") else kilo(said)
        if holds:
            changes[holds] = value is not None
        if value is not None or not holds:
            changes[name] = value or 0
    return changes


async def _switch_slow(client: Client) -> None:
    """Raises StarlingError."""
    now = (await client.settings()).get("alt_speed_enabled") is True
    await client.set_settings({"alt_speed_enabled": not now})


LIMIT_VERBS: Final = (
    *SCHEDULE_VERBS,
    Verb("limits", "d", "Limit rates, ratio and idle time of torrents", ActsOn.TORRENTS, _limits),
    Verb("session-limits", "D", "Limit the session's rates, and seeding", ActsOn.INTERFACE, _session_limits),
    Verb(
        "slow",
        "t",
        "The session's slow limits, on or off",
        ActsOn.INTERFACE,
        lambda deck, _, __: deck.do("switch the slow limits", _switch_slow),
    ),
)
