"""A session that is held to an interface sends nothing by any other, whatever the routes say, and follows its address.

Two machines are joined by two cables: one that the default route leads to, and a tunnel. Tracker, name server and peers
are reached by either; what goes out on the plain cable is counted by the kernel.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from conftest import skip_or_fail
from namespaces import POLL, Namespace
from shapes import assert_equal_content, make_content, torrent_by_starling

DEADLINE = 60
SET_UP = "ip link set lo up && echo ready && exec cat"
FAR = "10.81.0.2"
TUNNEL, OTHER = "10.81.0.1", "10.81.0.9"
TRACKER_PORT, SEED_PORT, PORT = 6969, 6881, 6991
NAME = "tracker.test"
HERE = Path(__file__).parent
STARLING = Path(sys.executable).with_name("starling")

FAR_END = f"""
set -e
ip link set plain1 addrgenmode none && ip addr add 10.80.0.2/24 dev plain1 && ip link set plain1 up
ip link set tun1 addrgenmode none && ip addr add {FAR}/24 dev tun1 && ip link set tun1 up
"""
NEAR_END = """
set -e
ip link set plain0 addrgenmode none && ip addr add 10.80.0.1/24 dev plain0 && ip link set plain0 up
ip link set tun0 addrgenmode none && ip link set tun0 up
ip route add default via 10.80.0.2
"""


class Machines:
    """Two machines; the name of its fixture is where the report of a failed test looks for programs."""

    def __init__(self) -> None:
        self.near = Namespace(set_up=SET_UP)
        self.far = Namespace(set_up=SET_UP, beside=self.near)

    async def join(self) -> None:
        said = ""
        for near, far in (("plain0", "plain1"), ("tun0", "tun1")):
            said += await self.near.output(
                *("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", str(self.far.pid))
            )
        said += await self.far.output("sh", "-c", FAR_END)
        said += await self.near.output("sh", "-c", NEAR_END)
        if said:
            raise PermissionError(f"no cables between network namespaces: {said.strip()}")

    async def sent_by(self, device: str) -> int:
        """Packets that the near machine has sent by it."""
        for line in (await self.near.output("cat", "/proc/net/dev")).splitlines():
            name, _, counts = line.partition(":")
            if name.strip() == device:
                return int(counts.split()[9])
        raise AssertionError(f"there is no {device}")

    async def listening(self, port: int) -> list[str]:
        """Addresses and devices at which somebody on the near machine listens on TCP or UDP, at that port."""
        told = await self.near.output("ss", "--no-header", "--listening", "--numeric", "--tcp", "--udp")
        places = [word.rpartition(":") for line in told.splitlines() for word in line.split()[4:5]]
        return sorted({place for place, _, at in places if at == str(port)})

    def tails(self) -> str:
        return f"{self.near.tails()}\n{self.far.tails()}"


@pytest.fixture
async def namespace():
    machines = Machines()
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(machines.near)
            await stack.enter_async_context(machines.far)
            await machines.join()
            yield machines
    except (PermissionError, FileNotFoundError) as refusal:
        skip_or_fail(str(refusal))


async def test_a_session_goes_by_its_interface_or_not_at_all(namespace, tmp_path):
    near, far = namespace.near, namespace.far
    url = f"http://{NAME}:{TRACKER_PORT}/announce"
    content = make_content(tmp_path, "single-file", by=torrent_by_starling, tracker=url)
    options = ("--json", "--no-lsd", "--no-nat", "--bootstrap", f"{FAR}:{SEED_PORT}")

    async def start(machine, role, *argv):
        home = str(tmp_path / role.replace(" ", "-"))
        env = {"HOME": home, "XDG_STATE_HOME": home}
        return await machine.start(role, STARLING, *argv, *options, env=env)

    async with asyncio.timeout(DEADLINE):
        tracker = await far.start("tracker", sys.executable, HERE / "tracker_process.py", f"{FAR}:{TRACKER_PORT}")
        await tracker.event("listening")
        names = await far.start("names", sys.executable, HERE / "name_server.py", FAR, NAME, FAR)
        await names.line("listening")
        where = ("--torrent", content.torrent, "--port", str(SEED_PORT), "--bind", FAR, "--no-trackers")
        await start(far, "seed", "seed", content.path, *where)
        await far.until_listening(SEED_PORT)

        before = await namespace.sent_by("plain0")
        held = ("--bind", "tun0", "--name-server", FAR, "--port", str(PORT), "--peer", f"{FAR}:{SEED_PORT}", "--seed")
        download = await start(near, "held", "download", content.torrent, "-o", tmp_path / "out", *held)
        await download.line("the interface tun0 has no address")
        await asyncio.sleep(1)  # in which an announce, a call and a query of the DHT would have gone out
        assert await namespace.listening(PORT) == []

        await near.output("ip", "addr", "add", f"{TUNNEL}/24", "dev", "tun0")
        await download.event("complete")
        await tracker.event("announce", source=TUNNEL, port=PORT)
        assert_equal_content(content, tmp_path / "out")
        assert await namespace.listening(PORT) == [f"{TUNNEL}%tun0"]

        await near.output("ip", "addr", "flush", "dev", "tun0")
        while await namespace.listening(PORT):
            await asyncio.sleep(POLL)
        await near.output("ip", "addr", "add", f"{OTHER}/24", "dev", "tun0")
        while await namespace.listening(PORT) != [f"{OTHER}%tun0"]:
            await asyncio.sleep(POLL)
        again = ("--bind", FAR, "--no-trackers", "--peer", f"{OTHER}:{PORT}", "--no-dht")
        fetched = await start(far, "far download", "download", content.torrent, "-o", tmp_path / "again", *again)
        await fetched.event("complete")
        assert await namespace.sent_by("plain0") == before

        plain = ("--bind", "plain0", "--name-server", FAR, "--port", str(PORT + 1), "--peer", f"{FAR}:{SEED_PORT}")
        by_plain = await start(
            near, "by the plain cable", "download", content.torrent, "-o", tmp_path / "plain", *plain
        )
        await by_plain.event("complete")
        assert await namespace.sent_by("plain0") > before, "the plain cable would have carried it"
