"""Signs of life: what a supervisor is told, and that a daemon whose RPC hangs gives none."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from p2p.daemon.heartbeat import Heartbeat
from p2p.operation.supervisor import Supervisor

DEADLINE = 10.0


@pytest.fixture
def ear(tmp_path):
    """A supervisor's socket: what it hears."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.setblocking(False)
        yield channel


def environ(ear, **more):
    return {"NOTIFY_SOCKET": ear.getsockname(), **more}


async def heard(ear):
    async with asyncio.timeout(DEADLINE):
        return (await asyncio.get_running_loop().sock_recv(ear, 4_096)).decode().split("\n")


async def test_a_supervisor_is_told(ear):
    supervisor = Supervisor(environ(ear), pid=1)
    supervisor.ready("here\nSTOPPING=1".replace("\n", " "))
    assert await heard(ear) == ["READY=1", "STATUS=here STOPPING=1"]
    supervisor.alive()
    assert await heard(ear) == ["WATCHDOG=1"]
    supervisor.stopping(1.5)
    assert await heard(ear) == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=1500000", "STATUS=stopping"]
    supervisor.status("fine")
    assert await heard(ear) == ["STATUS=fine"]


def test_an_abstract_socket_is_one():
    name = f"\0starling-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(name)
        Supervisor({"NOTIFY_SOCKET": f"@{name[1:]}"}, pid=1).alive()
        assert channel.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("place", ["", "/nowhere/at/all", "x" * 300, "a\0b"])
def test_nobody_there_is_no_end(place):
    Supervisor({"NOTIFY_SOCKET": place}, pid=1).ready("here")


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "2"}, None),
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "9" * 30}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_who_waits_for_signs_of_life(ear, variables, seconds):
    assert Supervisor(environ(ear, **variables), pid=1).watchdog == seconds
    assert Supervisor(variables, pid=1).watchdog is None


async def served(answer):
    """A server that answers so, or not at all; its port."""

    async def serve(reader, writer):
        await reader.readline()
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("answer", "alive"),
    [
        (b"HTTP/1.1 409 Conflict\r\n\r\n", True),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"SSH-2.0\r\n", False),
        (b"", False),
        (b"x" * 200_000, False),
        (None, False),
    ],
    ids=["token", "password", "busy", "stranger", "closed", "endless", "silent"],
)
async def test_a_sign_is_earned_by_an_answer(answer, alive):
    async with await served(answer) as server:
        port = server.sockets[0].getsockname()[1]
        patience = DEADLINE if alive or answer is not None else 0.05
        assert await Heartbeat(Supervisor({}, pid=1), "0.0.0.0", port).answers(patience) is alive


async def test_nobody_listens_is_no_sign():
    assert not await Heartbeat(Supervisor({}, pid=1), "127.0.0.1", 1).answers(DEADLINE)


async def test_signs_are_given_while_it_answers_and_none_without(ear, caplog):
    supervisor = Supervisor(environ(ear, WATCHDOG_USEC="60000"), pid=1)
    async with await served(b"HTTP/1.1 409 Conflict\r\n\r\n") as server:
        port = server.sockets[0].getsockname()[1]
        task = asyncio.create_task(Heartbeat(supervisor, "localhost", port).run())
        assert await heard(ear) == ["WATCHDOG=1"]
        assert await heard(ear) == ["WATCHDOG=1"]
    async with asyncio.timeout(DEADLINE):
        while not any("does not answer" in each.message for each in caplog.records):
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.wait([task])
    await Heartbeat(Supervisor({}, pid=1), "127.0.0.1", 1).run()  # nobody waits: at once
