"""The journal: what survives a kill, a torn tail, a foreign file, and a checkpoint made while pieces arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.disk.journal import PieceJournal
from p2p.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


def entries(path: Path) -> list[int]:
    journal = PieceJournal(path)
    try:
        return journal.load()
    finally:
        journal.close()


def test_entries_are_there_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = PieceJournal(path)
    for piece in (5, 0, 70_000, 5):
        journal.append(piece)
    journal.close()
    assert entries(path) == [5, 0, 70_000]
    journal.append(6)
    journal.close()
    journal.close()
    assert entries(path) == [5, 0, 70_000, 6]


def test_a_kill_loses_no_entry(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from p2p.disk.journal import PieceJournal\n"
        "journal = PieceJournal(Path(sys.argv[1]))\n"
        "for piece in range(100): journal.append(piece)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "j")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert entries(tmp_path / "j") == list(range(100))


@given(cut=st.integers(0, 8 + 4 * 5), pieces=st.lists(st.integers(0, 2**32 - 1), min_size=5, max_size=5))
def test_a_torn_tail_costs_its_last_entry_only(
    tmp_path_factory: pytest.TempPathFactory, cut: int, pieces: list[int]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    journal = PieceJournal(path)
    for piece in pieces:
        journal.append(piece)
    journal.close()
    os.truncate(path, cut)
    whole = pieces[: max(0, cut - 8) // 4]
    assert entries(path) == list(dict.fromkeys(whole))
    journal = PieceJournal(path)
    journal.append(9)
    journal.close()
    assert entries(path) == list(dict.fromkeys([*whole, 9]))


def test_a_foreign_file_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"something else entirely")
    assert entries(tmp_path / "j") == []
    assert entries(tmp_path / "j") == []


def test_a_checkpoint_drops_what_it_holds_and_keeps_what_came_meanwhile(tmp_path: Path) -> None:
    journal = PieceJournal(tmp_path / "j")
    for piece in (0, 9, 3, 12):
        journal.append(piece)
    journal.reset(bytes([0b1001_0000, 0b0100_0000]))  # pieces 0, 3 and 9
    assert journal.load() == [12]
    journal.append(4)
    assert entries(tmp_path / "j") == [12, 4]
    journal.reset()
    assert journal.load() == entries(tmp_path / "j") == []
    journal.close()
    assert [path.name for path in tmp_path.iterdir()] == []  # nothing on record, no file


def test_a_folder_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        PieceJournal(tmp_path / "gone" / "j").append(1)


def test_an_entry_that_does_not_fit_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = PieceJournal(tmp_path / "j")
    journal.append(1)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:2]))
    with pytest.raises(StorageError):
        journal.append(2)
    monkeypatch.undo()
    journal.append(3)
    journal.close()
    assert entries(tmp_path / "j") == [1, 3]
