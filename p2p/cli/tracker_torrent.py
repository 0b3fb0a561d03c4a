"""`starling tracker torrent`: what members may announce, and what it costs them."""

from __future__ import annotations

import asyncio
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from p2p.cli.console import byte_progress, note, say, say_fields, say_json
from p2p.cli.new_file import write_new
from p2p.cli.sources import read_torrent
from p2p.cli.tracker_register import (
    Announce,
    AsJson,
    ConfigFile,
    DatabaseFile,
    Place,
    format_date,
    personal,
    say_table,
    wall,
)
from p2p.disk.refusals import printable
from p2p.errors import StorageError
from p2p.metainfo.magnet import wire_info_hashes
from p2p.quantities import format_size
from p2p.session.create import create
from tracker.private import members, passkeys, torrents
from tracker.private.members import Promotion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.cli.console import Json
    from tracker.private.torrents import TorrentRecord

_EXAMPLES: Final = """\b
Examples:
  starling tracker torrent add photos.torrent
  starling tracker torrent list
"""
_ADD_EXAMPLES: Final = """\b
Examples:
  starling tracker torrent add photos
  starling tracker torrent add photos.torrent --name 'Photos, 2026'
  starling tracker torrent add 2c6b6858d61da9543d4231a71db4b1c9264b0685
"""
_REMOVE_EXAMPLES: Final = """\b
Examples:
  starling tracker torrent remove photos.torrent --reason 'see the other'
"""
_LIST_EXAMPLES: Final = """\b
Examples:
  starling tracker torrent list --json
"""
_FREELEECH_EXAMPLES: Final = """\b
Examples:
  starling tracker torrent freeleech photos.torrent --days 7
  starling tracker torrent freeleech --all --days 2
  starling tracker torrent freeleech photos.torrent --off
"""
_DOUBLE_EXAMPLES: Final = """\b
Examples:
  starling tracker torrent double-upload photos.torrent
"""
_COPY_EXAMPLES: Final = """\b
Examples:
  starling tracker torrent copy photos.torrent PASSKEY -o photos.alice.torrent
"""

_DAY: Final = 86_400.0
_HEX: Final = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")


class _Named(NamedTuple):
    """A torrent as the command line names it; name and size where that tells them."""

    info_hashes: tuple[bytes, ...]
    name: str | None
    size: int | None


What = Annotated[
    str, typer.Argument(metavar="TORRENT|INFO_HASH", help="A torrent file, or hex digits.", show_default=False)
]
Days = Annotated[
    float | None, typer.Option(metavar="N", min=0.01, max=36_500, help="For how long (default: until taken back).")
]
Off = Annotated[bool, typer.Option("--off", help="Take it back.")]
Everything = Annotated[bool, typer.Option("--all", help="For all torrents.")]


def build_group() -> typer.Typer:
    """The commands."""
    group = typer.Typer(help="Torrents of a private tracker.", epilog=_EXAMPLES, rich_markup_mode=None)
    group.command("add", epilog=_ADD_EXAMPLES)(add_command)
    group.command("remove", epilog=_REMOVE_EXAMPLES)(remove_command)
    group.command("list", epilog=_LIST_EXAMPLES)(list_command)
    group.command("freeleech", epilog=_FREELEECH_EXAMPLES)(freeleech_command)
    group.command("double-upload", epilog=_DOUBLE_EXAMPLES)(double_upload_command)
    group.command("copy", epilog=_COPY_EXAMPLES)(copy_command)
    return group


