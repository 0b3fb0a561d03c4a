"""The network port on the operating system's sockets: production's form, on any asyncio loop.

Raw non-blocking sockets and the loop's readers and writers, because transports and protocols copy what they carry. One
view goes through `recv_into` and `send`, several through `recvmsg_into` and `sendmsg`. Every OSError becomes a
NetworkError with a short reason; a socket is closed on every way out, cancellation included.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.answering_listener import AnsweringListener
from p2p.net.answering_socket import AnsweringSocket
from p2p.net.device import hold_to_device
from p2p.net.interfaces import multicast_interfaces
from p2p.net.listening_socket import ListeningSocket
from p2p.net.name_lookup import look_up
from p2p.net.network import MAX_VIEWS, Answerer, Datagrams, FirstAnswerer, Interface, Listener, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BACKLOG: Final = 1_024
"""Connections the kernel holds for us (and caps by its own limit): who finds it full tries again a second later."""

DATAGRAMS_A_TURN: Final = 64
"""Datagrams read for one readiness, so that a flood cannot starve the rest."""

DATAGRAM_BUFFER: Final = 1 << 20
"""Bytes asked of the kernel for datagrams not read yet: a burst of some thousand DHT queries. The kernel caps it."""

MAX_DATAGRAM: Final = 65_536

DRAIN_LIMIT: Final = 1 << 20
"""Bytes of unread input thrown away at close: unread input makes the kernel reset the connection and drop our last
bytes. A peer that sends more than this without being read does not wait for them."""

DRAIN_SIZE: Final = 65_536

MAX_HOST_LENGTH: Final = 253
"""Characters of a domain name (RFC 1035, section 2.3.4)."""

MAX_LOOKUPS: Final = 32
"""Names looked up at once: each takes a thread."""

_LINGER_NOTHING: Final = struct.pack("ii", 1, 0)

_SHARED_PORT: Final = [getattr(socket, name) for name in ("SO_REUSEADDR", "SO_REUSEPORT") if hasattr(socket, name)]
"""BSD asks for the second where Linux is content with the first; programs that share a port must agree."""


class AsyncioNetwork:
    """The `Network` of this host. Every method belongs to the running loop.

    With `device`, the name of a network interface, sockets are held to it: the kernel sends by no other, whatever its
    routes say, and where it cannot promise that, nothing is opened (see `hold_to_device`).
    """

    def __init__(self, *, device: str | None = None) -> None:
        self._lookups = asyncio.Semaphore(MAX_LOOKUPS)
        self._device = device

    async def connect(self, remote: Address, *, local: Address | None = None) -> Stream:
        sock = self._socket(remote, socket.SOCK_STREAM)
        try:
            if local is not None:
                sock.bind(local)
            await _finish_connect(sock, remote)
            return _AsyncioStream(sock, _address(sock.getsockname()), remote)
        except OSError as error:
            sock.close()
            raise NetworkError(_reason(error)) from error
        except BaseException:
            sock.close()
            raise

    async def listen(self, local: Address, on_stream: Callable[[Stream], None]) -> Listener:
        sock = self._socket(local, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(local)
            return self.adopt_listener(sock, on_stream)
        except OSError as error:
            sock.close()
            raise NetworkError(_reason(error)) from error

    async def listen_answering(
        self, local: Address, answer: FirstAnswerer, on_stream: Callable[[Stream, bytes], None]
    ) -> Listener:
        sock = self._socket(local, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(local)
            return self.adopt_answering_listener(sock, answer, on_stream)
        except OSError as error:
            sock.close()
            raise NetworkError(_reason(error)) from error

    async def open_datagrams(self, local: Address, on_datagram: Callable[[bytes, Address], None]) -> Datagrams:
        sock = self._socket(local, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER)
            sock.bind(local)
            return _AsyncioDatagrams(sock, on_datagram)
        except OSError as error:
            sock.close()
            raise NetworkError(_reason(error)) from error

    async def open_answering(self, local: Address, answer: Answerer) -> Datagrams:
        sock = self._socket(local, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER)
            sock.bind(local)
            return self.adopt_answering(sock, answer)
        except OSError as error:
            sock.close()
            raise NetworkError(_reason(error)) from error

    @staticmethod
    def adopt_listener(sock: socket.socket, on_stream: Callable[[Stream], None]) -> Listener:
        """Listen at a socket that is bound and does not block. Raises OSError."""
        sock.listen(BACKLOG)
        return _AsyncioListener(sock, on_stream)

    @staticmethod
    def adopt_answering_listener(
        sock: socket.socket, answer: FirstAnswerer, on_stream: Callable[[Stream, bytes], None]
    ) -> Listener:
        """See `listen_answering`, for a socket that is bound and does not block. Raises OSError."""
        sock.listen(BACKLOG)
        return AnsweringListener(sock, _address(sock.getsockname()), answer, on_stream, _stream_of)

    @staticmethod
    def adopt_answering(sock: socket.socket, answer: Answerer) -> Datagrams:
        """See `open_answering`, for a socket that is bound and does not block."""
        return AnsweringSocket(sock, _address(sock.getsockname()), answer)

    async def open_multicast(
        self,
        group: Address,
        on_datagram: Callable[[bytes, Address], None],
        *,
        interface: str | None = None,
        source: str | None = None,
    ) -> Datagrams:
        sock = self._socket(group, socket.SOCK_DGRAM)
        try:
            for option in _SHARED_PORT:
                sock.setsockopt(socket.SOL_SOCKET, option, 1)
            index = 0
            if interface is not None:
                index = socket.if_nametoindex(interface)
                _keep_to(sock, interface)
            sock.bind(group)  # to the group: other datagrams at this port are not for us
            _join(sock, group, index, source)
            if source is None or not group.is_ipv6:
                return _AsyncioDatagrams(sock, on_datagram)
            place = struct.pack("@16sI", socket.inet_pton(socket.AF_INET6, source), index)
            return _AsyncioMember(sock, on_datagram, [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, place)])
        except OSError as error:
            sock.close()
            raise NetworkError(_reason(error)) from error

    def _socket(self, address: Address, kind: socket.SocketKind) -> socket.socket:
        sock = _socket(address, kind)
        try:
            if self._device is not None:
                hold_to_device(sock, self._device)
        except OSError as error:
            sock.close()
            raise NetworkError(f"{self._device}: {_reason(error)}") from error
        return sock

    def multicast_interfaces(self) -> list[Interface]:
        return multicast_interfaces()

    async def resolve(self, host: str, port: int) -> list[Address]:
        if not 0 <= port <= 65_535:
            raise NetworkError(f"port {port} is outside 0..65535")
        with contextlib.suppress(ValueError):
            return [Address.parse(host, port)]
        if not 0 < len(host) <= MAX_HOST_LENGTH:
            raise NetworkError("not a host name")
        try:
            async with self._lookups:
                found = await look_up(host, port)
        except OSError as error:
            raise NetworkError(_reason(error)) from error
        except ValueError as error:  # a label that IDNA refuses, or a NUL
            raise NetworkError("not a host name") from error
        addresses: dict[Address, None] = {}
        for sockaddr in found:
            if len(sockaddr) == 2 or not sockaddr[3]:  # a scoped address names no peer
                addresses[Address.parse(str(sockaddr[0]), port)] = None
        if not addresses:
            raise NetworkError("no address for the name")
        return list(addresses)


class _AsyncioStream:
    """A connected socket."""

    __slots__ = ("_closed", "_descriptor", "_loop", "_reading", "_sock", "_why", "_writing", "local", "remote")

    def __init__(self, sock: socket.socket, local: Address, remote: Address) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._descriptor = sock.fileno()
        self._loop = asyncio.get_running_loop()
        self._reading = False
        self._writing = False
        self._closed = False
        self._why = ""
        self.local = local
        self.remote = remote

    def receive_into(self, views: Sequence[memoryview]) -> int | None:
        if self._why:
            raise NetworkError(self._why)
        try:
            if len(views) == 1:
                count = self._sock.recv_into(views[0])
            elif len(views) <= MAX_VIEWS:
                count = self._sock.recvmsg_into(views)[0]
            else:
                count = self._sock.recvmsg_into(views[:MAX_VIEWS])[0]
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise self._broken(error) from error
        if not count and not any(len(view) for view in views):
            raise ValueError("receive_into was offered no room, where 0 would read as the end of the stream")
        return count

    def send(self, views: Sequence[bytes | memoryview]) -> int:
        if self._why:
            raise NetworkError(self._why)
        try:
            if len(views) == 1:
                return self._sock.send(views[0])
            if len(views) <= MAX_VIEWS:
                return self._sock.sendmsg(views)
            return self._sock.sendmsg(views[:MAX_VIEWS])
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise self._broken(error) from error

    def on_readable(self, callback: Callable[[], None] | None) -> None:
        if self._closed:
            return
        if callback is not None:
            self._loop.add_reader(self._descriptor, callback)
            self._reading = True
        elif self._reading:
            self._loop.remove_reader(self._descriptor)
            self._reading = False

    def on_writable(self, callback: Callable[[], None] | None) -> None:
        if self._closed:
            return
        if callback is not None:
            self._loop.add_writer(self._descriptor, callback)
            self._writing = True
        elif self._writing:
            self._loop.remove_writer(self._descriptor)
            self._writing = False

    def close(self) -> None:
        if self._closed:
            return
        self._leave("closed")
        with contextlib.suppress(OSError):  # reset or never used: there is nothing left to end gently
            self._sock.shutdown(socket.SHUT_WR)
            _drain(self._sock)
        self._sock.close()

    def abort(self) -> None:
        if self._closed:
            return
        self._leave("aborted")
        with contextlib.suppress(OSError):  # a connection that is already reset takes no options
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
        self._sock.close()

    def _leave(self, why: str) -> None:
        self.on_readable(None)
        self.on_writable(None)
        self._closed = True
        self._why = why

    def _broken(self, error: OSError) -> NetworkError:
        self._why = _reason(error)
        return NetworkError(self._why)


def _stream_of(sock: socket.socket, remote: Address) -> Stream:
    return _AsyncioStream(sock, _address(sock.getsockname()), remote)


class _AsyncioListener(ListeningSocket["tuple[socket.socket, tuple[str, int]]"]):
    """A listening socket that gives streams."""

    __slots__ = ("_on_stream",)

    def __init__(self, sock: socket.socket, on_stream: Callable[[Stream], None]) -> None:
        self._on_stream = on_stream
        super().__init__(sock, _address(sock.getsockname()))

    def _take(self) -> tuple[socket.socket, tuple[str, int]]:
        return self._sock.accept()

    def _begin(self, taken: tuple[socket.socket, tuple[str, int]]) -> None:
        sock, sockaddr = taken
        try:
            sock.setblocking(False)
            stream = _stream_of(sock, _address(sockaddr))
        except OSError:  # reset since
            sock.close()
            return
        self._on_stream(stream)


class _AsyncioDatagrams:
    """A bound datagram socket."""

    __slots__ = ("_buffer", "_loop", "_on_datagram", "_sock", "local")

    def __init__(self, sock: socket.socket, on_datagram: Callable[[bytes, Address], None]) -> None:
        self._sock = sock
        self._on_datagram = on_datagram
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(MAX_DATAGRAM))
        self.local = _address(sock.getsockname())
        self._loop.add_reader(sock.fileno(), self._receive)

    def send(self, data: bytes, to: Address) -> None:
        with contextlib.suppress(OSError):  # a datagram that cannot be sent is a lost datagram
            self._sock.sendto(data, to)

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _receive(self) -> None:
        for _ in range(DATAGRAMS_A_TURN):
            if self._sock.fileno() < 0:  # closed by the callback
                return
            try:
                count, sockaddr = self._sock.recvfrom_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # what ICMP said about an earlier datagram
                continue
            self._on_datagram(bytes(self._buffer[:count]), _address(sockaddr))


class _AsyncioMember(_AsyncioDatagrams):
    """A member of a multicast group whose datagrams bear `ancillary`, where the system takes their source from."""

    __slots__ = ("_ancillary",)

    def __init__(
        self,
        sock: socket.socket,
        on_datagram: Callable[[bytes, Address], None],
        ancillary: list[tuple[int, int, bytes]],
    ) -> None:
        super().__init__(sock, on_datagram)
        self._ancillary = ancillary

    def send(self, data: bytes, to: Address) -> None:
        with contextlib.suppress(OSError):  # as above
            self._sock.sendmsg([data], self._ancillary, 0, to)


def _socket(address: Address, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    try:
        sock = socket.socket(family, kind)
    except OSError as error:
        raise NetworkError(_reason(error)) from error
    try:
        sock.setblocking(False)
        if family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    except OSError as error:
        sock.close()
        raise NetworkError(_reason(error)) from error
    return sock


def _keep_to(sock: socket.socket, interface: str) -> None:
    """Let the socket hear this interface alone: Linux brings a group's datagrams to its members on any other too."""
    option = getattr(socket, "SO_BINDTODEVICE", None)
    if option is not None:
        with contextlib.suppress(PermissionError):  # kernels before 5.7 ask for root; then all are heard
            sock.setsockopt(socket.SOL_SOCKET, option, interface.encode())


