"""The verbs for files, where files are seen: whether they are wanted, how soon, and what is marked.

The rule: they are for the marked files that are seen; where none is, for the file under the cursor or its whole folder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from p2p.daemon.client_values import Part, Priority, TorrentChanges
from tui.verb import ActsOn, Mark, Takes, Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow
    from tui.verb import Deck

_ALL: Final = "all"


def _file(deck: Deck, rows: Sequence[TorrentRow], words: str, *, wanted: bool, priority: Priority | None) -> None:
    """Those that are chosen, or every one with the word `all`."""
    chosen = deck.files_chosen()
    if chosen is None:
        deck.say("there is no file here", warn=True)
        return
    if words not in ("", _ALL):
        deck.say(f"after this verb stands {_ALL!r}, or nothing", warn=True)
        return
    row = rows[0]

    async def act(client: Client) -> None:
        numbers = chosen.numbers
        if words == _ALL:
            details = await client.details(row.hash_string, Part.FILES)
            numbers = () if details is None else tuple(range(len(details.files)))
        if numbers:
            await client.change([row.hash_string], file_changes(numbers, wanted=wanted, priority=priority))

    what = "every file" if words == _ALL else chosen.words
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


_FILES: Final = ActsOn.FILES

FILE_VERBS: Final = (
    Verb(
        "file-skip",
        "0",
        "Skip files; `:file-skip all` every one",
        _FILES,
        _file_verb(wanted=False, priority=None),
        takes=Takes.ALL,
    ),
    Verb("file-want", "w", "Want files", _FILES, _file_verb(wanted=True, priority=None)),
    Verb("file-low", "minus", "Low priority for files", _FILES, _file_verb(wanted=True, priority=Priority.LOW)),
    Verb(
        "file-normal",
        "equals_sign",
        "Normal priority for files",
        _FILES,
        _file_verb(wanted=True, priority=Priority.NORMAL),
    ),
    Verb("file-high", "plus", "High priority for files", _FILES, _file_verb(wanted=True, priority=Priority.HIGH)),
    Verb(
        "file-sort",
        "s",
        "Sort files by the next of name, size, done, wanted",
        _FILES,
        lambda deck, _, words: deck.sort_files(words),
    ),
    Verb("mark-down", "shift+down", "Mark the file, and go down", _FILES, lambda deck, _, __: deck.mark(Mark.TOGGLE)),
    Verb("mark-up", "shift+up", "Mark the file, and go up", _FILES, lambda deck, _, __: deck.mark(Mark.TOGGLE_UP)),
)
