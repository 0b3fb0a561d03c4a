"""A listening socket that answers: a client that has asked by the time it is taken is read, answered and done with.

The rule: one connection is four system calls and no object that outlives them. The kernel holds a connection back until
its client has spoken (TCP_DEFER_ACCEPT), so there is nothing to wait for; and it holds the answer back until the end of
the connection is there to go along (TCP_CORK), so that both are one packet. `accept4` is called by ctypes, as Python's
own `accept` makes an object and a text of the address first. Where the kernel has none of this it is the same, slower.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Final

from p2p.codec import compact
from p2p.net.listening_socket import ListeningSocket
from p2p.net.network import MAX_FIRST_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.ids import Address
    from p2p.net.network import FirstAnswerer, Source, Stream

PATIENCE: Final = 1
"""Seconds the kernel may hold a silent client back. It counts in repeated handshakes: this is one, after a second."""

_NAME: Final = 28
"""Bytes of the longest socket address in use."""

_SOURCE: Final = struct.Struct("!2xH4s")
_SOURCE6: Final = struct.Struct("!2xH4x16s")


class AnsweringListener(ListeningSocket["tuple[int, Source]"]):
    """See `Network.listen_answering`. `make_stream` makes a stream of a socket, its near and its far address."""

    __slots__ = ("_accept_one", "_answer", "_make_stream", "_on_stream")

    def __init__(
        self,
        sock: socket.socket,
        local: Address,
        answer: FirstAnswerer,
        on_stream: Callable[[Stream, bytes], None],
        make_stream: Callable[[socket.socket, Address], Stream],
    ) -> None:
        self._answer = answer
        self._on_stream = on_stream
        self._make_stream = make_stream
        self._accept_one = _accepting(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in (("TCP_DEFER_ACCEPT", PATIENCE), ("TCP_CORK", 1)):  # connections inherit the second
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        super().__init__(sock, local)

    def _take(self) -> tuple[int, Source]:
        return self._accept_one()

    def _begin(self, taken: tuple[int, Source]) -> None:
        descriptor, source = taken
        try:
            try:
                received = os.read(descriptor, MAX_FIRST_WORDS)
            except BlockingIOError:  # its client is silent
                received = b""
            except OSError:
                return
            else:
                if not received:  # it has gone
                    return
                if len(received) < MAX_FIRST_WORDS:
                    answer = self._answer(received, source)
                    if answer is not None:
                        _say(descriptor, answer)
                        return
            kept, descriptor = descriptor, -1
            self._hand_over(kept, source, received)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _hand_over(self, descriptor: int, source: Source, received: bytes) -> None:
        sock = socket.socket(self._sock.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, 0, descriptor)
        port, host = source
        try:
            if hasattr(socket, "TCP_CORK"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            stream = self._make_stream(sock, compact.unpack(host + port.to_bytes(2, "big")))
        except OSError:  # reset since
            sock.close()
            return
        self._on_stream(stream, received)


def _say(descriptor: int, answer: bytes) -> None:
    try:
        if os.write(descriptor, answer) == len(answer):
            return
    except OSError:
        return
    # Better none of it than a part that looks whole: the connection ends with a reset once it is closed.
    with socket.socket(fileno=os.dup(descriptor)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _accepting(sock: socket.socket) -> Callable[[], tuple[int, Source]]:
    """What takes one connection: a descriptor that does not block, and the far end. Raises OSError."""
    accept4 = _accept4()
    if accept4 is None:
        return lambda: _accept_plainly(sock)
    name, length = bytearray(_NAME), ctypes.c_uint(_NAME)
    name_at = ctypes.addressof((ctypes.c_char * _NAME).from_buffer(name))
    length_at = ctypes.addressof(length)
    source = _SOURCE6 if sock.family is socket.AF_INET6 else _SOURCE
    flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    listening = sock.fileno()

    def accept() -> tuple[int, Source]:
        length.value = _NAME
        descriptor = accept4(listening, name_at, length_at, flags)
        if descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        port, host = source.unpack_from(name)
        return descriptor, (port, host)

    return accept


def _accept4() -> Callable[[int, int, int, int], int] | None:
    if sys.platform != "linux":
        return None
    try:
        accept4 = ctypes.CDLL(None, use_errno=True).accept4
    except (OSError, AttributeError):
        return None
    accept4.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
    found: Callable[[int, int, int, int], int] = accept4
    return found


def _accept_plainly(sock: socket.socket) -> tuple[int, Source]:
    taken, name = sock.accept()
    taken.setblocking(False)
    return taken.detach(), (name[1], socket.inet_pton(sock.family, name[0].partition("%")[0]))
