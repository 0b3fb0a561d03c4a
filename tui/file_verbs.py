"""The verbs for the file under the cursor, where files are seen: whether it is wanted, and how soon."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from p2p.daemon.client_values import Part, Priority, TorrentChanges
from tui.safe_text import safe
from tui.verb import ActsOn, Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow
    from tui.verb import Deck

_ALL: Final = "all"


def _file(deck: Deck, rows: Sequence[TorrentRow], words: str, *, wanted: bool, priority: Priority | None) -> None:
    """The one under the cursor, or every one with the word `all`."""
    chosen = deck.file_chosen()
    if chosen is None:
        deck.say("there is no file here", warn=True)
        return
    row = rows[0]

    async def act(client: Client) -> None:
        numbers: tuple[int, ...] = (chosen[0],)
        if words == _ALL:
            details = await client.details(row.hash_string, Part.FILES)
            numbers = () if details is None else tuple(range(len(details.files)))
        if numbers:
            await client.change([row.id], file_changes(numbers, wanted=wanted, priority=priority))

    what = "every file" if words == _ALL else safe(chosen[1].rpartition("/")[2])
    how = "skip" if not wanted else "want" if priority is None else f"{priority.name.lower()} priority for"
    deck.do(f"{how} {what}", act)


def file_changes(numbers: tuple[int, ...], *, wanted: bool, priority: Priority | None) -> TorrentChanges:
    """Files whose priority is set are wanted."""
    changes = TorrentChanges(files_wanted=numbers) if wanted else TorrentChanges(files_unwanted=numbers)
    match priority:
        case Priority.HIGH:
            return replace(changes, priority_high=numbers)
        case Priority.NORMAL:
            return replace(changes, priority_normal=numbers)
        case Priority.LOW:
            return replace(changes, priority_low=numbers)
    return changes


def _file_verb(*, wanted: bool, priority: Priority | None) -> Callable[[Deck, Sequence[TorrentRow], str], None]:
    return lambda deck, rows, words: _file(deck, rows, words, wanted=wanted, priority=priority)


FILE_VERBS: Final = (
    Verb(
        "file-skip",
        "0",
        "Skip the file; `:file-skip all` every one",
        ActsOn.FILES,
        _file_verb(wanted=False, priority=None),
    ),
    Verb("file-want", "w", "Want the file", ActsOn.FILES, _file_verb(wanted=True, priority=None)),
    Verb(
        "file-low", "minus", "Low priority for the file", ActsOn.FILES, _file_verb(wanted=True, priority=Priority.LOW)
    ),
    Verb(
        "file-normal",
        "equals_sign",
        "Normal priority for the file",
        ActsOn.FILES,
        _file_verb(wanted=True, priority=Priority.NORMAL),
    ),
    Verb(
        "file-high", "plus", "High priority for the file", ActsOn.FILES, _file_verb(wanted=True, priority=Priority.HIGH)
    ),
)
