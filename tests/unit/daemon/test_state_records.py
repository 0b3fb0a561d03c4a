"""Records are read as strictly as a stranger's words, and none keeps the daemon from starting."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.managed_torrent import Wishes
from p2p.daemon.ports import GoalMode, Priority
from p2p.daemon.state_records import RecordReader, plain_record, read_plain
from p2p.daemon.torrent_records import read_torrent_record
from p2p.errors import StorageError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
LINK = f"magnet:?xt=urn:btih:{'ab' * 20}"


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Values:
    flag: bool = True
    count: int = 7
    share: float = 0.5
    name: str = "n"
    colour: Colour = Colour.RED
    level: Priority = Priority.NORMAL
    labels: tuple[str, ...] = ("x",)


@given(
    st.builds(
        Values,
        count=st.integers(-(2**53), 2**53),
        share=st.floats(-1e9, 1e9),
        colour=st.sampled_from(Colour),
        level=st.sampled_from(Priority),
        labels=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    )
)
def test_plain_values_come_back_as_they_were(values):
    record = json.loads(json.dumps(plain_record(values)))
    assert read_plain(Values(), RecordReader(record, "it")) == values


@given(st.dictionaries(st.sampled_from([*Values.__dataclass_fields__, "other"]), json_values))
def test_bad_values_are_left_at_their_defaults(record):
    reader = RecordReader(record, "it")
    found = read_plain(Values(), reader)
    reader.close()
    for name, default in plain_record(Values()).items():
        value = getattr(found, name)
        assert type(value) is type(getattr(Values(), name)), "no value is of another type"
        kept = plain_record(found)[name]
        assert kept in (default, record.get(name, default))


def test_what_is_bad_and_what_is_unknown_is_told(caplog):
    reader = RecordReader({"flag": 1, "colour": "green", "later": 3}, "the queue")
    assert read_plain(Values(), reader) == Values()
    reader.close()
    assert "the state of the queue: flag cannot be 1; its default is used" in caplog.text
    assert "colour cannot be 'green'" in caplog.text
    assert "what this version does not know: later" in caplog.text
    RecordReader([], "the queue").close()
    assert "is no record" in caplog.text


def test_every_wish_can_be_kept():
    wishes = Wishes(labels=("a", "b"), seed_ratio_mode=GoalMode.OWN, bandwidth_priority=Priority.LOW)
    wishes.priorities = {3: Priority.HIGH}
    record = {"id": 3, "link": LINK, "place": "/d", "wishes": plain_record(wishes)}
    kept = read_torrent_record(json.loads(json.dumps(record)), "torrent 3", wall=0.0)
    assert kept.wishes == wishes


torrent_keys = st.sampled_from(["id", "link", "file", "private", "place", "wishes", "options", "history"])
inner_keys = st.sampled_from(["labels", "priorities", "trackers", "select", "added_time", "uploaded", "edit_date"])
inner = st.dictionaries(inner_keys, json_values | st.dictionaries(st.sampled_from(["0", "-1", "x"]), json_values))


@given(st.dictionaries(torrent_keys, json_values | inner))
def test_any_record_of_a_torrent_is_read_or_refused(record):
    sound = {"id": 1, "link": LINK, "place": "/downloads", **record}
    try:
        kept = read_torrent_record(sound, "torrent 1", wall=1_000.0)
    except StorageError:
        return
    assert kept.id >= 1
    assert str(kept.options.download_dir).startswith("/")
    assert all(0 <= level <= 7 for level in kept.options.priorities.values())
    assert kept.file == "" or len(kept.file) >= 40
    assert kept.history.active_time <= 1_000.0


@pytest.mark.parametrize("lost", ["id", "link", "place"])
def test_a_record_that_names_no_torrent_is_refused(lost):
    record = {"id": 1, "link": LINK, "place": "/d"}
    del record[lost]
    with pytest.raises(StorageError, match="torrent 1 names no torrent"):
        read_torrent_record(record, "torrent 1", wall=0.0)


def test_dates_that_are_still_to_come_count_as_now():
    record = {"id": 1, "link": LINK, "place": "/d", "history": {"added_time": 2e9, "active_time": 2e9, "uploaded": 5}}
    history = read_torrent_record(record, "torrent 1", wall=1_500_000_000.0).history
    assert (history.added_time, history.active_time, history.uploaded) == (1.5e9, 1.5e9, 5)


def test_a_file_name_that_leads_elsewhere_is_none(caplog):
    record = {"id": 1, "link": LINK, "place": "/d", "file": "../../etc/passwd"}
    assert read_torrent_record(record, "torrent 1", wall=0.0).file == ""
    assert "file cannot be" in caplog.text
