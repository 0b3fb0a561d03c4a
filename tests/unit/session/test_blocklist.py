"""Lists of addresses that nobody is to talk to: read in every form in use, and looked up."""

from __future__ import annotations

import gzip
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import BlocklistError
from p2p.session import blocklist
from p2p.session.blocklist import Blocklist, parse

P2P = b"""# List distributed by nobody
Some organisation, Inc.:192.0.2.0-192.0.2.255
With: colons - and dashes:198.51.100.7-198.51.100.7\r

Name:2001:db8::-2001:db8::ff
"""
DAT = b"""192.000.002.000 - 192.000.002.255 , 000 , Some organisation
198.51.100.7-198.51.100.7,100,another
203.0.113.0 - 203.0.113.255 , 200 , let in
2001:db8:: - 2001:db8::ff , 000 , IPv6
2001:dba:: - 2001:dba::ff , 127 , IPv6
2001:dbb:: - 2001:dbb::ff , 128 , let in
"""
CIDR = b"""; networks
192.0.2.0/24 ; SBL1
198.51.100.7
2001:db8::/120 # six
// nothing
"""


@pytest.mark.parametrize("text", [P2P, DAT, CIDR, P2P + DAT + CIDR], ids=["p2p", "dat", "cidr", "mixed"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_every_form_names_the_same_hosts(text, pack):
    found = parse(pack(text))
    assert found.passed_over == 0
    for host in ("192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8::", "2001:db8::ff"):
        assert found.refuses(host), host
    for host in ("192.0.1.255", "192.0.3.0", "198.51.100.6", "203.0.113.1", "2001:db8::100", "2001:dbb::1", "::"):
        assert not found.refuses(host), host


def test_gzip_members_follow_each_other():
    found = parse(gzip.compress(b"192.0.2.1\n192.0.") + gzip.compress(b"2.2\n"))
    assert found.refuses("192.0.2.1")
    assert found.refuses("192.0.2.2")


def test_ranges_that_touch_are_one():
    assert len(parse(b"192.0.2.0/25\n192.0.2.128/25\n192.0.2.64-192.0.3.0\n2001:db8::1\n2001:db8::2\n")) == 2
    assert len(parse(b"0.0.0.0-255.255.255.255\n10.0.0.0/8\n")) == 1
    assert parse(b"0.0.0.0-255.255.255.255").refuses("255.255.255.255")


@pytest.mark.parametrize(
    "line",
    [
        b"x:192.0.2.2-192.0.2.1",
        b"x:192.0.2.1-192.0.2.256",
        b"192.0.2.1-",
        b"192.0.2.0/33",
        b"<html>",
        b"2001:db8::2-2001:db8::1",
        b"\xff\xfe",
        b"x" * 5_000,
    ],
    ids=["backwards", "256", "half", "33", "html", "backwards6", "bytes", "long"],
)
def test_lines_that_say_nothing_are_passed_over(line):
    found = parse(line + b"\n192.0.2.9\n")
    assert (len(found), found.passed_over) == (1, 1)
    with pytest.raises(BlocklistError, match="no line of it names an address"):
        parse(line)


def test_nothing_at_all_is_an_empty_list():
    assert len(parse(b"")) == len(parse(b"# nobody\n\n")) == 0
    assert not parse(b"").refuses("192.0.2.1")


def test_lists_out_of_bounds_and_damaged_ones_are_refused(monkeypatch):
    whole = gzip.compress(P2P)
    for damaged, reason in (
        (whole[:-12], "cut short"),
        (whole[:12] + b"\x00\xff\x00" + whole[15:], "damaged"),
        (b"PK\x03\x04" + bytes(30), "zip"),
    ):
        with pytest.raises(BlocklistError, match=reason):
            parse(damaged)
    monkeypatch.setattr(blocklist, "MAX_TEXT", 1 << 20)
    bomb = gzip.compress(b"\n" * (2 << 20))
    assert len(bomb) < 4_000
    for huge in (bomb, b"\n" * (2 << 20)):
        with pytest.raises(BlocklistError, match="more than 1 MiB"):
            parse(huge)
    monkeypatch.setattr(blocklist, "MAX_RANGES", 2)
    with pytest.raises(BlocklistError, match="more than 2 ranges"):
        parse(b"192.0.2.1\n192.0.2.3\n192.0.2.5\n")


@given(
    ranges=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=20),
    asked=st.lists(st.integers(0, 360), max_size=30),
    six=st.booleans(),
)
def test_who_is_refused_is_who_is_on_the_list(ranges, asked, six):
    base = int(ipaddress.ip_address("2001:db8::" if six else "192.0.2.0"))
    lines = [f"{ipaddress.ip_address(base + low)}-{ipaddress.ip_address(base + low + more)}" for low, more in ranges]
    found = parse("\n".join(lines).encode())
    again, fetched_at = Blocklist.decode(found.encode(7.5))
    assert (len(again), fetched_at) == (len(found), 7.5)
    for number in asked:
        expected = any(low <= number <= low + more for low, more in ranges)
        host = str(ipaddress.ip_address(base + number))
        assert found.refuses(host) is again.refuses(host) is expected


@given(content=st.binary(max_size=300), packed=st.booleans())
def test_no_content_breaks_the_reader(content, packed):
    try:
        parse(b"\x1f\x8b" + content if packed else content)
    except BlocklistError:
        return


@given(content=st.text(alphabet="0123456789.:-/,abf \n", max_size=300))
def test_no_text_breaks_the_reader(content):
    try:
        found = parse(content.encode())
    except BlocklistError:
        return
    assert not found.refuses("203.0.113.5") or "." in content


@given(at=st.integers(0, 200), mask=st.integers(1, 255), cut=st.integers(0, 200))
def test_a_kept_list_that_is_damaged_is_refused(at, mask, cut):
    kept = parse(P2P).encode(1.0)
    with pytest.raises(BlocklistError):
        Blocklist.decode(kept[: cut % len(kept)])
    at %= len(kept)
    if not 21 <= at < 29:  # the date alone is not guarded
        with pytest.raises(BlocklistError):
            Blocklist.decode(kept[:at] + bytes([kept[at] ^ mask]) + kept[at + 1 :])


def test_a_kept_list_is_small_and_keeps_no_names():
    found = parse(b"\n".join(b"somebody:10.%d.%d.0-10.%d.%d.9" % (a, b, a, b) for a in range(40) for b in range(250)))
    assert len(found) == 10_000
    assert len(found.encode(0.0)) < 80_100
