"""The application: it takes facts from the feed, keeps the list, and is the deck on which verbs work.

The rule: the feed alone awaits a daemon; screens alone draw; here the two meet. Bindings, palette and the `:` line are
made from `tui.verbs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.app import SystemCommand
from textual.binding import Binding

from tui.facts import (
    Connected,
    DetailsArrived,
    ListArrived,
    LoginRefused,
    Lost,
    VerbDone,
    VerbFailed,
    VerbWaits,
)
from tui.query import parse
from tui.safe_text import safe
from tui.screens.torrents import TorrentsScreen
from tui.speaking import Speaking
from tui.verb import ActsOn, Mark
from tui.verbs import BY_NAME, VERBS
from tui.widgets.line_table import LineTable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from textual.binding import BindingType
    from textual.screen import Screen

    from p2p.daemon.client_values import TorrentRow
    from tui.feed import Access
    from tui.file_tree import Chosen
    from tui.memory import Memory
    from tui.said import Said
    from tui.screens.details import DetailsScreen
    from tui.screens.files import FilesView

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C."""


class StarlingApp(Speaking):
    """`find` says where the daemon is, when that is known; `clock` tells seconds since the epoch.

    `config` is the text of `tui.toml`; into `memory` goes what is changed in the interface.
    """

    TITLE = "Starling"
    CSS_PATH = "starling.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                verb.keys,
                f"verb('{verb.name}')",
                verb.hint or verb.about,
                show=bool(verb.hint),
                tooltip=verb.about,
                id=verb.name,
            )
            for verb in VERBS
            if verb.keys
        ),
        Binding("ctrl+c", "interrupt", "Leave from anywhere", show=False, priority=True),
    ]

    def __init__(
        self,
        find: Callable[[], Awaitable[Access]],
        clock: Callable[[], float],
        config: str = "",
        memory: Memory | None = None,
    ) -> None:
        super().__init__(find, clock, config, memory)
        self._details: DetailsScreen | None = None

    def on_mount(self) -> None:
        self.push_screen(self._list)
        self.screen_change_signal.subscribe(self, lambda _: self.show_trouble())
        self.take_config()
        self.begin()
        self.run_worker(self.feed.watch_session(), name="session")
        self.run_worker(self.feed.watch_details(), name="details")
        self.run_worker(self.feed.watch_sights(), name="sights")

    # -- facts

    @on(Connected)
    def _connected(self, fact: Connected) -> None:
        self.note_connection(fact.info, fact.place)
        self._list.tell_connection("")
        self.tell_trouble("")

    @on(Lost)
    def _lost(self, fact: Lost) -> None:
        trouble = f"no connection; again in {fact.pause:.0f} s, ctrl+r: now. {safe(fact.reason)}"
        self._list.tell_connection(trouble)
        self.tell_trouble(trouble)

    @on(LoginRefused)
    def _login_refused(self, fact: LoginRefused) -> None:
        trouble = f"no connection; ctrl+r: try again. {safe(fact.reason)}"
        self._list.tell_connection(trouble)
        self.tell_trouble(trouble)
        self.ask_password(fact.place)

    @on(ListArrived)
    def _list_arrived(self, fact: ListArrived) -> None:
        if fact.turn != self.feed.turn:  # it was under way when another server was gone to
            return
        changes, now = fact.changes, self._clock()
        if changes.full:
            place = self.rows.place()
            moved = self.rows.replace(changes.torrents, now)
            self.rows.find_again(place)
        else:
            moved = self.rows.take(changes.torrents, changes.removed, now)
        self._list.moved(moved)

    @on(DetailsArrived)
    def _details_arrived(self, fact: DetailsArrived) -> None:
        if self._details is not None and self._details.hash_string == fact.hash_string:
            self._details.take(fact.details)

    @on(VerbWaits)
    def _verb_waits(self, fact: VerbWaits) -> None:
        self.notify(f"waiting for the daemon: {fact.words}", timeout=3, markup=False)

    @on(VerbDone)
    def _verb_done(self, fact: VerbDone) -> None:
        self.notify(f"done: {fact.words}", timeout=3, markup=False)

    @on(VerbFailed)
    def _verb_failed(self, fact: VerbFailed) -> None:
        self.notify(safe(fact.reason), title=f"cannot {fact.words}", severity="error", timeout=8, markup=False)

    # -- verbs, by key, palette and line

    def action_verb(self, name: str, words: str = "") -> None:
        verb = BY_NAME[name]
        if not self._is_for_here(verb.acts_on):
            if verb.acts_on is ActsOn.FILES:
                self.say("there is no file here", warn=True)
            return
        of_torrents = verb.acts_on in (ActsOn.TORRENTS, ActsOn.FILES)
        rows = self._meant() if of_torrents else ()
        if of_torrents and not rows:
            self.notify("there is no torrent here", severity="warning", markup=False)
            return
        verb.act(self, rows, words)

    def _meant(self) -> Sequence[TorrentRow]:
        """The torrent that is open, and marks only where they are seen."""
        over = self.over
        if over is None:
            return self.rows.chosen()
        row = None if over.hash_string is None else self.rows.by_hash(over.hash_string)
        return () if row is None else (row,)

    def _is_for_here(self, acts_on: ActsOn) -> bool:
        match acts_on:
            case ActsOn.LIST:
                return self.over is None
            case ActsOn.FILES:
                return self._files is not None
            case ActsOn.LINES:
                return self.over is None or self._files is not None
            case ActsOn.TORRENTS:
                return self.over is None or self.over.hash_string is not None
        return True

    @property
    def _files(self) -> FilesView | None:
        """Where files are seen."""
        return self._details.files if self._details is not None and self._details is self.over else None

    def files_chosen(self) -> Chosen | None:
        return None if self._files is None else self._files.file_tree.chosen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the list are bound where the list is seen."""
        if action == "verb" and parameters:
            verb = BY_NAME.get(str(parameters[0]))
            return verb is None or self._is_for_here(verb.acts_on)
        return super().check_action(action, parameters)

    def get_system_commands(self, _: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every verb."""
        for verb in VERBS:
            if not self._is_for_here(verb.acts_on):
                continue
            yield SystemCommand(verb.name, verb.about, lambda name=verb.name: self.action_verb(name))

    @on(TorrentsScreen.Pasted)
    def _pasted(self, event: TorrentsScreen.Pasted) -> None:
        self.ask_source(event.text)

    # -- the deck

    def every(self) -> Sequence[TorrentRow]:
        return [self.rows.at(line) for line in range(len(self.rows))]

    @on(LineTable.Opened)
    def _opened(self, _: LineTable.Opened) -> None:
        if self.rows.cursor is not None and self.screen is self._list:
            self.show_details(self.rows.cursor, 0)

    def show_details(self, row: TorrentRow, tab: int) -> None:
        from tui.screens.details import DetailsScreen  # noqa: PLC0415 - as above

        name = row.hash_string
        if self._details is not None:
            self._details.action_tab(tab)
            return
        self._details = DetailsScreen(name, lambda: self.rows.by_hash(name), self._clock, tab)
        self.push_screen(self._details, self._left)

    def _left(self, _: None) -> None:
        self._details = None

    def on_details_screen_needed(self, event: DetailsScreen.Needed) -> None:
        self.feed.open(event.hash_string, *event.parts)

    def ask_filter(self, text: str) -> None:
        (self._files or self._list).ask_filter(text)

    def ask_command(self) -> None:
        usable = [name for name, verb in BY_NAME.items() if self._is_for_here(verb.acts_on)]
        self.open_line(usable, self.every() if self.over is None else self._meant(), self._carry_out)

    def _carry_out(self, said: Said) -> None:
        if said.rows is None:
            self.action_verb(said.verb.name, said.words)
        else:
            said.verb.act(self, said.rows, said.words)

    @on(TorrentsScreen.SortAsked)
    def _sort_asked(self, event: TorrentsScreen.SortAsked) -> None:
        self.put_on_top(event.column)

    def go_to(self, hash_string: str) -> None:
        """Without the filter, where that hides it."""
        if self.rows.by_hash(hash_string) is not None and self.rows.line_of(hash_string) is None:
            self.clear_filter()
        line = self.rows.line_of(hash_string)
        if line is not None:
            self.rows.go(line)
            self._list.marked()

    def clear_filter(self) -> None:
        self._list.moved(self.rows.filter(parse(""), self._clock()))

    def sort_files(self, words: str) -> None:
        trouble = "there is no file here" if self._files is None else self._files.sort_by(words)
        if trouble:
            self.say(trouble, warn=True)

    def unmark(self) -> None:
        self.rows.unmark()

    def mark(self, how: Mark) -> None:
        if self._files is not None:
            self._files.mark(how)
            return
        match how:
            case Mark.TOGGLE | Mark.TOGGLE_UP:
                self.rows.toggle_mark()
                self.rows.go(self.rows.cursor_line + (1 if how is Mark.TOGGLE else -1))
            case Mark.ALL:
                self.rows.mark_all()
            case Mark.INVERT:
                self.rows.invert_marks()
            case Mark.NONE:
                self.rows.unmark()
        self._list.marked()

    def show_help(self) -> None:
        from tui.screens.help import HelpScreen, sections_of  # noqa: PLC0415 - as above

        self.push_screen(HelpScreen(sections_of(self.screen, self.get_key_display)))

    def reconnect(self) -> None:
        self.feed.try_now()

    def leave(self) -> None:
        self.exit()

    def action_interrupt(self) -> None:
        self.exit(return_code=INTERRUPTED)
