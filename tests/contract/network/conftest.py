"""The forms of the network port that keep its contract: sockets on both loops and both families, and the simulation.

Encrypted streams are tried over sockets and over the simulation; their network is otherwise the one below.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, contextmanager

import pytest
import uvloop

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.bound_network import BoundNetwork
from p2p.net.encrypted_stream import EncryptedStream
from p2p.net.interface_binding import InterfaceBinding
from p2p.simulation import SimInternet, VirtualLoop
from p2p.simulation.first_words import FirstWords
from p2p.wire.mse import Rc4


class World:
    """Two doors to one network (`near`, `far`) and what a test does with them most."""

    def __init__(self, near, far, near_host, far_host):
        self.near, self.far = near, far
        self.near_host, self.far_host = near_host, far_host

    @asynccontextmanager
    async def listening(self):
        """A far listener and the queue of streams that it takes."""
        streams = asyncio.Queue()
        listener = await self.far.listen(Address(self.far_host, 0), streams.put_nowait)
        try:
            yield listener, streams
        finally:
            listener.close()
            while not streams.empty():
                streams.get_nowait().close()

    @asynccontextmanager
    async def pair(self):
        """A connected pair: the near end, the far end."""
        async with self.listening() as (listener, streams):
            near = await self.near.connect(listener.local)
            far = await streams.get()
            try:
                yield near, far
            finally:
                near.close()
                far.close()

    @staticmethod
    async def until(condition, subscribe):
        """Wait for a readiness callback (`subscribe` is on_readable or on_writable) under which `condition` holds."""
        done = asyncio.get_running_loop().create_future()

        def ready():
            if condition() and not done.done():
                done.set_result(None)
                subscribe(None)

        subscribe(ready)
        await done

    @staticmethod
    async def read(stream, size):
        """Exactly `size` bytes, or fewer at the end of the stream."""
        content = bytearray()
        view = memoryview(bytearray(65_536))

        def more():
            while len(content) < size:
                count = stream.receive_into([view[: size - len(content)]])
                if count is None:
                    return False
                if count == 0:
                    break
                content.extend(view[:count])
            return True

        await World.until(more, stream.on_readable)
        return bytes(content)

    @staticmethod
    async def write(stream, content):
        rest = memoryview(content)

        def more():
            nonlocal rest
            rest = rest[stream.send([rest]) :]
            return not rest

        await World.until(more, stream.on_writable)

    @staticmethod
    @contextmanager
    def refused(text="."):
        with pytest.raises(NetworkError, match=text) as caught:
            yield
        message = str(caught.value)
        assert message == message.lower()
        assert "\n" not in message

    @staticmethod
    async def broken(stream):
        """Wait until receiving raises NetworkError."""
        view = memoryview(bytearray(1))

        def fails():
            try:
                stream.receive_into([view])
            except NetworkError:
                return True
            return False

        await World.until(fails, stream.on_readable)


def real_world(host):
    network = AsyncioNetwork()
    return World(network, network, host, host)


def simulated_world(near_host, far_host):
    internet = SimInternet(random.Random(1))
    near, far = internet.host(near_host), internet.host(far_host)
    return World(near.network, far.network, near_host, far_host)


class EncryptedNetwork:
    """A network whose streams are all encrypted, under keys that both ends know."""

    def __init__(self, inner):
        self.inner = inner
        self.open_datagrams, self.open_answering, self.resolve = (
            inner.open_datagrams,
            inner.open_answering,
            inner.resolve,
        )

    async def connect(self, remote, *, local=None):
        stream = await self.inner.connect(remote, local=local)
        return EncryptedStream(stream, encrypt=Rc4(b"near" * 5), decrypt=Rc4(b"far!" * 5))

    async def listen(self, local, on_stream):
        return await self.inner.listen(
            local,
            lambda stream: on_stream(EncryptedStream(stream, encrypt=Rc4(b"far!" * 5), decrypt=Rc4(b"near" * 5))),
        )

    async def listen_answering(self, local, answer, on_stream):
        return await self.listen(local, lambda stream: FirstWords(stream, answer, on_stream).wait())


def encrypted(world):
    return World(EncryptedNetwork(world.near), EncryptedNetwork(world.far), world.near_host, world.far_host)


def held_world():
    """Loopback as the one interface that everything is held to."""
    host = "127.0.0.1"
    binding = InterfaceBinding("lo", lambda _: [host, "::1"])
    binding.refresh()
    plain = AsyncioNetwork()
    network = BoundNetwork(AsyncioNetwork(device="lo"), binding, plain.resolve)
    return World(network, network, host, host)


FORMS = {
    "asyncio-ipv4": (asyncio.new_event_loop, lambda: real_world("127.0.0.1")),
    "asyncio-ipv6": (asyncio.new_event_loop, lambda: real_world("::1")),
    "uvloop-ipv4": (uvloop.new_event_loop, lambda: real_world("127.0.0.1")),
    "uvloop-ipv6": (uvloop.new_event_loop, lambda: real_world("::1")),
    "held-asyncio": (asyncio.new_event_loop, held_world),
    "held-uvloop": (uvloop.new_event_loop, held_world),
    "simulation-ipv4": (VirtualLoop, lambda: simulated_world("10.0.0.1", "10.0.0.2")),
    "simulation-ipv6": (VirtualLoop, lambda: simulated_world("2001:db8::1", "2001:db8::2")),
    "encrypted-asyncio": (asyncio.new_event_loop, lambda: encrypted(real_world("127.0.0.1"))),
    "encrypted-uvloop": (uvloop.new_event_loop, lambda: encrypted(real_world("::1"))),
    "encrypted-simulation": (VirtualLoop, lambda: encrypted(simulated_world("10.0.0.1", "10.0.0.2"))),
}


@pytest.fixture(params=FORMS)
def run(request):
    loop_factory, make_world = FORMS[request.param]

    def run(case):
        async def bounded():
            async with asyncio.timeout(20):
                await case(make_world())

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(bounded())

    return run
