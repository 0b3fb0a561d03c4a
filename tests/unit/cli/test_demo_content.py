"""The demo's content is the same every time, and its comparison misses nothing."""

from __future__ import annotations

import shutil

import pytest

from p2p.cli.demo_content import MIN_SIZE, differences, make_content
from p2p.errors import StorageError


def going_on() -> bool:
    return False


@pytest.fixture
def source(tmp_path):
    return make_content(tmp_path / "source", MIN_SIZE, halted=going_on)


def test_content_has_the_size_asked_for_and_is_the_same_every_time(tmp_path, source):
    again = make_content(tmp_path / "again", MIN_SIZE, halted=going_on)
    files = {str(path.relative_to(source)): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    assert sum(map(len, files.values())) == MIN_SIZE
    assert b"" in files.values()
    assert {str(path.relative_to(again)): path.read_bytes() for path in again.rglob("*") if path.is_file()} == files
    assert differences(source, again, halted=going_on) == []


def test_every_kind_of_difference_is_found(tmp_path, source):
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    with (copy / "big.bin").open("r+b") as file:
        file.seek(500_000)
        byte = file.read(1)
        file.seek(500_000)
        file.write(bytes([byte[0] ^ 1]))
    (copy / "empty.txt").unlink()
    (copy / "more").write_bytes(b"")
    found = differences(source, copy, halted=going_on)
    assert found == ["empty.txt is missing", "more belongs to nothing", "big.bin differs"]


def test_nothing_at_all_differs_everywhere(tmp_path, source):
    assert len(differences(source, tmp_path / "nothing", halted=going_on)) == 6


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "source").write_text("in the way")
    with pytest.raises(StorageError, match="source"):
        make_content(tmp_path / "source", MIN_SIZE, halted=going_on)


def test_it_ends_when_halted(tmp_path):
    top = make_content(tmp_path, 100 * MIN_SIZE, halted=lambda: True)
    assert sum(path.stat().st_size for path in top.rglob("*") if path.is_file()) == 0
