"""What is told of announces where that is asked for: each once, refused ones with the reason, and never a passkey."""

from __future__ import annotations

import asyncio
import random
import socket

from p2p.codec.announce import AnnounceRequest
from p2p.codec.udp_tracker import ConnectRequest, UdpAnnounceRequest, decode_response, encode_request
from p2p.errors import TrackerError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from tracker.gate import Admission
from tracker.server import PrivateSide, Tracker, TrackerSettings

KEY = "0123456789abcdef0123456789abcdef"
HASH = b"a" * 20
QUERY = f"info_hash={'a' * 20}&peer_id={'b' * 20}&port=6881&uploaded=0&downloaded=0"
HERE = Address("127.0.0.1", 0)
ANNOUNCE = AnnounceRequest(info_hash=HASH, peer_id=b"b" * 20, port=6881, uploaded=0, downloaded=0, left=5)


class Gate:
    """Lets in who knows KEY."""

    def admit(self, request, passkey, source, user_agent, now):
        if passkey != KEY:
            raise TrackerError("Passkey not found")
        return Admission(1, 2)

    def on_announced(self, admission, request, source, now):
        pass

    def may_scrape(self, passkey, info_hashes, source, now):
        raise TrackerError("Passkey not found")


async def exchange(tracker, packet):
    """What comes back for a datagram."""
    (url,) = (each for each in tracker.announce_urls if each.startswith("udp"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        asking.connect(("127.0.0.1", int(url.rpartition(":")[2].partition("/")[0])))
        asking.send(packet)
        async with asyncio.timeout(20):
            return await asyncio.get_running_loop().sock_recv(asking, 2_048)


async def told_of(urls, packets=(), gate=None):
    """What is told of GETs of these paths, and of UDP announces with these ends."""
    told = []
    tracker = Tracker(
        AsyncioNetwork(),
        rng=random.Random(1),
        secret=b"s" * 16,
        settings=TrackerSettings(http=(HERE,), udp=(HERE,)),
        tell=lambda event, **facts: told.append((event, facts)),
        private=None if gate is None else PrivateSide(gate, lambda: 1e9),
    )
    await tracker.start()
    try:
        for url in urls:
            reader, writer = await asyncio.open_connection(*tracker.http_addresses[0])
            writer.write(f"GET {url} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
            assert await reader.read()
            writer.close()
            await writer.wait_closed()
        for end in packets:
            connected = decode_response(await exchange(tracker, encode_request(ConnectRequest(1))), HERE)
            packet = encode_request(UdpAnnounceRequest(connected.connection_id, 7, ANNOUNCE, b""))
            assert await exchange(tracker, end(packet))
    finally:
        await tracker.close()
    assert all(event == "announce" for event, _ in told)
    assert KEY not in str(told)
    return [facts for _, facts in told]


async def test_an_open_tracker_tells_of_what_it_answers_and_of_what_it_cannot_read():
    good, none, short, wrong = await told_of(
        [f"/announce?{QUERY}&left=5", f"/announce?{QUERY}", "/scrape?info_hash=x", "/stats"],
        [lambda packet: packet[:50], lambda packet: packet[:80] + b"\0\0\0\7" + packet[84:]],
    )
    assert (good["info_hash"], good["source"], good["port"], good["given"]) == (HASH.hex(), "127.0.0.1", 6881, 0)
    assert none == {"source": "127.0.0.1", "refused": "left is missing"}
    assert (short["refused"], wrong["refused"]) == ("an announce of 50 bytes is too short", "event 7 is unknown")


async def test_a_private_tracker_tells_of_whom_its_gate_refuses_but_no_passkey():
    good, wrong, none, by_udp = await told_of(
        [f"/{KEY}/announce?{QUERY}&left=5", f"/{KEY[1:]}/announce?{QUERY}&left=5&event=started", f"/{KEY}/announce?x"],
        [lambda packet: packet],
        Gate(),
    )
    assert "refused" not in good
    assert wrong == {
        "info_hash": HASH.hex(),
        "source": "127.0.0.1",
        "port": 6881,
        "peer_id": "62" * 20,
        "said": "started",
        "left": 5,
        "refused": "Passkey not found",
    }
    assert none["refused"] == "info_hash is missing"
    assert by_udp["refused"] == "Passkey not found"
