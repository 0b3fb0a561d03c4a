"""The question before torrents are removed: what, how many, and how much of it goes from the disk.

The rule: a key is answer enough for few; for many the number is to be typed, which nobody does by mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from p2p.quantities import count, format_size
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from p2p.daemon.client_values import TorrentRow

MOST_NAMED: Final = 6
"""Names that are shown: with the rest, they fit on 24 lines."""

FEW: Final = 10
"""Torrents that one key removes."""


class RemoveDialog(ModalScreen[bool]):
    """Its result is whether to do it. Enter alone is no answer. `note` says whether it can be undone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
    ]

    def __init__(self, rows: Sequence[TorrentRow], *, delete: bool, note: str = "") -> None:
        super().__init__()
        self._rows = rows
        self._delete = delete
        self._note = note

    def compose(self) -> ComposeResult:
        rows = self._rows
        size = format_size(sum(row.have_valid for row in rows))
        what = count(len(rows), "torrent")
        question = (
            f"Remove {what} and DELETE {size} of content?"
            if self._delete
            else f"Remove {what}, and leave {size} of content where it is?"
        )
        names = [safe(row.name) for row in rows[:MOST_NAMED]]
        if len(rows) > MOST_NAMED:
            names.append(f"and {len(rows) - MOST_NAMED:,} more")
        with Vertical(classes="dialog danger" if self._delete else "dialog"):
            yield Static(question, id="question", markup=False)
            yield Static("\n".join(names), id="names", markup=False)
            if self._note:
                yield Static(self._note, id="note", markup=False)
            if len(rows) > FEW:
                yield Static(f"These are many: type {len(rows)} to remove them", markup=False)
                yield Input("", id="number", max_length=12, compact=True)
                yield Static("", id="trouble", markup=False)
                yield Static("enter: do it    escape: no", classes="keys", markup=False)
            else:
                yield Static("y: yes    n: no", classes="keys", markup=False)

    @on(Input.Submitted, "#number")
    def _said(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip() == str(len(self._rows)):
            self.dismiss(True)
        else:
            self.query_one("#trouble", Static).update(f"{len(self._rows)} is how many they are")

    def action_answer(self, yes: bool) -> None:  # noqa: FBT001 - how Textual calls actions
        if not yes or len(self._rows) <= FEW:
            self.dismiss(yes)
