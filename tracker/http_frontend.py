"""The HTTP frontend: connections in, answers out, on the network port, by callbacks and no tasks.

The rules: a client that asks once and has its request ready is answered in the turn that takes it, and costs nothing
after it; only who asks again, is slow or asks for something else has a place, of which there are so many in all and so
many for one address, and a fixed time for each exchange that trickled bytes do not extend. Who finds no place is still
answered if one turn is enough for it.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from p2p.codec.http_fast import stays, usual_request
from p2p.net.network import MAX_LAST_WORDS
from tracker.figures import Traffic
from tracker.http_answers import CLOSING, NOT_FOUND, OK
from tracker.http_connection import MAX_REQUEST, Connection
from tracker.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.ids import Address
    from p2p.net.network import Listener, Network, Source, Stream
    from tracker.http_answers import HttpAnswers, OnTold, Request
    from tracker.proxies import Proxies
    from tracker.relayed_answers import RelayedAnswers


class HttpFrontend:
    """Serves `/announce`, `/scrape` and, where nobody else has pages, a bare `/stats` at any number of addresses.

    `exchange_time` is how many seconds a request may take to arrive, or an answer to leave; a connection that is quiet
    as long is closed. Connections that are kept past `max_connections`, or past `max_per_address` from one IPv4 address
    or IPv6 network of 64 bits, are dropped at once; `proxies` may have as many as there are. A connection whose next
    request is for a page (`is_page`) is given to `on_page`, with what was read of it, and is then none of this
    frontend's. All else is asked of `answers`.
    """

    def __init__(
        self,
        answers: HttpAnswers | RelayedAnswers,
        *,
        exchange_time: float,
        max_connections: int,
        max_per_address: int,
        proxies: Proxies,
        on_page: Callable[[Stream, bytes], None] | None = None,
    ) -> None:
        self._answers = answers
        self._proxies = proxies
        self._on_page = on_page
        self._exchange_time = exchange_time
        self._max_connections = max_connections
        self._listeners: list[Listener] = []
        # All connections, the one whose time is over first in front, which the timer is for.
        self._connections: dict[Connection, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._places = Places(max_per_address)
        self._long_reply: tuple[bytes, bytes] | None = None
        self._accepted = 0
        self.room = memoryview(bytearray(MAX_REQUEST))
        self.reply = self._answers.reply
        self.reply_announce = self._answers.reply_announce
        self.read_announce = self._answers.read_announce
        self.has_pages = on_page is not None

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(listener.local for listener in self._listeners)

    @property
    def traffic(self) -> Traffic:
        """What was answered since the start, the part that came by HTTP, and the connections that are open."""
        return Traffic(
            http_announces=self._answers.announces,
            http_scrapes=self._answers.scrapes,
            http_refusals=self._answers.refusals,
            http_connections=self._accepted,
            http_open=len(self._connections),
        )

    async def open(self, network: Network, local: Address) -> None:
        """Listen at one more address. Raises NetworkError."""
        self._listeners.append(await network.listen_answering(local, self._answer_first, self._on_stream))

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in list(self._connections):
            connection.end()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- who comes

    def _answer_first(self, received: bytes, source: Source) -> bytes | None:
        self._long_reply = None
        announce = self.read_announce(received)
        if announce is not None:
            if announce[6] and len(self._connections) < self._max_connections:
                return None
            reply = self._answers.reply_announce(announce, source, CLOSING)
        else:
            request = usual_request(received)
            if request is None or (stays(request) and len(self._connections) < self._max_connections):
                return None
            other = self._answers.reply(request, source, keep_alive=False)
            if other is None:
                return None
            reply = other
        if len(reply) > MAX_LAST_WORDS:
            self._long_reply = (received, reply)
            return None
        self._accepted += 1
        return reply

    def _on_stream(self, stream: Stream, received: bytes) -> None:
        self._accepted += 1
        connection = Connection(stream, self)
        host = connection.source[1]
        if len(self._connections) >= self._max_connections or not (
            self._places.has_room(host) or stream.remote.host in self._proxies
        ):
            stream.abort()
            return
        self._places.take(host)
        self._connections[connection] = None
        connection.deadline = asyncio.get_running_loop().time() + self._exchange_time
        self._watch()
        # An announce counts once: one that was answered before it was found too long for one turn is not read again.
        long = self._long_reply
        connection.begin(received, long[1] if long is not None and long[0] is received else None)
        self._long_reply = None

    # -- what connections ask (tracker.http_connection.House)

    def answer(self, request: Request, source: Address, on_told: OnTold) -> tuple[bytes, bytes] | None:
        told = self._answers.answer(request, source, on_told)
        if told is None:
            return None
        status, body = told
        is_bare = not self.has_pages  # or who may see the numbers is for the pages to say
        if status is NOT_FOUND and is_bare and request.target.partition(b"?")[0] == b"/stats":
            return OK, self._stats()
        return status, body

    def on_page(self, connection: Connection, stream: Stream, received: bytes) -> None:
        self.on_end(connection)
        if self._on_page is not None:
            self._on_page(stream, received)

    def on_exchange(self, connection: Connection) -> None:
        if connection in self._connections:
            del self._connections[connection]
            self._connections[connection] = None
            connection.deadline = asyncio.get_running_loop().time() + self._exchange_time

    def on_end(self, connection: Connection) -> None:
        del self._connections[connection]
        self._places.leave(connection.source[1])

    # -- time

    def _watch(self) -> None:
        if self._timer is None and self._connections:
            first = next(iter(self._connections))
            self._timer = asyncio.get_running_loop().call_at(first.deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._connections:
            first = next(iter(self._connections))
            if first.deadline > now:
                break
            first.abort()
        self._watch()

    def _stats(self) -> bytes:
        totals = self._answers.totals()
        counts = {**totals._asdict(), "leechers": totals.peers - totals.seeders, "connections": len(self._connections)}
        return json.dumps(counts).encode() + b"\n"
