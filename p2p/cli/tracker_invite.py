"""`starling tracker invite`: codes by which newcomers become members, and the tree of who brought whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.console import say, say_fields, say_json
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
from tracker.private import invites

if TYPE_CHECKING:
    from p2p.cli.console import Json

_EXAMPLES: Final = """\b
Examples:
  starling tracker invite create --by alice
  starling tracker invite list
"""
_CREATE_EXAMPLES: Final = """\b
Examples:
  starling tracker invite create
  starling tracker invite create --by alice --days 3
"""
_LIST_EXAMPLES: Final = """\b
Examples:
  starling tracker invite list
"""
_USE_EXAMPLES: Final = """\b
Examples:
  starling tracker invite use 4f7b1c0de2a95b3684d0f1e2c3b4a596 carol
"""
_REVOKE_EXAMPLES: Final = """\b
Examples:
  starling tracker invite revoke 3
"""
_TREE_EXAMPLES: Final = """\b
Examples:
  starling tracker invite tree
"""

_DAY: Final = 86_400.0


def build_group() -> typer.Typer:
    """The commands."""
    group = typer.Typer(help="Invites to a private tracker.", epilog=_EXAMPLES, rich_markup_mode=None)
    group.command("create", epilog=_CREATE_EXAMPLES)(create_command)
    group.command("list", epilog=_LIST_EXAMPLES)(list_command)
    group.command("use", epilog=_USE_EXAMPLES)(use_command)
    group.command("revoke", epilog=_REVOKE_EXAMPLES)(revoke_command)
    group.command("tree", epilog=_TREE_EXAMPLES)(tree_command)
    return group


def create_command(
    *,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="The member who invites (default: the operator).")
    ] = None,
    days: Annotated[
        float, typer.Option(metavar="N", min=0.01, max=3_650, help="How long it is good for.")
    ] = invites.LIFETIME / _DAY,
    path: DatabaseFile = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make an invite, and print its code, once."""
    now = wall()
    with Place.of(path, config).opened() as connection:
        code = invites.create(connection, by, now=now, secrets=secrets, lifetime=days * _DAY)
    if as_json:
        say_json({"invite": code, "by": by, "expires": now + days * _DAY})
        return
    say_fields([("invite", code), ("good until", format_date(now + days * _DAY))])


def list_command(*, path: DatabaseFile = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """All invites, latest first. Their codes are kept nowhere."""
    with Place.of(path, config).opened() as connection:
        records = invites.listing(connection, now=wall())
    if as_json:
        told: list[Json] = [
            {
                "id": each.id,
                "by": each.inviter,
                "made": each.made,
                "expires": each.expires,
                "used": each.used,
                "member": each.invitee,
                "state": each.state.value,
            }
            for each in records
        ]
        say_json(told)
        return
    rows = [
        (
            str(each.id),
            each.state.value,
            "the operator" if each.inviter is None else printable(each.inviter),
            format_date(each.expires),
            "" if each.invitee is None else printable(each.invitee),
        )
        for each in records
    ]
    say_table(("number", "state", "by", "good until", "used by"), rows, right=(0,))


def use_command(
    code: Annotated[str, typer.Argument(metavar="CODE", help="The invite.", show_default=False)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who joins by it.", show_default=False)],
    *,
    torrent: Torrents = None,
    announce: Announce = None,
    path: DatabaseFile = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a member of who brings an invite, and print the passkey and announce URL, once."""
    handout = Handout.of(Place.of(path, config, announce), torrent, name)
    with handout.place.opened() as connection:
        record, passkey = invites.accept(connection, code, name, now=wall(), secrets=secrets)
    handout.say(record.name, passkey, as_json=as_json)


def revoke_command(
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="As `invite list` tells.", show_default=False)],
    *,
    path: DatabaseFile = None,
    config: ConfigFile = None,
) -> None:
    """End an invite that nobody has used."""
    with Place.of(path, config).opened() as connection:
        invites.revoke(connection, number, now=wall())
    say(f"invite {number} is revoked")


def tree_command(*, path: DatabaseFile = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Who brought whom."""
    with Place.of(path, config).opened() as connection:
        branches = invites.tree(connection)
    if as_json:
        say_json([{"depth": each.depth, "name": each.name, "state": each.state.value} for each in branches])
        return
    for each in branches:
        say(
            "  " * each.depth
            + printable(each.name)
            + ("" if each.state.value == "active" else f" ({each.state.value})")
        )
