"""The network port: everything this program asks of a network, in the form production and simulation share.

Streams move vectors of views and copy nothing. They are polled, never awaited: `receive_into` and `send` do what can be
done now, and the readiness callbacks say when to try again. An encrypted stream or uTP is a stream of the same shape.

Rules every implementation keeps (the contract suite in tests/contract runs on each):

- `receive_into` returns the bytes read, 0 at the end of the stream, None when nothing is there yet.
- `send` returns the bytes taken, which may be fewer than offered and is 0 when the stream is full.
- Either raises NetworkError once the connection is broken, closed or aborted; never OSError.
- A call takes at most MAX_VIEWS views, the kernel's IOV_MAX on every platform in use.
- `on_readable(callback)` calls back once a loop turn for as long as data (or an end, or an error) waits and the
  callback is set; None unsets it. `on_writable` likewise while there is room. Callbacks come from the loop, never
  from inside a stream's method, and never after close or abort.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ipaddress import IPv4Interface, IPv6Interface

    from p2p.ids import Address

MAX_VIEWS: Final = 1_024

MAX_BATCH: Final = 64
"""Datagrams answered in one go: a larger batch saves no more and lets the first of it wait for the last."""

MAX_ASKING: Final = 2_303
"""Bytes of a datagram that is answered in a batch: the longest a UDP tracker is asked, with a URL of 2 KiB (BEP 41)."""

MAX_ANSWER: Final = 1_472
"""Bytes of its answer: what an Ethernet frame carries in one packet."""

Source: TypeAlias = tuple[int, bytes]
"""Where a datagram came from, as batches tell it: the port and the packed host, 4 bytes or 16."""

MAX_FIRST_WORDS: Final = 8_192
"""Bytes read of a client that is answered as it comes, the usual bound of a request over HTTP with its headers."""

MAX_LAST_WORDS: Final = 16_384
"""Bytes of the answer to it: what a new connection takes in one go."""

Answerer: TypeAlias = "Callable[[list[bytes], list[Source]], Sequence[bytes | bytearray]]"
"""Gives one answer for each datagram of a batch, empty for none."""

FirstAnswerer: TypeAlias = "Callable[[bytes, Source], bytes | None]"
"""Given what a client said first and where it comes from, all that it is told; None for one to be kept."""


class Stream(Protocol):
    """A connected byte stream."""

    @property
    def local(self) -> Address: ...

    @property
    def remote(self) -> Address: ...

    def receive_into(self, views: Sequence[memoryview]) -> int | None: ...

    def send(self, views: Sequence[bytes | memoryview]) -> int: ...

    def on_readable(self, callback: Callable[[], None] | None) -> None: ...

    def on_writable(self, callback: Callable[[], None] | None) -> None: ...

    def close(self) -> None:
        """End the stream after what `send` has taken; idempotent."""

    def abort(self) -> None:
        """End the stream now, dropping what is unsent; idempotent."""


class Listener(Protocol):
    """A listening place; streams arrive at the callback given to `Network.listen`."""

    @property
    def local(self) -> Address:
        """Where it listens, with the port that was chosen when 0 was asked."""

    def close(self) -> None: ...


class Datagrams(Protocol):
    """A bound datagram socket."""

    @property
    def local(self) -> Address: ...

    def send(self, data: bytes, to: Address) -> None:
        """Send or drop: datagrams carry no promise, and a full buffer or an unreachable host is a lost datagram."""

    def close(self) -> None: ...


class Interface(NamedTuple):
    """A network interface that is up and carries multicast, and its addresses, each with its network."""

    name: str
    places: tuple[IPv4Interface | IPv6Interface, ...]


class Network(Protocol):
    """A host's door to a network."""

    async def connect(self, remote: Address, *, local: Address | None = None) -> Stream:
        """Connect, or raise NetworkError. The caller bounds the time. `local` binds the near end."""

    async def listen(self, local: Address, on_stream: Callable[[Stream], None]) -> Listener:
        """Listen, or raise NetworkError. An IPv6 listener takes IPv6 only, so both families can share a port."""

    async def listen_answering(
        self, local: Address, answer: FirstAnswerer, on_stream: Callable[[Stream, bytes], None]
    ) -> Listener:
        """Listen as `listen` does, for clients that speak first and, most of them, once.

        `answer` is asked what to say to the first bytes of a client; it is said, up to MAX_LAST_WORDS bytes, and the
        connection ends. A client for which there is no such answer comes as a stream with what was read of it: at most
        MAX_FIRST_WORDS, of which `answer` is not asked if they are as many, and nothing if it is silent. One that is
        silent may be held back some seconds.
        """

    async def open_datagrams(self, local: Address, on_datagram: Callable[[bytes, Address], None]) -> Datagrams:
        """Bind, or raise NetworkError. An IPv6 socket takes IPv6 only."""

    async def open_answering(self, local: Address, answer: Answerer) -> Datagrams:
        """Bind as `open_datagrams` does, for one that answers what it hears at once and where it came from.

        `answer` is given at most MAX_BATCH datagrams, in order; one longer than MAX_ASKING is lost or comes empty.
        Answers longer than MAX_ANSWER are lost.
        """

    async def open_multicast(
        self,
        group: Address,
        on_datagram: Callable[[bytes, Address], None],
        *,
        interface: str | None = None,
        source: str | None = None,
    ) -> Datagrams:
        """Join a multicast group at its port, beside other programs of this host that did, or raise NetworkError.

        What is sent to `group` reaches all members on the same link and host, the sender too, and no router passes it
        on. `interface` is the name of a network interface, `source` the address of ours that others are to see; None
        leaves either to the system. `local` is the group; sources are addresses of hosts.
        """

    def multicast_interfaces(self) -> list[Interface]:
        """The interfaces to join multicast groups on, as they are now. NetworkError where nobody can tell."""

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Addresses of a host name or IP literal, best first; NetworkError if there are none."""
