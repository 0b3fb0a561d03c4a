"""The resume record: what is written is what is read, what is damaged is noticed, and how much a start trusts."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec import bencode
from p2p.disk.places import Spot
from p2p.disk.resume import ResumeState, ResumeStore, uncertain_pieces
from p2p.disk.storage import FileStat
from p2p.errors import StateLockedError, StorageError
from p2p.ids import Address
from p2p.metainfo.layout import Entry, Layout

if TYPE_CHECKING:
    from pathlib import Path

LAYOUT = Layout.contiguous(
    10, [Entry(("a",), 35), Entry(("pad",), 5, pad=True), Entry(("b",), 20), Entry(("c",), 15), Entry(("z",), 0)]
)
"""Pieces 0-3 lie in a (3 with the pad), 4-5 in b, 6-7 in c."""
FULL = (FileStat(35, 1), None, FileStat(20, 2), FileStat(15, 3), FileStat(0, 4))

stats = st.none() | st.builds(FileStat, st.integers(0, 2**63), st.integers(0, 2**63))
part = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1).filter(
    lambda name: name not in (".", "..")
)
states = st.builds(
    ResumeState,
    info_hash_v1=st.none() | st.binary(min_size=20, max_size=20),
    info_hash_v2=st.none() | st.binary(min_size=32, max_size=32),
    target=st.text(),
    pieces=st.binary(max_size=20),
    files=st.lists(stats, max_size=5).map(tuple),
    uploaded=st.integers(0, 2**60),
    downloaded=st.integers(0, 2**60),
    completed=st.booleans(),
    added_time=st.integers(0, 2**40).map(float),
    completed_time=st.none() | st.integers(0, 2**40).map(float),
    clean=st.booleans(),
    peers=st.lists(
        st.sampled_from([Address("127.0.0.1", 1), Address("::1", 65_535), Address("10.1.2.3", 6881)]), max_size=4
    ).map(tuple),
    names=st.dictionaries(st.integers(0, 9), st.lists(part, min_size=1, max_size=3).map(tuple), max_size=3),
    former=st.dictionaries(st.integers(0, 9), st.lists(part, min_size=1, max_size=3).map(tuple), max_size=3),
    incomplete=st.none() | st.text(),
    spots=st.dictionaries(st.integers(0, 9), st.sampled_from(Spot), max_size=3),
)


def state_of(pieces: set[int], *, clean: bool, files: tuple[FileStat | None, ...] = FULL) -> ResumeState:
    raw = sum(0x80 >> piece for piece in pieces)
    return ResumeState(b"1" * 20, None, "t", bytes([raw]), files, clean=clean)


def trusted(raw: bytes) -> set[int]:
    return {piece for piece in range(8) if raw[0] & 0x80 >> piece}


@given(states)
def test_a_state_survives_its_file(state: ResumeState) -> None:
    assert ResumeState.decode(state.encode()) == state


@given(state=states, data=st.data())
def test_a_cut_or_changed_file_is_noticed(state: ResumeState, data: st.DataObject) -> None:
    raw = bytearray(state.encode())
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(StorageError):
        ResumeState.decode(bytes(raw[:cut]))
    raw[cut] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(StorageError):
        ResumeState.decode(bytes(raw))


@given(st.recursive(st.integers() | st.binary(), lambda inner: st.lists(inner) | st.dictionaries(st.binary(), inner)))
def test_a_well_formed_file_of_another_meaning_is_refused(value: object) -> None:
    import hashlib

    body = bencode.encode(value)  # type: ignore[arg-type]
    with pytest.raises(StorageError):
        ResumeState.decode(body + hashlib.sha256(body).digest())


@pytest.mark.parametrize("part", [b"", b".", b"..", b"a/b", b"a\0"])
def test_a_name_that_leads_elsewhere_is_refused(part: bytes) -> None:
    good = replace(state_of({0}, clean=True), names={0: ("top", "x")}).encode()
    body = good[:-32].replace(b"3:top1:x", b"3:top%d:%b" % (len(part), part))
    assert body != good[:-32]
    with pytest.raises(StorageError, match="leads elsewhere"):
        ResumeState.decode(body + hashlib.sha256(body).digest())


def test_after_an_orderly_stop_everything_is_trusted() -> None:
    found = uncertain_pieces(state_of({0, 3, 7}, clean=True), [5], FULL, LAYOUT)
    assert (trusted(found.trusted), found.recheck, found.missing) == ({0, 3, 7}, [], [])


@pytest.mark.parametrize("now", [FileStat(20, 9), FileStat(19, 2), FileStat(0, 0)])
def test_a_file_that_changed_since_is_rechecked_alone(now: FileStat) -> None:
    stats_now = [*FULL[:2], now, *FULL[3:]]
    found = uncertain_pieces(state_of({0, 3, 4, 5, 7}, clean=True), [], stats_now, LAYOUT)
    assert (trusted(found.trusted), found.recheck, found.missing) == ({0, 3, 7}, [4, 5], [])


def test_a_file_that_appeared_since_is_checked() -> None:
    state = state_of({0}, clean=True, files=(*FULL[:2], None, *FULL[3:]))
    assert uncertain_pieces(state, [], FULL, LAYOUT).recheck == [4, 5]


def test_after_a_crash_the_record_stands_and_the_journal_is_rechecked() -> None:
    stats_now = [FileStat(35, 50), None, FileStat(20, 60), FileStat(15, 70), FileStat(0, 4)]
    found = uncertain_pieces(state_of({0, 4, 6}, clean=False), [1, 4, 7, 99, 2**32 - 1], stats_now, LAYOUT)
    assert (trusted(found.trusted), found.recheck, found.missing) == ({0, 4, 6}, [1, 7], [])


def test_after_a_crash_a_file_is_trusted_as_far_as_it_reaches() -> None:
    stats_now = [FileStat(29, 1), None, FileStat(10, 2), FileStat(15, 3), FileStat(0, 4)]
    found = uncertain_pieces(state_of(set(range(8)), clean=False), [], stats_now, LAYOUT)
    assert (trusted(found.trusted), found.recheck) == ({0, 1, 4, 6, 7}, [2, 3, 5])


@pytest.mark.parametrize("clean", [False, True])
def test_a_file_that_is_gone_is_reported_and_its_pieces_are_not_trusted(clean: bool) -> None:
    stats_now = [None, None, FULL[2], None, None]
    found = uncertain_pieces(state_of({0, 4}, clean=clean), [0, 1], stats_now, LAYOUT)
    assert trusted(found.trusted) == {4}
    assert found.missing == [0]
    assert 0 not in found.recheck


@pytest.mark.parametrize(
    "state", [state_of({0}, clean=True, files=()), replace(state_of(set(), clean=True), pieces=b"")]
)
def test_a_record_of_another_shape_vouches_for_nothing(state: ResumeState) -> None:
    found = uncertain_pieces(state, [], FULL, LAYOUT)
    assert (trusted(found.trusted), found.recheck) == (set(), list(range(8)))


@settings(max_examples=200)
@given(
    pieces=st.sets(st.integers(0, 7)),
    journal=st.lists(st.integers(0, 10)),
    sizes=st.tuples(st.none() | st.integers(0, 35), st.none() | st.integers(0, 20), st.none() | st.integers(0, 15)),
    clean=st.booleans(),
    warning=st.none() | st.just("older"),
)
def test_trust_never_goes_beyond_the_record_nor_beyond_the_files(
    pieces: set[int], journal: list[int], sizes: tuple[int | None, ...], clean: bool, warning: str | None
) -> None:
    a, b, c = (None if size is None else FileStat(size, 1) for size in sizes)
    stats_now = [a, None, b, c, FileStat(0, 4)]
    state = replace(state_of(pieces, clean=clean), warning=warning)
    found = uncertain_pieces(state, journal, stats_now, LAYOUT)
    believed = trusted(found.trusted)
    assert believed <= pieces
    assert not believed & set(found.recheck)
    assert found.recheck == sorted(set(found.recheck))
    for piece in believed:
        for span in LAYOUT.spans(piece, 0, LAYOUT.piece_size(piece)):
            if LAYOUT.files[span.file_index].stored:
                now = stats_now[span.file_index]
                assert now is not None
                assert now.size >= span.file_offset + span.length
    for piece in pieces - believed:
        gone = any(piece in LAYOUT.pieces_of_file(index) for index in found.missing)
        assert gone or piece in found.recheck


async def test_a_store_gives_back_what_was_saved_last(tmp_path: Path) -> None:
    store = ResumeStore(tmp_path / "state" / "deep")
    key = store.key(b"h" * 20, "/target")
    assert key != store.key(b"h" * 20, "/other")
    assert await store.load(key) is None
    for uploaded in (1, 2, 3):
        state = replace(state_of({1}, clean=True), uploaded=uploaded)
        await store.save(key, state)
        assert await store.load(key) == state
    await store.forget(key)
    await store.forget(key)
    assert await store.load(key) is None


@pytest.mark.parametrize("damage", ["cut", "gone"])
async def test_a_damaged_state_gives_way_to_the_one_before(tmp_path: Path, damage: str) -> None:
    store = ResumeStore(tmp_path)
    await store.save("k", replace(state_of({1}, clean=True), uploaded=1))
    await store.save("k", replace(state_of({1}, clean=True), uploaded=2))
    path = tmp_path / "k.resume"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    found = await store.load("k")
    assert found is not None
    assert (found.uploaded, found.clean) == (1, False)
    assert "k.resume" in (found.warning or "")
    assert uncertain_pieces(found, [], FULL, LAYOUT).recheck == [0, 2, 3, 4, 5, 6, 7]
    (tmp_path / "k.bak").write_bytes(b"")
    with pytest.raises(StorageError):
        await store.load("k")


async def test_a_state_that_is_damaged_without_another_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "k.resume").write_bytes(b"d")
    with pytest.raises(StorageError, match=r"k\.resume: .*damaged"):
        await ResumeStore(tmp_path).load("k")


async def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    store = ResumeStore(tmp_path)
    await store.save("k", state_of({1}, clean=True))
    (tmp_path / "k.new").mkdir()
    with pytest.raises(StorageError):
        await store.save("k", state_of({2}, clean=True))
    assert await store.load("k") == state_of({1}, clean=True)


def test_a_torrent_is_locked_once_at_a_time(tmp_path: Path) -> None:
    store = ResumeStore(tmp_path)
    with store.lock("k"):
        with pytest.raises(StateLockedError, match="another process"):
            store.lock("k")
        store.lock("other").release()
    lock = store.lock("k")
    code = (
        "import sys; from pathlib import Path; from p2p.disk.resume import ResumeStore; "
        "ResumeStore(Path(sys.argv[1])).lock('k')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, capture_output=True, text=True)
    assert "StateLockedError" in done.stderr
    lock.release()
    lock.release()
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0


def test_thousands_of_locks_take_one_open_file(tmp_path: Path) -> None:
    store = ResumeStore(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    locks = [store.lock(str(number)) for number in range(3_000)]
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208
    other = ResumeStore(tmp_path)
    with pytest.raises(StateLockedError):
        other.lock("2999")
    for lock in locks:
        lock.release()
    other.lock("2999").release()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
