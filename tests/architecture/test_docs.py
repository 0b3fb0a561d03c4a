"""What the documents name exists: files, tests, commands with their options, public names; and their tables agree."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer

from p2p.cli.main import COMMANDS, build_app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
README = ROOT / "README.md"
PROTOCOLS = ROOT / "docs" / "protocols.md"
STATES = {"works", "partly", "not yet"}
TOP_FOLDERS = ("p2p", "tracker", "tests", "docs", "benchmarks", "samples", "stubs", ".ci")
ALL_DOCUMENTS = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def text_of(document):
    return document.read_text(encoding="utf-8")


def fenced(document, language):
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(document), re.MULTILINE | re.DOTALL)


def paths_in(text):
    """What stands in backticks and looks like a place in the tree, a test's name after it left off."""
    quoted = re.findall(r"`([^`\s]+)`", text)
    return [name.partition("::")[0] for name in quoted if name.split("/")[0] in TOP_FOLDERS and "/" in name]


def rows_of_beps(document):
    """(BEP, state, modules, tests) of each row of the document's table of BEPs."""
    rows = []
    for line in text_of(document).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 5 and cells[2] in STATES:
            rows.append((cells[0], cells[2], paths_in(cells[3]), paths_in(cells[4])))
    return rows


def command_lines(document):
    """Each line of a console block that runs `starling`, continued lines joined, as arguments."""
    lines = []
    for block in fenced(document, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                words = shlex.split(line[2:].removesuffix("&"), comments=True)
                lines += [words[1:]] if words and words[0] == "starling" else []
    return lines


ALL_COMMAND_LINES = [(document.name, words) for document in DOCUMENTS for words in command_lines(document)]


def limits_of(document):
    """(value as written, module's path, name in it) of each row of a table that names a constant."""
    row = re.compile(r"^\|[^|]+\| ([0-9][^|]*) \|[^|]+\| `(p2p/[^`]+)\.py` `([\w.]+)` \|$", re.MULTILINE)
    return row.findall(text_of(document))


def quantity(text):
    """Bytes, seconds or a number, as the documents write them."""
    number, _, unit = text.replace(",", "").partition(" ")
    return float(number) * {"": 1, "s": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]


@ALL_DOCUMENTS
def test_links_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)\s]+)\)", text_of(document))
    local = [target.partition("#")[0] for target in targets if "://" not in target]
    assert [target for target in local if target and not (document.parent / target).exists()] == []


@ALL_DOCUMENTS
def test_places_in_the_tree_exist(document):
    assert [name for name in paths_in(text_of(document)) if not (ROOT / name).exists()] == []


@ALL_DOCUMENTS
def test_named_tests_exist(document):
    named = re.findall(r"`(tests/[^`\s]+\.py)::(\w+)`", text_of(document))
    assert [pair for pair in named if f"def {pair[1]}(" not in (ROOT / pair[0]).read_text(encoding="utf-8")] == []


def test_limits_are_those_of_the_code():
    rows = limits_of(ROOT / "docs" / "operations.md")
    assert rows
    told, real = {}, {}
    for value, path, name in rows:
        module = importlib.import_module(path.replace("/", "."))
        owner, _, attribute = name.rpartition(".")
        told[name] = quantity(value)
        real[name] = getattr(getattr(module, owner)() if owner else module, attribute)
    assert told == real


@pytest.mark.parametrize("document", [README, PROTOCOLS], ids=lambda path: path.name)
def test_every_bep_that_works_has_a_module_and_a_test(document):
    rows = rows_of_beps(document)
    assert rows
    bare = [bep for bep, state, modules, tests in rows if state != "not yet" and not (modules and tests)]
    assert bare == []
    boasts = [bep for bep, state, modules, tests in rows if state == "not yet" and (modules or tests)]
    assert boasts == []
    misplaced = [
        name for _, _, modules, tests in rows for name in (*modules, *tests) if (name in tests) != ("/test_" in name)
    ]
    assert misplaced == []


def test_both_tables_of_beps_agree():
    assert [row[:2] for row in rows_of_beps(README)] == [row[:2] for row in rows_of_beps(PROTOCOLS)]


def test_every_command_is_shown():
    shown = {words[0] for name, words in ALL_COMMAND_LINES if name == "README.md" and words}
    assert set(COMMANDS) <= shown


@pytest.mark.parametrize("words", [words for _, words in ALL_COMMAND_LINES], ids=" ".join)
def test_command_lines_are_understood(words):
    """Parsed as the command would, with every option and value; a word that is no option or no value raises."""
    command, *arguments = words
    if command.startswith("-"):
        assert command in {"--help", "--version"}
        return
    group = typer.main.get_command(build_app([command]))
    assert command in COMMANDS
    if "--help" in arguments:
        assert arguments == ["--help"]
        return
    found = group.commands[command]
    while hasattr(found, "commands") and arguments:
        command = arguments.pop(0)
        found = found.commands[command]
    found.make_context(command, arguments)


@pytest.mark.parametrize("document", [README, ROOT / "CONTRIBUTING.md", ROOT / "docs" / "testing.md"])
def test_named_make_targets_exist(document):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|\$ |^)make ([a-z]+)", text_of(document), re.MULTILINE))
    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


@ALL_DOCUMENTS
def test_programs_compile_and_import_what_exists(document):
    for program in fenced(document, "python"):
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    importlib.import_module(alias.name)
