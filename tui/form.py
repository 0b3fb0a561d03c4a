"""Questions to a person, in one dialog: what is asked, what is written there already, and what can be an answer. Pure.

The rule: an answer that cannot be is told while the dialog is open, by the check that makes sense of it afterwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_LETTERS: Final = 4_096
"""Of an answer: as many as a path has at most."""

MOST_KILO: Final = 100_000_000
"""kB/s of a limit: a hundred gigabytes a second, beyond any disk."""

MOST_RATIO: Final = 1_000_000.0
MOST_MINUTES: Final = 60 * 24 * 365 * 10
MOST_LABELS: Final = 100
MOST_NAME: Final = 255
"""Bytes of a file's name on the file systems in use."""

YES: Final = "yes"
"""The answer of a switch that is on; off it is empty."""


def anything(_: str) -> None:
    """Is an answer."""


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `check` raises ConfigError for what is no answer. A `switch` is on or off."""

    name: str
    label: str
    value: str = ""
    placeholder: str = ""
    check: Callable[[str], object] = anything
    switch: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """`note` stands below the questions."""

    title: str
    fields: tuple[Field, ...]
    note: str = ""

    def trouble(self, answers: Mapping[str, str]) -> tuple[str, str] | None:
        """The first field whose answer cannot be, and why."""
        for field in self.fields:
            try:
                field.check(answers[field.name])
            except ConfigError as error:
                return field.name, str(error)
        return None


# -- checks, which make sense of an answer


def kilo(text: str) -> int | None:
    """A limit in kB/s; None where it is left empty. Raises ConfigError."""
    return _whole(text, MOST_KILO, "kB/s")


def minutes(text: str) -> int | None:
    """Raises ConfigError."""
    return _whole(text, MOST_MINUTES, "minutes")


def _whole(text: str, most: int, unit: str) -> int | None:
    given = text.strip().replace(",", "")
    if not given:
        return None
    if not given.isascii() or not given.isdecimal() or int(given[:20]) > most:
        raise ConfigError(f"a number of {unit} up to {most:,}, or nothing")
    return int(given)


def ratio(text: str) -> float | None:
    """Raises ConfigError."""
    given = text.strip()
    if not given:
        return None
    try:
        found = float(given[:30])
    except ValueError as error:
        raise ConfigError("a number such as 1.5, or nothing") from error
    if not math.isfinite(found) or not 0 <= found <= MOST_RATIO:
        raise ConfigError(f"a number from 0 to {MOST_RATIO:,.0f}, or nothing")
    return found


def labels(text: str) -> tuple[str, ...]:
    """What is between commas, each once. Raises ConfigError."""
    found = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    if len(found) > MOST_LABELS:
        raise ConfigError(f"at most {MOST_LABELS} labels")
    return found


def file_name(text: str) -> str:
    """A name that a file can have. Raises ConfigError."""
    if not text.strip() or text in (".", "..") or "/" in text or "\0" in text:
        raise ConfigError("a name, without a slash")
    if len(text.encode(errors="surrogatepass")) > MOST_NAME:
        raise ConfigError(f"at most {MOST_NAME} bytes")
    return text


def folder(text: str) -> str:
    """A path on the daemon's machine. Raises ConfigError."""
    given = text.strip()
    if not given or "\0" in given:
        raise ConfigError("a folder of the daemon's machine")
    return given
