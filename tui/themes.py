"""The interface's own themes: a dark and a light one, and one of the terminal's own sixteen colours.

The rule: a colour says one thing everywhere. Green gives or is whole, blue takes or is under way, amber is marked or
rare, red is wrong. Whoever sees none of them reads the same in words and signs.
"""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="starling",
    primary="#6ea8fe",
    secondary="#b69cf5",
    accent="#f2b866",
    warning="#f2b866",
    error="#ff6b7a",
    success="#7bd88f",
    foreground="#d8dfec",
    background="#10131a",
    surface="#161a23",
    panel="#202737",
    dark=True,
    variables={
        "block-cursor-background": "#2d4a7c",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "scrollbar": "#3a4560",
        "scrollbar-background": "#161a23",
        "border": "#6ea8fe",
    },
)
LIGHT: Final = Theme(
    name="starling-light",
    primary="#1d5fbf",
    secondary="#6b46c1",
    accent="#9a5b00",
    warning="#9a5b00",
    error="#b4232f",
    success="#1c7a35",
    foreground="#1c2330",
    background="#fbfbf9",
    surface="#f1f2f0",
    panel="#e2e6ec",
    dark=False,
    variables={
        "block-cursor-background": "#1d5fbf",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "scrollbar": "#a9b3c2",
        "scrollbar-background": "#f1f2f0",
        "border": "#1d5fbf",
    },
)
PLAIN: Final = "ansi-dark"
"""Textual's theme of what the terminal itself calls red, green and so on, on its own background, light or dark."""

OWN: Final = (DARK, LIGHT)


def usual(colour_system: str | None) -> str:
    """The theme of whoever has chosen none. `colour_system` is what Rich calls the colours that the terminal has."""
    return DARK.name if colour_system in ("truecolor", "256") else PLAIN
