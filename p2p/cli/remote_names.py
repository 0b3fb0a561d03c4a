"""Which torrents of a daemon a user means: ids, beginnings of info-hashes, and names or patterns of names.

The rule: what changes something never guesses. A plain word is one torrent, or an error that says which it could be;
only a pattern with `*`, `?` or `[` is as many as fit. Case does not matter.
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.disk.refusals import printable
from p2p.errors import StarlingError
from p2p.quantities import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow

_HASH: Final = re.compile(r"[0-9a-f]{6,64}", re.IGNORECASE)
_WILD: Final = re.compile(r"[*?\[]")
_SPECIAL: Final = re.compile(r"([^\w@%+=:,./-])")

COMPLETING: Final = "_STARLING_COMPLETE"
"""The variable by which a shell asks for completions, and says which shell it is."""

_SHOWN: Final = 3
"""Torrents that an error names."""

NAMES_HELP: Final = "An id, the beginning of an info-hash, a name, or a pattern like '*.iso'."
NAMING: Final = ("name", "hash_string", "have_valid")
"""The fields of a row that naming and asking need."""


class NoTorrentError(StarlingError):
    """A word that names no torrent, or more than one where one is meant."""


async def named(client: Client, words: Sequence[str], *, everything: bool = False) -> list[TorrentRow]:
    """The torrents that `words` name, each once, in order of id; all with `everything`.

    Raises NoTorrentError, a ClientError; a usage error for neither words nor `everything`, and for both.
    """
    if bool(words) is everything:
        raise typer.BadParameter("name torrents, or give --all" if not words else "--all leaves no torrent to name")
    rows = await client.torrents(only=NAMING)
    return list(rows) if everything else chosen(rows, words)


async def named_one(client: Client, word: str) -> TorrentRow:
    """The one torrent that `word` names. Raises NoTorrentError, a ClientError."""
    rows = chosen(await client.torrents(only=NAMING), [word])
    if len(rows) > 1:
        raise NoTorrentError(f"{printable(word)} names {_several(rows)}")
    return rows[0]


def chosen(rows: Sequence[TorrentRow], words: Sequence[str]) -> list[TorrentRow]:
    """Those of `rows` that `words` name, each once, by id. Raises NoTorrentError for a word that names none."""
    found = {row.id: row for word in words for row in _named(rows, word)}
    return [found[number] for number in sorted(found)]


def _named(rows: Sequence[TorrentRow], word: str) -> list[TorrentRow]:
    lower = word.lower()
    if word.isascii() and word.isdigit():
        by_id = [row for row in rows if row.id == int(word[:18])]
        if by_id:
            return by_id
    if _HASH.fullmatch(word):
        by_hash = [row for row in rows if row.hash_string.startswith(lower)]
        if by_hash:
            return _one(word, by_hash)
    exact = [row for row in rows if row.name.lower() == lower]
    if exact:
        return _one(word, exact)
    if _WILD.search(word):
        found = [row for row in rows if fnmatch.fnmatchcase(row.name.lower(), lower)]
        if found:
            return found
        raise NoTorrentError(f"no torrent's name is like {printable(word)}")
    within = [] if word.isdigit() else [row for row in rows if lower in row.name.lower()]
    return _one(word, within)  # a number is an id, and not a part of "(2024)"


def _one(word: str, found: list[TorrentRow]) -> list[TorrentRow]:
    if not found:
        raise NoTorrentError(f"no torrent is called {printable(word)}")
    if len(found) > 1:
        raise NoTorrentError(
            f"{printable(word)} names {_several(found)}; give an id, or a pattern with * for all of them"
        )
    return found


def _several(rows: Sequence[TorrentRow]) -> str:
    shown = ", ".join(f"{row.id} {printable(row.name)}" for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN:,} more" if len(rows) > _SHOWN else ""
    return f"{count(len(rows), 'torrent')}: {shown}{more}"


def complete_names(context: typer.Context, incomplete: str) -> list[str]:
    """What a shell offers for the beginning of a name: from the daemon, if it answers at once, and else nothing."""
    from p2p.cli.remote import Daemon  # noqa: PLC0415 - which has these names in its verbs

    given = context.params
    daemon = Daemon(connect=given.get("connect"), password_file=given.get("password_file"))
    names = daemon.names(incomplete.replace("\\", ""))
    # zsh and fish quote what they take over; bash takes it over as it stands.
    return [_SPECIAL.sub(r"\\\1", name) for name in names] if "bash" in os.environ.get(COMPLETING, "") else names


Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="TORRENT...", help=NAMES_HELP, show_default=False, autocompletion=complete_names),
]
OneName = Annotated[
    str, typer.Argument(metavar="TORRENT", help=NAMES_HELP, show_default=False, autocompletion=complete_names)
]
Everything = Annotated[bool, typer.Option("--all", help="Every torrent.")]
