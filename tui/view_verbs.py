"""The verbs for what is looked at, and how: views, columns, servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tui.verb import ActsOn, Takes, Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.daemon.client_values import TorrentRow
    from tui.verb import Deck


def _view(key: str) -> Callable[[Deck, Sequence[TorrentRow], str], None]:
    return lambda deck, _, __: deck.view(key)


def _open(tab: int) -> Callable[[Deck, Sequence[TorrentRow], str], None]:
    return lambda deck, rows, _: deck.show_details(rows[0], tab)


VIEW_VERBS: Final = (
    Verb("info", "", "Open a torrent", ActsOn.TORRENTS, _open(0)),
    Verb("files", "", "Open a torrent's files", ActsOn.TORRENTS, _open(1)),
    Verb("peers", "", "Open a torrent's peers", ActsOn.TORRENTS, _open(2)),
    Verb("trackers", "", "Open a torrent's trackers", ActsOn.TORRENTS, _open(3)),
    *(Verb(f"view-{key}", key, f"View {key}: a filter and an order", ActsOn.LIST, _view(key)) for key in "1234567890"),
    Verb(
        "save-view",
        "V",
        "Keep what is seen as a view, on a key from 1 to 0",
        ActsOn.LIST,
        lambda deck, _, words: deck.save_view(words),
    ),
    Verb(
        "columns",
        "ctrl+k",
        "Choose columns, their order and widths; `:columns name size label:20`",
        ActsOn.LIST,
        lambda deck, _, words: deck.choose_columns(words),
    ),
    Verb(
        "server",
        "ctrl+o",
        "The next server; `:server NAME` that one",
        ActsOn.LIST,
        lambda deck, _, words: deck.go_to_server(words),
        takes=Takes.SERVER,
    ),
    Verb(
        "servers",
        "S",
        "The servers: look at one, add, change, remove",
        ActsOn.LIST,
        lambda deck, _, words: deck.choose_server(words),
    ),
    Verb(
        "test-port",
        "P",
        "Test whether peers reach the daemon's port from outside",
        ActsOn.INTERFACE,
        lambda deck, _, __: deck.test_port(),
    ),
    Verb(
        "theme",
        "ctrl+t",
        "Another theme; `:theme nord` that one",
        ActsOn.INTERFACE,
        lambda deck, _, words: deck.choose_theme(words),
        takes=Takes.THEME,
    ),
)
