"""A datagram socket that answers: what has arrived is read in one system call, and the answers leave in another.

The rule: one batch a turn of the loop, at most MAX_BATCH datagrams, so that a flood delays others by a millisecond and
is still served at the price of two calls. Packets and answers stand in buffers of this socket that the kernel is told
of once (`recvmmsg`, `sendmmsg`, by ctypes, as Python has no door to them); a platform without the calls reads and sends
one by one, and nobody above can tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import mmap
import socket
import struct
import sys
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from p2p.net.network import MAX_ANSWER, MAX_ASKING, MAX_BATCH

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.ids import Address
    from p2p.net.network import Answerer, Source

_NAME: Final = 32
"""Bytes kept for a socket address; the longest in use has 28."""

_SOURCE: Final = struct.Struct("!2xH4s24x")
_SOURCE6: Final = struct.Struct("!2xH4x16s8x")
_STARTS: Final = tuple(range(0, MAX_BATCH * (MAX_ASKING + 1), MAX_ASKING + 1))
"""Where the packets of a batch begin."""

_LATER: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.EINTR)


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr: struct msghdr and the number of bytes that came or went."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("gap", ctypes.c_int),
        ("length", ctypes.c_uint),
    )


class AnsweringSocket:
    """Answers what arrives at `sock`, which it owns from now on."""

    __slots__ = ("_answer", "_loop", "_receive", "_sock", "local")

    def __init__(self, sock: socket.socket, local: Address, answer: Answerer) -> None:
        self._sock = sock
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self.local = local
        batches = _Batches.of(sock)
        self._receive: Callable[[Answerer], None] = self._one_by_one if batches is None else batches.serve
        self._loop.add_reader(sock.fileno(), self._on_readable)

    def send(self, data: bytes, to: Address) -> None:
        with contextlib.suppress(OSError):  # a datagram that cannot be sent is a lost datagram
            self._sock.sendto(data, to)

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _on_readable(self) -> None:
        self._receive(self._answer)

    def _one_by_one(self, answer: Answerer) -> None:
        packets: list[bytes] = []
        names: list[tuple[str, int]] = []
        sources: list[Source] = []
        while len(packets) < MAX_BATCH:
            try:
                packet, name = self._sock.recvfrom(MAX_ASKING + 1)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # what ICMP said about an earlier datagram
                continue
            if len(packet) <= MAX_ASKING:
                packets.append(packet)
                names.append(name)
                sources.append((name[1], socket.inet_pton(self._sock.family, name[0].partition("%")[0])))
        for data, name in zip(answer(packets, sources) if packets else (), names, strict=True):
            if data and len(data) <= MAX_ANSWER and self._sock.fileno() >= 0:
                with contextlib.suppress(OSError):
                    self._sock.sendto(data, name)


class _Batches:
    """The buffers of one socket and the two calls over them."""

    __slots__ = (
        "_answers",
        "_asked",
        "_incoming",
        "_kept",
        "_lengths_in",
        "_lengths_out",
        "_names",
        "_outgoing",
        "_recvmmsg",
        "_room",
        "_sendmmsg",
        "_sock",
        "_source",
        "_starts_out",
    )

    @classmethod
    def of(cls, sock: socket.socket) -> _Batches | None:
        """None where the platform has no such calls, or lays a message out otherwise than Linux on 64 bits does."""
        if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
            return None
        try:
            library = ctypes.CDLL(None, use_errno=True)
            recvmmsg, sendmmsg = library.recvmmsg, library.sendmmsg
        except (OSError, AttributeError):
            return None
        recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
        sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        return cls(sock, recvmmsg, sendmmsg)

    def __init__(self, sock: socket.socket, recvmmsg: Callable[..., int], sendmmsg: Callable[..., int]) -> None:
        self._sock = sock
        self._recvmmsg = recvmmsg
        self._sendmmsg = sendmmsg
        self._source = _SOURCE6 if sock.family is socket.AF_INET6 else _SOURCE
        # Slices of a mapping are bytes at once, where those of a bytearray would be copied a second time.
        self._asked = mmap.mmap(-1, MAX_BATCH * (MAX_ASKING + 1))
        self._answers = mmap.mmap(-1, MAX_BATCH * MAX_ANSWER)
        self._names = bytearray(MAX_BATCH * _NAME)
        vectors_in = (_Vector * MAX_BATCH)()
        vectors_out = (_Vector * MAX_BATCH)()
        incoming = (_Message * MAX_BATCH)()
        outgoing = (_Message * MAX_BATCH)()
        asked, answers, names = (
            ctypes.addressof((ctypes.c_char * len(room)).from_buffer(room))
            for room in (self._asked, self._answers, self._names)
        )
        name_size = 28 if sock.family is socket.AF_INET6 else 16
        for n in range(MAX_BATCH):
            vectors_in[n] = _Vector(asked + n * (MAX_ASKING + 1), MAX_ASKING + 1)
            vectors_out[n] = _Vector(answers, 0)
            for messages, vectors in ((incoming, vectors_in), (outgoing, vectors_out)):
                vector = ctypes.addressof(vectors) + n * ctypes.sizeof(_Vector)
                messages[n] = _Message(names + n * _NAME, name_size, vector, 1, None, 0, 0, 0, 0)
        self._incoming = ctypes.addressof(incoming)
        self._outgoing = ctypes.addressof(outgoing)
        self._kept = (incoming, outgoing, vectors_in, vectors_out)  # the kernel is given their addresses
        self._lengths_in = memoryview(incoming).cast("B").cast("I")[14::16]
        self._room = answers
        self._starts_out = memoryview(vectors_out).cast("B").cast("L")[::2]
        self._lengths_out = memoryview(vectors_out).cast("B").cast("L")[1::2]

    def serve(self, answer: Answerer) -> None:
        """Read a batch, have it answered, send the answers."""
        count = self._recvmmsg(self._sock.fileno(), self._incoming, MAX_BATCH, socket.MSG_DONTWAIT, None)
        if count <= 0:  # nothing there, or what ICMP said about an earlier datagram
            return
        asked = self._asked
        lengths = self._lengths_in[:count].tolist()
        packets = [asked[at : at + length] for at, length in zip(_STARTS, lengths, strict=False)]
        if max(lengths) > MAX_ASKING:
            packets = [packet if len(packet) <= MAX_ASKING else b"" for packet in packets]
        answers = answer(packets, list(self._source.iter_unpack(self._names[: count * _NAME])))
        sizes = array("L", map(len, answers))
        if max(sizes) > MAX_ANSWER:
            answers = [data if len(data) <= MAX_ANSWER else b"" for data in answers]
            sizes = array("L", map(len, answers))
        self._lengths_out[:count] = memoryview(sizes)
        self._starts_out[:count] = memoryview(array("L", accumulate(sizes[:-1], initial=self._room)))
        content = b"".join(answers)
        self._answers[: len(content)] = content
        if min(sizes):
            self._send(0, count)
            return
        begin = 0
        for end, size in enumerate(sizes):
            if not size:  # silence: what stands before it is sent, and the next run begins behind it
                self._send(begin, end)
                begin = end + 1
        self._send(begin, count)

    def _send(self, begin: int, end: int) -> None:
        """Send the answers from one place to before another; those that the kernel does not take are lost datagrams."""
        descriptor = self._sock.fileno()
        while begin < end and descriptor >= 0:  # who answers may have closed the socket
            first = self._outgoing + begin * ctypes.sizeof(_Message)
            sent = self._sendmmsg(descriptor, first, end - begin, socket.MSG_DONTWAIT)
            if sent > 0:
                begin += sent
            elif ctypes.get_errno() in _LATER:
                return
            else:
                begin += 1  # this one has no way; those after it may
