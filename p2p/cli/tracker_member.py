"""`starling tracker member`: who may use a private tracker, and how they stand.

The rule: it writes to the database beside a running tracker, which takes the change up within about a second.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.console import Json, say, say_fields, say_json
from p2p.cli.quantities import parse_size
from p2p.cli.tracker_register import (
    Announce,
    AsJson,
    ConfigFile,
    DatabaseFile,
    Handout,
    Place,
    Torrents,
    format_date,
    say_table,
    secrets,
    wall,
)
from p2p.disk.refusals import printable
from p2p.quantities import format_duration, format_size
from tracker.private import members
from tracker.private.members import MemberState

if TYPE_CHECKING:
    from tracker.private.members import MemberRecord

_EXAMPLES: Final = """\b
Examples:
  starling tracker member add alice bob
  starling tracker member list --json
"""
_ADD_EXAMPLES: Final = """\b
Examples:
  starling tracker member add alice
  starling tracker member add alice bob --torrent photos.torrent
  starling tracker member add carol --uploaded 50GiB --downloaded 1GiB
"""
_LIST_EXAMPLES: Final = """\b
Examples:
  starling tracker member list
  starling tracker member list --database /srv/tracker.db --json
"""
_SHOW_EXAMPLES: Final = """\b
Examples:
  starling tracker member show alice
"""
_DISABLE_EXAMPLES: Final = """\b
Examples:
  starling tracker member disable bob --reason 'shared his passkey'
"""
_ENABLE_EXAMPLES: Final = """\b
Examples:
  starling tracker member enable bob
"""
_PASSKEY_EXAMPLES: Final = """\b
Examples:
  starling tracker member passkey bob
  starling tracker member passkey bob --stolen --torrent photos.torrent
"""
_DOWNLOADS_EXAMPLES: Final = """\b
Examples:
  starling tracker member downloads bob --forbid
  starling tracker member downloads bob --allow
"""
_FORGIVE_EXAMPLES: Final = """\b
Examples:
  starling tracker member forgive bob
"""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The member.", show_default=False)]


def build_group() -> typer.Typer:
    """The commands."""
    group = typer.Typer(help="Members of a private tracker.", epilog=_EXAMPLES, rich_markup_mode=None)
    group.command("add", epilog=_ADD_EXAMPLES)(add_command)
    group.command("list", epilog=_LIST_EXAMPLES)(list_command)
    group.command("show", epilog=_SHOW_EXAMPLES)(show_command)
    group.command("disable", epilog=_DISABLE_EXAMPLES)(disable_command)
    group.command("enable", epilog=_ENABLE_EXAMPLES)(enable_command)
    group.command("passkey", epilog=_PASSKEY_EXAMPLES)(passkey_command)
    group.command("downloads", epilog=_DOWNLOADS_EXAMPLES)(downloads_command)
    group.command("forgive", epilog=_FORGIVE_EXAMPLES)(forgive_command)
    return group


def add_command(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Who joins.", show_default=False)],
    *,
    uploaded: Annotated[
        int | None, typer.Option(parser=parse_size, metavar="SIZE", help="Credit to start with: upload.")
    ] = None,
    downloaded: Annotated[
        int | None, typer.Option(parser=parse_size, metavar="SIZE", help="And download, which weighs against it.")
    ] = None,
    torrent: Torrents = None,
    announce: Announce = None,
    path: DatabaseFile = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add members, and print each one's passkey and announce URL, once.

    The database keeps no passkey, only its hash. A lost one is replaced with `member passkey`.
    """
    handout = Handout.of(Place.of(path, config, announce), torrent, *names)
    with handout.place.opened_or_made() as connection:
        for name in names:
            record, passkey = members.add(
                connection, name, now=wall(), secrets=secrets, uploaded=uploaded or 0, downloaded=downloaded or 0
            )
            handout.say(record.name, passkey, as_json=as_json)


