"""What a verb is, and what verbs can do: the border between their table and the application."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from p2p.quantities import count
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow
    from tui.file_tree import Chosen
    from tui.form import Form

T = TypeVar("T")


class ActsOn(Enum):
    TORRENTS = "torrents"
    INTERFACE = "interface"
    LIST = "list"
    """Where the list of torrents is seen, and nowhere else."""
    FILES = "files"
    """Files, where they are seen; it gets the torrent that is open."""
    LINES = "lines"
    """What can be marked: the list of torrents, or files, whichever is seen."""


class Takes(Enum):
    """What stands after a verb's name on the `:` line."""

    AS_IT_ACTS = "as it acts"
    """Torrents for a verb that acts on them, anything for any other."""
    TORRENTS = "torrents"
    """Names of those that it acts on, in place of those that are chosen."""
    ANYTHING = "anything"
    NOTHING = "nothing"
    FOLDER = "folder"
    LABELS = "labels"
    COLUMN = "column"
    LEVEL = "level"
    SERVER = "server"
    THEME = "theme"
    ALL = "all"
    """That word, or nothing."""


class Deck(Protocol):
    """What verbs can do: the application."""

    def do(self, words: str, act: Callable[[Client], Awaitable[object]]) -> None:
        """Through the feed."""

    def ask_removal(self, rows: Sequence[TorrentRow], *, delete: bool) -> None: ...
    def choose_removal(self, name: str) -> None:
        """Of those that can be undone, and undo it."""

    def ask_source(self, source: str) -> None: ...
    def view(self, key: str) -> None: ...
    def save_view(self, words: str) -> None: ...

    def choose_columns(self, words: str) -> None: ...

    def choose_theme(self, words: str) -> None: ...

    def test_port(self) -> None: ...

    def choose_server(self, words: str) -> None: ...
    def go_to_server(self, name: str) -> None: ...
    def ask_creation(self, path: str) -> None: ...
    def ask_filter(self, text: str) -> None: ...
    def ask_command(self) -> None: ...
    def sort_by(self, column: str) -> None: ...
    def sort_files(self, words: str) -> None: ...
    def mark(self, how: Mark) -> None: ...
    def show_details(self, row: TorrentRow, tab: int) -> None:
        """Open a torrent, on that tab, from 0."""

    def show_swarm(self, rows: Sequence[TorrentRow]) -> None: ...
    def show_session(self) -> None: ...
    def set_log_level(self, level: str) -> None: ...
    def show_help(self) -> None: ...
    def reconnect(self) -> None: ...
    def leave(self) -> None: ...
    def ask_form(self, form: Form, then: Callable[[Mapping[str, str]], None]) -> None:
        """Put questions to the person, and hand on what is answered, if anything."""

    def learn(self, words: str, question: Callable[[Client], Awaitable[T]], then: Callable[[T], None]) -> None:
        """Ask the daemon, and hand on what it answers; why it does not is told. `words` say what for."""

    def say(self, text: str, *, warn: bool = False) -> None: ...
    def copy(self, text: str) -> None:
        """To the clipboard of the terminal."""

    def files_chosen(self) -> Chosen | None:
        """The files that a verb is for; None where no file is seen."""

    def unmark(self) -> None: ...
    def every(self) -> Sequence[TorrentRow]:
        """All torrents that are seen."""


class Mark(Enum):
    TOGGLE = "toggle"
    TOGGLE_UP = "toggle up"
    """The cursor goes up then, and not down."""
    ALL = "all"
    INVERT = "invert"
    NONE = "none"


Act: TypeAlias = "Callable[[Deck, Sequence[TorrentRow], str], None]"
"""Gets the torrents and, from the `:` line, what stands after the name."""


@dataclass(frozen=True, slots=True)
class Verb:
    """`keys` are Textual's, separated by commas. `hint` is what the last line calls it, empty to leave it out there."""

    name: str
    keys: str
    about: str
    acts_on: ActsOn
    act: Act
    hint: str = ""
    takes: Takes = Takes.AS_IT_ACTS
    """What may stand after its name on the `:` line."""


def which(rows: Sequence[TorrentRow]) -> str:
    """Torrents in words: the name of one, the number of several."""
    return safe(rows[0].name) if len(rows) == 1 else count(len(rows), "torrent")


def ids_of(rows: Sequence[TorrentRow]) -> list[int | str]:
    """Info-hashes: a daemon that was started anew, while a verb was asked about, numbers its torrents otherwise."""
    return [row.hash_string for row in rows]
