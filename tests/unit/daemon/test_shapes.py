"""Values between Python and JSON: reading never fails, and what is told fits its schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.daemon.client_values import TorrentDetails, TorrentRow
from p2p.daemon.names import torrent_key
from p2p.daemon.shapes import Reader, schema_of, told


class Colour(IntEnum):
    RED = 1
    BLUE = 2


class Way(Enum):
    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Inner:
    is_new: bool
    size: int = 7


@dataclass(frozen=True, slots=True)
class Outer:
    count: int
    rate: float = 1.5
    name: str = "none"
    colour: Colour = Colour.BLUE
    way: Way = Way.OUT
    many: tuple[int, ...] = ()
    inner: Inner = field(default_factory=lambda: Inner(is_new=True))
    inners: tuple[Inner, ...] = ()
    perhaps: int | None = None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def test_what_is_told_is_read_back():
    value = Outer(1, 2.0, "x", Colour.RED, Way.IN, (1, 2), Inner(is_new=False, size=3), (Inner(is_new=True),), 4)
    assert Reader(Outer).one(told(value)) == value
    assert told(value)["inners"] == [{"is_new": True, "size": 7}]
    assert told(value)["way"] == "in"


@pytest.mark.parametrize(
    ("given", "name", "read"),
    [
        ({"count": 2.0}, "count", 2),
        ({"count": True}, "count", 1),
        ({"count": float("inf")}, "count", 0),
        ({"count": "7"}, "count", 0),
        ({"rate": 3}, "rate", 3.0),
        ({"rate": 10**400}, "rate", 1.5),
        ({"name": 5}, "name", "none"),
        ({"colour": 1}, "colour", Colour.RED),
        ({"colour": 9}, "colour", Colour.BLUE),
        ({"colour": []}, "colour", Colour.BLUE),
        ({"way": "in"}, "way", Way.IN),
        ({"many": [1, "x", 2]}, "many", (1, 2)),
        ({"many": 5}, "many", ()),
        ({"inner": {"size": 1}}, "inner", Inner(is_new=False, size=1)),
        ({"inner": 3}, "inner", Inner(is_new=True)),
        ({"perhaps": None}, "perhaps", None),
        ({"unknown": 1}, "count", 0),
    ],
)
def test_what_is_missing_or_wrong_keeps_its_default(given, name, read):
    assert getattr(Reader(Outer).one(given), name) == read


def test_tables_and_objects_are_the_same():
    reader = Reader(TorrentRow, torrent_key)
    objects = [{"id": 1, "hashString": "ab", "rateDownload": 5}, {"id": 2, "hashString": "cd", "rateDownload": 6}]
    table = [["hashString", "unknown", "rateDownload", "id"], ["ab", 0, 5, 1], ["cd", 0, 6, 2]]
    assert reader.every(objects) == reader.every(table)
    assert [row.rate_download for row in reader.every(table)] == [5, 6]
    assert reader.every([["id"], [1], "broken", [1, 2], [3]]) == (TorrentRow(id=1), TorrentRow(id=3))


@settings(max_examples=40)
@given(JSON)
def test_reading_anything_gives_a_value(answer):
    for kind in (Outer, TorrentRow, TorrentDetails):
        assert isinstance(Reader(kind).one(answer), kind)
        assert all(isinstance(each, kind) for each in Reader(kind).every(answer))


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["count", "rate", "name", "colour", "many", "inner", "inners"]), JSON))
def test_fields_of_anything_give_a_value(answer):
    assert isinstance(Reader(Outer).one(answer), Outer)


def test_the_schema_names_every_field():
    schema = schema_of(Outer)
    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["colour"] == {"type": "integer", "enum": [1, 2]}
    assert schema["properties"]["perhaps"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert schema["properties"]["inners"]["items"]["properties"]["size"] == {"type": "integer"}
