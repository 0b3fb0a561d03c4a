"""Ports that several processes serve: one socket for each process at the same address, made before they are.

The rules: connections are shared out by the kernel; datagrams too, but a UDP tracker's announces and scrapes go to the
process that their info-hash says, by a small program that the kernel runs on each (Linux; elsewhere, and for what is no
announce, the kernel chooses by the sender). The sockets stay open where they were made, so what arrives for a process
that has died waits for the one that takes its place.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError
from p2p.net.asyncio_network import BACKLOG, DATAGRAM_BUFFER, AsyncioNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import Address
    from p2p.net.network import Answerer, Datagrams, FirstAnswerer, Listener, Stream

_ATTACH_REUSEPORT_CBPF: Final = 51
"""SO_ATTACH_REUSEPORT_CBPF of Linux, which Python has no name for."""

_HASH_AT: Final = 16
"""Where the info-hash begins in an announce (BEP 15), and the first one in a scrape."""

_LOAD_LENGTH, _LOAD_BYTE, _JUMP_IF_GREATER, _MODULO, _RETURN, _RETURN_A = 0x80, 0x30, 0x25, 0x94, 0x06, 0x16
_NOBODY: Final = 0xFFFFFFFF
"""No socket's number: the kernel then chooses as if there were no program."""


class SharedPorts:
    """Sockets for `count` processes at each of some addresses; datagrams are for the first `udp_count` of them."""

    def __init__(self, count: int, udp_count: int | None = None) -> None:
        self._count = count
        self._udp_count = count if udp_count is None else udp_count
        self._tcp: dict[Address, list[socket.socket]] = {}
        self._udp: dict[Address, list[socket.socket]] = {}

    def bind(self, *, tcp: Sequence[Address], udp: Sequence[Address]) -> None:
        """Bind more addresses, port 0 to any free one. Raises NetworkError, which leaves those bound that were."""
        for kind, groups, addresses in (
            (socket.SOCK_STREAM, self._tcp, tcp),
            (socket.SOCK_DGRAM, self._udp, udp),
        ):
            for address in addresses:
                try:
                    groups[address] = self._group(address, kind)
                except OSError as error:
                    reason = (error.strerror or type(error).__name__).lower()
                    raise NetworkError(f"{address}: {reason}") from error
        for address in udp:
            self._steer(self._udp[address][0])

    def network(self, number: int) -> AsyncioNetwork:
        """The network of process `number`: it listens at the addresses that were bound by its own sockets of them."""
        return _SharedNetwork(
            {address: group[number] for address, group in self._tcp.items()},
            {address: group[number] for address, group in self._udp.items() if number < len(group)},
        )

    def close(self) -> None:
        for group in (*self._tcp.values(), *self._udp.values()):
            for sock in group:
                sock.close()

    def _group(self, address: Address, kind: socket.SocketKind) -> list[socket.socket]:
        family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
        group: list[socket.socket] = []
        place = tuple(address)
        try:
            for _ in range(self._count if kind is socket.SOCK_STREAM else self._udp_count):
                sock = socket.socket(family, kind)
                group.append(sock)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                if family is socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setblocking(False)
                sock.bind(place)
                if kind is socket.SOCK_STREAM:
                    sock.listen(BACKLOG)  # by now, so that who asks before there is a process waits and is not refused
                else:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER)
                place = sock.getsockname()[:2]
        except OSError:
            for sock in group:
                sock.close()
            raise
        return group

    def _steer(self, sock: socket.socket) -> None:
        program = [
            (_LOAD_LENGTH, 0, 0, 0),
            (_JUMP_IF_GREATER, 1, 0, _HASH_AT),
            (_RETURN, 0, 0, _NOBODY),
            (_LOAD_BYTE, 0, 0, _HASH_AT),
            (_MODULO, 0, 0, self._udp_count),
            (_RETURN_A, 0, 0, 0),
        ]
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
        with contextlib.suppress(OSError):  # no Linux, or an old one: every process can answer everybody
            sock.setsockopt(
                socket.SOL_SOCKET, _ATTACH_REUSEPORT_CBPF, struct.pack("HP", len(program), ctypes.addressof(code))
            )


class _SharedNetwork(AsyncioNetwork):
    """See `SharedPorts.network`. A socket is served by a copy, so that closing it leaves the port bound.

    Only listeners that answer at once are shared: any other is for this process, which is told if its port is taken.
    """

    def __init__(self, tcp: dict[Address, socket.socket], udp: dict[Address, socket.socket]) -> None:
        super().__init__()
        self._tcp = tcp
        self._udp = udp

    async def listen_answering(
        self, local: Address, answer: FirstAnswerer, on_stream: Callable[[Stream, bytes], None]
    ) -> Listener:
        if local not in self._tcp:
            return await super().listen_answering(local, answer, on_stream)
        return self.adopt_answering_listener(self._tcp[local].dup(), answer, on_stream)

    async def open_answering(self, local: Address, answer: Answerer) -> Datagrams:
        if local not in self._udp:
            return await super().open_answering(local, answer)
        return self.adopt_answering(self._udp[local].dup(), answer)
