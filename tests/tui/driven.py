"""Which verbs a test drives: `@drives("add")` says so, and the test fails if the verb was not carried out in it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tui.verbs import BY_NAME

PASSED = pytest.StashKey[bool]()
"""Of a test's node; of one that failed nothing more is to be said."""


def drives(*verbs):
    """The verbs that this test has carried out by key, line or palette."""

    def said(test):
        test.drives = verbs
        return test

    return said


@pytest.fixture(autouse=True)
def verbs_done(request):
    """The names of verbs that were carried out; what a test says to drive is held against them."""
    done, kept = set(), {}

    def noting(name, act):
        def noted(*arguments):
            done.add(name)
            act(*arguments)

        return noted

    for name, verb in BY_NAME.items():
        kept[name] = verb.act
        object.__setattr__(verb, "act", noting(name, verb.act))
    yield done
    for name, act in kept.items():
        object.__setattr__(BY_NAME[name], "act", act)
    if request.node.stash.get(PASSED, False):
        held_against(done, request.function)


def held_against(done, test):
    said = set(getattr(test, "drives", ()))
    assert said <= done, f"said to be driven, and not carried out: {sorted(said - done)}"


def declared():
    """All verbs that a test of this folder says to drive."""
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "drives":
                found |= {argument.value for argument in node.args}
    return found
