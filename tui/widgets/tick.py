"""A switch that reads without colours: a cross in brackets, or nothing in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.widgets import Checkbox

if TYPE_CHECKING:
    from textual.binding import BindingType


class Tick(Checkbox, inherit_bindings=False):
    """Space switches it; Enter is left to the dialog it is in."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "toggle_button", "Switch", show=False)]

    def __init__(self, label: str, value: bool, id: str) -> None:  # noqa: A002, FBT001 - Textual's words
        super().__init__(label, value=value, id=id, compact=True)

    @property
    def _button(self) -> Content:
        """Textual's own is drawn by half blocks in colours, and not seen without them."""
        return Content.assemble(("[x]" if self.value else "[ ]", self.get_visual_style("toggle--button")))
