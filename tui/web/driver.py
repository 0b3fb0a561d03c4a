"""Textual's driver for a page, in the process of one terminal: it ends the interface when the server is gone.

The rule: a process never outlives what started it. Textual's own reader stops at the end of its input, and the
interface would stay with nobody before it.
"""

from __future__ import annotations

from textual import messages
from textual.drivers.web_driver import WebDriver


class PageDriver(WebDriver):
    """Named by `TEXTUAL_DRIVER` in the environment of the process."""

    def run_input_thread(self) -> None:
        """See the module's head."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            self._app.post_message(messages.ExitApp())
