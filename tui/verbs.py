"""The one table of verbs: keys, help, palette and the `:` line all come from it.

The rule: what can be done is here, once, with its name, its keys, what it acts on and how. A verb that acts on torrents
gets those that are marked and seen, or the cursor's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.client_values import Status
from tui.change_verbs import CHANGE_VERBS
from tui.verb import ActsOn, Mark, Takes, Verb, ids_of, which
from tui.view_verbs import VIEW_VERBS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.daemon.client_values import TorrentRow
    from tui.verb import Deck


def _start(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
    deck.do(f"start {which(rows)}", lambda client: client.start(ids_of(rows)))


def _start_now(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
    deck.do(f"start {which(rows)} at once", lambda client: client.start_now(ids_of(rows)))


def _stop(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
    deck.do(f"stop {which(rows)}", lambda client: client.stop(ids_of(rows)))


def _toggle(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
    """All alike, as the first one: otherwise nobody could say what will be."""
    (_start if rows[0].status is Status.STOPPED else _stop)(deck, rows, "")


def _toggle_all(deck: Deck, _: Sequence[TorrentRow], __: str) -> None:
    rows = deck.every()
    if rows:
        (_start if all(row.status is Status.STOPPED for row in rows) else _stop)(deck, rows, "")


def _verify(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
    deck.do(f"verify {which(rows)}", lambda client: client.verify(ids_of(rows)))


def _reannounce(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
    deck.do(f"ask the trackers of {which(rows)} for peers", lambda client: client.reannounce(ids_of(rows)))


_TORRENTS, _INTERFACE, _LIST, _LINES = ActsOn.TORRENTS, ActsOn.INTERFACE, ActsOn.LIST, ActsOn.LINES

VERBS: Final = (
    Verb(
        "add",
        "a",
        "Add a torrent: magnet link, URL, file or info-hash",
        _INTERFACE,
        lambda deck, _, words: deck.ask_source(words),
        "add",
    ),
    Verb(
        "create",
        "C",
        "Make a torrent of a file or folder, and seed it",
        _INTERFACE,
        lambda deck, _, words: deck.ask_creation(words),
    ),
    Verb("toggle", "space", "Start what is stopped, stop what runs", _TORRENTS, _toggle, "run/stop"),
    Verb("toggle-all", "Y", "Stop all that are seen; start them if all are stopped", _LIST, _toggle_all),
    Verb("start", "", "Start, when the queue lets it", _TORRENTS, _start),
    Verb("start-now", "N", "Start past the queue", _TORRENTS, _start_now),
    Verb("stop", "", "Stop", _TORRENTS, _stop),
    Verb(
        "remove",
        "r",
        "Remove, and leave the content where it is",
        _TORRENTS,
        lambda deck, rows, _: deck.ask_removal(rows, delete=False),
        "remove",
    ),
    Verb(
        "remove-content",
        "R",
        "Remove with the content",
        _TORRENTS,
        lambda deck, rows, _: deck.ask_removal(rows, delete=True),
    ),
    Verb("verify", "v", "Check the content against its hashes", _TORRENTS, _verify),
    Verb("reannounce", "n", "Ask the trackers for peers now", _TORRENTS, _reannounce),
    *CHANGE_VERBS,
    *VIEW_VERBS,
    Verb(
        "filter",
        "slash",
        "See only what a filter lets through",
        _LINES,
        lambda deck, _, words: deck.ask_filter(words),
        "filter",
    ),
    Verb(
        "sort",
        "s",
        "Choose the order; `:sort size` by that column, again to reverse",
        _LIST,
        lambda deck, _, words: deck.sort_by(words),
        takes=Takes.COLUMN,
    ),
    Verb(
        "mark",
        "x",
        "Mark for verbs, or unmark",
        _LINES,
        lambda deck, _, __: deck.mark(Mark.TOGGLE),
        takes=Takes.NOTHING,
    ),
    Verb(
        "mark-all",
        "A",
        "Mark all that are seen, or none",
        _LINES,
        lambda deck, _, __: deck.mark(Mark.ALL),
        takes=Takes.NOTHING,
    ),
    Verb(
        "invert-marks",
        "i",
        "Mark what is not marked",
        _LINES,
        lambda deck, _, __: deck.mark(Mark.INVERT),
        takes=Takes.NOTHING,
    ),
    Verb("unmark", "u", "Mark nothing", _LINES, lambda deck, _, __: deck.mark(Mark.NONE), takes=Takes.NOTHING),
    Verb(
        "swarm",
        "W",
        "Watch the choking round: who unchokes whom, and who gives",
        _TORRENTS,
        lambda deck, rows, _: deck.show_swarm(rows),
        "swarm",
    ),
    Verb(
        "session",
        "I",
        "The session: rates, trackers, DHT, disk, log, limits",
        _INTERFACE,
        lambda deck, _, __: deck.show_session(),
        "session",
    ),
    Verb(
        "log-level",
        "ctrl+l",
        "Log from the next level on; `:log-level debug` from that one",
        _INTERFACE,
        lambda deck, _, words: deck.set_log_level(words),
        takes=Takes.LEVEL,
    ),
    Verb(
        "reconnect",
        "ctrl+r",
        "Try a lost connection now",
        _INTERFACE,
        lambda deck, _, __: deck.reconnect(),
        takes=Takes.NOTHING,
    ),
    Verb("command", "colon", "Say a verb by name", _INTERFACE, lambda deck, _, __: deck.ask_command(), "command"),
    Verb(
        "help",
        "question_mark,f1",
        "Show the keys",
        _INTERFACE,
        lambda deck, _, __: deck.show_help(),
        "help",
        Takes.NOTHING,
    ),
    Verb("quit", "q", "Leave; a daemon goes on", _INTERFACE, lambda deck, _, __: deck.leave(), "quit", Takes.NOTHING),
)

BY_NAME: Final[Mapping[str, Verb]] = {verb.name: verb for verb in VERBS}
