"""Our encrypted handshakes against libtorrent's, both ways, with RC4 and plaintext forced, and a block under each."""

from __future__ import annotations

import asyncio
import os
import random
import struct

import pytest

from p2p.errors import NetworkError
from p2p.ids import Address, InfoHash, PeerId
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.session.encryption import Acceptable, Encryption, attempts
from p2p.session.handshaking import open_incoming, open_outgoing
from p2p.session.stream_io import read_exactly, write_all
from p2p.wire.handshake import HANDSHAKE_SIZE, Handshake
from p2p.wire.mse import Method, skey_digest

pytestmark = pytest.mark.rival

OUR_ID = PeerId(b"-ST0001-" + b"e" * 12)
CONTENT = random.Random(5).randbytes(70_000)
FORCED, DISABLED = 0, 2
LEVELS = {Method.PLAINTEXT: 1, Method.RC4: 2}
UNCHOKE, INTERESTED, BITFIELD, REQUEST, PIECE, HAVE_ALL, HAVE_NONE = 1, 2, 5, 6, 7, 14, 15


@pytest.fixture
def libtorrent():
    if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
        return __import__("libtorrent")
    return pytest.importorskip("libtorrent")


@pytest.fixture
def torrent(libtorrent, tmp_path):
    """Parameters for a libtorrent session that seeds CONTENT, and its info-hash."""
    (tmp_path / "content").write_bytes(CONTENT)
    made = libtorrent.create_torrent(
        [libtorrent.create_file_entry("content", len(CONTENT))], 16_384, libtorrent.create_torrent.v1_only
    )
    libtorrent.set_piece_hashes(made, str(tmp_path))
    params = libtorrent.load_torrent_buffer(libtorrent.bencode(made.generate()))
    params.save_path = str(tmp_path)
    params.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
    return params, InfoHash(params.ti.info_hashes().v1.to_bytes())


def start(libtorrent, torrent, policy, method):
    session = libtorrent.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_outgoing_utp": False,
            "enable_incoming_utp": False,
            "allow_multiple_connections_per_ip": True,
            "out_enc_policy": policy,
            "in_enc_policy": policy,
            "allowed_enc_level": LEVELS[method],
        }
    )
    return session, session.add_torrent(torrent[0])


async def seeding(handle):
    while not handle.status().is_seeding:
        await asyncio.sleep(0.02)


def our_handshake(info_hash):
    return Handshake(info_hash, OUR_ID, fast=True, extension=False, dht=False, v2=False).encode()


async def read_message(stream):
    """The next message that is no keep-alive: its id and its body."""
    while not (size := int.from_bytes(await read_exactly(stream, 4), "big")):
        pass
    message = await read_exactly(stream, size)
    return message[0], message[1:]


async def wait_for(stream, *kinds):
    while True:
        kind, body = await read_message(stream)
        if kind in kinds:
            return body


async def meet(stream, info_hash):
    theirs = Handshake.parse(await read_exactly(stream, HANDSHAKE_SIZE))
    assert theirs.info_hash == info_hash
    assert theirs.peer_id != OUR_ID


async def trade(stream):
    """Get a block, whose messages go through the ciphers both ways."""
    await write_all(stream, struct.pack(">IB", 1, HAVE_NONE))
    await wait_for(stream, HAVE_ALL, BITFIELD)
    await write_all(stream, struct.pack(">IB", 1, INTERESTED))
    await wait_for(stream, UNCHOKE)
    await write_all(stream, struct.pack(">IBIII", 13, REQUEST, 2, 0, 16_384))
    block = await wait_for(stream, PIECE)
    assert block[8:] == CONTENT[32_768:49_152]


@pytest.mark.parametrize(
    ("policy", "method"),
    [(Encryption.PREFER, Method.PLAINTEXT), (Encryption.PREFER, Method.RC4), (Encryption.REQUIRE, Method.RC4)],
)
async def test_libtorrent_takes_our_connection(libtorrent, torrent, policy, method):
    session, handle = start(libtorrent, torrent, FORCED, method)
    info_hash = torrent[1]
    async with asyncio.timeout(30):
        await seeding(handle)
        stream = await AsyncioNetwork().connect(Address("127.0.0.1", session.listen_port()))
        try:
            attempt = attempts(policy)[0]
            opened = await open_outgoing(stream, attempt, info_hash, our_handshake(info_hash), os.urandom)
            assert opened.method is method
            await meet(opened.stream, info_hash)
            await trade(opened.stream)
        finally:
            stream.close()
    session.pause()


@pytest.mark.parametrize("method", list(Method))
async def test_we_take_a_connection_of_libtorrent(libtorrent, torrent, method):
    session, handle = start(libtorrent, torrent, FORCED, method)
    info_hash = torrent[1]
    streams = asyncio.Queue()
    listener = await AsyncioNetwork().listen(Address("127.0.0.1", 0), streams.put_nowait)
    async with asyncio.timeout(30):
        await seeding(handle)
        handle.connect_peer(("127.0.0.1", listener.local.port))
        stream = await streams.get()
        try:
            accept = Acceptable(plain=False, methods=(Method.RC4, Method.PLAINTEXT))
            opened = await open_incoming(stream, accept, {skey_digest(info_hash): info_hash}.get, os.urandom)
            assert opened.method is method
            assert opened.skey == info_hash
            await write_all(opened.stream, our_handshake(info_hash))
            await meet(opened.stream, info_hash)
            await trade(opened.stream)
        finally:
            stream.close()
            listener.close()
    session.pause()


async def test_libtorrent_without_encryption_is_reached_at_the_second_attempt(libtorrent, torrent):
    session, handle = start(libtorrent, torrent, DISABLED, Method.RC4)
    info_hash = torrent[1]
    encrypted, plain = attempts(Encryption.PREFER)
    async with asyncio.timeout(30):
        await seeding(handle)
        stream = await AsyncioNetwork().connect(Address("127.0.0.1", session.listen_port()))
        with pytest.raises(NetworkError):
            await open_outgoing(stream, encrypted, info_hash, our_handshake(info_hash), os.urandom)
        stream.abort()
        stream = await AsyncioNetwork().connect(Address("127.0.0.1", session.listen_port()))
        try:
            opened = await open_outgoing(stream, plain, info_hash, our_handshake(info_hash), os.urandom)
            assert opened.method is None
            await meet(opened.stream, info_hash)
            await trade(opened.stream)
        finally:
            stream.close()
    session.pause()
