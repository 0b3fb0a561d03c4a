"""Links are read as written, refused where they could mislead, and written so that they read back."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import MagnetError
from p2p.metainfo.magnet import MAX_SELECTED, Magnet

V1 = bytes(range(20))
V2 = bytes(range(32))
LINK = f"magnet:?xt=urn:btih:{V1.hex()}"

TRACKERS = ["http://t.example/announce?key=a%26b", "udp://t.example:80", "https://[::1]:443/a", "wss://t.example"]
MAGNETS = st.builds(
    Magnet,
    name=st.sampled_from([None, "a", "ü & ö=+#%", "a b"]),
    info_hash_v1=st.just(V1),
    info_hash_v2=st.sampled_from([None, V2]),
    trackers=st.lists(st.sampled_from(TRACKERS), unique=True).map(tuple),
    web_seeds=st.lists(
        st.sampled_from(["http://s.example/a b".replace(" ", "%20"), "ftp://s.example/"]), unique=True
    ).map(tuple),
    peers=st.lists(st.sampled_from([("127.0.0.1", 1), ("::1", 65535), ("host.example", 80)]), unique=True).map(tuple),
    select_only=st.sets(st.integers(0, 40)).map(lambda found: tuple(sorted(found))),
)


@given(MAGNETS)
@settings(max_examples=100)
def test_a_written_link_reads_back(magnet: Magnet) -> None:
    assert Magnet.parse(magnet.uri()) == magnet


@pytest.mark.parametrize(
    "topic",
    [
        V1.hex(),
        V1.hex().upper(),
        base64.b32encode(V1).decode(),
        base64.b32encode(V1).decode().lower(),
    ],
)
def test_hash_may_be_hex_or_base32_in_either_case(topic: str) -> None:
    assert Magnet.parse(f"MAGNET:?xt=urn:btih:{topic}").info_hash_v1 == V1


def test_both_hashes_give_both_swarms() -> None:
    magnet = Magnet.parse(f"{LINK}&xt=urn:btmh:1220{V2.hex()}")
    assert (magnet.info_hash_v1, magnet.info_hash_v2) == (V1, V2)
    assert magnet.wire_info_hashes() == (V1, V2[:20])


def test_version_2_alone_is_enough() -> None:
    magnet = Magnet.parse(f"magnet:?xt=urn:btmh:1220{V2.hex()}")
    assert (magnet.info_hash_v1, magnet.info_hash_v2) == (None, V2)


def test_every_field() -> None:
    magnet = Magnet.parse(
        f"{LINK}&dn=a+b%20c&tr=http%3A%2F%2Ft.example%2Fa&tr.1=udp://t.example:1/announce&ws=http://s.example/f"
        "&x.pe=1.2.3.4:5&x.pe=[2001:DB8::1]:6&x.pe=host.example:7&so=4,0,2,6-8&unknown=1"
    )
    assert magnet.name == "a b c"
    assert magnet.trackers == ("http://t.example/a", "udp://t.example:1/announce")
    assert magnet.web_seeds == ("http://s.example/f",)
    assert magnet.peers == (("1.2.3.4", 5), ("2001:db8::1", 6), ("host.example", 7))
    assert magnet.select_only == (0, 2, 4, 6, 7, 8)


def test_link_copied_from_a_page_source_works() -> None:
    assert Magnet.parse(f" {LINK}&amp;dn=x \n").name == "x"


def test_other_topics_are_passed_over() -> None:
    assert Magnet.parse(f"magnet:?xt=urn:sha1:AAAA&xt.1=urn:btih:{V1.hex()}").info_hash_v1 == V1


def test_name_cannot_lead_out_of_a_folder() -> None:
    assert Magnet.parse(f"{LINK}&dn=..%2F..%2Fetc").name == ".._.._etc"
    assert Magnet.parse(f"{LINK}&dn=").name is None


@pytest.mark.parametrize(
    "hint",
    [
        "tr=javascript:x",
        "tr=http://",
        "tr=http://h:99999/",
        "tr=http://h/%0Aa",
        "tr=http://h/" + "a" * 5000,
        "ws=udp://h:1",
        "x.pe=1.2.3.4",
        "x.pe=1.2.3.4:0",
        "x.pe=1.2.3.4:70000",
        "x.pe=::1:5",
        "x.pe=999.1.1.1:5",
        "x.pe=[h]:5",
        "x.pe=-:5",
    ],
)
def test_hint_that_is_of_no_use_is_left_out(hint: str) -> None:
    assert Magnet.parse(f"{LINK}&{hint}") == Magnet(info_hash_v1=V1)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "magnet:",
        "http://example/",
        "magnet:?dn=x",
        "magnet:?xt=urn:btih:",
        "magnet:?xt=urn:btih:" + "g" * 40,
        "magnet:?xt=urn:btih:" + "1" * 32,
        "magnet:?xt=urn:btih:" + "a" * 39,
        "magnet:?xt=urn:btih:" + "é" * 40,
        "magnet:?xt=urn:btmh:1220" + "g" * 64,
        "magnet:?xt=urn:btmh:1114" + "a" * 40,
        f"{LINK}&xt=urn:btih:{bytes(20).hex()}",
        f"{LINK}&so=x",
        f"{LINK}&so=3-1",
        f"{LINK}&so=-1",
        f"{LINK}&so={MAX_SELECTED}",
        f"{LINK}&so=0-99999999999",
        f"{LINK}&so=²",
        LINK + "&" * 3000,
        LINK + "&dn=" + "a" * 70_000,
    ],
)
def test_link_that_names_no_torrent_or_the_wrong_files_is_refused(uri: str) -> None:
    with pytest.raises(MagnetError) as refusal:
        Magnet.parse(uri)
    assert "\n" not in str(refusal.value)


def test_overlapping_selections_cost_no_more_than_one() -> None:
    ranges = ",".join([f"0-{MAX_SELECTED - 1}"] * 3000)
    assert len(Magnet.parse(f"{LINK}&so={ranges}").select_only) == MAX_SELECTED


def test_link_to_nothing_cannot_be_made() -> None:
    with pytest.raises(MagnetError):
        Magnet(name="x")
