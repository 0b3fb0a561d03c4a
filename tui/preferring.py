"""What a person prefers, at work: columns, order, views, theme, keys; what is changed here is remembered.

The rule: what is wrong with `tui.toml` is told once, and nothing else of it is lost; that file is never written, and
what is remembered goes into one of our own (`tui.remembered`, `tui.memory`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from p2p.errors import ConfigError
from tui.config import USUAL_VIEWS, Config, View, columns_of, levels_of, read, written_levels
from tui.form import Field, Form
from tui.history import NAME, History
from tui.intake import Intake
from tui.query import parse
from tui.remembered import Entry, said_of
from tui.safe_text import safe
from tui.screens.torrents import TorrentsScreen
from tui.terms import QueryError
from tui.verb import ActsOn
from tui.verbs import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tui.feed import Access
    from tui.memory import Memory
    from tui.rows import Level

MOST_TROUBLES: Final = 5
"""That are told at once: with the rest, they fit on 24 lines."""


class Preferring(Intake):
    """`config` is the text of `tui.toml`, empty where there is none; `memory` None where nothing is remembered."""

    def __init__(
        self,
        find: Callable[[], Awaitable[Access]],
        clock: Callable[[], float],
        config: str,
        memory: Memory | None,
    ) -> None:
        super().__init__(find, clock)
        self._list = TorrentsScreen(self.rows, clock)
        self._text = config
        self._memory = memory
        self.history = History(None if memory is None else memory.path.with_name(NAME))
        self._config = Config()
        self._unkept: dict[str, Entry | None] = {}
        """What is to be written yet."""
        self._keeping = asyncio.Lock()

    def take_config(self) -> None:
        """Once the first screen is there."""
        entries, skipped = ({}, ()) if self._memory is None else self._memory.read()
        if self._text or entries:
            verbs = {name: verb.keys for name, verb in BY_NAME.items()}
            inner = [name for name, verb in BY_NAME.items() if verb.acts_on is ActsOn.FILES]
            themes = self.available_themes
            self._config = read(self._text, verbs=verbs, themes=themes, inner=inner, remembered=entries)
        config = self._config
        self.set_keymap(config.keys)
        if config.theme:
            self.theme = config.theme
        self.move(wished=config.motion)
        self.rows.sort(config.sort, self._clock())
        self._list.columns = config.columns
        for trouble in (*config.troubles, *skipped)[:MOST_TROUBLES]:
            self.notify(trouble, title="skipped", severity="warning", timeout=10, markup=False)

    # -- what is remembered

    def keep(self, name: str, value: Any) -> None:
        """From now on that holds, None for nothing: `name` as `tui.remembered` has it, `value` JSON."""
        over = said_of(self._config.told, name)
        self._unkept[name] = None if value == over else Entry(value, over)
        if self._memory is not None:
            self.run_worker(self._write(self._memory), group="memory")

    async def _write(self, memory: Memory) -> None:
        async with self._keeping:
            changes, self._unkept = self._unkept, {}
            if not changes:
                return
            try:
                await asyncio.to_thread(memory.keep, changes)
            except ConfigError as error:
                self.say(f"not remembered: {error}", warn=True)

    async def on_unmount(self) -> None:
        """What was changed right before the end."""
        if self._memory is not None:
            await self._write(self._memory)

    # -- views

    def view(self, key: str) -> None:
        view = self._config.views[key]
        if view.sort:
            self.rows.sort(view.sort, self._clock())
        self._list.moved(self.rows.filter(parse(view.filter), self._clock()))

    def save_view(self, words: str) -> None:
        """What is seen now, on the key of a view."""
        if words:
            try:
                _view_key(words)
            except ConfigError as error:
                self.say(str(error), warn=True)
            else:
                self._save_view(words.strip(), self.rows.query.text, self.rows.levels)
            return
        form = Form(
            "Save what is seen as a view",
            (
                Field("key", "Key: 1 to 9, or 0", check=_view_key),
                Field("filter", "Filter", self.rows.query.text, "all torrents", _filter),
                Field("sort", "Order", " ".join(written_levels(self.rows.levels)), "as it is", _levels),
            ),
            "; ".join(f"{key}: {view.filter or 'all'}" for key, view in self._config.views.items()),
        )

        def then(answers: Mapping[str, str]) -> None:
            self._save_view(answers["key"].strip(), _filter(answers["filter"]), _levels(answers["sort"]))

        self.ask_form(form, then)

    def _save_view(self, key: str, text: str, levels: Sequence[Level]) -> None:
        self._config.views[key] = View(text, tuple(levels))
        self.keep(f"views.{key}", {"filter": text, "sort": written_levels(levels)})
        self.say(f"view {key}: {text or 'all torrents'}")

    # -- columns and order

    def choose_columns(self, words: str) -> None:
        if words:
            try:
                self._show_columns(_columns(words))
            except ConfigError as error:
                self.say(str(error), warn=True)
            return
        from tui.screens.arrange import ColumnsDialog  # noqa: PLC0415 - drawn on demand, and not before the first screen

        self.push_screen(ColumnsDialog(self._list.columns), self._show_columns)

    def _show_columns(self, columns: tuple[str, ...] | None) -> None:
        if columns:
            self._list.columns = columns_of(columns, [])
            self.keep("columns", list(self._list.columns))

    def sort_by(self, words: str) -> None:
        """By these columns, as `tui.toml` names them; by one that decides already the other way round."""
        if not words:
            from tui.screens.arrange import SortDialog  # noqa: PLC0415 - as above

            self.push_screen(SortDialog(self.rows.levels), self._sort)
            return
        try:
            levels = _levels(words)
        except ConfigError as error:
            self.say(str(error), warn=True)
            return
        if len(levels) == 1 and not levels[0].descending:
            self.put_on_top(levels[0].column)
        else:
            self._sort(levels)

    def put_on_top(self, column: str) -> None:
        """Of the order; on top already, it is reversed."""
        self._list.moved(self.rows.sort_by(column, self._clock()))
        self.keep("sort", written_levels(self.rows.levels))

    def _sort(self, levels: tuple[Level, ...] | None) -> None:
        if levels:
            self._list.moved(self.rows.sort(levels, self._clock()))
            self.keep("sort", written_levels(levels))

    # -- theme

    def choose_theme(self, words: str) -> None:
        names = sorted(self.available_themes)
        if words:
            if words in names:
                self._take_theme(words)
            else:
                self.say(f"there is no theme {safe(words)!r}; there are {', '.join(names)}", warn=True)
            return
        from tui.details import Heading  # noqa: PLC0415 - as above
        from tui.screens.pick import PickDialog  # noqa: PLC0415 - as above

        before = self.theme

        def look(line: int) -> None:
            self.theme = names[line]

        def picked(line: int | None) -> None:
            if line is None:
                self.theme = before
            else:
                self._take_theme(names[line])

        at = names.index(before) if before in names else 0
        self.push_screen(PickDialog("Theme", (Heading(""),), [(name,) for name in names], at, look), picked)

    def _take_theme(self, name: str) -> None:
        self.theme = name
        self.keep("theme", name)


def _columns(text: str) -> tuple[str, ...]:
    """Raises ConfigError."""
    troubles: list[str] = []
    found = columns_of(text.replace(",", " ").split(), troubles)
    if troubles or not found:
        raise ConfigError(troubles[0] if troubles else "one column at least")
    return found


def _levels(text: str) -> tuple[Level, ...]:
    """Raises ConfigError."""
    troubles: list[str] = []
    found = levels_of(text.replace(",", " ").split(), troubles)
    if troubles:
        raise ConfigError(troubles[0])
    return found


def _filter(text: str) -> str:
    """Raises ConfigError."""
    try:
        return parse(text).text
    except QueryError as error:
        raise ConfigError(str(error)) from error


def _view_key(text: str) -> None:
    """Raises ConfigError."""
    if text.strip() not in USUAL_VIEWS:
        raise ConfigError("a key from 1 to 9, or 0")
