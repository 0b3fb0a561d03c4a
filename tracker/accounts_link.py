"""How processes that take members' connections ask the one that keeps the accounts: Unix datagrams, many in one.

A private tracker of several processes has one that decides: it alone has the accounts, the database and the swarms. The
others read requests, ask it, and write what it says; they remember nothing. So every rule and every count is what it is
in one process, and one of the others that dies takes nothing along. The rules: who asks has its answer by its number,
or never, and then its connection's time ends it; nobody waits for a process that does not read: what finds no room is
kept, within a bound, and sent together with what comes meanwhile.

Messages go between processes of one program and one user, so they are believed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import marshal
from collections import deque
from http import HTTPStatus
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from p2p.codec.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry
from p2p.errors import TrackerError
from p2p.ids import Address, InfoHash
from tracker.figures import Traffic
from tracker.http_answers import Announce, Scrape, Told
from tracker.logic import HTTP_LISTS
from tracker.page_server import PageAnswer, PageRequest, plain_answer
from tracker.store import Answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

    from tracker.gated_logic import GatedLogic
    from tracker.siblings import WorkerPlace

KEEPER: Final = 0
"""The number of the process that keeps the accounts."""

MAX_MESSAGE: Final = 200_000
"""Bytes of a datagram, which systems take."""

FULL: Final = 60_000
"""Bytes of parts at which a message is sent. A thousand peers with their ids are less than the rest."""

MAX_PART: Final = MAX_MESSAGE - FULL - 1_000
"""Bytes of one part. A larger one, which a page with hundreds of long names may be, goes in pieces."""

PAUSE: Final = 0.001
"""Seconds until what found no room is tried again."""

MAX_WAITING: Final = 20_000
"""Parts kept for a process that does not read, some 10 MB; the oldest go first, whose askers have gone by then."""

PATIENCE: Final = 60.0
"""Seconds after which an answer that has not come is not waited for any more: the process that was asked has died."""

MESSAGES_A_TURN: Final = 4
"""Read in one go: some hundred announces, a few milliseconds of work."""

TRAFFIC_PERIOD: Final = 1.0
"""Seconds between two reports of what a process has answered."""

_log = logging.getLogger(__name__)

_ANNOUNCE, _SCRAPE, _PAGE, _TRAFFIC, _TOLD, _REFUSED, _PIECE, _LAST_PIECE = range(8)
"""What a part of a message is."""

_FIELDS: Final = (
    *("info_hash", "peer_id", "port", "uploaded", "downloaded", "left"),
    *("key", "num_want", "ip", "compact", "no_peer_id", "tracker_id"),
)
_values = attrgetter(*_FIELDS)

OnAnswer: TypeAlias = "Callable[[Any], None]"
"""Takes an answer, or the TrackerError that refuses one."""


class _Part(NamedTuple):
    sender: int
    kind: int
    number: int
    content: Any


class _Mailbox:
    """What one process reads of the others, and what it sends to them."""

    def __init__(self, place: WorkerPlace, on_part: Callable[[_Part], None]) -> None:
        number, mailboxes, _ = place
        self._number = number
        self._inbox = mailboxes.pairs[number][0]
        self._outboxes: list[socket.socket] = [pair[1] for pair in mailboxes.pairs]
        self._waiting: dict[int, deque[bytes]] = {}
        self._pieces: dict[int, bytearray] = {}
        """By sender, which sends those of one part one after another."""
        self._on_part = on_part
        self._loop = asyncio.get_running_loop()
        self._sending: asyncio.Handle | None = None

    def open(self) -> None:
        self._loop.add_reader(self._inbox.fileno(), self._on_readable)

    def close(self) -> None:
        """Idempotent."""
        self._loop.remove_reader(self._inbox.fileno())
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        self._waiting.clear()

    def send(self, to: int, kind: int, number: int, content: Any) -> None:
        """At the end of this turn, with what else there is for the same process."""
        waiting = self._waiting.setdefault(to, deque(maxlen=MAX_WAITING))
        part = marshal.dumps((self._number, kind, number, content))
        if len(part) > MAX_PART:
            for at in range(0, len(part), FULL):
                place = _PIECE if at + FULL < len(part) else _LAST_PIECE
                waiting.append(marshal.dumps((self._number, place, at, part[at : at + FULL])))
        else:
            waiting.append(part)
        if self._sending is None:
            self._sending = self._loop.call_soon(self._send_waiting)

    def _send_waiting(self) -> None:
        self._sending = None
        for to, parts in self._waiting.items():
            with contextlib.suppress(BlockingIOError):
                while parts:
                    count, size = 0, 0
                    while count < len(parts) and size < FULL:
                        size += len(parts[count])
                        count += 1
                    self._outboxes[to].send(marshal.dumps(list(parts)[:count]))
                    for _ in range(count):
                        parts.popleft()
        if any(self._waiting.values()):
            self._sending = self._loop.call_later(PAUSE, self._send_waiting)

    def _on_readable(self) -> None:
        for _ in range(MESSAGES_A_TURN):
            try:
                message = self._inbox.recv(MAX_MESSAGE)
            except (BlockingIOError, InterruptedError):
                return
            for part in marshal.loads(message):  # noqa: S302 - of our own processes
                self._take(_Part._make(marshal.loads(part)))  # noqa: S302 - as above

    def _take(self, part: _Part) -> None:
        if part.kind not in (_PIECE, _LAST_PIECE):
            self._on_part(part)
            return
        begin = self._pieces.pop(part.sender, bytearray()) if part.number else bytearray()
        if part.number != len(begin):
            return  # of one that died between two pieces
        begin += part.content
        if part.kind == _PIECE:
            self._pieces[part.sender] = begin
        else:
            self._on_part(_Part._make(marshal.loads(begin)))  # noqa: S302 - as above


class AccountsAsker:
    """In a process that takes connections: asks the one that keeps the accounts. `traffic` is what it has answered."""

    def __init__(self, place: WorkerPlace, traffic: Callable[[], Traffic]) -> None:
        self._mailbox = _Mailbox(place, self._on_part)
        self._traffic = traffic
        self._asked: dict[int, tuple[float, OnAnswer]] = {}
        """And when it was asked, the first in front."""
        self._number = 0
        self._telling: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        self._mailbox.open()
        self._tell_traffic()

    def close(self) -> None:
        """Nobody is answered any more. Idempotent."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._mailbox.close()
        self._asked.clear()

    @property
    def unanswered(self) -> int:
        """What is waited for."""
        return len(self._asked)

    def announce(self, asked: Announce, on_answer: OnAnswer) -> None:
        """`on_answer` takes a Told."""
        request, passkey, asker, user_agent = asked
        self._ask(_ANNOUNCE, (_values(request), request.event.value, passkey, tuple(asker), user_agent), on_answer)

    def scrape(self, asked: Scrape, on_answer: OnAnswer) -> None:
        """`on_answer` takes a dict of ScrapeEntry by info-hash."""
        self._ask(_SCRAPE, (asked.info_hashes, asked.passkey, tuple(asked.asker)), on_answer)

    async def page(self, request: PageRequest) -> PageAnswer:
        """What the pages of the tracker say. Waits for ever if nobody says anything: pages have their time."""
        answered: asyncio.Future[PageAnswer] = self._loop.create_future()

        def on_answer(answer: Any) -> None:
            if not answered.done():
                answered.set_result(answer)

        method, path, query, headers, body, source, admin = request
        self._ask(_PAGE, (method, path, query, dict(headers), body, tuple(source), admin), on_answer)
        return await answered

    def _ask(self, kind: int, content: Any, on_answer: OnAnswer) -> None:
        self._number += 1
        self._asked[self._number] = self._loop.time(), on_answer
        self._mailbox.send(KEEPER, kind, self._number, content)

    def _on_part(self, part: _Part) -> None:
        _, on_answer = self._asked.pop(part.number, (0.0, None))
        if on_answer is None:
            return
        if part.kind == _REFUSED:
            text, retry_in = part.content
            on_answer(TrackerError(text, retry_in=retry_in))
            return
        kind, *rest = part.content
        if kind == _ANNOUNCE:
            interval, least, answer, warning, ids = rest
            on_answer(Told(interval, least, Answer._make(answer), warning, ids))
        elif kind == _SCRAPE:
            on_answer({InfoHash(info_hash): ScrapeEntry._make(entry) for info_hash, entry in rest[0]})
        else:
            status, content_type, body, headers = rest
            on_answer(PageAnswer(HTTPStatus(status), content_type, body, headers))

    def _tell_traffic(self) -> None:
        self._telling = self._loop.call_later(TRAFFIC_PERIOD, self._tell_traffic)
        self._mailbox.send(KEEPER, _TRAFFIC, 0, tuple(self._traffic()))
        over = self._loop.time() - PATIENCE
        for number in list(itertools.takewhile(lambda each: self._asked[each][0] < over, self._asked)):
            del self._asked[number]


