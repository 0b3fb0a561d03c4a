"""Names of keys, and which verb has which: what a person has set down is checked against both. Pure.

The rule: a key does one thing in one place. Where two verbs ask for the same one, or a verb for one that moves in every
table, that is named, and the verb that had the key by itself keeps it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from textual.keys import _character_to_key as name_of_character  # the only table there is of them

from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_MODIFIERS: Final = frozenset(("ctrl", "shift", "alt", "super", "meta", "hyper"))

_NAMED: Final = frozenset(
    (
        "escape enter tab space backspace delete insert home end pageup pagedown up down left right "
        + " ".join(f"f{number}" for number in range(1, 25))
    ).split()
)

_EVERYWHERE: Final = """
up down left right pageup pagedown home end enter escape tab shift+tab j k g G h l ctrl+f ctrl+b ctrl+p ctrl+c
"""
RESERVED: Final = frozenset(_EVERYWHERE.split())
"""Keys that move, open, go back and call the palette, everywhere."""


@cache
def _punctuation() -> frozenset[str]:
    """Names of what is typed beside letters and digits."""
    return frozenset(name_of_character(chr(code)) for code in range(33, 127) if not chr(code).isalnum())


def key_of(text: str) -> str | None:
    """A key as the terminal tells it, of what a person has written (`+`, `plus`, `ctrl+a`); None for no key."""
    if len(text) == 1:
        return name_of_character(text) if text.isprintable() and not text.isspace() else None
    *modifiers, last = text.split("+")
    if not set(modifiers) <= _MODIFIERS or len(set(modifiers)) != len(modifiers):
        return None
    if len(last) == 1 and last.isprintable() and not last.isspace():
        return "+".join((*modifiers, name_of_character(last)))
    return text if last in _NAMED or last in _punctuation() else None


def settled(
    wanted: Mapping[str, str], usual: Mapping[str, str], troubles: list[str], inner: Collection[str] = ()
) -> dict[str, str]:
    """The keys that verbs get of those `wanted`, with commas between; `usual` are those that each has by itself.

    `inner` are verbs that have a key to themselves where they can be done, whatever it does elsewhere.
    """
    given: dict[str, str] = {}
    owners: dict[tuple[str, bool], str] = {}
    for verb, keys in usual.items():
        if verb not in wanted:
            owners |= {(key, verb in inner): verb for key in filter(None, keys.split(","))}
    for verb, text in wanted.items():
        taken = []
        for written in text.split(","):
            key = key_of(written)
            if key is None:
                troubles.append(f"keys: {verb}: there is no key {safe(written)!r}")
            elif key in RESERVED:
                troubles.append(f"keys: {verb}: {safe(written)} is the same everywhere, and cannot be changed")
            elif (owner := owners.setdefault((key, verb in inner), verb)) != verb:
                troubles.append(f"keys: {verb}: {safe(written)} is the key of {owner} already")
            else:
                taken.append(key)
        if taken:
            given[verb] = ",".join(dict.fromkeys(taken))
        else:  # it keeps what it has by itself, as far as nobody else took that
            for key in filter(None, usual.get(verb, "").split(",")):
                owners.setdefault((key, verb in inner), verb)
    return given
