"""Sizes and rates as users write them."""

from __future__ import annotations

from contextlib import suppress

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from p2p.cli.quantities import parse_rate, parse_size
from p2p.quantities import MAX_BYTES


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16384", 16_384),
        ("0", 0),
        ("256KiB", 256 * 1024),
        ("256 KiB", 256 * 1024),
        ("256k", 256 * 1024),
        ("1.5MiB", 3 << 19),
        ("1M", 1 << 20),
        ("2g", 2 << 30),
        ("1T", 1 << 40),
        ("1kB", 1_000),
        ("4GB", 4_000_000_000),
        ("12B", 12),
        (" 7 ", 7),
        ("0.5", 0),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert parse_rate(text) == size
    assert parse_rate(f"{text.strip()}/s") == size


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1e3", "1.", ".5", "1iB", "1KiBs", "1 2", "KiB", "1MiB/h", "1/s/s", "1,5M", "٣", "9" * 30]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_rate(text)


def test_a_size_no_file_can_have() -> None:
    assert parse_size(str(MAX_BYTES)) == MAX_BYTES
    with pytest.raises(typer.BadParameter):
        parse_size(str(MAX_BYTES + 1))
    with pytest.raises(typer.BadParameter):
        parse_size("9999999999T")


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_a_usage_error(text: str) -> None:
    with suppress(typer.BadParameter):
        assert 0 <= parse_rate(text) <= MAX_BYTES
