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
PLAIN: Final = Theme(
    name="starling-plain",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_magenta",
    accent="ansi_yellow",
    warning="ansi_yellow",
    error="ansi_bright_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "border": "ansi_cyan",
        "border-blurred": "ansi_default",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white",
        "primary-muted": "ansi_default",
        "scrollbar": "ansi_white",
        "scrollbar-hover": "ansi_white",
        "scrollbar-active": "ansi_white",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
        "scrollbar-corner-color": "ansi_default",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-cursor-text-style": "none",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_cyan",
        "screen-selection-foreground": "ansi_black",
    },
)
"""What the terminal itself calls red, green and so on, on its own background, light or dark. Blue is left out: on black
it cannot be read."""

OWN: Final = (DARK, LIGHT, PLAIN)


def usual(colour_system: str | None) -> str:
    """The theme of whoever has chosen none. `colour_system` is what Rich calls the colours that the terminal has."""
    return DARK.name if colour_system in ("truecolor", "256") else PLAIN.name
