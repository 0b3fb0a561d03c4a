"""`starling limit`: speeds and seeding goals, of torrents or of a daemon as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from p2p.cli.console import say_fields, say_json
from p2p.cli.options import parse_goal
from p2p.cli.quantities import parse_rate
from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import Names, named
from p2p.cli.remote_words import say_done
from p2p.daemon.client_values import GoalMode, TorrentChanges
from p2p.quantities import format_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.client import Client
    from p2p.daemon.names import Json

_EXAMPLES: Final = """\b
Examples:
  starling limit
  starling limit --up 500KiB/s --down none
  starling limit debian --up 100KiB/s --ratio 2
  starling limit '*.iso' --ratio none --idle default
  starling limit --alt on

Without a torrent the limits are those of the daemon as a whole. none lifts a
limit; default, of a torrent, is the daemon's.
"""

KILO: Final = 1_000
"""Bytes a second in the RPC's unit of limits."""

_NONE: Final = "none"
_DEFAULT: Final = "default"

Limit: TypeAlias = "int | None"
Goal: TypeAlias = "tuple[GoalMode, float]"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("limit", epilog=_EXAMPLES)(limit_command)


@takes_daemon_options
def limit_command(
    names: Names = None,
    *,
    down: Annotated[str | None, typer.Option("--down", metavar="RATE|none", help="Download no faster.")] = None,
    up: Annotated[str | None, typer.Option("--up", metavar="RATE|none", help="Upload no faster.")] = None,
    ratio: Annotated[
        str | None, typer.Option("--ratio", metavar="R|none|default", help="Seed until R times the size is uploaded.")
    ] = None,
    idle: Annotated[
        str | None, typer.Option("--idle", metavar="MIN|none|default", help="Seed until nobody asked for so long.")
    ] = None,
    alt: Annotated[
        str | None, typer.Option("--alt", metavar="on|off", help="The daemon's alternative limits count or do not.")
    ] = None,
    daemon: Daemon,
) -> int:
    """Show or change limits of speed and goals of seeding."""
    if names and alt is not None:
        raise typer.BadParameter("--alt is for the daemon as a whole")
    given = {**_speed("speed_limit_down", down), **_speed("speed_limit_up", up), **_switch(alt)}

    async def of_torrents(client: Client) -> None:
        rows = await named(client, names or ())
        await client.change([row.hash_string for row in rows], _changes(down, up, ratio, idle))
        say_done("limited", rows, as_json=daemon.as_json)

    async def of_session(client: Client) -> None:
        changes = {**given, **_session_goals(ratio, idle)}
        if changes:
            await client.set_settings(changes)
        told = await client.settings()
        if daemon.as_json:
            say_json({name: told.get(name) for name in _KEYS})
        else:
            say_fields(_fields(told))

    daemon.run(of_torrents if names else of_session)
    return 0


def _changes(down: str | None, up: str | None, ratio: str | None, idle: str | None) -> TorrentChanges:
    if down is None and up is None and ratio is None and idle is None:
        raise typer.BadParameter("give a limit: --down, --up, --ratio or --idle (starling info shows what there is)")
    seed_ratio, seed_idle = _goal(ratio), _goal(idle)
    return TorrentChanges(
        download_limited=None if down is None else down != _NONE,
        download_limit=_kilo(down),
        upload_limited=None if up is None else up != _NONE,
        upload_limit=_kilo(up),
        seed_ratio_mode=None if seed_ratio is None else seed_ratio[0],
        seed_ratio_limit=None if seed_ratio is None or seed_ratio[0] is not GoalMode.OWN else seed_ratio[1],
        seed_idle_mode=None if seed_idle is None else seed_idle[0],
        seed_idle_limit=None if seed_idle is None or seed_idle[0] is not GoalMode.OWN else round(seed_idle[1]),
    )


def _kilo(rate: str | None) -> int | None:
    return None if rate in (None, _NONE) else max(1, round(parse_rate(str(rate)) / KILO))


def _goal(text: str | None) -> Goal | None:
    match text:
        case None:
            return None
        case "none":
            return GoalMode.UNLIMITED, 0.0
        case "default":
            return GoalMode.GLOBAL, 0.0
        case _:
            return GoalMode.OWN, parse_goal(text)


def _speed(name: str, rate: str | None) -> dict[str, Json]:
    if rate is None:
        return {}
    limit = _kilo(rate)
    return {f"{name}_enabled": False} if limit is None else {name: limit, f"{name}_enabled": True}


def _switch(alt: str | None) -> dict[str, Json]:
    if alt not in (None, "on", "off"):
        raise typer.BadParameter("--alt is on or off")
    return {} if alt is None else {"alt_speed_enabled": alt == "on"}


def _session_goals(ratio: str | None, idle: str | None) -> dict[str, Json]:
    changes: dict[str, Json] = {}
    for text, limit, switch in (
        (ratio, "seed_ratio_limit", "seed_ratio_limited"),
        (idle, "idle_seeding_limit", "idle_seeding_limit_enabled"),
    ):
        if text == _DEFAULT:
            raise typer.BadParameter("default is for torrents; the daemon's own limit is a number or none")
        if text is not None:
            changes[switch] = text != _NONE
        if text not in (None, _NONE):
            goal = parse_goal(str(text))
            changes[limit] = goal if limit == "seed_ratio_limit" else round(goal)
    return changes


_KEYS: Final = (
    *("speed_limit_down", "speed_limit_down_enabled", "speed_limit_up", "speed_limit_up_enabled"),
    *("alt_speed_enabled", "alt_speed_down", "alt_speed_up"),
    *("seed_ratio_limit", "seed_ratio_limited", "idle_seeding_limit", "idle_seeding_limit_enabled"),
)


def _fields(told: Mapping[str, object]) -> list[tuple[str, str]]:
    def rate(name: str) -> str:
        return _rate(told.get(name)) if told.get(f"{name}_enabled") else "none"

    alternative = f"down {_rate(told.get('alt_speed_down'))}, up {_rate(told.get('alt_speed_up'))}"
    ratio = f"{told.get('seed_ratio_limit')}" if told.get("seed_ratio_limited") else "none"
    idle = f"{told.get('idle_seeding_limit')} min" if told.get("idle_seeding_limit_enabled") else "none"
    return [
        ("down", rate("speed_limit_down")),
        ("up", rate("speed_limit_up")),
        ("alternative", f"{alternative} ({'on' if told.get('alt_speed_enabled') else 'off'})"),
        ("seed until ratio", ratio),
        ("seed until idle for", idle),
    ]


def _rate(kilo: object) -> str:
    return format_rate(kilo * KILO) if isinstance(kilo, int | float) else "?"
