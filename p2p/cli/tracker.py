"""`starling tracker`: a tracker, open or private, and everything its operator does with it."""

from __future__ import annotations

from typing import Final

import typer

from p2p.cli import tracker_import, tracker_invite, tracker_member, tracker_serve, tracker_stats, tracker_torrent

_EXAMPLES: Final = """\b
Examples:
  starling tracker serve
  starling tracker serve --private tracker.db
  starling tracker member add alice
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Run a tracker, open to everybody or for members, and look after it.",
        epilog=_EXAMPLES,
        rich_markup_mode=None,
    )
    group.command("serve", epilog=tracker_serve.EXAMPLES)(tracker_serve.serve_command)
    group.add_typer(tracker_member.build_group(), name="member")
    group.add_typer(tracker_invite.build_group(), name="invite")
    group.add_typer(tracker_torrent.build_group(), name="torrent")
    group.command("stats", epilog=tracker_stats.EXAMPLES)(tracker_stats.stats_command)
    group.command("import", epilog=tracker_import.EXAMPLES)(tracker_import.import_command)
    app.add_typer(group, name="tracker")
