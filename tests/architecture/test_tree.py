"""The shape of the tree: file sizes, names, borders, and what an import costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("p2p", "tracker", "tui", "samples", "benchmarks")
MAX_SOURCE_LINES = 500
MAX_TEST_LINES = 600
BANNED_WORDS = {"chunk", "chunks", "manager", "helper", "helpers", "util", "utils", "common", "data"}
HEAVY = {"aiohttp", "textual", "typer", "rich", "pytest", "libtorrent", "tracker"}


def python_files(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def too_long(paths, limit):
    sizes = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    return {str(path): size for path, size in sizes.items() if size > limit}


def test_no_source_file_holds_two_nouns():
    assert too_long(python_files(*SOURCES), MAX_SOURCE_LINES) == {}


def test_no_test_file_is_too_long():
    assert too_long(python_files("tests"), MAX_TEST_LINES) == {}


def test_modules_are_named_by_what_they_are():
    paths = (path.relative_to(ROOT) for path in python_files(*SOURCES))
    named = {str(path) for path in paths for part in path.with_suffix("").parts if BANNED_WORDS & set(part.split("_"))}
    assert named == set()


@pytest.mark.parametrize("folder", ["p2p", "tracker", "tui"])
def test_every_module_says_what_it_decides(folder):
    silent = [
        str(path.relative_to(ROOT))
        for path in python_files(folder)
        if (text := path.read_text(encoding="utf-8")) and not text.startswith('"""')
    ]
    assert silent == []


def test_importing_the_library_loads_no_interface():
    probe = "import sys, p2p; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    result = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & set(result.stdout.split()) == set()


def test_borders_hold():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
