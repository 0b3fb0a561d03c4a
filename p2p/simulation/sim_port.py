"""The network port of one simulated host: what a program that runs there sees of the network."""

from __future__ import annotations

import asyncio
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Final

from p2p.codec import compact
from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.network import MAX_ANSWER, MAX_ASKING, Interface
from p2p.simulation.first_words import FirstWords
from p2p.simulation.sim_datagrams import WILDCARDS, SimDatagrams, SimMember
from p2p.simulation.sim_listener import SimListener
from p2p.simulation.sim_stream import Pipe, SimStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.net.network import Answerer, Datagrams, FirstAnswerer, Listener, Stream
    from p2p.simulation.sim_host import SimHost

SYN_WAITS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Seconds between the attempts of a connect that nobody answers: Linux gives up after these 127 s."""


class SimNetwork:
    """The network port of one simulated host."""

    __slots__ = ("_host",)

    def __init__(self, host: SimHost) -> None:
        self._host = host

    async def connect(self, remote: Address, *, local: Address | None = None) -> Stream:
        host = self._host
        source = host.source_for(remote) if local is None or local.host in WILDCARDS else local.host
        near = host.place(Address(source, local.port if local is not None else 0), {})
        if near.is_ipv6 != remote.is_ipv6:
            raise NetworkError("network is unreachable")
        attempt = _Attempt(host, near, remote)
        try:
            for wait in SYN_WAITS:
                attempt.send()
                answered, _ = await asyncio.wait((attempt.answer,), timeout=wait)
                if answered:
                    return attempt.answer.result()
        except asyncio.CancelledError:
            attempt.give_up()
            raise
        attempt.give_up()
        raise NetworkError("connection timed out")

    async def listen(self, local: Address, on_stream: Callable[[Stream], None]) -> Listener:
        place = self._host.place(local, self._host.listeners)
        listener = SimListener(self._host, place, on_stream)
        self._host.listeners[place] = listener
        return listener

    async def listen_answering(
        self, local: Address, answer: FirstAnswerer, on_stream: Callable[[Stream, bytes], None]
    ) -> Listener:
        return await self.listen(local, lambda stream: FirstWords(stream, answer, on_stream).wait())

    async def open_datagrams(self, local: Address, on_datagram: Callable[[bytes, Address], None]) -> Datagrams:
        place = self._host.place(local, self._host.sockets)
        socket = SimDatagrams(self._host, place, on_datagram)
        self._host.sockets[place] = socket
        return socket

    async def open_answering(self, local: Address, answer: Answerer) -> Datagrams:
        def on_datagram(data: bytes, source: Address) -> None:
            [reply] = answer([data], [(source.port, compact.pack(source)[:-2])]) if len(data) <= MAX_ASKING else [b""]
            if reply and len(reply) <= MAX_ANSWER:
                socket.send(bytes(reply), source)

        return (socket := await self.open_datagrams(local, on_datagram))

    async def open_multicast(
        self,
        group: Address,
        on_datagram: Callable[[bytes, Address], None],
        *,
        interface: str | None = None,
        source: str | None = None,
    ) -> Datagrams:
        del interface, source  # a simulated host has one, and one address of a family
        self._host.source_for(group)
        member = SimMember(self._host, group, on_datagram)
        self._host.members.setdefault(group, []).append(member)
        return member

    def multicast_interfaces(self) -> list[Interface]:
        return [Interface("link", tuple(ip_interface(f"{address}/0") for address in self._host.addresses))]

    async def resolve(self, host: str, port: int) -> list[Address]:
        if not 0 <= port <= 65_535:
            raise NetworkError(f"port {port} is outside 0..65535")
        try:
            return [Address.parse(host, port)]
        except ValueError:
            await asyncio.sleep(2 * self._host.latency)
        found = self._host.internet.addresses_of(host)
        if not found:
            raise NetworkError("name or service not known")
        return [Address.parse(address, port) for address in found]


class _Attempt:
    """A connect under way. Every attempt after the first is the same handshake again, so one answer ends it."""

    __slots__ = ("_given_up", "_host", "_near", "_remote", "_stream", "answer")

    def __init__(self, host: SimHost, near: Address, remote: Address) -> None:
        self._host = host
        self._near = near
        self._remote = remote
        self._stream: SimStream | None = None
        self._given_up = False
        self.answer: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()

    def send(self) -> None:
        internet = self._host.internet
        far = internet.find(self._host, self._remote.host)
        if far is not None and not internet.is_cut(self._host, far):
            internet.agenda.plan(internet.agenda.now + internet.latency(self._host, far), self._arrive, far)

    def give_up(self) -> None:
        self._given_up = True
        if self.answer.done() and not self.answer.cancelled():
            self.answer.exception()  # nobody will ask for it any more
        if self._stream is not None:
            self._stream.abort()

    def _arrive(self, far: SimHost) -> None:
        internet = self._host.internet
        if self._stream is not None or self.answer.done():
            return  # the second of two attempts that were both slow
        back = internet.agenda.now + internet.latency(self._host, far)
        listener = far.listener_for(self._remote, self._host)
        if listener is None:
            internet.record("refuse", self._near, self._remote, b"")
            internet.agenda.plan(back, self._refuse)
            return
        internet.record("connect", self._near, self._remote, b"")
        there = Pipe(self._host, far)
        here = Pipe(far, self._host)
        here.last_arrival = back  # nothing overtakes the answer
        near_end = SimStream(self._host, self._near, self._remote, here, there)
        far_end = SimStream(far, self._remote, self._near, there, here)
        near_end.peer, far_end.peer = far_end, near_end
        self._stream = near_end
        if self._given_up:
            near_end.abort()
        internet.agenda.plan(back, self._accept, near_end)
        listener.on_stream(far_end)

    def _accept(self, stream: SimStream) -> None:
        if not self.answer.done() and not self._given_up:
            self.answer.set_result(stream)

    def _refuse(self) -> None:
        if not self.answer.done() and not self._given_up:
            self.answer.set_exception(NetworkError("connection refused"))
