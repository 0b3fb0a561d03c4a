"""`starling dht` as users run it, and transfers that find each other by one node and nothing else."""

from __future__ import annotations

import json
import socket

import pytest
from command_line import files_below

INFO_HASH = "2c6b6858d61da9543d4231a71db4b1c9264b0685"
MAGNET = f"magnet:?xt=urn:btih:{INFO_HASH}"


@pytest.fixture
async def node(commands):
    """A node on loopback that knows nobody, and where it is."""
    running = await commands.start("dht", "node", "--bind", "127.0.0.1", "--port", "0", "--json")
    return running, f"127.0.0.1:{(await running.event('listening'))['port']}"


async def test_what_one_announces_another_finds(commands, node):
    running, router = node
    here = ("--bind", "127.0.0.2", "--bootstrap", router)
    announced = await commands.run("dht", "announce", MAGNET, "--port", "777", *here, "--json")
    assert announced.events[-1] == {"event": "announced", "port": 777, "stored": 1, "asked": 1}
    assert announced.events[0].items() >= {"event": "node", "address": router, "noted": True}.items()
    there = ("--bind", "127.0.0.3", "--bootstrap", router)
    found = await commands.run("dht", "get-peers", INFO_HASH, *there)
    assert (found.status, found.stdout, found.stderr) == (0, "127.0.0.2:777", "")
    as_json = await commands.run("dht", "get-peers", MAGNET, *there, "--json")
    peer, asked, done = as_json.events
    assert peer == {"event": "peer", "host": "127.0.0.2", "port": 777, "told_by": router}
    assert asked.items() >= {"event": "node", "address": router, "hop": 1, "peers": 1}.items()
    assert 0 <= asked["took"] < 5
    assert done.items() >= {"event": "done", "peers": 1, "asked": 1, "answered": 1, "hops": 1}.items()
    listed = await commands.run("dht", "get-peers", INFO_HASH, *there, "--nodes")
    assert listed.stdout.splitlines()[0] == "127.0.0.2:777"
    assert router in listed.stdout
    assert "1 peer in 1 hop" in listed.stdout
    await running.line(lambda line: any(each["hashes"] for each in json.loads(line).get("families", ())))
    assert (await running.stop()).status == 0


async def test_questions_come_from_the_port_that_is_named(commands, node):
    _, router = node
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.4", 0))
        port = str(taken.getsockname()[1])
        here = ("--bind", "127.0.0.4")
        reason = "address already in use"
        assert reason in (await commands.run("dht", "ping", router, *here, "--port", port)).failed_with(1)
        join = (INFO_HASH, *here, "--bootstrap", router)
        assert reason in (await commands.run("dht", "get-peers", *join, "--port", port)).failed_with(1)
        told = await commands.run("dht", "announce", *join, "--port", "777", "--udp-port", port)
        assert reason in told.failed_with(1)
    assert (await commands.run("dht", "ping", router, *here, "--port", port)).status == 0


async def test_ping(commands, node):
    _, address = node
    said = json.loads((await commands.run("dht", "ping", address, "--json")).stdout)
    assert said["address"] == address
    assert len(said["node_id"]) == 40
    plain = await commands.run("dht", "ping", address)
    assert said["node_id"] in plain.stdout


async def test_a_node_says_in_plain_lines_how_it_stands(commands):
    running = await commands.start("dht", "node", "--bind", "127.0.0.1", "--port", "0")
    await running.line("listening on UDP port")
    assert "0 torrents stored" in await running.line("IPv4: ")
    assert (await running.stop()).status == 0


async def test_a_magnet_link_and_a_bootstrap_address_are_enough(commands, node, content, tmp_path):
    _, router = node
    join = ("--bootstrap", router, "--json")
    seed = await commands.start("seed", content, "--bind", "127.0.0.2", *join)
    magnet = (await seed.event("added"))["magnet"]
    await seed.event("complete")
    ended = await commands.run("download", magnet, "-o", "out", "--bind", "127.0.0.3", *join)
    assert ended.status == 0
    assert files_below(tmp_path / "out/songs") == files_below(content)


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("ping", "127.0.0.1:9"), 1, "127.0.0.1:9 did not answer"),
        (("ping", "no.such.host.invalid:1"), 1, "no address of no.such.host.invalid"),
        (("get-peers", INFO_HASH, "--bootstrap", "no.such.host.invalid:1"), 1, "no address of"),
        (("get-peers", "xyz"), 2, "'xyz' is neither an info-hash in hex nor a magnet link"),
        (("get-peers", "z" * 40), 2, "is no info-hash"),
        (("announce", INFO_HASH), 2, "missing option '--port'"),
        ((), 2, "missing command"),
    ],
)
async def test_errors_are_one_line(commands, arguments, status, reason):
    assert reason in (await commands.run("dht", *arguments)).failed_with(status)


async def test_nobody_knows_a_peer(commands, node):
    _, router = node
    ended = await commands.run("dht", "get-peers", INFO_HASH, "--bind", "127.0.0.2", "--bootstrap", router)
    assert "no peer is known" in ended.failed_with(1)