def list_command(*, path: DatabaseFile = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """All members with their totals and ratios."""
    with Place.of(path, config).opened() as connection:
        records = members.listing(connection)
    if as_json:
        say_json([_json(record) for record in records])
        return
    rows = [
        (
            printable(record.name),
            _state(record),
            format_size(record.uploaded),
            format_size(record.downloaded),
            format_ratio(record),
            format_date(record.last_seen),
        )
        for record in records
    ]
    say_table(("member", "state", "uploaded", "downloaded", "ratio", "last seen"), rows, right=(2, 3, 4))


def show_command(name: Name, *, path: DatabaseFile = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """One member: totals, rights, warnings, and what the tracker noticed."""
    now = wall()
    with Place.of(path, config).opened() as connection:
        record = members.show(connection, name)
        warnings = members.warnings(connection, name, now=now)
        flags = members.flags(connection, name)
    if as_json:
        told: dict[str, Json] = {
            "warnings": [
                {"torrent": each.torrent, "issued": each.issued, "expires": each.expires} for each in warnings
            ],
            "flags": [
                {
                    "kind": each.kind,
                    "torrent": each.torrent,
                    "detail": each.detail,
                    "source": each.source,
                    "first_seen": each.first_seen,
                    "last_seen": each.last_seen,
                    "times": each.times,
                }
                for each in flags
            ],
        }
        say_json({**_json(record), **told})
        return
    fields = [
        ("member", printable(record.name)),
        ("state", _state(record) + (f": {printable(record.reason)}" if record.reason else "")),
        (
            "joined",
            format_date(record.joined) + (f", invited by {printable(record.invited_by)}" if record.invited_by else ""),
        ),
        ("last seen", format_date(record.last_seen)),
        ("uploaded", f"{format_size(record.uploaded)} credited, {format_size(record.actual_uploaded)} actual"),
        ("downloaded", f"{format_size(record.downloaded)} credited, {format_size(record.actual_downloaded)} actual"),
        ("ratio", format_ratio(record)),
        ("seeded for", format_duration(record.seed_time)),
        ("finished", f"{record.finished:,}"),
        ("warnings", "\n".join(f"{printable(each.torrent)}, until {format_date(each.expires)}" for each in warnings)),
        (
            "noticed",
            "\n".join(
                f"{format_date(each.last_seen)} {printable(each.kind)} ({each.times}x): {printable(each.detail)}"
                for each in flags
            ),
        ),
    ]
    say_fields([field for field in fields if field[1]])


def disable_command(
    name: Name,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Told to the member's client.")] = "",
    path: DatabaseFile = None,
    config: ConfigFile = None,
) -> None:
    """Refuse a member's announces from now on. Nothing is forgotten."""
    with Place.of(path, config).opened() as connection:
        members.disable(connection, name, reason=reason)
    say(f"{printable(name)} is disabled")


def enable_command(name: Name, *, path: DatabaseFile = None, config: ConfigFile = None) -> None:
    """Take a disabled member back."""
    with Place.of(path, config).opened() as connection:
        members.enable(connection, name)
    say(f"{printable(name)} is enabled")


def passkey_command(
    name: Name,
    *,
    stolen: Annotated[bool, typer.Option("--stolen", help="End the old passkey now instead of in a week.")] = False,
    torrent: Torrents = None,
    announce: Announce = None,
    path: DatabaseFile = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a member a new passkey, and print it with the announce URL, once.

    The old one goes on working for a week, so that torrents that are being seeded are not cut off at once.
    """
    handout = Handout.of(Place.of(path, config, announce), torrent, name)
    grace = 0.0 if stolen else members.PASSKEY_GRACE
    with handout.place.opened() as connection:
        passkey = members.change_passkey(connection, name, now=wall(), secrets=secrets, grace=grace)
        handout.say(members.show(connection, name).name, passkey, as_json=as_json)


def downloads_command(
    name: Name,
    *,
    allow: Annotated[bool, typer.Option("--allow/--forbid", help="What from now on.", show_default=False)],
    path: DatabaseFile = None,
    config: ConfigFile = None,
) -> None:
    """Take a member's right to download, or give it back. Seeding stays allowed."""
    with Place.of(path, config).opened() as connection:
        (members.allow_download if allow else members.forbid_download)(connection, name)
    say(f"{printable(name)} may {'download' if allow else 'seed only'}")


def forgive_command(name: Name, *, path: DatabaseFile = None, config: ConfigFile = None) -> None:
    """Lift a member's warnings and forget what was noticed."""
    with Place.of(path, config).opened() as connection:
        lifted = members.lift_warnings(connection, name, now=wall())
        forgotten = members.clear_flags(connection, name)
    say(f"{printable(name)}: warnings lifted: {lifted}, notes forgotten: {forgotten}")


def format_ratio(record: MemberRecord) -> str:
    """`1.52`; `-` before anything was moved, and an infinity sign where nothing was downloaded."""
    if record.ratio == math.inf:
        return "∞" if record.uploaded else "-"
    return f"{record.ratio:.2f}"


def _state(record: MemberRecord) -> str:
    if record.state is MemberState.DISABLED:
        return "disabled"
    return "active" if record.may_download else "seeds only"


def _json(record: MemberRecord) -> dict[str, Json]:
    return {
        "name": record.name,
        "state": record.state.value,
        "reason": record.reason,
        "joined": record.joined,
        "last_seen": record.last_seen,
        "invited_by": record.invited_by,
        "may_download": record.may_download,
        "max_slots": record.max_slots,
        "uploaded": record.uploaded,
        "downloaded": record.downloaded,
        "actual_uploaded": record.actual_uploaded,
        "actual_downloaded": record.actual_downloaded,
        "ratio": None if record.ratio == math.inf else round(record.ratio, 6),
        "seed_time": record.seed_time,
        "finished": record.finished,
    }
