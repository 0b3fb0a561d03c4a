"""How numbers and names of strangers look on a terminal."""

from __future__ import annotations

import asyncio
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.cli.console import byte_progress, complain, say_fields, say_json
from p2p.disk.refusals import printable
from p2p.quantities import format_duration, format_ranges, format_rate, format_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_024, "1 KiB"),
        (1_536, "1.5 KiB"),
        (16_384, "16 KiB"),
        (1_048_575, "1 MiB"),
        (99.94 * 1024, "99.9 KiB"),
        (99.96 * 1024, "100 KiB"),
        (1 << 30, "1 GiB"),
        (2**63 - 1, "8 EiB"),
        (2**80, "1048576 EiB"),
    ],
)
def test_sizes(size: float, text: str) -> None:
    assert format_size(size) == text
    assert format_rate(size) == f"{text}/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (59.4, "59s"), (59.6, "1m 00s"), (65, "1m 05s"), (3_599.6, "1h 00m"), (7_380, "2h 03m"),
        (90_000, "1d 01h"), (None, "-"), (-1, "-"), (1e12, "-"), (float("inf"), "-"),
    ],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


def test_ranges() -> None:
    assert format_ranges([]) == ""
    assert format_ranges([5]) == "5"
    assert format_ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert format_ranges(list(range(0, 100, 2)), limit=2) == "0, 2 and 48 more"


@given(st.text())
def test_no_name_can_steer_a_terminal(name: str) -> None:
    shown = printable(name)
    for sign in shown:
        assert sign.isprintable() or sign in "\u200c\u200d" or unicodedata.category(sign) == "Zs"
    shown.encode()


def test_names_of_every_script_stay_as_they_are() -> None:
    for name in ["žluťoučký", "日本\u3000語", "می\u200cخواهم", "👩\u200d💻", "a\u00a0b"]:
        assert printable(name) == name
    assert printable("evil\u202egpj.exe") == "evil\\u202egpj.exe"
    assert printable("a\x1b[2Jb\r\n\udcff") == "a\\x1b[2Jb\\r\\n\\udcff"


def test_an_error_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    complain("two\nlines [red]\x1b[31m")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: two lines [red]\\x1b[31m\n")


def test_fields_stand_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    say_fields([("a", "1"), ("long name", "2\n3"), ("b", "")])
    say_json({"key": "ü\x1b"})
    assert capsys.readouterr().out == 'a          1\nlong name  2\n           3\nb\n{"key": "\\u00fc\\u001b"}\n'


def test_plain_progress_is_a_line_every_five_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(*, quiet: bool) -> None:
        now = 100.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        with byte_progress("hashing", quiet=quiet) as show:
            for step in range(11):
                show(step << 20, 12 << 20)
                now += 1
            show(12 << 20, 12 << 20)

    asyncio.run(run(quiet=False))
    assert capsys.readouterr().err == (
        "hashing: 41% of 12 MiB, 1 MiB/s, 7s left\nhashing: 83% of 12 MiB, 1 MiB/s, 2s left\n"
    )
    asyncio.run(run(quiet=True))
    assert capsys.readouterr() == ("", "")
