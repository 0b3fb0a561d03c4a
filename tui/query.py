"""The language of filters: `size>1G & seeding & tracker:debian`, read once and asked of every row.

query  = all ("|" all)*        all = not (["&"] not)*        not = "!" not | "(" query ")" | term
term   = WORD OPERATOR VALUE | WORD | "quoted words"

A bare word that names a state is that state, any other is looked for in the name. The rule: every query either means
something or is refused with the place where it stopped to; nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.terms import STATES, QueryError, comparison, named, state

if TYPE_CHECKING:
    from tui.terms import Predicate

MOST_CHARACTERS: Final = 1_000
"""Of a query: more than a line that somebody types or pastes on purpose."""

MOST_DEPTH: Final = 50
"""Parentheses and negations inside one another: more is no question anybody asks, and each costs a call a row."""

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<quoted>"[^"]*")|(?P<operator><=|>=|!=|[<>=:])|(?P<sign>[&|!()])|(?P<word>[^\s&|!()<>=:"]+))'
)
_VALUE: Final = re.compile(r'\s*(?P<value>"[^"]*"|[^\s&|!()"]+)')
"""After an operator; times of day and paths have signs in them that are operators elsewhere."""


@dataclass(frozen=True, slots=True)
class Query:
    """A filter that was understood. `text` is as it was written."""

    text: str
    matches: Predicate


def parse(text: str) -> Query:
    """The query that `text` is. An empty one means every row. Raises QueryError."""
    if len(text) > MOST_CHARACTERS:
        raise QueryError(f"a query has at most {MOST_CHARACTERS:,} characters", MOST_CHARACTERS)
    if not text.strip():
        return Query(text, lambda _row, _now: True)
    parser = _Parser(text)
    found = parser.either(0)
    if not parser.at_end:
        raise parser.refusal(f"{parser.token!r} is not expected here")
    return Query(text, found)


class _Parser:
    """Reads tokens from the left; `token` is the next one, empty at the end. Raises QueryError."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self.position = 0
        self.token = ""
        self.kind = ""
        self.step()

    @property
    def at_end(self) -> bool:
        return not self.kind

    def refusal(self, message: str) -> QueryError:
        return QueryError(message, self.position)

    def is_sign(self, sign: str) -> bool:
        return self.kind == "sign" and self.token == sign

    def step(self) -> None:
        """Go on to the next token."""
        found = _TOKEN.match(self._text, self._end)
        if found is None:
            rest = self._text[self._end :].lstrip()
            self.position = len(self._text) - len(rest)
            if rest:
                raise self.refusal("a quote is not closed")
            self.token = self.kind = ""
            return
        self.kind = found.lastgroup or ""
        self.token = found[self.kind]
        self.position, self._end = found.start(self.kind), found.end()

    def either(self, depth: int) -> Predicate:
        found = [self.all(depth)]
        while self.is_sign("|"):
            self.step()
            found.append(self.all(depth))
        if len(found) == 1:
            return found[0]
        return lambda row, now: any(each(row, now) for each in found)

    def all(self, depth: int) -> Predicate:
        found = [self.negated(depth)]
        while not self.at_end and not self.is_sign("|") and not self.is_sign(")"):
            if self.is_sign("&"):
                self.step()
            found.append(self.negated(depth))
        if len(found) == 1:
            return found[0]
        return lambda row, now: all(each(row, now) for each in found)

    def negated(self, depth: int) -> Predicate:
        if depth > MOST_DEPTH:
            raise self.refusal("too many parentheses inside one another")
        if self.at_end:
            raise self.refusal("something is missing at the end")
        if self.is_sign("!"):
            self.step()
            inner = self.negated(depth + 1)
            return lambda row, now: not inner(row, now)
        if self.is_sign("("):
            self.step()
            inner = self.either(depth + 1)
            if not self.is_sign(")"):
                raise self.refusal("a parenthesis is not closed")
            self.step()
            return inner
        return self.term()

    def term(self) -> Predicate:
        if self.kind not in ("word", "quoted"):
            raise self.refusal(f"{self.token!r} is not expected here")
        kind, word, position = self.kind, self.token, self.position
        self.step()
        if kind == "quoted":
            return named(word.strip('"'))
        if self.kind == "operator":
            operator = self.token
            value, value_at = self.value(f"{word}{operator}")
            return comparison(word.lower(), operator, value, position=position, value_at=value_at)
        return state(word.lower()) if word.lower() in STATES else named(word)

    def value(self, before: str) -> tuple[str, int]:
        """What stands after the operator that is the token, and where."""
        found = _VALUE.match(self._text, self._end)
        if found is None:
            raise QueryError(f"a value is missing after {before}", self._end)
        self._end = found.end()
        self.step()
        return found["value"].strip('"'), found.start("value")
