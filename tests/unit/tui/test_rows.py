"""The list against a naive one that sorts everything each time; the cursor and the marks; what a small change costs."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.daemon.client import Status, TorrentRow
from tui.columns import COLUMNS
from tui.query import parse
from tui.rows import Level, Rows

NOW = 2_000_000_000.0
QUERIES = ["", "seeding", "size>2", "!a"]


def row_of(number: int, **facts) -> TorrentRow:
    return TorrentRow(id=number, hash_string=f"{number:040x}", **{"name": f"torrent {number}", **facts})


def naive(rows, levels, query):
    """By stable sorts, the last level first."""
    seen = sorted((row for row in rows.values() if query.matches(row, NOW)), key=lambda row: row.hash_string)
    for level in reversed(levels):
        seen.sort(key=COLUMNS[level.column].sort)
        if level.descending:  # keeps the order of equals, unlike reverse() alone
            seen = sorted(seen, key=COLUMNS[level.column].sort, reverse=True)
    return seen


def lines(model):
    return [model.at(line) for line in range(len(model))]


ROW = st.builds(
    row_of,
    st.integers(1, 30),
    name=st.text("ab", max_size=3),
    status=st.sampled_from(Status),
    total_size=st.integers(0, 4),
    size_when_done=st.integers(0, 4),
    eta=st.integers(-1, 2),
    rate_download=st.integers(0, 2),
)
LEVELS = st.lists(
    st.builds(Level, st.sampled_from(["name", "state", "size", "eta", "down"]), st.booleans()),
    max_size=3,
    unique_by=lambda level: level.column,
)
STEP = st.one_of(
    st.tuples(st.just("take"), st.lists(ROW, max_size=6), st.lists(st.integers(1, 30), max_size=3)),
    st.tuples(st.just("replace"), st.lists(ROW, max_size=6)),
    st.tuples(st.just("sort"), LEVELS),
    st.tuples(st.just("filter"), st.sampled_from(QUERIES)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=30), st.lists(STEP, max_size=12))
def test_the_list_is_what_sorting_everything_gives(first, steps):
    model, known, levels, query = Rows(), {}, (Level("name"),), parse("")
    for step in (("replace", first), *steps):
        before = lines(model)
        match step:
            case ("take", rows, removed):
                fresh = {row.hash_string: row for row in rows}
                known = {name: row for name, row in known.items() if row.id not in removed} | fresh
                moved = model.take(rows, removed, NOW)
            case ("replace", rows):
                known = {row.hash_string: row for row in rows}
                moved = model.replace(rows, NOW)
            case ("sort", found):
                levels = tuple(found)
                moved = model.sort(found, NOW)
            case ("filter", text):
                query = parse(text)
                moved = model.filter(query, NOW)
        after = lines(model)
        assert after == naive(known, levels, query)
        assert model.total == len(known)
        for line in range(max(len(before), len(after))):
            if before[line : line + 1] != after[line : line + 1]:
                assert moved.touches(line, line + 1)
        assert model.cursor is None if not after else model.at(model.cursor_line) == model.cursor


def big(count=10_000):
    model = Rows()
    model.replace([row_of(number, rate_download=number) for number in range(1, count + 1)], NOW)
    model.sort([Level("down", descending=True), Level("name")], NOW)
    return model


def test_a_small_change_moves_only_what_changed():
    """Counted in comparisons of keys, as a clock would be of the machine."""
    asked = 0

    class Counted(int):
        def __lt__(self, other):
            nonlocal asked
            asked += 1
            return int.__lt__(self, other)

        def __neg__(self):
            return Counted(-int(self))

    model = Rows()
    rows = [row_of(number, rate_download=Counted(number)) for number in range(1, 10_001)]
    model.replace(rows, NOW)
    model.sort([Level("down", descending=True)], NOW)
    asked = 0
    model.take([replace(row, rate_download=Counted(row.rate_download * 3)) for row in rows[:100]], [], NOW)
    assert len(model) == 10_000
    assert 0 < asked < 100 * 2 * 16


def test_the_cursor_stays_on_its_torrent():
    model = big(100)
    model.go(10)
    mine = model.cursor
    model.take([replace(mine, rate_download=1_000)], [], NOW)
    assert model.cursor_line == 0
    assert model.cursor.id == mine.id
    model.take([], [mine.id], NOW)
    assert model.cursor_line == 0
    assert model.cursor == model.at(0)


def test_the_cursor_of_a_torrent_that_goes_stays_on_its_line():
    model = big(100)
    model.go(99)
    model.take([], [model.cursor.id], NOW)
    assert model.cursor_line == 98
    model.replace([], NOW)
    assert model.cursor is None
    assert model.chosen() == ()


def test_what_is_not_seen_is_not_acted_on():
    model = Rows()
    model.replace([row_of(1, name="apple"), row_of(2, name="pear"), row_of(3, name="plum")], NOW)
    model.mark_all()
    assert [row.id for row in model.chosen()] == [1, 2, 3]
    model.filter(parse("p*l | plum"), NOW)
    assert [row.id for row in model.chosen()] == [1, 3]
    assert model.marked == 2
    model.invert_marks()
    assert [row.id for row in model.chosen()] == [1]
    model.filter(parse(""), NOW)
    assert [row.id for row in model.chosen()] == [2]
    model.unmark()
    model.go(2)
    model.toggle_mark()
    model.go(0)
    assert [row.id for row in model.chosen()] == [3]


def test_a_mark_goes_with_its_torrent():
    model = Rows()
    model.replace([row_of(1), row_of(2)], NOW)
    model.mark_all()
    model.take([], [1], NOW)
    model.take([row_of(1)], [], NOW)
    assert [row.id for row in model.chosen()] == [2]


def test_a_number_that_another_torrent_has_now_is_that_torrents():
    """As after a restart of a daemon that counts anew."""
    model = Rows()
    model.replace([row_of(1), row_of(2)], NOW)
    model.replace([replace(row_of(2), id=1)], NOW)
    assert [(row.id, row.name) for row in lines(model)] == [(1, "torrent 2")]
    model.take([], [1], NOW)
    assert len(model) == 0


def test_torrents_that_have_changed_numbers_go_by_the_new_ones():
    model = Rows()
    model.replace([row_of(1), row_of(2), row_of(3)], NOW)
    model.replace([replace(row_of(1), id=2), replace(row_of(2), id=3), replace(row_of(3), id=1)], NOW)
    model.take([], [2], NOW)
    assert [row.name for row in lines(model)] == ["torrent 2", "torrent 3"]
    model.take([], [1, 3], NOW)
    assert len(model) == 0


def test_a_column_is_put_on_top_of_the_stack_and_reversed():
    model = big(3)
    model.sort_by("name", NOW)
    assert model.levels == (Level("name"), Level("down", descending=True))
    model.sort_by("name", NOW)
    assert model.levels == (Level("name", descending=True), Level("down", descending=True))
    assert [row.id for row in lines(model)] == [3, 2, 1]
