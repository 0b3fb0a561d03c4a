"""Room is measured where the target is or will be."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from p2p.disk.free_space import room_at
from p2p.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_target_that_does_not_exist_yet_has_the_room_of_its_parent(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path, tmp_path / "not" / "yet", tmp_path / "file" / "below"):
        assert room_at(place).free > 0


def test_a_refusal_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "statvfs", refuse)
    with pytest.raises(StorageError):
        room_at(tmp_path)


def test_a_filesystem_without_a_size_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_blocks=0, f_bavail=0, f_frsize=4096))
    assert room_at(tmp_path).free > 1 << 60
