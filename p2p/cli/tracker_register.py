"""What the commands of a private tracker's register share: its file, its clock and chance, and members' torrents.

The rule: a passkey is shown when it is made and never again, so whatever is to carry it is written in that moment.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit, urlunsplit

import typer

from p2p.cli.console import note, say, say_fields, say_json
from p2p.cli.new_file import write_new
from p2p.cli.sources import read_torrent
from p2p.disk.refusals import printable
from p2p.errors import ConfigError, StorageError
from p2p.metainfo.envelope import Envelope
from tracker.config import DEFAULT_PORT, ConfigSource
from tracker.private import database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from p2p.metainfo.metainfo import Metainfo

DEFAULT_DATABASE: Final = "tracker.db"
DEFAULT_ANNOUNCE: Final = f"http://127.0.0.1:{DEFAULT_PORT}/announce"

_UNSAFE: Final = re.compile(r"[^\w.-]+")


def parse_announce(text: str) -> str:
    """An announce URL without a passkey. A usage error for anything else."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https", "udp") or not parts.netloc or parts.query or parts.fragment:
        raise typer.BadParameter(f"{printable(text)!r} is no announce URL like http://tracker.example:6969/announce")
    if parts.path.rpartition("/")[2] != "announce":
        raise typer.BadParameter(f"{printable(text)!r} must end in /announce")
    return text


DatabaseFile = Annotated[
    Path | None,
    typer.Option(
        "--database",
        metavar="FILE",
        envvar="STARLING_TRACKER_DATABASE",
        show_envvar=True,
        help=f"The tracker's database (default: that of --config, else {DEFAULT_DATABASE} here).",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The tracker's configuration, where it has one.")
]
Announce = Annotated[
    str | None,
    typer.Option(
        "--announce",
        metavar="URL",
        parser=parse_announce,
        help="Where members announce, without a passkey (default: that of --config, else the tracker on this machine).",
    ),
]
Torrents = Annotated[
    list[Path] | None,
    typer.Option(
        "--torrent",
        metavar="FILE",
        help="Write a copy of this torrent with the passkey in it, NAME.MEMBER.torrent here; may be given again.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def wall() -> float:
    """Now, in seconds since the epoch."""
    return time.time()  # noqa: TID251 - an entry point


def secrets(size: int) -> bytes:
    """Bytes nobody can guess."""
    return os.urandom(size)  # noqa: TID251 - an entry point


@dataclass(frozen=True, slots=True)
class Place:
    """Where the register is and where its members announce."""

    path: Path
    announce: str

    @classmethod
    def of(cls, path: Path | None, config: Path | None, announce: str | None = None) -> Place:
        """What the options mean. Raises ConfigError."""
        loaded = ConfigSource(config).load()
        if path is None and config is not None and not loaded.private.database:
            raise ConfigError(f"{config}: it has no [private] database; name one with --database")
        return cls(
            path or Path(loaded.private.database or DEFAULT_DATABASE),
            announce or loaded.listen.announce_url or DEFAULT_ANNOUNCE,
        )

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """The register, which must be there. Raises StorageError or DatabaseError."""
        if not self.path.exists():
            raise StorageError(
                f"there is no {printable(self.path)}: name the tracker's database with --database FILE, "
                "or make one by adding a member or a torrent"
            )
        with database.opened(self.path) as connection:
            yield connection

    @contextmanager
    def opened_or_made(self) -> Iterator[sqlite3.Connection]:
        """The register, made where it is not there yet. Raises DatabaseError."""
        if not self.path.exists():
            note(f"making the database {printable(self.path)}")
        with database.opened(self.path) as connection:
            yield connection

    def url_for(self, passkey: str) -> str:
        """Where the member with this passkey announces."""
        parts = urlsplit(self.announce)
        path = f"{parts.path.removesuffix('announce')}{passkey}/announce"
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


@dataclass(frozen=True, slots=True)
class Copies:
    """Torrents that a new passkey is to be written into."""

    sources: Sequence[tuple[Path, Metainfo]]

    @classmethod
    def read(cls, paths: Sequence[Path]) -> Copies:
        """Raises MetainfoError or StorageError before anything is changed."""
        return cls([(path, read_torrent(path)) for path in paths])

    def check_absent(self, member: str) -> None:
        """Raises StorageError where a copy for this member would be written over something."""
        for path, _ in self.sources:
            if os.path.lexists(target := copy_path(path, member)):
                raise StorageError(f"{printable(target)} is there already")

    def write(self, member: str, url: str) -> list[Path]:
        """The copies for one member, in the current folder. Raises StorageError."""
        written = []
        for path, metainfo in self.sources:
            target = copy_path(path, member)
            write_new(target, personal(metainfo, url))
            written.append(target)
        return written


@dataclass(frozen=True, slots=True)
class Handout:
    """What becomes of a new passkey: printed once, with its announce URL, and written into copies of torrents."""

    place: Place
    copies: Copies

    @classmethod
    def of(cls, place: Place, torrents: Sequence[Path] | None, *names: str) -> Handout:
        """For the members of these names. Raises MetainfoError or StorageError before anything is changed."""
        copies = Copies.read(torrents or ())
        for name in names:
            copies.check_absent(name)
        return cls(place, copies)

    def say(self, name: str, passkey: str, *, as_json: bool) -> None:
        """Raises StorageError for a copy that cannot be written."""
        url = self.place.url_for(passkey)
        written = self.copies.write(name, url)
        if as_json:
            say_json({"member": name, "passkey": passkey, "announce": url, "torrents": [str(each) for each in written]})
            return
        fields = [("member", printable(name)), ("passkey", passkey), ("announce", url)]
        say_fields([*fields, *(("torrent", printable(each)) for each in written)])


def copy_path(path: Path, member: str) -> Path:
    """`photos.alice.torrent` for `photos.torrent`; signs that are no letters of a file's name become `_`."""
    return Path(f"{path.stem}.{_UNSAFE.sub('_', member)}.torrent")


def personal(metainfo: Metainfo, url: str) -> bytes:
    """The torrent with this announce URL and no other tracker; the info-hash stays."""
    envelope = Envelope(
        trackers=((url,),),
        web_seeds=metainfo.web_seeds,
        comment=metainfo.comment,
        created_by=metainfo.created_by,
        creation_date=metainfo.creation_date,
    )
    return envelope.wrap(metainfo.info_bytes, None if metainfo.version == "1" else metainfo.piece_layers)


def say_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Columns wide enough for what is in them; those in `right` are numbers."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    for row in (headings, *rows):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        say("  ".join(cells).rstrip())


def format_date(seconds: float | None) -> str:
    """`2026-11-21 10:02`; `-` for never."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
