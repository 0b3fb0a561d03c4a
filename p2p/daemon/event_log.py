"""The daemon's log, by the rules of `p2p.operation.log_lines`: what the engine and the daemon tell, on stdout."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from p2p.operation.log_lines import FACTS, JsonLines, PlainLines

if TYPE_CHECKING:
    from p2p.daemon.config import LogConfig
    from p2p.operation.log_lines import LogControl

LOGGER: Final = "p2p"
"""Above all loggers of the engine and of this package."""


def tell(event: str, /, *, level: int = logging.INFO, **facts: object) -> None:
    """Log that something happened. `facts` are plain values: numbers, texts, lists of them."""
    logging.getLogger(__name__).log(level, event, extra={FACTS: facts})


def apply(config: LogConfig, control: LogControl) -> None:
    """Let a running log be as the configuration says."""
    control.set_form(JsonLines() if config.format.value == "json" else PlainLines())
    control.set_level(config.level)
