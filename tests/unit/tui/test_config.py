"""What is set down in `tui.toml`: what holds of it, and what is named and skipped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.columns import USUAL
from tui.config import MOST_BYTES, Config, View, read
from tui.rows import Level

GOOD = """
theme = "nord"
columns = ["size", "name", "ratio"]
sort = ["-added", "name"]
[keys]
add = "insert, ctrl+a"
[views]
1 = "size>1G & seeding"
[[servers]]
name = "nas"
url = "http://me@nas:9092"
password_file = "~/secret"
"""


def taken(text):
    return read(text, verbs={"add": "a", "quit": "q"}, themes=("nord",))


def test_what_is_set_down_holds():
    config = taken(GOOD)
    assert config.troubles == ()
    assert config.theme == "nord"
    assert config.columns == ("size", "name", "ratio")
    assert config.sort == (Level("added", descending=True), Level("name"))
    assert config.keys == {"add": "insert,ctrl+a"}
    assert config.views["1"] == View("size>1G & seeding")
    assert config.views["8"] == View("seeding")
    (server,) = config.servers
    assert (server.name, server.server.root, server.password_file) == ("nas", "http://nas:9092", "~/secret")


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ('theme = "pink"', "theme: there is no 'pink'"),
        ("colour = 1", "there is no setting 'colour'"),
        ('columns = ["nane"]', "columns: there is no 'nane'"),
        ('sort = ["-nane"]', "sort: there is no column '-nane'"),
        ('[keys]\njuggle = "j"', "keys: there is no verb 'juggle'"),
        ('[keys]\nadd = "jump"', "keys: add: there is no key 'jump'"),
        ('[keys]\nadd = "q"', "keys: add: q is the key of quit already"),
        ('columns = ["name:999"]', "columns: there is no 'name:999'"),
        ('[views]\n1 = {filter = "", sort = ["nane"]}', "sort: there is no column 'nane'"),
        ("[keys]\nadd = 1", "keys: add has the names"),
        ('[views]\n1 = "size>"', "views: 1: "),
        ('[views]\n11 = "a"', "views: '11' is none of"),
        ('[[servers]]\nname = "x"', "servers: each has a name and a url"),
        ('[[servers]]\nname = "x"\nurl = "me:pw@x:y"', "servers: x: "),
        ("servers = 1", "servers: they are written as"),
        ("keys = 1", "keys: they are written"),
        ("= 1", "tui.toml: Invalid"),
    ],
)
def test_what_is_wrong_is_named_and_the_rest_holds(text, trouble):
    config = taken(text)
    assert len(config.troubles) == 1
    assert trouble in config.troubles[0]
    assert config.columns == USUAL
    assert config.sort == (Level("name"),)


def test_too_long_a_file_is_not_read():
    assert "more than" in taken("#" * (MOST_BYTES + 1)).troubles[0]


@given(st.text(max_size=200))
def test_any_text_is_taken_or_named(text):
    assert isinstance(taken(text), Config)