def _join(sock: socket.socket, group: Address, interface: int, source: str | None) -> None:
    """Make the socket a member of the group on the interface of this index, 0 for the system's choice.

    An IPv4 socket sends from `source` from then on, if it is given.
    """
    if group.is_ipv6:
        membership = struct.pack("@16sI", socket.inet_pton(socket.AF_INET6, group.host), interface)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
        return
    membership = struct.pack("@4s4si", socket.inet_aton(group.host), bytes(4), interface)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    if interface or source is not None:
        place = struct.pack("@4s4si", bytes(4), bytes(4) if source is None else socket.inet_aton(source), interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, place)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)


async def _finish_connect(sock: socket.socket, remote: Address) -> None:
    code = sock.connect_ex(remote)
    if code == errno.EINPROGRESS:
        await _until_writable(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    if sock.getsockname()[:2] == remote:
        # A connect from a free port to that same port of this host meets itself (simultaneous open).
        raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


async def _until_writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        if not done.done():
            done.set_result(None)

    loop.add_writer(sock.fileno(), ready)
    try:
        await done
    finally:
        loop.remove_writer(sock.fileno())


def _drain(sock: socket.socket) -> None:
    for _ in range(DRAIN_LIMIT // DRAIN_SIZE):
        if not sock.recv(DRAIN_SIZE):
            return


def _address(sockaddr: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    host, port = sockaddr[:2]
    if ":" not in host:
        return Address(host, port)  # the kernel's form of IPv4 is the canonical one
    return Address.parse(host.partition("%")[0], port)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