class AccountsKeeper:
    """In the process that keeps the accounts: answers the others by `members` and `pages`."""

    def __init__(
        self, place: WorkerPlace, members: GatedLogic, pages: Callable[[PageRequest], Awaitable[PageAnswer]]
    ) -> None:
        self._mailbox = _Mailbox(place, self._on_part)
        self._members = members
        self._pages = pages
        self._traffic: dict[int, Traffic] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._loop = asyncio.get_running_loop()

    @property
    def traffic(self) -> list[Traffic]:
        """What the others have answered, a second ago."""
        return list(self._traffic.values())

    def open(self) -> None:
        self._mailbox.open()

    async def close(self) -> None:
        """Idempotent."""
        for task in list(self._tasks):
            task.cancel()
            await asyncio.wait([task])
        self._mailbox.close()

    def _on_part(self, part: _Part) -> None:
        if part.kind == _TRAFFIC:
            self._traffic[part.sender] = Traffic._make(part.content)
        elif part.kind == _PAGE:
            task = self._loop.create_task(self._answer_page(part), name="tracker page of another process")
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)
        else:
            try:
                content = (part.kind, *(self._announce if part.kind == _ANNOUNCE else self._scrape)(*part.content))
            except TrackerError as error:
                self._mailbox.send(part.sender, _REFUSED, part.number, (str(error), error.retry_in))
            else:
                self._mailbox.send(part.sender, _TOLD, part.number, content)

    def _announce(
        self, values: tuple[Any, ...], event: str, passkey: str | None, asker: tuple[str, int], user_agent: str | None
    ) -> tuple[Any, ...]:
        request = AnnounceRequest(event=AnnounceEvent(event), **dict(zip(_FIELDS, values, strict=True)))
        asked = Announce(request, passkey, Address._make(asker), user_agent)
        interval, answer, warning = self._members.announce(request, passkey, asked.asker, user_agent, HTTP_LISTS)
        ids = self._members.peer_ids(request.info_hash, answer.peers, asked.family) if asked.wants_ids else ()
        seeders, leechers, completed, peers, wait = answer
        return interval, self._members.min_interval, (seeders, leechers, completed, bytes(peers), wait), warning, ids

    def _scrape(
        self, info_hashes: tuple[InfoHash, ...], passkey: str | None, asker: tuple[str, int]
    ) -> tuple[list[tuple[bytes, tuple[int | None, ...]]]]:
        asked = Scrape(info_hashes, passkey, Address._make(asker))
        found: Mapping[InfoHash, ScrapeEntry] = self._members.scrape(info_hashes, passkey, asked.asker, asked.family)
        return ([(bytes(info_hash), tuple(entry)) for info_hash, entry in found.items()],)

    async def _answer_page(self, part: _Part) -> None:
        method, path, query, headers, body, source, admin = part.content
        request = PageRequest(method, path, query, headers, body, Address._make(source), admin)
        try:
            answer = await self._pages(request)
        except Exception:  # noqa: BLE001 - as a page server does
            _log.exception("a page failed")
            answer = plain_answer(HTTPStatus.INTERNAL_SERVER_ERROR)
        told = (_PAGE, int(answer.status), answer.content_type, answer.body, answer.headers)
        self._mailbox.send(part.sender, _TOLD, part.number, told)
