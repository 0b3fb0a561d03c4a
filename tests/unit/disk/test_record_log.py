"""Named records on disk: what a crash, a bad byte, a full disk or a later version leaves of them."""

from __future__ import annotations

import errno
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.disk import record_log
from p2p.disk.record_log import RecordLog
from p2p.errors import DiskFullError, StateVersionError, StorageError


@pytest.fixture(scope="module", autouse=True)
def disk_in_no_hurry():
    """What is synced does not matter where no power is cut, and takes a busy disk long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(os, "fdatasync", lambda _: None)
        yield


def opened(folder):
    """A log, its records, and what was damaged, which is forgiven."""
    log = RecordLog(folder, "records")
    records = log.open()
    damage = records.pop(record_log.DAMAGE, None)
    log.append({record_log.DAMAGE: None}, sync=False)
    return log, records, damage and json.loads(damage)["sentence"]


def records_in(folder):
    log, records, damage = opened(folder)
    log.close()
    return records, damage


def newest(folder):
    return max(folder.glob("records.*"), key=lambda path: int(path.suffix[1:]) if path.suffix[1:].isdigit() else 0)


def make(folder, *steps):
    """A log with those changes, one append each, by a process that is killed after the last."""
    log, _, _ = opened(folder)
    for step in steps:
        log.append(step, sync=False)
    os.close(log._fd)  # as the kernel does for the dead
    log._fd = -1


def value(number):
    return json.dumps({"n": number}).encode()


def test_what_was_appended_is_there_after_a_kill(tmp_path):
    make(tmp_path, {"a": value(1), "b": value(2)}, {"a": value(3), "c": value(4)}, {"b": None})
    assert records_in(tmp_path) == ({"a": value(3), "c": value(4)}, None)
    assert records_in(tmp_path) == ({"a": value(3), "c": value(4)}, None)


def test_a_change_costs_its_own_line_and_what_is_the_same_costs_nothing(tmp_path):
    log, _, _ = opened(tmp_path)
    log.append({f"k{n}": value(n) for n in range(1_000)}, sync=True)
    before = newest(tmp_path).stat().st_size
    log.append({f"k{n}": value(n) for n in range(1_000)}, sync=True)
    assert newest(tmp_path).stat().st_size == before
    log.append({"k7": value(0)}, sync=False)
    assert newest(tmp_path).stat().st_size - before < 60
    log.close()


def test_changes_that_outgrow_the_records_are_dropped_and_the_file_before_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(record_log, "MIN_GROWTH", 1_000)
    log, _, _ = opened(tmp_path)
    for n in range(1_000):
        log.append({"a": value(n)}, sync=False)
    log.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3_000
    assert len(list(tmp_path.iterdir())) == 2
    assert records_in(tmp_path) == ({"a": value(999)}, None)


@pytest.fixture
def two_generations(tmp_path):
    """A file that begins with two records and has two changes more, and the one before it."""
    folder = tmp_path / "whole"
    make(folder, {"a": value(1), "b": value(2)})
    make(folder, {"b": value(3)}, {"c": value(4)})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_cut_at_every_byte_it_gives_a_state_that_there_was(tmp_path, two_generations):
    last = max(two_generations)
    whole = two_generations[last]
    states = [
        {"a": value(1), "b": value(2)},
        {"a": value(1), "b": value(3)},
        {"a": value(1), "b": value(3), "c": value(4)},
    ]
    seen = []
    for length in range(len(whole)):
        folder = tmp_path / str(length)
        folder.mkdir()
        for name, content in two_generations.items():
            (folder / name).write_bytes(content)
        (folder / last).write_bytes(whole[:length])
        records, damage = records_in(folder)
        assert records in states, length
        at_a_change = length and whole[length - 1 : length] == b"\n" and records != states[0]
        assert at_a_change or damage or whole[:length].count(b"\n") == 3, length
        if damage:
            assert (folder / f"{last}.damaged").read_bytes() == whole[:length]
        assert records_in(folder) == (records, None), "what was repaired is whole"
        seen.append(states.index(records))
    assert seen == sorted(seen)
    assert set(seen) == {0, 1}


def test_with_any_byte_changed_only_the_change_on_that_line_is_lost(tmp_path, two_generations):
    last = max(two_generations)
    whole = two_generations[last]
    for at in range(len(whole)):
        folder = tmp_path / str(at)
        folder.mkdir()
        for name, content in two_generations.items():
            (folder / name).write_bytes(content)
        (folder / last).write_bytes(whole[:at] + bytes([whole[at] ^ 0x15]) + whole[at + 1 :])
        records, damage = records_in(folder)
        assert damage is not None, at
        line = whole[:at].count(b"\n")
        lost = {line, line + 1} if whole[at : at + 1] == b"\n" else {line}
        expected = {"a": value(1), "b": value(2) if 3 in lost else value(3), "c": value(4)}
        if 4 in lost:
            del expected["c"]
        assert records == expected, at


def test_without_a_file_before_it_what_can_be_read_is_used(tmp_path):
    make(tmp_path, {"a": value(1)}, {"b": value(2)}, {"c": value(3)})
    path = newest(tmp_path)
    path.write_bytes(path.read_bytes().replace(value(2), value(7)))
    records, damage = records_in(tmp_path)
    assert records == {"a": value(1), "c": value(3)}
    assert "is damaged; what can be read of it is used" in damage
    assert str(path) in damage


def test_looking_at_it_changes_nothing(tmp_path, two_generations):
    assert RecordLog(tmp_path / "none", "records").peek() == {}
    assert not (tmp_path / "none").exists()
    folder = tmp_path / "whole"
    last = folder / max(two_generations)
    for cut in (0, 60, len(two_generations[last.name])):
        last.write_bytes(two_generations[last.name][:cut])
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert RecordLog(folder, "records").peek()["a"] == value(1)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert RecordLog(folder, "records").peek() == {"a": value(1), "b": value(3), "c": value(4)}


def test_damage_is_told_until_it_is_forgiven(tmp_path):
    make(tmp_path, {"a": value(1)})
    newest(tmp_path).write_bytes(b"nothing of ours\n")
    told = []
    for _ in range(2):
        log = RecordLog(tmp_path, "records")
        told.append(log.open()[record_log.DAMAGE])
        log.close()
    assert told[0] == told[1]
    assert records_in(tmp_path)[1] is not None
    assert records_in(tmp_path)[1] is None


def test_of_many_damaged_files_the_last_three_are_kept(tmp_path):
    for n in range(6):
        make(tmp_path, {"a": value(n)})
        newest(tmp_path).write_bytes(b"nothing of ours\n")
        records_in(tmp_path)
    assert len(list(tmp_path.glob("*.damaged"))) == 3
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("also_ours", [b"", b"keeps "])
def test_what_a_later_version_wrote_is_refused_and_left_alone(tmp_path, also_ours):
    make(tmp_path, {"a": value(1)})
    told = b"2 # {}"
    line = b"2 " + record_log._digest(told) + told[1:] + b"\n"
    path = tmp_path / "records.9"
    path.write_bytes(line + (newest(tmp_path).read_bytes() if also_ours else b""))
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    with pytest.raises(StateVersionError, match=r"records\.9 was written by a later version \(format 2\)"):
        opened(tmp_path)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_full_disk_leaves_the_records_as_they_were(tmp_path, monkeypatch):
    log, _, _ = opened(tmp_path)
    log.append({"a": value(1)}, sync=True)
    write = os.write

    def no_room(fd, data):
        if len(data) > 10:
            return write(fd, bytes(data[:10]))
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as full:
        full.setattr(os, "write", no_room)
        with pytest.raises(DiskFullError):
            log.append({"a": value(2), "b": value(3)}, sync=True)
    log.append({"c": value(4)}, sync=True)
    log.close()
    assert records_in(tmp_path) == ({"a": value(1), "c": value(4)}, None)


def test_after_a_failed_sync_all_is_written_anew(tmp_path, monkeypatch):
    log, _, _ = opened(tmp_path)
    log.append({"a": value(1)}, sync=True)

    def broken(fd):
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as breaking:
        breaking.setattr(os, "fdatasync", broken)
        with pytest.raises(StorageError):
            log.append({"b": value(2)}, sync=True)
    first = newest(tmp_path)
    log.append({"c": value(3)}, sync=True)
    assert newest(tmp_path) != first
    log.close()
    assert records_in(tmp_path) == ({"a": value(1), "c": value(3)}, None)


def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path):
    (tmp_path / "records.3").mkdir()
    with pytest.raises(StorageError, match=r"records\.3"):
        opened(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        opened(tmp_path / "file")


keys = st.sampled_from(["a", "b", "c"])
values = st.one_of(st.none(), st.integers().map(value))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.dictionaries(keys, values, max_size=3)),
        st.sampled_from([("kill", None), ("close", None), ("tear", None)]),
    ),
    max_size=20,
)


@given(steps=steps)
@settings(max_examples=60)
def test_it_remembers_what_a_dict_does(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("log")
    log, _, _ = opened(folder)
    log._limit = 200
    model = {}
    for step, changes in steps:
        if step == "append":
            log.append(changes, sync=False)
            model = {key: each for key, each in {**model, **changes}.items() if each is not None}
            continue
        if step == "tear":
            os.write(log._fd, b"1 0123")
        if step == "close":
            log.close()
        else:
            os.close(log._fd)
        log, records, damage = opened(folder)
        log._limit = 200
        assert records == model
        assert (damage is not None) == (step == "tear")
    log.close()
