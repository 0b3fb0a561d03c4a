"""Lines that are typed after `:`, understood and completed. Pure.

The rule: a line either means something or is refused with the place in it that does not; what stands after a verb for
torrents names torrents, and is never passed over in silence. Verbs that the command line has too are called as there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from p2p.quantities import count
from tui.columns import COLUMNS
from tui.offers import labels_after
from tui.safe_text import safe
from tui.verb import ActsOn, Takes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.daemon.client_values import TorrentRow
    from tui.verb import Verb

LIKE_THE_COMMAND_LINE: Final[Mapping[str, str]] = {"limit": "limits", "stats": "session"}
"""Verbs of the command line that are called otherwise here."""

MOST_OFFERED: Final = 100
"""Completions."""

MOST_NAMED: Final = 3
"""Torrents that are named in a refusal."""


class LineError(ValueError):
    """Says what is wrong with a line; `position` is the place in it, from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Here:
    """What a line can speak of. `verbs` are all there are, `usable` the names of those that are for what is seen."""

    verbs: Mapping[str, Verb]
    usable: frozenset[str]
    rows: Sequence[TorrentRow] = ()
    known: Mapping[Takes, Sequence[str]] = field(default_factory=dict)
    """What can stand after a verb, by what it takes."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line that was understood. `rows` are the torrents that it names; None for those that are chosen."""

    verb: Verb
    words: str
    rows: tuple[TorrentRow, ...] | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What can stand in a line from `start` on."""

    start: int
    texts: tuple[str, ...]

    @property
    def alike(self) -> str:
        """How all of them begin."""
        first, last = min(self.texts, default=""), max(self.texts, default="")
        length = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), None)
        return first[:length]


def takes(verb: Verb) -> Takes:
    """What may stand after it."""
    if verb.takes is Takes.AS_IT_ACTS:
        return Takes.TORRENTS if verb.acts_on is ActsOn.TORRENTS else Takes.ANYTHING
    return verb.takes


def understood(text: str, here: Here) -> Said:
    """Raises LineError."""
    start = len(text) - len(text.lstrip())
    name, _, rest = text.strip().partition(" ")
    words = rest.strip()
    at = len(text.rstrip()) - len(words)
    verb = _verb(name, here, start)
    match takes(verb):
        case Takes.NOTHING if words:
            raise LineError(f"nothing stands after {verb.name}", at)
        case Takes.TORRENTS if words:
            return Said(verb, "", _named(words, here.rows, at))
        case Takes.COLUMN:
            for word in words.split():
                if word.lstrip("-") not in COLUMNS:
                    place = at + words.index(word)
                    raise LineError(f"no column {safe(word)!r}; there are {', '.join(COLUMNS)}", place)
    return Said(verb, words)


def _verb(name: str, here: Here, at: int) -> Verb:
    name = LIKE_THE_COMMAND_LINE.get(name, name)
    found = here.verbs.get(name)
    if found is None:
        near = [each for each in here.verbs if each.startswith(name)]
        if len(near) != 1:
            near = near or get_close_matches(name, here.verbs)
            offered = f"there are {', '.join(near)}" if near else "Tab offers those that there are"
            raise LineError(f"no verb {safe(name)!r}; {offered}", at)
        found = here.verbs[near[0]]
    if found.name not in here.usable:
        raise LineError(f"{found.name} is for {found.acts_on.value}, which are not here", at)
    return found


def _named(words: str, rows: Sequence[TorrentRow], at: int) -> tuple[TorrentRow, ...]:
    """The torrent of that name, or the only one that has it in its name; with `*` all that are so named."""
    wanted = words.casefold()
    if "*" in wanted or "?" in wanted:
        pattern = wanted.replace("[", "[[]")
        found = tuple(row for row in rows if fnmatchcase(row.name.casefold(), pattern))
    else:
        found = tuple(row for row in rows if row.name.casefold() == wanted or row.hash_string == wanted)
        found = found or tuple(row for row in rows if wanted in row.name.casefold())
        if len(found) > 1:
            names = ", ".join(safe(row.name) for row in found[:MOST_NAMED])
            raise LineError(f"{count(len(found), 'torrent')} are so named: {names}; * is for several", at)
    if not found:
        raise LineError("no torrent that is seen is so named", at)
    return found


def offered(text: str, here: Here) -> Offer:
    """What can stand where the line ends."""
    name, blank, rest = text.lstrip().partition(" ")
    if not blank:
        names = sorted((*here.usable, *(each for each, of in LIKE_THE_COMMAND_LINE.items() if of in here.usable)))
        return Offer(len(text) - len(name), tuple(f"{each} " for each in names if each.startswith(name)))
    verb = here.verbs.get(LIKE_THE_COMMAND_LINE.get(name, name))
    if verb is None:
        return Offer(len(text), ())
    words = rest.lstrip()
    start = len(text) - len(words)
    kind = takes(verb)
    match kind:
        case Takes.TORRENTS:
            typed = words.casefold()
            found = [row.name for row in here.rows if row.name.casefold().startswith(typed)]
            return Offer(start, tuple(dict.fromkeys(found))[:MOST_OFFERED])
        case Takes.LABELS:
            line = labels_after(words, here.known.get(kind, ()))
            return Offer(start, () if line is None else (line,))
        case Takes.COLUMN:
            word = words.rpartition(" ")[2]
            sign = "-" if word.startswith("-") else ""
            return Offer(
                len(text) - len(word), tuple(sign + each for each in COLUMNS if (sign + each).startswith(word))
            )
    known = here.known.get(kind, ())
    return Offer(start, tuple(each for each in known if each.startswith(words) and each != words)[:MOST_OFFERED])
