"""Files as a tree: what is seen, summed up, marked and chosen, and what an update costs."""

from __future__ import annotations

import sys
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.daemon.client import FileFacts
from tui.file_order import Order, Wish, natural
from tui.file_tree import FileTree, Folder


def facts(name, length=100, done=0, *, wanted=True, priority=0):
    return FileFacts(name, length, done, wanted=wanted, priority=priority, begin_piece=0, end_piece=1)


def tree_of(*names, **options):
    tree = FileTree()
    tree.take([facts(name, **options) for name in names])
    return tree


def seen(tree):
    """Each line: its depth and name, with a slash for folders."""
    return [
        f"{'  ' * tree.depth(line)}{entry.name}/"
        if isinstance(entry := tree.at(line), Folder)
        else f"{'  ' * tree.depth(line)}{tree.file(entry).name.rpartition('/')[2]}"
        for line in range(len(tree))
    ]


ALBUM = ("album/cd 2/a", "album/cd 10/b", "album/cover 9", "album/cover 10", "album/cd 2/deep/c")


def test_folders_come_first_and_numbers_count_as_numbers():
    assert seen(tree_of(*ALBUM)) == [
        "album/", "  cd 2/", "    deep/", "      c", "    a", "  cd 10/", "    b", "  cover 9", "  cover 10",
    ]  # fmt: skip


def test_folders_are_shut_and_opened_and_left_is_the_way_out():
    tree = tree_of(*ALBUM)
    tree.go(3)
    assert tree.shut()
    assert tree.at(tree.cursor_line).name == "deep"
    assert tree.shut()
    assert tree.shut()
    assert tree.at(tree.cursor_line).name == "cd 2"
    assert tree.shut()
    assert seen(tree) == ["album/", "  cd 2/", "  cd 10/", "    b", "  cover 9", "  cover 10"]
    assert tree.open()
    assert not tree.open()
    assert seen(tree)[2:5] == ["    deep/", "    a", "  cd 10/"]
    tree.go(0)
    assert tree.shut()
    assert not tree.shut()
    assert seen(tree) == ["album/"]


def test_a_folder_is_chosen_with_all_in_it_and_marks_before_it():
    tree = tree_of(*ALBUM)
    tree.go(1)
    assert tree.chosen().numbers == (0, 4)
    assert (tree.chosen().path, tree.chosen().words) == ("album/cd 2", "cd 2 (2 files)")
    tree.toggle_mark()
    tree.go(7)
    tree.toggle_mark()
    assert tree.chosen().numbers == (0, 2, 4)
    assert tree.chosen().words == "3 marked files"
    tree.invert_marks()
    assert tree.chosen().numbers == (1, 3)
    tree.unmark()
    assert tree.chosen().numbers == (2,)
    assert tree.chosen().words == "cover 9"


def test_a_filter_shows_paths_and_hides_marks_that_are_not_seen():
    tree = tree_of(*ALBUM)
    tree.mark_all()
    tree.filter("CD 10")
    assert [tree.file(tree.at(line)).name for line in range(len(tree))] == ["album/cd 10/b"]
    assert tree.chosen().numbers == (1,)
    tree.mark_all()
    tree.filter("")
    assert tree.chosen().numbers == (0, 2, 3, 4)


def test_a_rename_leaves_what_is_open_and_marked():
    tree = tree_of(*ALBUM)
    tree.go(2)
    tree.shut()
    tree.go(1)
    tree.toggle_mark()
    assert tree.take([facts(name.replace("cd 2", "first")) for name in ALBUM])
    assert seen(tree) == [
        "album/", "  cd 10/", "    b", "  first/", "    deep/", "    a", "  cover 9", "  cover 10",
    ]  # fmt: skip
    assert tree.chosen().numbers == (0, 4)


def test_the_order_is_taken_when_it_is_asked_for():
    tree = FileTree()
    tree.take([facts("a", 5, 5), facts("b", 9, 0), facts("c", 7, 0, priority=1)])
    tree.sort_by(Order.SIZE)
    assert seen(tree) == ["b", "c", "a"]
    tree.sort_by(Order.SIZE)
    assert seen(tree) == ["a", "c", "b"]
    tree.sort_by(Order.WISH)
    assert seen(tree) == ["c", "a", "b"]
    tree.sort_by(Order.DONE)
    assert seen(tree)[-1] == "a"


