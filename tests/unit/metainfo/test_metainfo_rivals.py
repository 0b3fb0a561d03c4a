"""The same torrents in other programs' eyes."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from p2p.metainfo import Magnet, Metainfo
from p2p.metainfo.envelope import Envelope

pytestmark = pytest.mark.rival

RNG = random.Random(7)
CONTENT = {
    ("a",): RNG.randbytes(100_000),
    ("b", "ü"): b"short",
    ("b.c",): RNG.randbytes(65_536),
    ("empty",): b"",
    ("z",): RNG.randbytes(20_000),
}
SINGLE = {(): RNG.randbytes(123_456)}
ENVELOPE = Envelope(
    trackers=(("http://a.example/", "udp://b.example:1"), ("http://c.example/",)), web_seeds=("http://s.example/",)
)


def rival(name: str) -> Any:
    """The module, or a skip; where rivals are required, its absence is a failure."""
    if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
        return __import__(name)
    return pytest.importorskip(name)


@pytest.mark.parametrize("content", [CONTENT, SINGLE], ids=["folder", "single"])
@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
def test_libtorrent_reads_what_we_make(make_torrent, content, version) -> None:
    libtorrent = rival("libtorrent")
    sample = make_torrent(content, version, envelope=ENVELOPE, private=True)
    ours = Metainfo.from_bytes(sample.torrent)
    theirs = libtorrent.load_torrent_buffer(sample.torrent).ti
    hashes = theirs.info_hashes()
    assert (hashes.has_v1(), hashes.has_v2()) == (version != "2", version != "1")
    assert hashes.v1.to_bytes() == (ours.info_hash_v1 or bytes(20))
    assert hashes.v2.to_bytes() == (ours.info_hash_v2 or bytes(32))
    assert theirs.num_pieces() == ours.piece_count
    assert theirs.priv()
    layout = theirs.layout() if hasattr(theirs, "layout") else theirs.files()
    listed = [
        (layout.file_path(i), layout.file_size(i)) for i in range(layout.num_files()) if not layout.file_flags(i) & 1
    ]
    top = "" if content is SINGLE else "top/"
    assert listed == [(top + f.path, f.length) for f in ours.files if not f.pad]


@pytest.mark.parametrize("content", [CONTENT, SINGLE], ids=["folder", "single"])
@pytest.mark.parametrize("flag", ["v1_only", "v2_only", None])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_we_read_what_libtorrent_makes(content, flag, tmp_path) -> None:
    libtorrent = rival("libtorrent")
    # It sorts "b.c" before "b/ü" in one half of a hybrid only, and then refuses the torrent itself.
    content = {parts: blob for parts, blob in content.items() if parts != ("b.c",)}
    files = []
    for parts, blob in content.items():
        path = tmp_path.joinpath("top", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob)
        files.append(libtorrent.create_file_entry("/".join(("top", *parts)), len(blob)))
    made = libtorrent.create_torrent(files, 32_768, getattr(libtorrent.create_torrent, flag) if flag else 0)
    libtorrent.set_piece_hashes(made, str(tmp_path))
    ours = Metainfo.from_bytes(libtorrent.bencode(made.generate()))
    assert ours.version == {"v1_only": "1", "v2_only": "2", None: "hybrid"}[flag]
    assert ours.total_size == sum(map(len, content.values()))
    placed = {("top",): content[()]} if () in content else content
    for piece in range(ours.piece_count):
        views = []
        for span in ours.layout.spans(piece, 0, ours.layout.piece_size(piece)):
            file = ours.layout.files[span.file_index]
            blob = bytes(file.length) if file.pad else placed[file.parts]
            views.append(blob[span.file_offset : span.file_offset + span.length])
        assert ours.piece_check(piece)(views)


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
def test_libtorrent_reads_our_links(make_torrent, version) -> None:
    libtorrent = rival("libtorrent")
    ours = Metainfo.from_bytes(make_torrent(CONTENT, version, envelope=ENVELOPE).torrent)
    theirs = libtorrent.parse_magnet_uri(Magnet.from_metainfo(ours).uri())
    assert theirs.info_hashes.v1.to_bytes() == (ours.info_hash_v1 or bytes(20))
    assert theirs.info_hashes.v2.to_bytes() == (ours.info_hash_v2 or bytes(32))
    assert theirs.name == "top"
    assert theirs.trackers == [url for tier in ours.trackers for url in tier]


@pytest.mark.parametrize("single", [False, True])
def test_torf_and_we_agree(make_torrent, single, tmp_path) -> None:
    torf = rival("torf")
    content = SINGLE if single else {parts: blob for parts, blob in CONTENT.items() if blob}
    for parts, blob in content.items():
        path = tmp_path.joinpath("top", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob)
    made = torf.Torrent(path=tmp_path / "top", trackers=[["http://a.example/"]], private=True, piece_size=32_768)
    made.generate()
    theirs = Metainfo.from_bytes(made.dump())
    assert theirs.info_hash_v1 == bytes.fromhex(made.infohash)
    assert (theirs.private, theirs.trackers) == (True, (("http://a.example/",),))
    sample = make_torrent(content, "1", private=True, envelope=Envelope(trackers=(("http://a.example/",),)))
    again = torf.Torrent.read_stream(sample.torrent)
    assert bytes.fromhex(again.infohash) == Metainfo.from_bytes(sample.torrent).info_hash_v1
    assert {str(f) for f in again.files} == {str(f) for f in made.files}
