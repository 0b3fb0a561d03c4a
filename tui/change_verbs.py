"""The verbs that change torrents: where they lie, what they are called, how important, in which order.

The rule: what is to be asked is asked in a form; said after the verb's name on the `:` line, it is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.client_torrents import Step
from p2p.daemon.client_values import Part, Priority, TorrentChanges
from p2p.quantities import count
from tui.file_verbs import FILE_VERBS
from tui.form import YES, Field, Form, file_name, folder, labels
from tui.limit_verbs import LIMIT_VERBS
from tui.safe_text import safe
from tui.verb import ActsOn, Takes, Verb, ids_of, which

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow
    from tui.verb import Deck


def _asked(deck: Deck, form: Form, words: str, then: Callable[[Mapping[str, str]], None]) -> None:
    """Take `words` as the answer to a form's first question; without words ask it."""
    if not words:
        deck.ask_form(form, then)
        return
    answers = {field.name: "" for field in form.fields} | {form.fields[0].name: words}
    trouble = form.trouble(answers)
    if trouble is None:
        then(answers)
    else:
        deck.say(f"{safe(words)[:60]}: {trouble[1]}", warn=True)


def _same(texts: Sequence[str]) -> str:
    """What is so for all, empty where they differ."""
    return texts[0] if len(set(texts)) == 1 else ""


# -- where and what


def _move(deck: Deck, rows: Sequence[TorrentRow], words: str) -> None:
    def then(answers: Mapping[str, str]) -> None:
        to = folder(answers["folder"])
        if answers.get("find") == YES:
            deck.do(f"look for {which(rows)} in {safe(to)}", lambda client: client.find(ids_of(rows), to))
        else:
            deck.do(f"move {which(rows)} to {safe(to)}", lambda client: client.move(ids_of(rows), to))

    fields = (
        Field("folder", "Folder on the daemon's machine", _same([row.download_dir for row in rows]), check=folder),
        Field("find", "The content is there already: only look for it", switch=True),
    )
    _asked(deck, Form(f"Move {which(rows)}", fields), words, then)


def _rename(deck: Deck, rows: Sequence[TorrentRow], words: str) -> None:
    """Of the file or folder under the cursor where files are seen, else of the torrent."""
    row = rows[0]
    file = deck.files_chosen()
    path = row.name if file is None else file.path
    if file is None and len(rows) > 1:
        deck.say("one at a time can be renamed", warn=True)
        return
    before, _, last = path.rpartition("/")

    def then(answers: Mapping[str, str]) -> None:
        name = file_name(answers["name"])
        deck.do(f"rename {safe(last)} to {safe(name)}", lambda client: client.rename(row.hash_string, path, name))

    note = f"in {safe(before)}" if before else ""
    _asked(deck, Form(f"Rename {safe(last)}", (Field("name", "New name", last, check=file_name),), note), words, then)


def _labels(deck: Deck, rows: Sequence[TorrentRow], words: str) -> None:
    def then(answers: Mapping[str, str]) -> None:
        changes = TorrentChanges(labels=labels(answers["labels"]))
        deck.do(f"label {which(rows)}", lambda client: client.change(ids_of(rows), changes))

    now = _same([", ".join(row.labels) for row in rows])
    field = Field("labels", "Labels, with commas between", now, "linux, iso", check=labels)
    note = "" if now or not any(row.labels for row in rows) else "these torrents have different labels now"
    _asked(deck, Form(f"Labels of {which(rows)}", (field,), note), words, then)


# -- how important, and in which order


def _weigh(deck: Deck, rows: Sequence[TorrentRow], step: int) -> None:
    """One step up or down, each from where it is."""
    meant: dict[Priority, list[TorrentRow]] = {}
    for row in rows:
        wanted = Priority(max(-1, min(1, row.bandwidth_priority + step)))
        meant.setdefault(wanted, []).append(row)

    async def act(client: Client) -> None:
        for priority, some in meant.items():
            await client.change(ids_of(some), TorrentChanges(bandwidth_priority=priority))

    words = ", ".join(each.name.lower() for each in meant)
    deck.do(f"give {which(rows)} {words} priority", act)


def _queue(step: Step) -> Callable[[Deck, Sequence[TorrentRow], str], None]:
    def act(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
        deck.do(
            f"move {which(rows)} in the queue: {step.value}", lambda client: client.move_in_queue(ids_of(rows), step)
        )

    return act


def _sequential(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
    """All alike, as the first one is not."""
    changes = TorrentChanges(sequential_download=not rows[0].sequential_download)
    how = "in order" if changes.sequential_download else "rarest pieces first"
    deck.do(f"download {which(rows)} {how}", lambda client: client.change(ids_of(rows), changes))


# -- the rest


def _copy(deck: Deck, rows: Sequence[TorrentRow], _: str) -> None:
    async def links(client: Client) -> list[str]:
        found = [await client.details(row.hash_string, Part.FACTS) for row in rows[:MOST_LINKS]]
        return [each.magnet_link for each in found if each is not None and each.magnet_link]

    def then(found: list[str]) -> None:
        if found:
            deck.copy("\n".join(found))
            deck.say(f"copied {count(len(found), 'magnet link')}")
        else:
            deck.say("there is no magnet link", warn=True)

    deck.learn(f"copy the magnet link of {which(rows)}", links, then)


MOST_LINKS: Final = 100
"""That are copied at once: each is a question to the daemon, and terminals bound what they take."""


_TORRENTS, _INTERFACE = ActsOn.TORRENTS, ActsOn.INTERFACE

CHANGE_VERBS: Final = (
    Verb(
        "undo",
        "U",
        "Bring back what was removed with its content; `:undo NAME` those so named",
        _INTERFACE,
        lambda deck, _, words: deck.choose_removal(words),
    ),
    Verb("move", "m", "Move the content to another folder, or say where it is", _TORRENTS, _move, takes=Takes.FOLDER),
    Verb(
        "rename",
        "f2",
        "Rename the torrent, or the file or folder under the cursor",
        _TORRENTS,
        _rename,
        takes=Takes.ANYTHING,
    ),
    Verb("labels", "L", "Change the labels", _TORRENTS, _labels, takes=Takes.LABELS),
    *LIMIT_VERBS,
    *FILE_VERBS,
    Verb("priority-up", "plus", "More bandwidth than others", _TORRENTS, lambda deck, rows, _: _weigh(deck, rows, 1)),
    Verb(
        "priority-down", "minus", "Less bandwidth than others", _TORRENTS, lambda deck, rows, _: _weigh(deck, rows, -1)
    ),
    Verb("sequential", "O", "Download in order, or rarest pieces first", _TORRENTS, _sequential),
    Verb("queue-up", "K,shift+up", "Forward in the queue", _TORRENTS, _queue(Step.UP)),
    Verb("queue-down", "J,shift+down", "Back in the queue", _TORRENTS, _queue(Step.DOWN)),
    Verb("queue-top", "ctrl+home", "To the head of the queue", _TORRENTS, _queue(Step.TOP)),
    Verb("queue-bottom", "ctrl+end", "To the end of the queue", _TORRENTS, _queue(Step.BOTTOM)),
    Verb("copy", "c", "Copy the magnet link", _TORRENTS, _copy),
)
