"""Names of keys, and which verb gets which."""

from __future__ import annotations

import pytest

from tui.keys import RESERVED, key_of, settled
from tui.verb import ActsOn
from tui.verbs import VERBS

USUAL = {"add": "a", "remove": "r", "quit": "q,Q"}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        *((same, same) for same in ("a", "plus", "ctrl+a", "f2", "delete", "shift+f3", "é")),
        ("+", "plus"),
        ("ctrl+/", "ctrl+slash"),
        *((wrong, None) for wrong in ("F2", "hyperspace", "", "ctrl+", "ctrl+ctrl+a", "\x1b")),
    ],
)
def test_what_is_a_key(written, key):
    assert key_of(written) == key


@pytest.mark.parametrize(
    ("wanted", "given", "trouble"),
    [
        ({"add": "insert"}, {"add": "insert"}, None),
        ({"add": "r", "remove": "a"}, {"add": "r", "remove": "a"}, None),
        ({"add": "r"}, {}, "keys: add: r is the key of remove already"),
        ({"add": "b", "remove": "b"}, {"add": "b"}, "keys: remove: b is the key of add already"),
        ({"add": "bogus,b"}, {"add": "b"}, "keys: add: there is no key 'bogus'"),
        ({"add": "enter"}, {}, "keys: add: enter is the same everywhere"),
        ({"remove": "bogus", "add": "r"}, {}, "keys: remove: there is no key 'bogus'"),
    ],
)
def test_conflicts_are_named_and_nobody_loses_a_key(wanted, given, trouble):
    troubles = []
    assert settled(wanted, USUAL, troubles) == given
    assert troubles[0].startswith(trouble) if trouble else troubles == [], troubles


def test_the_verbs_own_keys_are_keys_and_nobody_elses():
    bound = [(key, verb.acts_on is ActsOn.FILES) for verb in VERBS for key in verb.keys.split(",") if key]
    assert len(set(bound)) == len(bound)
    keys = {key for key, _ in bound}
    assert {key for key in keys if key_of(key) != key} == set()
    assert RESERVED.isdisjoint(keys)


def test_where_files_are_seen_keys_are_theirs():
    troubles = []
    assert settled({"skip": "a"}, {**USUAL, "skip": "0"}, troubles, inner=["skip"]) == {"skip": "a"}
    assert troubles == []
