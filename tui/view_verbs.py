"""The verbs for what is looked at, and how: views, columns, servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tui.verb import ActsOn, Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.daemon.client_values import TorrentRow
    from tui.verb import Deck


def _view(key: str) -> Callable[[Deck, Sequence[TorrentRow], str], None]:
    return lambda deck, _, __: deck.view(key)


VIEW_VERBS: Final = (
    *(Verb(f"view-{key}", key, f"The view {key} of `tui.toml`", ActsOn.LIST, _view(key)) for key in "1234567890"),
    Verb(
        "columns",
        "ctrl+k",
        "Choose columns, in their order; `:columns name size ratio`",
        ActsOn.LIST,
        lambda deck, _, words: deck.choose_columns(words),
    ),
    Verb(
        "server",
        "ctrl+o",
        "The next server of `tui.toml`; `:server NAME` that one",
        ActsOn.LIST,
        lambda deck, _, words: deck.go_to_server(words),
    ),
)