PATHS = st.lists(st.sampled_from(["a", "b", "", "..", "1", "02", "é"]), min_size=1, max_size=4).map("/".join)
FILES = st.lists(
    st.builds(
        facts, PATHS, st.integers(0, 100), st.integers(0, 100), wanted=st.booleans(), priority=st.integers(-2, 2)
    ),
    max_size=12,
)
STEPS = st.lists(
    st.sampled_from(["open", "shut", "toggle_mark", "mark_all", "invert_marks", "unmark"])
    | st.integers(0, 20)
    | st.sampled_from(list(Order))
    | st.sampled_from(["/", "/a", "/é 1"])
    | FILES,
    max_size=15,
)


@settings(max_examples=80)
@given(FILES, STEPS)
def test_folders_sum_up_what_is_in_them_whatever_happens(files, steps):
    tree = FileTree()
    tree.take(files)
    for step in steps:
        match step:
            case int():
                tree.go(step)
            case Order():
                tree.sort_by(step)
            case list():
                # The same files with other figures, or others.
                files = [replace(new, name=old.name) for old, new in zip(files, step, strict=False)] or step
                tree.take(files)
            case str() if step.startswith("/"):
                tree.filter(step[1:])
            case _:
                getattr(tree, step)()
        check(tree, files)


def check(tree, files):
    assert tree.total.size == sum(file.length for file in files)
    assert 0 <= tree.cursor_line <= max(0, len(tree) - 1)
    numbers = [entry for line in range(len(tree)) if isinstance(entry := tree.at(line), int)]
    assert len(set(numbers)) == len(numbers)
    for line in range(len(tree)):
        folder = tree.at(line)
        if not isinstance(folder, Folder):
            continue
        inside = [number for number, file in enumerate(files) if file.name.startswith(folder.path + "/")]
        assert folder.numbers == inside
        assert folder.size == sum(files[number].length for number in inside)
        assert folder.done == sum(files[number].bytes_completed for number in inside)
        assert folder.marked == sum(tree.is_marked(number) for number in inside)
        assert sum(folder.wishes) == len(inside)
    if files:
        assert len(tree) or tree.filter_text
    chosen = tree.chosen()
    assert (chosen is None) is (len(tree) == 0)
    assert chosen is None or set(chosen.numbers) <= set(range(len(files)))


def test_when_all_is_open_every_file_is_seen_once():
    tree = tree_of(*ALBUM)
    line = 0
    while line < len(tree):
        tree.go(line)
        tree.open()
        line += 1
    assert sorted(entry for each in range(len(tree)) if isinstance(entry := tree.at(each), int)) == list(range(5))


@given(st.text(), st.text())
def test_any_two_names_can_be_put_in_order(one, other):
    assert (natural(one) < natural(other)) + (natural(other) < natural(one)) + (natural(one) == natural(other)) == 1


def test_digits_of_any_length_are_compared():
    assert natural("1" * 9_999) < natural("2" * 9_999) < natural("1" * 10_000)
    assert natural("track 9") < natural("track 010")


def calls(act):
    """How many functions are called while that runs: what it costs, the same on every machine."""
    number = 0

    def count(_frame, event, _argument):
        nonlocal number
        number += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
    return number


def test_a_hundred_thousand_files_cost_what_is_seen_and_changed():
    files = [facts(f"big/{number // 1_000:03}/{number:06}") for number in range(100_000)]
    tree = FileTree()
    tree.take(files)
    assert len(tree) == 101  # the outermost folder is open, its hundred folders are not
    fresh = [facts(file.name) for file in files]
    fresh[70_500] = facts(files[70_500].name, done=50)
    assert calls(lambda: tree.take(fresh)) < 50
    assert calls(lambda: tree.take(list(fresh))) < 10
    tree.go(71)
    assert calls(tree.open) < 30_000  # a thousand names, each split into its numbers
    assert len(tree) == 1_101
    assert tree.at(71).done == 50
    assert calls(tree.shut) < 10_000
    assert calls(lambda: tree.go(50)) < 10
    assert tree.total.wish is Wish.NORMAL
