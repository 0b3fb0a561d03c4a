"""The dialog of a form: its questions one below the other, and what is wrong with an answer before it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.form import MOST_LETTERS, YES
from tui.widgets.tick import Tick

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.form import Field, Form


class FormDialog(ModalScreen[Mapping[str, str] | None]):
    """Its result is each field's answer by name, None for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("down", "app.focus_next", "Next", show=False),
        Binding("up", "app.focus_previous", "Before", show=False),
        Binding("enter", "answer", "Answer", priority=True),
    ]

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False):
            yield Static(self._form.title, id="question", markup=False)
            for field in self._form.fields:
                yield from self._asked(field)
            if self._form.note:
                yield Static(self._form.note, classes="note", markup=False)
            yield Static("", id="trouble", markup=False)
            yield Static("enter: do it    tab: next    space: switch    escape: back", classes="keys", markup=False)

    def _asked(self, field: Field) -> ComposeResult:
        if field.switch:
            yield Tick(field.label, field.value == YES, field.name)
            return
        yield Static(field.label, classes="label", markup=False)
        yield Input(
            field.value,
            placeholder=field.placeholder,
            id=field.name,
            max_length=MOST_LETTERS,
            password=field.secret,
            compact=True,
        )

    def on_mount(self) -> None:
        self.query_one(f"#{self._form.fields[0].name}").focus()

    def action_answer(self) -> None:
        """Where the focus is, so that what was typed before is there first."""
        (self.focused or self).call_later(self._give)

    def _give(self) -> None:
        if not self.is_current:
            return
        answers = {field.name: self._answer(field) for field in self._form.fields}
        trouble = self._form.trouble(answers)
        if trouble is None:
            self.dismiss(answers)
            return
        name, reason = trouble
        self.query_one("#trouble", Static).update(reason)
        self.query_one(f"#{name}").focus()

    def _answer(self, field: Field) -> str:
        if field.switch:
            return YES if self.query_one(f"#{field.name}", Tick).value else ""
        return self.query_one(f"#{field.name}", Input).value

    def action_leave(self) -> None:
        self.dismiss(None)
