"""The shared LRU of open files: limits, borrowing, replacement."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from p2p.disk import open_files as module
from p2p.disk.open_files import Access, OpenFiles

if TYPE_CHECKING:
    from pathlib import Path


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def target(tmp_path: Path) -> Path:
    for name in "abcd":
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_file_is_opened_once_and_not_inherited(target: Path) -> None:
    files = OpenFiles(limit=2)
    first = files.borrow(str(target), ("a",), Access.READ)
    again = files.borrow(str(target), ("a",), Access.READ)
    assert first is again
    assert not os.get_inheritable(first.fd)
    files.give_back(first)
    files.give_back(again)
    assert is_open(first.fd)
    files.close()
    assert not is_open(first.fd)


def test_the_longest_unused_file_is_closed_first(target: Path) -> None:
    files = OpenFiles(limit=2)
    fds = {}
    for name in "abac":
        file = files.borrow(str(target), (name,), Access.READ)
        fds[name] = file.fd
        files.give_back(file)
    assert (is_open(fds["a"]), len(files)) == (True, 2)
    files.discard(str(target), ("b",))
    files.discard(str(target), ("a",))
    assert len(files) == 1
    files.close()


def test_a_borrowed_file_is_never_closed(target: Path) -> None:
    files = OpenFiles(limit=1)
    held = [files.borrow(str(target), (name,), Access.READ) for name in "abc"]
    assert [os.pread(file.fd, 1, 0) for file in held] == [b"a", b"b", b"c"]
    files.close()
    files.discard(str(target), ("a",))
    assert [os.pread(file.fd, 1, 0) for file in held] == [b"a", b"b", b"c"]
    for file in held:
        files.give_back(file)
        assert not is_open(file.fd)


def test_a_writer_replaces_a_reader_and_serves_readers(target: Path) -> None:
    files = OpenFiles(limit=4)
    reader = files.borrow(str(target), ("a",), Access.READ)
    writer = files.borrow(str(target), ("a",), Access.WRITE)
    assert writer.fd != reader.fd
    assert files.borrow(str(target), ("a",), Access.READ) is writer
    assert os.pread(reader.fd, 1, 0) == b"a"
    files.give_back(reader)
    assert not is_open(reader.fd)
    files.give_back(writer)
    files.give_back(writer)
    files.close()


def test_a_deleted_file_is_not_used_any_more(target: Path) -> None:
    files = OpenFiles(limit=4)
    old = files.borrow(str(target), ("a",), Access.WRITE)
    files.give_back(old)
    (target / "a").unlink()
    with pytest.raises(FileNotFoundError):
        files.borrow(str(target), ("a",), Access.WRITE)
    (target / "a").write_bytes(b"new")
    fresh = files.borrow(str(target), ("a",), Access.WRITE)
    assert os.pread(fresh.fd, 3, 0) == b"new"
    files.give_back(fresh)
    files.close()


def test_out_of_descriptors_idle_files_give_way(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = OpenFiles(limit=4)
    idle = files.borrow(str(target), ("a",), Access.READ)
    files.give_back(idle)
    real, refused = module.open_file, []

    def scarce(*arguments: object) -> int:
        if is_open(idle.fd):
            refused.append(1)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "open_file", scarce)
    file = files.borrow(str(target), ("b",), Access.READ)
    assert refused == [1]
    files.give_back(file)
    files.close()


def test_many_threads_share_it(target: Path) -> None:
    files = OpenFiles(limit=2)
    wrong: list[bytes] = []

    def work(seed: int) -> None:
        for turn in range(300):
            name = "abcd"[(seed + turn * 7) % 4]
            file = files.borrow(str(target), (name,), Access.WRITE if turn % 5 == 0 else Access.READ)
            found = os.pread(file.fd, 1, 0)
            files.give_back(file)
            if found != name.encode():
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(files) <= 2
    files.close()
