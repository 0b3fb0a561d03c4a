"""What is changed in the interface: kept in a file of its own, laid over `tui.toml`, not lost to another interface."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import ConfigError
from tui.config import View, read
from tui.memory import Memory
from tui.remembered import MOST_BYTES, MOST_ENTRIES, Entry, laid_over, read_entries, written
from tui.rows import Level

NAMES = st.sampled_from(["theme", "columns", "sort", "views.1", "servers.nas"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def taken(text, remembered):
    return read(text, verbs={"add": "a"}, themes=("nord", "dracula"), remembered=remembered)


def test_what_is_remembered_holds_until_the_file_says_something_else():
    remembered = {"theme": Entry("dracula", "nord"), "columns": Entry(["name", "size:12"])}
    config = taken('theme = "nord"', remembered)
    assert (config.theme, config.columns) == ("dracula", ("name", "size:12"))
    assert taken("", remembered).theme == ""
    assert taken('columns = ["ratio", "name"]', remembered).columns == ("ratio", "name")


def test_views_and_servers_are_remembered_one_by_one():
    text = '[views]\n1 = "seeding"\n2 = "stopped"\n[[servers]]\nname = "nas"\nurl = "nas:9091"\n'
    remembered = {
        "views.1": Entry({"filter": "size>1G", "sort": ["-size", "name"]}, "seeding"),
        "servers.nas": Entry(None, {"name": "nas", "url": "nas:9091"}),
        "servers.box": Entry({"url": "box", "password_file": "/p"}),
    }
    config = taken(text, remembered)
    assert config.troubles == ()
    assert config.views["1"] == View("size>1G", (Level("size", descending=True), Level("name")))
    assert config.views["2"] == View("stopped")
    assert [(each.name, each.password_file) for each in config.servers] == [("box", "/p")]


@given(st.dictionaries(NAMES, st.builds(Entry, JSON, JSON), max_size=5), st.dictionaries(st.text(max_size=8), JSON))
def test_anything_that_is_kept_is_read_again_and_laid_over_anything(entries, told):
    assert read_entries(written(entries)) == (entries, ())
    laid_over(told, entries)
    taken("", entries)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_file_is_read_or_named(raw):
    entries, troubles = read_entries(raw)
    assert troubles or entries or raw.strip() in (b"", b"{}")


def test_too_much_is_not_read():
    assert "more than" in read_entries(b"[" * (MOST_BYTES + 1))[1][0]


def test_two_that_write_at_once_both_keep_theirs(tmp_path):
    memories = [Memory(tmp_path / "new" / "tui.json") for _ in range(2)]
    views = [f"views.{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda at: memories[at % 2].keep({views[at]: Entry(at)}), range(20)))
    entries, troubles = memories[0].read()
    assert troubles == ()
    assert {name: entry.value for name, entry in entries.items()} == {name: at for at, name in enumerate(views)}
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["tui.json", "tui.json.lock"]
    assert memories[0].path.stat().st_mode & 0o777 == 0o600


def test_what_is_forgotten_is_gone_and_a_file_nobody_understands_is_put_aside(tmp_path):
    memory = Memory(tmp_path / "tui.json")
    memory.keep({"theme": Entry("nord")})
    memory.keep({"theme": None})
    assert memory.read() == ({}, ())
    memory.path.write_text("{ broken")
    assert "tui.json" in memory.read()[1][0]
    memory.keep({"theme": Entry("nord")})
    assert memory.read() == ({"theme": Entry("nord")}, ())
    assert (tmp_path / "tui.json.damaged").read_text() == "{ broken"


def test_what_cannot_be_written_is_refused(tmp_path):
    memory = Memory(tmp_path / "tui.json")
    with pytest.raises(ConfigError, match="more than is remembered"):
        memory.keep({f"views.{number}": Entry("") for number in range(MOST_ENTRIES + 1)})
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        Memory(tmp_path / "file" / "tui.json").keep({"theme": Entry("nord")})
