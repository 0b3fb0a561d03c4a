"""A new file is written whole or not at all; commands run on uvloop where there is one."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import subprocess
import sys

import pytest

from p2p.cli import event_loop
from p2p.cli.new_file import write_new
from p2p.errors import StorageError


def test_a_new_file_is_written(tmp_path):
    write_new(tmp_path / "x", b"content")
    assert (tmp_path / "x").read_bytes() == b"content"


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(StorageError, match="x is there already"):
        write_new(tmp_path / "x", b"content")
    assert (tmp_path / "x").read_bytes() == b"mine"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StorageError, match="missing"):
        write_new(tmp_path / "folder" / "x", b"content")


async def module_of_loop() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_commands_run_on_uvloop():
    pytest.importorskip("uvloop")
    assert event_loop.run(module_of_loop()).startswith("uvloop")


def test_commands_run_without_uvloop(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert event_loop.run(module_of_loop()).startswith("asyncio")


def test_what_is_logged_is_a_line_on_stderr(capsys):
    async def log() -> None:
        logging.getLogger("p2p.somewhere").info("not worth a word")
        logging.getLogger("p2p.somewhere").warning("%s\nforged", "odd")
        try:
            int("deep inside")
        except ValueError:
            logging.getLogger("p2p.somewhere").exception("a bug")

    event_loop.run(log())
    assert (
        capsys.readouterr().err
        == "note: odd forged\nnote: a bug: ValueError: invalid literal for int() with base 10: 'deep inside'\n"
    )


def test_ctrl_c_before_the_loop_is_there_leaves_nothing_unbegun(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(event_loop, "_loop_factory", interrupted)
    work = module_of_loop()
    with pytest.raises(KeyboardInterrupt):
        event_loop.run(work)
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED


def test_ctrl_c_while_the_command_line_is_read_in_is_quiet(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", "from p2p.cli.main import main"],
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (130, b"")
