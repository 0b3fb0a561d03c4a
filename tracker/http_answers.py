"""What the tracker says over HTTP to an announce or a scrape (BEP 3, 7, 23, 24, 31, 48): statuses and bodies.

The rules: a refusal is a bencoded `failure reason` under status 200, which is what clients show. The address of a peer
is the one its connection comes from, or the one a proxy of ours names; `ip`, `ipv4` and `ipv6` in a query are ignored,
because anybody could have a stranger entered with them. The usual announce at an open tracker is read, answered and
written by plain values, because at ten thousand a second every object counts.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from p2p.codec import compact, http_tracker
from p2p.codec.announce import AnnounceReply
from p2p.codec.http_fast import COMPACT_ANSWER, COMPACT_ANSWER6, read_announce, with_warning
from p2p.errors import TrackerError
from p2p.ids import Address, PeerId
from tracker.gated_logic import passkey_of
from tracker.logic import HTTP_LISTS
from tracker.store import Family

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping, Sequence

    from p2p.codec.announce import AnnounceRequest, ScrapeEntry
    from p2p.codec.http_fast import UsualAnnounce
    from p2p.ids import InfoHash
    from p2p.net.network import Source
    from tracker.gated_logic import GatedLogic
    from tracker.logic import TrackerLogic
    from tracker.proxies import Proxies
    from tracker.store import Answer, Totals

OnTold: TypeAlias = "Callable[[bytes, bytes], None]"
"""Takes a status and a body."""

OK: Final = b"200 OK"
BAD_REQUEST: Final = b"400 Bad Request"
NOT_FOUND: Final = b"404 Not Found"
WRONG_METHOD: Final = b"405 Method Not Allowed"
TOO_LARGE: Final = b"431 Request Header Fields Too Large"

HEAD: Final = b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %b\r\n\r\n"
KEEP: Final = b"keep-alive"
CLOSE: Final = b"close"

# The two heads of an answer to an announce, for the length of the body and the body.
KEEPING: Final = HEAD.replace(b"%b", b"200 OK", 1).replace(b"%b", KEEP) + b"%b"
CLOSING: Final = HEAD.replace(b"%b", b"200 OK", 1).replace(b"%b", CLOSE) + b"%b"
_NOWHERE: Final = b"not found\n"


class Request(NamedTuple):
    """A request as a parser tells of it. A field that came several times is one list, as HTTP has it."""

    method: bytes
    target: bytes
    keep_alive: bool
    user_agent: str | None = None
    forwarded_for: str | None = None
    forwarded: str | None = None


class Announce(NamedTuple):
    """An announce with all that is known of who asks."""

    request: AnnounceRequest
    passkey: str | None
    asker: Address
    user_agent: str | None

    @property
    def family(self) -> Family:
        return Family.IPV6 if self.asker.is_ipv6 else Family.IPV4

    @property
    def wants_ids(self) -> bool:
        return not (self.request.compact or self.request.no_peer_id)


class Scrape(NamedTuple):
    """A scrape with all that is known of who asks; no info-hashes stand for all."""

    info_hashes: tuple[InfoHash, ...]
    passkey: str | None
    asker: Address

    @property
    def family(self) -> Family:
        return Family.IPV6 if self.asker.is_ipv6 else Family.IPV4


class Told(NamedTuple):
    """What an announce is answered, before it is written. Intervals are whole seconds."""

    interval: int
    min_interval: int
    answer: Answer
    warning: str | None = None
    ids: Sequence[bytes] = ()
    """Those of the peers, in order, where they are wanted."""


class HttpReader:
    """Reads requests and counts them. `on_malformed` is told of each announce that cannot be read: the host that asks,
    and why."""

    def __init__(
        self, proxies: Proxies, on_malformed: Callable[[str, TrackerError], None] | None, *, is_private: bool
    ) -> None:
        self._proxies = proxies
        self._on_malformed = on_malformed
        self._is_private = is_private
        self.announces = self.scrapes = self.refusals = 0

    def read(self, request: Request, source: Address) -> Announce | Scrape | tuple[bytes, bytes]:
        """What is asked for, counted; or status and body for what is neither. Raises TrackerError."""
        if request.method != b"GET":
            return WRONG_METHOD, b""
        path, _, query = request.target.partition(b"?")
        kind = _kind_of(path) if self._is_private else path
        if kind == b"/announce":
            self.announces += 1
        elif kind == b"/scrape":
            self.scrapes += 1
        else:
            return NOT_FOUND, _NOWHERE
        asker = source
        try:
            host = self._proxies.asker(source.host, request.forwarded_for, request.forwarded)
            asker = source if host == source.host else Address(host, source.port)
            passkey = passkey_of(path) if self._is_private else None
            if kind == b"/scrape":
                return Scrape(http_tracker.parse_scrape(query), passkey, asker)
            return Announce(http_tracker.parse_announce(query), passkey, asker, request.user_agent)
        except TrackerError as error:
            if kind == b"/announce" and self._on_malformed is not None:
                self._on_malformed(asker.host, error)
            raise

    def refusal(self, error: TrackerError) -> bytes:
        """The body that refuses."""
        self.refusals += 1
        return http_tracker.encode_failure(str(error), retry_in=error.retry_in)


class HttpAnswers(HttpReader):
    """Answers over a `logic`, or over `gated` in its place."""

    def __init__(
        self,
        logic: TrackerLogic,
        gated: GatedLogic | None,
        proxies: Proxies,
        on_malformed: Callable[[str, TrackerError], None] | None = None,
    ) -> None:
        super().__init__(proxies, on_malformed, is_private=gated is not None)
        self._logic = logic
        self._gated = gated
        self.read_announce: Callable[[bytes], UsualAnnounce | None] = read_announce if gated is None else read_nothing
        """Of a whole request that may be answered by `reply_announce`; None for others."""

    def totals(self) -> Totals:
        """Of all swarms."""
        return self._logic.totals()

    def reply_announce(self, announce: UsualAnnounce, source: Source, head: bytes) -> bytes:
        """All that goes back for the usual announce at an open tracker; `head` is KEEPING or CLOSING."""
        self.announces += 1
        info_hash, peer_id, port, left, event, want, _ = announce
        host = source[1]
        try:
            interval, answer = self._logic.announce(info_hash, host + port, peer_id, left, event, want, HTTP_LISTS)
        except TrackerError as error:
            body = self.refusal(error)
            return head % (len(body), body)
        body = _compact(host, interval, self._logic.min_interval, answer)
        return head % (len(body), body)

    def reply(self, request: re.Match[bytes], source: Source, *, keep_alive: bool) -> bytes | None:
        """All that goes back for a `usual_request`; None for one that asks for something else."""
        agent = request[6]
        target = b"%b?%b" % request.group(1, 2)
        asked = Request(b"GET", target, keep_alive, None if agent is None else agent.decode("latin-1"))
        port, packed = source
        host = socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
        status, body = self._answer_now(asked, Address(host, port))
        if status is NOT_FOUND:
            return None
        return HEAD % (status, len(body), KEEP if keep_alive else CLOSE) + body

    def answer(self, request: Request, source: Address, on_told: OnTold) -> tuple[bytes, bytes] | None:  # noqa: ARG002 - for forms that ask others
        """Status and body, or None where `on_told` will be told of them, in a later turn.

        What is no announce and no scrape is not found.
        """
        return self._answer_now(request, source)

    def _answer_now(self, request: Request, source: Address) -> tuple[bytes, bytes]:
        try:
            asked = self.read(request, source)
            if isinstance(asked, Scrape):
                return OK, http_tracker.encode_scrape(self._scrape(asked))
            if isinstance(asked, Announce):
                return OK, write_answer(asked, self._announce(asked))
        except TrackerError as error:
            return OK, self.refusal(error)
        return asked

    def _announce(self, asked: Announce) -> Told:
        request, passkey, asker, user_agent = asked
        if self._gated is not None:
            interval, answer, warning = self._gated.announce(request, passkey, asker, user_agent, HTTP_LISTS)
        else:
            peer = compact.pack(Address(asker.host, request.port))
            interval, answer = self._logic.announce(
                request.info_hash, peer, request.peer_id, request.left, request.event, request.num_want, HTTP_LISTS
            )
            warning = None
        ids = self._logic.peer_ids(request.info_hash, answer.peers, asked.family) if asked.wants_ids else ()
        return Told(interval, self._logic.min_interval, answer, warning, ids)

    def _scrape(self, asked: Scrape) -> Mapping[InfoHash, ScrapeEntry]:
        if self._gated is None:
            return self._logic.scrape(asked.info_hashes, asked.family)
        return self._gated.scrape(asked.info_hashes, asked.passkey, asked.asker, asked.family)


def write_answer(asked: Announce, told: Told) -> bytes:
    """The body of an answer, in the form that was asked for."""
    interval, least, answer, warning, ids = told
    if asked.request.compact:
        body = _compact(compact.pack(asked.asker)[:-2], interval, least, answer)
        return body if warning is None else with_warning(body, warning)
    peers = compact.decode_peers6(answer.peers) if asked.asker.is_ipv6 else compact.decode_peers(answer.peers)
    return http_tracker.encode_announce_dicts(
        AnnounceReply(
            interval=interval,
            min_interval=least,
            seeders=answer.seeders,
            leechers=answer.leechers,
            completed=answer.completed,
            peers=tuple(peers),
            peer_ids=tuple([PeerId(each) for each in ids]),
            warning=warning,
            external_ip=asked.asker.host,
        )
    )


def _compact(host: bytes, interval: int, least: int, answer: Answer) -> bytes:
    """The body for compact peers (BEP 23, 7). They are written as they stand in the store."""
    seeders, leechers, completed, peers, _ = answer
    form = COMPACT_ANSWER if len(host) == 4 else COMPACT_ANSWER6
    return form % (seeders, completed, host, leechers, interval, least, len(peers), peers)


def read_nothing(received: bytes) -> None:
    """Members' announces say more than the usual form has, and have it read by others."""


def _kind_of(path: bytes) -> bytes:
    """`/announce` or `/scrape` for the paths of members, whose passkey stands before or after it; else the path."""
    parts = path.split(b"/")
    for word in (b"announce", b"scrape"):
        if word in parts[1:3] and len(parts) <= 3:
            return b"/" + word
    return path