def add_command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="TORRENT|CONTENT|INFO_HASH",
            help="A torrent file; or content, whose private torrent is made; or hex digits.",
            show_default=False,
        ),
    ],
    *,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is called (default: its own name).")] = None,
    announce: Announce = None,
    path: DatabaseFile = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a torrent be announced from now on.

    Of content that is no torrent yet, NAME.torrent is made here, private, for `member add --torrent` to hand out.
    """
    place = Place.of(path, config, announce)
    made = None
    if not _HEX.fullmatch(what) and (Path(what).is_dir() or not what.endswith(".torrent")):
        made = _make_torrent(Path(what), place.announce, quiet=as_json)
    named = _find(what if made is None else str(made))
    with place.opened_or_made() as connection:
        called = name or named.name or named.info_hashes[0].hex()
        record = torrents.add(connection, named.info_hashes, called, size=named.size, now=wall())
    if as_json:
        say_json({**_json(record), "torrent": None if made is None else str(made)})
        return
    fields = [("registered", printable(record.name)), ("info-hash", _hashes(record))]
    say_fields([("torrent", printable(made)), *fields] if made is not None else fields)


def remove_command(
    what: What,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Told to the clients that announce it.")] = "",
    path: DatabaseFile = None,
    config: ConfigFile = None,
) -> None:
    """Let a torrent be announced no more. What members did on it stays on record."""
    named = _find(what)
    with Place.of(path, config).opened() as connection:
        torrents.remove(connection, named.info_hashes[0], reason=reason)
    say(f"{printable(what)} is not registered any more")


def list_command(*, path: DatabaseFile = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """All torrents, removed ones among them."""
    now = wall()
    with Place.of(path, config).opened() as connection:
        records = torrents.listing(connection)
    if as_json:
        say_json([_json(record) for record in records])
        return
    rows = [
        (
            printable(record.name),
            _state(record, now),
            "-" if record.size is None else format_size(record.size),
            f"{record.finished:,}",
            record.info_hashes[0].hex() if record.info_hashes else "-",
        )
        for record in records
    ]
    say_table(("torrent", "state", "size", "finished", "info-hash"), rows, right=(2, 3))


def freeleech_command(
    what: Annotated[str | None, typer.Argument(metavar="TORRENT|INFO_HASH", show_default=False)] = None,
    *,
    everything: Everything = False,
    days: Days = None,
    off: Off = False,
    path: DatabaseFile = None,
    config: ConfigFile = None,
) -> None:
    """Charge nobody for downloading a torrent, or any."""
    _promote(Promotion.FREELEECH, what, _until(days, off=off), Place.of(path, config), everything=everything)


def double_upload_command(
    what: Annotated[str | None, typer.Argument(metavar="TORRENT|INFO_HASH", show_default=False)] = None,
    *,
    everything: Everything = False,
    days: Days = None,
    off: Off = False,
    path: DatabaseFile = None,
    config: ConfigFile = None,
) -> None:
    """Credit what is uploaded of a torrent, or of any, twice."""
    _promote(Promotion.DOUBLE_UPLOAD, what, _until(days, off=off), Place.of(path, config), everything=everything)


def copy_command(
    source: Annotated[Path, typer.Argument(metavar="TORRENT", help="A torrent file.", show_default=False)],
    passkey: Annotated[str, typer.Argument(metavar="PASSKEY", help="Whose copy it is.", show_default=False)],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", show_default=False)],
    announce: Announce = None,
    path: DatabaseFile = None,
    config: ConfigFile = None,
) -> None:
    """Write a member's copy of a torrent: the same, with the passkey in its announce URL."""
    place = Place.of(path, config, announce)
    if not passkeys.is_possible(passkey):
        raise typer.BadParameter("a passkey has 16 to 64 letters, digits, - and _")
    metainfo = read_torrent(source)
    with place.opened() as connection:
        member = members.by_passkey(connection, passkey, now=wall())
    if member is None:
        raise StorageError(f"no member of {printable(place.path)} has this passkey")
    write_new(output, personal(metainfo, place.url_for(passkey)))
    say_fields([("member", printable(member.name)), ("torrent", printable(output))])


def _make_torrent(content: Path, announce: str, *, quiet: bool) -> Path:
    target = Path(f"{content.resolve().name}.torrent")
    if target.exists():
        raise StorageError(f"{printable(target)} is there already; give it instead of the content, or move it away")

    async def hash_content() -> bytes:
        with byte_progress("hashing", quiet=quiet) as show:
            return await create(content, private=True, trackers=[announce], progress=show, notice=note)

    write_new(target, asyncio.run(hash_content()))
    return target


def _find(what: str) -> _Named:
    if _HEX.fullmatch(what):
        return _Named((bytes.fromhex(what)[:20],), None, None)  # of 32 bytes the first 20 go over the wire (BEP 52)
    metainfo = read_torrent(Path(what))
    hashes = wire_info_hashes(metainfo.info_hash_v1, metainfo.info_hash_v2)
    return _Named(tuple(bytes(each) for each in hashes), metainfo.name, metainfo.total_size)


def _until(days: float | None, *, off: bool) -> float | None:
    if off and days is not None:
        raise typer.BadParameter("--off and --days exclude one another")
    if off:
        return None
    return math.inf if days is None else wall() + days * _DAY


def _promote(promotion: Promotion, what: str | None, until: float | None, place: Place, *, everything: bool) -> None:
    if (what is None) is not everything:
        raise typer.BadParameter("name a torrent, or give --all")
    with place.opened() as connection:
        if what is None:
            members.promote_all(connection, promotion, until=until)
        else:
            torrents.promote(connection, _find(what).info_hashes[0], promotion, until=until)
    which = "all torrents" if what is None else printable(what)
    words = promotion.value.replace("_", " ")
    if until is None:
        say(f"{which}: {words} is over")
    else:
        say(f"{which}: {words} {'until it is taken back' if until == math.inf else f'until {format_date(until)}'}")


def _state(record: TorrentRecord, now: float) -> str:
    if not record.is_registered:
        return "removed"
    given: Sequence[tuple[str, float | None]] = (
        ("freeleech", record.freeleech_until),
        ("double upload", record.double_upload_until),
    )
    return ", ".join(word for word, until in given if until is not None and until > now) or "registered"


def _hashes(record: TorrentRecord) -> str:
    return "\n".join(each.hex() for each in record.info_hashes)


def _json(record: TorrentRecord) -> dict[str, Json]:
    return {
        "name": record.name,
        "info_hashes": [each.hex() for each in record.info_hashes],
        "size": record.size,
        "added": record.added,
        "registered": record.is_registered,
        "reason": record.reason,
        "freeleech_until": _finite(record.freeleech_until),
        "double_upload_until": _finite(record.double_upload_until),
        "finished": record.finished,
    }


def _finite(until: float | None) -> float | str | None:
    return "forever" if until == math.inf else until
