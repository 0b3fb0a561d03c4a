"""Small files, read and replaced whole."""

from __future__ import annotations

import asyncio
import os

import pytest

from p2p.disk.whole_files import read_whole, replace_whole
from p2p.errors import MissingContentError, StorageError


async def test_a_file_is_made_with_its_folder_and_replaced(tmp_path):
    path = tmp_path / "new" / "file"
    await replace_whole(path, b"one")
    await replace_whole(path, b"the other")
    assert await read_whole(path, 100) == b"the other"
    assert [each.name for each in path.parent.iterdir()] == ["file"]


async def test_no_more_is_read_than_asked(tmp_path):
    path = tmp_path / "file"
    await replace_whole(path, b"content")
    assert await read_whole(path, 4) == b"cont"


async def test_a_pipe_that_nobody_writes_into_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    async with asyncio.timeout(20):
        with pytest.raises(StorageError, match="pipe: a pipe, not a file"):
            await read_whole(tmp_path / "pipe", 1)


async def test_what_cannot_be_is_told_by_name(tmp_path):
    with pytest.raises(MissingContentError, match="nothing"):
        await read_whole(tmp_path / "nothing", 1)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="inside"):
        await replace_whole(tmp_path / "file" / "inside", b"")
