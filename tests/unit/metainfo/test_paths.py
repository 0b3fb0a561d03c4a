"""Hostile names stay inside, differ from each other, and normal names stay themselves."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from p2p.metainfo.paths import MAX_NAME, safe_name, safe_paths

NASTY = st.sampled_from(
    [b"", b".", b"..", b"...", b"a/b", b"/", b"\\", b"C:", b"c:\\x", b"CON", b"nul.txt", b"a.", b"a ", b"\xff", b"a\0"]
)
RAW = st.one_of(NASTY, st.binary(max_size=12), st.text(max_size=8).map(lambda t: t.encode("utf-8", "surrogatepass")))
FEW = st.sampled_from([b"a", b"A", b"a.", b"a_", b"b", "\u00e9".encode(), "e\u0301".encode(), b"..", b"__"])


@pytest.mark.parametrize(
    "name",
    [
        "file.txt",
        "Ünïcode – 映画.mkv",
        "नमस्ते",
        "🙂.png",
        ".hidden",
        "a b",
        "what?.txt",
        "x" * 255,
        "con_",
        "console",
        "a~b",
        "e\u0301",
    ],
)
def test_normal_name_stays_itself(name: str) -> None:
    assert safe_name(name.encode()) == name


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"..", "__"),
        (b".", "_"),
        (b"", "_"),
        (b"a/b\\c", "a_b_c"),
        (b"C:evil", "C_evil"),
        (b"nul\x00\x1b[0m", "nul__[0m"),
        (b"CON", "_CON"),
        (b"com1.txt", "_com1.txt"),
        (b"Aux .log", "_Aux .log"),
        (b"dots...", "dots___"),
        (b"space ", "space_"),
        (b"\xff\xfe", "__"),
        ("gpj\u202etxt.exe".encode(), "gpj_txt.exe"),
    ],
)
def test_dangerous_name_is_replaced(raw: bytes, expected: str) -> None:
    assert safe_name(raw) == expected


def test_long_name_keeps_its_extension() -> None:
    name = safe_name("ü".encode() * 300 + b".flac")
    assert name.endswith("ü.flac")
    assert len(name.encode()) <= MAX_NAME


@given(RAW)
@example(b"CON." + b"x" * 260)
@example(b"x" * 254 + b". .")
@settings(max_examples=200)
def test_any_name_comes_out_safe_and_stays_so(raw: bytes) -> None:
    name = safe_name(raw)
    assert name
    assert len(name.encode()) <= MAX_NAME
    assert name[-1] not in ". "
    assert not set(name) & set("/\\\0")
    assert name[1:2] != ":" or not name[0].isascii() or not name[0].isalpha()
    assert safe_name(name.encode()) == name


def folded(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFC", unicodedata.normalize("NFD", part).casefold()) for part in parts)


@given(st.lists(st.lists(st.one_of(FEW, RAW), min_size=1, max_size=3), max_size=12))
@settings(max_examples=200)
def test_no_two_files_share_a_path_and_no_file_is_a_folder(declared: list[list[bytes]]) -> None:
    paths = [folded(parts) for parts in safe_paths(declared)]
    assert len(set(paths)) == len(paths)
    files = set(paths)
    assert not any(path[:depth] in files for path in paths for depth in range(1, len(path)))
    assert [len(path) for path in paths] == [len(parts) for parts in declared]


def test_clashes_leave_the_normal_name_alone() -> None:
    paths = safe_paths([[b"a/b"], [b"a_b"], [b"A_B"], [b"d", b"x"], [b"d"], [b"d", b"y"]])
    assert paths[1] == ("a_b",)
    assert paths[0][0].startswith("a_b~")
    assert paths[2][0].startswith("A_B~")
    assert paths[3] == ("d", "x")
    assert paths[5] == ("d", "y")
    assert paths[4][0].startswith("d~")


def test_suffix_goes_before_the_extension_and_is_the_same_every_time() -> None:
    first, second = safe_paths([[b"movie.mkv"], [b"MOVIE.mkv"]])
    assert first == ("movie.mkv",)
    assert second[0].startswith("MOVIE~")
    assert second[0].endswith(".mkv")
    assert safe_paths([[b"movie.mkv"], [b"MOVIE.mkv"]]) == [first, second]


def test_many_repetitions_of_one_name_are_told_apart() -> None:
    paths = safe_paths([[b"same"]] * 3000)
    assert len(set(paths)) == 3000
