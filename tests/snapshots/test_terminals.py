"""Terminals of few colours, none, or any size: what is told by colour is told by signs too, and nothing breaks."""

from __future__ import annotations

import pytest
from comparing import compared
from picture import lines_of, look_of, text_of
from rich.color import ColorSystem
from stage import app_before, until
from textual.events import Paste
from textual.widgets import Input

pytestmark = pytest.mark.timeout(100)
SIZES = ((1, 1), (300, 100), (20, 5), (2, 40), (200, 1), (80, 24), (3, 3), (81, 12))
KEYS = ("enter", *"234567", "escape", "W", "escape", "I", *"23456", "escape")
DIALOGS = ("a", "C", "r", "m", "f2", "L", "d", "D", "question_mark", "ctrl+p", "ctrl+k", "slash", "colon")
GARBAGE = "\x1b[2J\x00[bold]\u202e\U0001f9ec" * 400 + "\n" * 50 + "x" * 20_000


async def test_without_colours_states_and_marks_are_told_apart(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with compared((80, 24), "no-colour") as seen:
        await seen.shows("15 torrents", "▼ 3.3 MiB/s")
        await seen.press("down", "x", "down", "x")
        await seen.shot("torrents", "2 marked", "* ", "leeching", "error")
        assert all(
            colour is None or colour.is_default
            for line in lines_of(seen.app)
            for _, style in line
            for colour in (style.color, style.bgcolor)
        )
        reversed_lines = [line for line in lines_of(seen.app) if any(style.reverse for _, style in line)]
        assert len(reversed_lines) == 1  # the cursor's
        await seen.press("enter")
        await seen.shot("details", "[Overview]")
        await seen.press("5")
        await seen.shot("pieces", "1,076 pieces")
        await seen.press("escape", "W")
        await seen.shot("swarm", "next round", "has come")
        await seen.press("escape", "R")
        await seen.shot("remove", "DELETE")


@pytest.mark.parametrize(("term", "theme"), [("xterm", "starling-plain"), ("xterm-256color", "starling")])
def test_a_terminal_has_the_theme_that_it_can_show(monkeypatch, term, theme):
    monkeypatch.delenv("COLORTERM")
    monkeypatch.setenv("TERM", term)
    assert app_before("127.0.0.1:9091").theme == theme


async def test_in_sixteen_colours_everything_is_legible(monkeypatch):
    monkeypatch.delenv("COLORTERM")
    monkeypatch.setenv("TERM", "linux")
    async with compared((80, 24), "sixteen", colours=ColorSystem.STANDARD) as seen:
        assert seen.app.current_theme.ansi
        await seen.shot("torrents", "15 torrents", "▼ 3.3 MiB/s")
        _legible(seen.app)
        await seen.press("enter", "3")
        await seen.shot("peers", "qBittorrent")
        _legible(seen.app)
        await seen.press("escape", "W")
        await seen.shot("swarm", "next round", "has come")
        _legible(seen.app)
        await seen.press("escape", "a")
        await seen.shot("add", "Labels")
        _legible(seen.app)
        await seen.press("escape", "question_mark")
        await seen.shot("help", "KEYS")
        _legible(seen.app)


def _legible(app):
    """Every letter stands out from what is behind it, as the console of Linux shows its colours."""
    for line in lines_of(app):
        for text, style in line:
            if text.strip():
                front, back, _ = look_of(style, ColorSystem.STANDARD)
                lights = sorted(map(_light, (front, back)))
                assert (lights[1] + 0.05) / (lights[0] + 0.05) > 3, (text, style)


def _light(colour):
    """Relative luminance, as WCAG has it."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["starling-light", "nord"])
async def test_other_themes(theme):
    app = app_before("127.0.0.1:9091")
    async with compared((80, 24), theme, app=app) as seen:
        app.theme = theme
        await seen.shot("torrents", "15 torrents", "▼ 3.3 MiB/s")
        await seen.press("enter", "5")
        await seen.shot("pieces", "1,076 pieces")
        await seen.press("escape", "a")
        await seen.shot("add", "Labels")


async def test_a_terminal_can_become_any_size_at_any_moment():
    app = app_before("127.0.0.1:9091")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "15 torrents" in text_of(app))
        at = 0
        for key in (*KEYS, *DIALOGS):
            await pilot.press(key)
            for _ in range(2):
                width, height = SIZES[at % len(SIZES)]
                at += 1
                await pilot.resize_terminal(width, height)
                await until(pilot, lambda height=height: len(lines_of(app)) == height)
            if key in DIALOGS:
                await pilot.press("escape")
        await pilot.resize_terminal(80, 24)
        while app.screen is not app._list:
            await pilot.press("escape")
        await until(pilot, lambda: "15 torrents" in text_of(app))


async def test_garbage_can_be_pasted_everywhere():
    app = app_before("127.0.0.1:9091")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "15 torrents" in text_of(app))
        for key in ("slash", "colon", "a", "C", "L", "m", "f2", "d", "D"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.focused, Input))
            app.post_message(Paste(GARBAGE))
            app.post_message(Paste(GARBAGE[:60]))
            typed = app.focused
            await pilot.press("z")
            await until(pilot, lambda typed=typed: "z" in typed.value)
            assert len(typed.value) <= 100_000
            for line in lines_of(app):
                assert not any(ord(letter) < 32 or letter == "\u202e" for text, _ in line for letter in text), key
            while app.screen is not app._list or isinstance(app.focused, Input):
                await pilot.press("escape")
