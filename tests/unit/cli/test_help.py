"""The help of every command and subcommand: an example of it, in 80 columns."""

from __future__ import annotations

import pytest
import typer

from p2p.cli.main import build_app, run


def words_of(group, before=()):
    """The words of every command that does something, groups' commands with their group's words before them."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from words_of(command, (*before, name))
        else:
            yield *before, name


ALL = list(words_of(typer.main.get_command(build_app(()))))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_it_fits_80_columns_and_has_an_example(capsys, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"  starling {' '.join(words)}" in out.partition("Example")[2]
    assert max(map(len, out.splitlines())) <= 80
