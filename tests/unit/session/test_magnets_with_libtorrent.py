"""Sessions that know an info-hash and where libtorrent seeds its torrent: content of every version, by every link."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from p2p.metainfo.magnet import Magnet
from p2p.session.encryption import Encryption
from p2p.session.session import Session
from p2p.session.settings import Settings

pytestmark = pytest.mark.rival

CONTENT = random.Random(9).randbytes(70_000)


@pytest.fixture
def libtorrent():
    if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
        return __import__("libtorrent")
    return pytest.importorskip("libtorrent")


def start_seed(libtorrent, folder, version):
    """A libtorrent session that seeds CONTENT, and its torrent's info-hashes by version."""
    (folder / "content").write_bytes(CONTENT)
    flags = {"1": libtorrent.create_torrent.v1_only, "2": libtorrent.create_torrent.v2_only, "hybrid": 0}[version]
    made = libtorrent.create_torrent([libtorrent.create_file_entry("content", len(CONTENT))], 16_384, flags)
    libtorrent.set_piece_hashes(made, str(folder))
    params = libtorrent.load_torrent_buffer(libtorrent.bencode(made.generate()))
    params.save_path = str(folder)
    params.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
    session = libtorrent.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_outgoing_utp": False,
            "enable_incoming_utp": False,
        }
    )
    names = params.ti.info_hashes()
    return session, session.add_torrent(params), {"1": names.v1.to_bytes(), "2": names.v2.to_bytes()}


@pytest.mark.parametrize("encryption", [Encryption.OFF, Encryption.PREFER])
@pytest.mark.parametrize(
    ("version", "link"), [("1", "1"), ("2", "2"), ("hybrid", "1"), ("hybrid", "2"), ("hybrid", "12")]
)
async def test_a_link_and_a_libtorrent_seed_are_enough(libtorrent, tmp_path, version, link, encryption):
    seed, handle, hashes = start_seed(libtorrent, tmp_path, version)
    settings = Settings(
        download_dir=tmp_path / "out",
        bind=("127.0.0.1",),
        encryption=encryption,
        dht=False,
        local_discovery=False,
        peer_exchange=False,
    )
    async with asyncio.timeout(15):  # less than the time after which a hybrid is taken as version 1
        while not handle.status().is_seeding:
            await asyncio.sleep(0.02)
        magnet = Magnet(
            info_hash_v1=hashes["1"] if "1" in link else None,
            info_hash_v2=hashes["2"] if "2" in link else None,
            peers=(("127.0.0.1", seed.listen_port()),),
        )
        async with Session(settings) as session:
            torrent = await session.add(magnet)
            await torrent.completed()
            assert torrent.metainfo.version == version
    assert (tmp_path / "out" / "content").read_bytes() == CONTENT
    seed.pause()
