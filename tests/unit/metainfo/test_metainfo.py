"""What is read from torrent files, and what is refused."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec.bencode import decode, encode
from p2p.errors import MetainfoError
from p2p.metainfo import Magnet, Metainfo
from p2p.metainfo.envelope import Envelope

PIECE = 32_768
CONTENT = {
    ("a",): bytes(range(256)) * 391,  # three pieces and a bit
    ("b",): b"short",
    ("c", "x"): b"c" * 2 * PIECE,
    ("empty",): b"",
    ("z",): b"z" * 20_000,
}
VERSIONS = ["1", "2", "hybrid"]


def edited(torrent: bytes, *path: Any, **changes: Any) -> bytes:
    """The torrent with keys of the dict at `path` set, or removed where the value is None. `_` in a key is a space."""
    outer: Any = decode(torrent)
    target = outer
    for step in path:
        target = target[step]
    for key, value in changes.items():
        raw = key.replace("_", " ").encode()
        if value is None:
            del target[raw]
        else:
            target[raw] = value
    return encode(outer)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_created_is_read_back(make_torrent, version) -> None:
    sample = make_torrent(CONTENT, version)
    metainfo = Metainfo.from_bytes(sample.torrent)
    info = metainfo.info_bytes
    assert info in sample.torrent
    assert metainfo.name == "top"
    assert metainfo.version == version
    assert metainfo.info_hash_v1 == (None if version == "2" else hashlib.sha1(info).digest())
    assert metainfo.info_hash_v2 == (None if version == "1" else hashlib.sha256(info).digest())
    assert metainfo.total_size == sum(map(len, CONTENT.values())) == metainfo.layout.total_size
    assert metainfo.piece_length == PIECE
    assert metainfo.piece_count == metainfo.layout.piece_count == (6 if version == "1" else 8)
    assert [(f.path, f.length) for f in metainfo.files if not f.pad] == [
        ("/".join(p), len(b)) for p, b in CONTENT.items()
    ]
    assert metainfo.layout.root == ("top",)
    assert metainfo.raw == sample.torrent


@pytest.mark.parametrize("version", VERSIONS)
def test_single_file_lies_at_its_name(make_torrent, version) -> None:
    sample = make_torrent({(): b"x" * 70_000}, version, name="file.bin")
    metainfo = Metainfo.from_bytes(sample.torrent)
    assert [f.path for f in metainfo.files] == ["file.bin"]
    assert metainfo.name == "file.bin"
    assert metainfo.layout.root == ()
    assert all(metainfo.piece_check(p)(sample.piece(metainfo, p)) for p in range(metainfo.piece_count))


@pytest.mark.parametrize("version", VERSIONS)
@given(cuts=st.lists(st.integers(0, PIECE), max_size=5), flip=st.integers(0, PIECE - 1))
@settings(max_examples=25)
def test_piece_check_takes_the_right_bytes_in_any_views_and_no_others(piece_samples, version, cuts, flip) -> None:
    sample, metainfo = piece_samples[version]
    for piece in range(metainfo.piece_count):
        content = b"".join(sample.piece(metainfo, piece))
        edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
        views = [memoryview(content)[a:b] for a, b in pairwise(edges)]
        check = metainfo.piece_check(piece)
        assert check(views)
        at = flip % len(content)
        assert not check([content[:at], bytes([content[at] ^ 1]), content[at + 1 :]])
        assert not check([content[:-1]])
        assert not check([])


@pytest.fixture(scope="module")
def piece_samples(request):
    make = request.getfixturevalue("make_torrent")
    samples = {version: make(CONTENT, version) for version in VERSIONS}
    return {version: (sample, Metainfo.from_bytes(sample.torrent)) for version, sample in samples.items()}


def test_hybrid_needs_both_hashes(make_torrent) -> None:
    sample = make_torrent({(): b"x" * 70_000}, "hybrid")
    forged = edited(sample.torrent, b"info", pieces=bytes(60))
    metainfo = Metainfo.from_bytes(forged)
    assert not metainfo.piece_check(0)(sample.piece(metainfo, 0))
    honest = Metainfo.from_bytes(sample.torrent)
    assert honest.piece_check(0)(sample.piece(honest, 0))


def test_piece_that_does_not_exist_has_no_check(make_torrent) -> None:
    metainfo = Metainfo.from_bytes(make_torrent({(): b"x"}).torrent)
    with pytest.raises(IndexError):
        metainfo.piece_check(1)


def test_envelope_is_read_back(make_torrent) -> None:
    envelope = Envelope(
        trackers=(("http://a.example/x", "udp://b.example:1"), ("https://c.example/",)),
        web_seeds=("http://s.example/",),
        nodes=(("router.example", 6881), ("::1", 1)),
        comment="two\nlines",
        created_by="me",
        creation_date=1,
    )
    metainfo = Metainfo.from_bytes(make_torrent({(): b"x"}, envelope=envelope, private=True, source="S").torrent)
    assert metainfo.trackers == envelope.trackers
    assert metainfo.web_seeds == envelope.web_seeds
    assert metainfo.nodes == envelope.nodes
    assert (metainfo.comment, metainfo.created_by, metainfo.creation_date) == ("two\nlines", "me", 1)
    assert (metainfo.private, metainfo.source) == (True, "S")
    assert Magnet.from_metainfo(metainfo).trackers == ("http://a.example/x", "udp://b.example:1", "https://c.example/")


def test_tiers_win_over_announce_and_a_tracker_counts_once(make_torrent) -> None:
    plain = make_torrent({(): b"x"}).torrent
    a, b = b"http://a.example/", b"http://b.example/"
    both = {"announce": b"http://other.example/", "announce-list": [[b, b], [b"gopher://x/"], [b, a], 5, []]}
    assert Metainfo.from_bytes(edited(plain, **both)).trackers == ((b.decode(),), (a.decode(),))
    useless = {"announce": a, "announce-list": [[b"nonsense"]]}
    assert Metainfo.from_bytes(edited(plain, **useless)).trackers == ((a.decode(),),)


@pytest.mark.parametrize(("value", "private"), [(1, True), (0, False), (2, False), (b"1", False)])
def test_private_is_exactly_one(make_torrent, value, private) -> None:
    assert Metainfo.from_bytes(edited(make_torrent({(): b"x"}).torrent, b"info", private=value)).private is private


def test_useless_hints_around_the_info_dict_are_left_out(make_torrent) -> None:
    torrent = edited(
        make_torrent({(): b"x"}).torrent,
        comment=[], creation_date=-5, nodes=[[b"h", 0], [b"h"], b"x", [b"ok.example", 5], [1, 2]], announce=7,
    )  # fmt: skip
    metainfo = Metainfo.from_bytes(torrent)
    assert (metainfo.comment, metainfo.creation_date, metainfo.trackers) == (None, None, ())
    assert metainfo.nodes == (("ok.example", 5),)


def test_text_cannot_drive_a_terminal(make_torrent) -> None:
    torrent = edited(make_torrent({(): b"x"}).torrent, comment=b"a\x1b[2Jb\xff")
    assert Metainfo.from_bytes(torrent).comment == "a\ufffd[2Jb\ufffd"


def unsorted(torrent: bytes) -> bytes:
    outer: Any = decode(torrent)
    info = encode(outer[b"info"])
    name = encode(b"name") + encode(outer[b"info"][b"name"])
    return (
        b"d4:infod"
        + name
        + info[1:].replace(name, b"", 1)
        + encode({k: v for k, v in outer.items() if k != b"info"})[1:]
    )


def test_version_1_may_have_its_keys_in_any_order_and_is_hashed_as_it_came(make_torrent) -> None:
    torrent = unsorted(make_torrent({(): b"x"}).torrent)
    metainfo = Metainfo.from_bytes(torrent)
    assert metainfo.info_bytes in torrent
    assert metainfo.info_hash_v1 == hashlib.sha1(metainfo.info_bytes).digest()


@pytest.mark.parametrize("version", ["2", "hybrid"])
def test_version_2_may_not(make_torrent, version) -> None:
    with pytest.raises(MetainfoError, match="keys in order"):
        Metainfo.from_bytes(unsorted(make_torrent({(): b"x"}, version).torrent))


def test_info_from_peers_makes_the_same_torrent(make_torrent) -> None:
    first = Metainfo.from_bytes(make_torrent(CONTENT, "hybrid").torrent)
    again = Metainfo.from_info(first.info_bytes, trackers=["http://a.example/"], piece_layers=first.piece_layers)
    assert (again.info_hash_v1, again.info_hash_v2) == (first.info_hash_v1, first.info_hash_v2)
    assert again.trackers == (("http://a.example/",),)
    with pytest.raises(MetainfoError, match="piece layer"):
        Metainfo.from_info(first.info_bytes)


def test_names_are_cleaned_and_told_apart(make_torrent) -> None:
    files = [{b"length": 1, b"path": [b"..", b"x"]}, {b"length": 1, b"path": [b"A"]}, {b"length": 1, b"path": [b"a"]}]
    torrent = edited(make_torrent({("a",): b"xyz"}).torrent, b"info", name=b"../up", files=files)
    metainfo = Metainfo.from_bytes(torrent)
    assert metainfo.name == ".._up"
    assert [f.path for f in metainfo.files][:2] == ["__/x", "A"]
    assert metainfo.files[2].path.startswith("a~")


def test_utf8_names_of_old_writers_are_preferred(make_torrent) -> None:
    files = [{b"length": 1, b"path": [b"\xff"], b"path.utf-8": ["ü".encode()]}]
    torrent = edited(
        make_torrent({("a",): b"x"}).torrent, b"info", **{"name": b"\xfe", "name.utf-8": "ö".encode(), "files": files}
    )
    metainfo = Metainfo.from_bytes(torrent)
    assert (metainfo.name, metainfo.files[0].path) == ("ö", "ü")


def test_links_take_no_room_and_are_not_stored(make_torrent) -> None:
    link = {b"attr": b"lx", b"path": [b"ln"], b"symlink path": [b"a"]}
    torrent = edited(make_torrent({("a",): b"x"}).torrent, b"info", files=[link, {b"length": 1, b"path": [b"a"]}])
    metainfo = Metainfo.from_bytes(torrent)
    assert (metainfo.files[0].length, metainfo.files[0].attributes) == (0, "lx")
    assert [file.stored for file in metainfo.layout.files] == [False, True]


def test_pads_may_go_without_a_path(make_torrent) -> None:
    files = [{b"length": 1, b"path": [b"a"]}, {b"attr": b"p", b"length": 3}, {b"length": 1, b"path": [b"b"]}]
    torrent = edited(make_torrent({("a",): b"xabcy"}).torrent, b"info", files=files)
    metainfo = Metainfo.from_bytes(torrent)
    assert metainfo.files[1][:3] == (".pad/3", 3, True)
    assert metainfo.total_size == 2


FILE = {b"length": 1, b"path": [b"a"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"pieces": bytes(19)},
        {"pieces": bytes(40)},
        {"pieces": None},
        {"pieces": 5},
        {"name": None},
        {"name": 5},
        {"piece_length": 0},
        {"piece_length": -1},
        {"piece_length": 2**40},
        {"piece_length": None},
        {"files": None},
        {"files": []},
        {"files": {}},
        {"files": [5]},
        {"files": [{b"length": 0, b"path": [b"a"]}], "pieces": b""},
        {"files": [{b"length": -1, b"path": [b"a"]}]},
        {"files": [{b"length": 2**63, b"path": [b"a"]}]},
        {"files": [{b"length": 2**62, b"path": [b"a"]}] * 3},
        {"files": [{b"length": 1, b"path": []}]},
        {"files": [{b"length": 1, b"path": b"a"}]},
        {"files": [{b"length": 1, b"path": [b"a", 5]}]},
        {"files": [{b"length": 1, b"path": [b"a"] * 101}]},
        {"files": [{b"length": 1}]},
        {"files": [{b"path": [b"a"]}]},
        {"length": 1},
        {"length": 1, "files": None, "attr": b"p"},
        {"meta_version": 3},
        {"meta_version": 1},
        {"meta_version": 2},
    ],
)  # fmt: skip
def test_version_1_contradictions_are_refused(make_torrent, changes) -> None:
    torrent = make_torrent({("a",): b"x"}).torrent
    with pytest.raises(MetainfoError) as refusal:
        Metainfo.from_bytes(edited(torrent, b"info", **changes))
    assert "\n" not in str(refusal.value)


ROOT = bytes(32)


@pytest.mark.parametrize(
    "changes",
    [
        {"piece_length": 16_383},
        {"piece_length": 3 * 16_384},
        {"piece_length": 8_192},
        {"file_tree": None},
        {"file_tree": {}},
        {"file_tree": {b"": {b"length": 1}}},
        {"file_tree": {b"a": 5}},
        {"file_tree": {b"a": {b"": 5}}},
        {"file_tree": {b"a": {}}},
        {"file_tree": {b"a": {b"": {b"length": 0}}}},
        {"file_tree": {b"a": {b"": {b"length": 1}}}},
        {"file_tree": {b"a": {b"": {b"length": 1, b"pieces root": b"short"}}}},
        {"file_tree": {b"a": {b"": {b"length": -1, b"pieces root": ROOT}}}},
        {"file_tree": {b"a": {b"": {b"length": 1, b"pieces root": ROOT}, b"b": {}}}},
        {"file_tree": {b"a": {b"": {b"length": 1, b"pieces root": ROOT, b"attr": b"p"}}}},
        {"file_tree": {b"a": {b"": {b"length": 2**62, b"pieces root": ROOT}}}},
        {"file_tree": {b"%d" % i: {b"": {b"length": 2**62, b"pieces root": ROOT}} for i in range(3)}},
    ],
)  # fmt: skip
def test_version_2_contradictions_are_refused(make_torrent, changes) -> None:
    torrent = make_torrent({("a",): b"x"}, "2").torrent
    with pytest.raises(MetainfoError) as refusal:
        Metainfo.from_bytes(edited(torrent, b"info", **changes))
    assert "\n" not in str(refusal.value)


def test_piece_layers_must_be_there_and_lead_to_their_roots(make_torrent) -> None:
    torrent = make_torrent({("a",): b"x" * 3 * PIECE}, "2").torrent
    ((root, layer),) = Metainfo.from_bytes(torrent).piece_layers.items()
    for layers in (None, 5, {}, {root: 5}, {root: layer[:-32]}, {root: layer[:-1]}, {root: bytes(len(layer))}):
        with pytest.raises(MetainfoError, match="layer"):
            Metainfo.from_bytes(edited(torrent, piece_layers=layers))


def test_identical_files_share_a_layer(make_torrent) -> None:
    sample = make_torrent({("a",): b"x" * 3 * PIECE, ("b",): b"x" * 3 * PIECE}, "2")
    metainfo = Metainfo.from_bytes(sample.torrent)
    assert len(metainfo.piece_layers) == 1
    assert all(metainfo.piece_check(p)(sample.piece(metainfo, p)) for p in range(6))


def hybrid_files(torrent: bytes) -> list[Any]:
    outer: Any = decode(torrent)
    return outer[b"info"][b"files"]


@pytest.mark.parametrize("edit", ["order", "name", "length", "pad", "missing", "long pad", "tail"])
def test_halves_of_a_hybrid_must_agree(make_torrent, edit) -> None:
    torrent = make_torrent({("a",): b"x" * 5, ("b",): b"y" * 5, ("c",): b"z"}, "hybrid").torrent
    files = hybrid_files(torrent)  # a, pad, b, pad, c
    match edit:
        case "order":
            files[0], files[2] = files[2], files[0]
        case "name":
            files[0][b"path"] = [b"other"]
        case "length":
            files[0][b"length"], files[1][b"length"] = 6, files[1][b"length"] - 1
        case "pad":
            files[1][b"length"] -= 1
        case "missing":
            del files[4]
        case "long pad":
            files[1][b"length"] += PIECE
        case "tail":
            files.append({b"attr": b"p", b"length": PIECE, b"path": [b".pad", b"x"]})
    with pytest.raises(MetainfoError, match=r"half|halves"):
        Metainfo.from_bytes(edited(torrent, b"info", files=files))


def test_hybrid_may_pad_its_last_file(make_torrent) -> None:
    torrent = make_torrent({("a",): b"x" * 5, ("b",): b"y" * 5}, "hybrid").torrent
    files = [*hybrid_files(torrent), {b"attr": b"p", b"length": PIECE - 5, b"path": [b".pad", b"1"]}]
    metainfo = Metainfo.from_bytes(edited(torrent, b"info", files=files))
    assert (metainfo.piece_count, metainfo.total_size, metainfo.layout.piece_size(1)) == (2, 10, PIECE)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"i1e", b"le", b"de", b"d4:infoi1ee", b"d4:infodee", b"d4:info", b"d8:announce0:e"]
)
def test_what_is_no_torrent_is_refused(data) -> None:
    with pytest.raises(MetainfoError) as refusal:
        Metainfo.from_bytes(data)
    assert "\n" not in str(refusal.value)
