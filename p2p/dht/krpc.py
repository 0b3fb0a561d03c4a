"""KRPC (BEP 5, with BEP 32, 42 and 43): datagrams to messages and back. No state, no clock.

The rule: a datagram is a message or a DhtError; what a message holds has been checked for type, length and number, so
nobody behind this has to. A query that can be named and not understood is a `BadQuery`, because it is owed an error.
Bencode of others need not be sorted; ours is. Keys that are not known are passed over, as BEP 5's extensions rely on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeGuard

from p2p.codec import bencode
from p2p.codec.compact import (
    NODE6_SIZE,
    NODE_ID_SIZE,
    NODE_SIZE,
    PEER6_SIZE,
    PEER_SIZE,
    CompactNode,
    CompactNodes,
    pack,
    unpack,
)
from p2p.codec.text import clean_line
from p2p.errors import BencodeError, DhtError, RemoteProtocolError
from p2p.ids import InfoHash, NodeId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.codec.bencode import Encodable, Value
    from p2p.ids import Address

MAX_RECEIVED: Final = 4_096
"""Bytes of a datagram that are looked at. BEP 32 asks for 1,024; some send lists of peers of twice that."""
MAX_SENT: Final = 1_024
"""Bytes of a datagram that we send (BEP 32): it crosses every IPv6 path whole."""
MAX_TRANSACTION: Final = 32
"""Bytes of a transaction id that we echo. Clients use 2 to 8; echoing more would help whoever forges a sender."""
MAX_TOKEN: Final = 64
"""Bytes of a token that we carry back. Clients give 4 to 20."""
MAX_NODES: Final = 32
"""Nodes of one list that are taken; BEP 5 has 8, some send 16."""
MAX_VALUES: Final = 400
"""Peers of one reply that are taken: more than fit in MAX_RECEIVED."""
MAX_WANT: Final = 8
"""Entries of `want` that are looked at; BEP 32 knows two."""
MAX_TEXT: Final = 256
"""Characters of an error's text that are kept, and bytes of it that are sent."""
MAX_VERSION: Final = 8
"""Bytes of `v` that are kept; the convention is four."""

OUR_VERSION: Final = b"ST01"

GENERIC_ERROR: Final = 201
SERVER_ERROR: Final = 202
PROTOCOL_ERROR: Final = 203
METHOD_UNKNOWN: Final = 204


_WANTS: Final = {
    (): b"",
    (False,): b"4:wantl2:n4e",
    (True,): b"4:wantl2:n6e",
    (False, True): b"4:wantl2:n42:n6e",
}


def _strings(*sizes: int) -> bytes:
    """A pattern for a byte string of one of these sizes, in bencode."""
    return b"(%b)" % b"|".join(b"%d:.{%d}" % (size, size) for size in sizes)


_TAIL: Final = b"1:t%b(?:1:v%b)?1:y1:" % (_strings(4, 2, 8, 1), _strings(4, 8))
_QUESTION: Final = re.compile(
    b"d1:ad2:id20:(.{20})"
    b"(?:e1:q4:ping|9:info_hash20:(.{20})e1:q9:get_peers|6:target20:(.{20})e1:q9:find_node)(2:roi1e)?%bqe" % _TAIL,
    re.DOTALL,
)
_ANSWER: Final = re.compile(
    b"d(?:2:ip6:(.{6}))?1:rd2:id20:(.{20})(?:5:nodes%b)?(?:5:token%b)?(?:6:valuesl((?:6:.{6}){1,%d})e)?e%bre"
    % (_strings(*range(8 * NODE_SIZE, 0, -NODE_SIZE)), _strings(8, 4, 20), MAX_VALUES, _TAIL),
    re.DOTALL,
)
"""The forms of nearly all queries and responses of an IPv4 network, sorted and without keys of extensions. Every string
states its size, so a datagram fits a pattern in one way only, and that is what its bencode says; all else, and all that
is wrong, goes through the decoder. The tests hold the two against each other."""


class Ping(NamedTuple):
    """Are you there?"""


class FindNode(NamedTuple):
    target: NodeId
    want: tuple[bool, ...] = ()
    """Families of nodes asked for, by whether they are IPv6 (BEP 32); empty is the family of the datagram."""


class GetPeers(NamedTuple):
    info_hash: InfoHash
    want: tuple[bool, ...] = ()


class AnnouncePeer(NamedTuple):
    info_hash: InfoHash
    port: int
    token: bytes
    implied_port: bool = False
    """Whether the peer is reached at the port the datagram came from, `port` being a guess."""


Ask: TypeAlias = Ping | FindNode | GetPeers | AnnouncePeer


class Query(NamedTuple):
    transaction: bytes
    sender: NodeId
    ask: Ask
    read_only: bool = False
    """The sender answers no queries (BEP 43)."""
    version: bytes | None = OUR_VERSION


class BadQuery(NamedTuple):
    """A query that is owed an error: of a method not known, or with arguments that make no sense."""

    transaction: bytes
    code: int
    reason: str


class Response(NamedTuple):
    transaction: bytes
    sender: NodeId
    nodes: Sequence[CompactNode] = ()
    """IPv4 nodes."""
    nodes6: Sequence[CompactNode] = ()
    values: Sequence[Address] = ()
    token: bytes | None = None
    ip: Address | None = None
    """Where the other sees us (BEP 42)."""
    version: bytes | None = OUR_VERSION


class ErrorReply(NamedTuple):
    transaction: bytes
    code: int
    reason: str
    ip: Address | None = None


Message: TypeAlias = Query | BadQuery | Response | ErrorReply


def decode(datagram: bytes) -> Message:
    """The message in a datagram. Raises DhtError for anything that is none and is owed no answer."""
    if len(datagram) > MAX_RECEIVED:
        raise DhtError(f"a datagram of {len(datagram)} bytes is no KRPC message")
    if not datagram.startswith(b"d"):
        raise DhtError("a datagram that is no bencoded dict")
    if (answer := _ANSWER.fullmatch(datagram)) is not None:
        return _plain_response(answer)
    if (question := _QUESTION.fullmatch(datagram)) is not None:
        return _plain_query(question)
    try:
        fields = bencode.decode_lenient(datagram)
    except BencodeError as error:
        raise DhtError(f"a datagram that is no bencode: {error}") from error
    if not isinstance(fields, dict):
        raise DhtError("a KRPC message that is no dict")
    transaction = fields.get(b"t")
    if not isinstance(transaction, bytes) or len(transaction) > MAX_TRANSACTION:
        raise DhtError("a KRPC message without a transaction id, or with an overlong one")
    match fields.get(b"y"):
        case b"q":
            return _query(transaction, fields)
        case b"r":
            return _response(transaction, fields)
        case b"e":
            return _error(transaction, fields)
        case _:
            raise DhtError("a KRPC message of a type that is not known")


def encode(message: Query | Response | ErrorReply) -> bytes:
    """The datagram of a message.

    A response is cut to MAX_SENT bytes: the last of its `values` go. Its lists of nodes must leave room: 8 of each do.
    """
    match message:
        case Query():
            return _encode_query(message)
        case Response():
            return encode_reply(
                message.transaction,
                message.sender,
                ip=None if message.ip is None else pack(message.ip),
                nodes=b"".join(map(encode_node, message.nodes)) if message.nodes else None,
                nodes6=b"".join(map(encode_node, message.nodes6)) if message.nodes6 else None,
                token=message.token,
                values=[pack(peer) for peer in message.values],
                version=message.version,
            )
        case ErrorReply():
            fields: dict[bytes, Encodable] = {
                b"e": [message.code, message.reason.encode()[:MAX_TEXT]],
                b"t": message.transaction,
                b"v": OUR_VERSION,
                b"y": b"e",
            }
            if message.ip is not None:
                fields[b"ip"] = pack(message.ip)
            return bencode.encode(fields)


def encode_node(node: CompactNode) -> bytes:
    """26 or 38 bytes: the id and the address."""
    return node.id + pack(node.address)


def encode_reply(
    transaction: bytes,
    sender: NodeId,
    *,
    ip: bytes | None,
    nodes: bytes | None = None,
    nodes6: bytes | None = None,
    token: bytes | None = None,
    values: Sequence[bytes] = (),
    version: bytes | None = OUR_VERSION,
) -> bytes:
    """As `encode` of a Response, from what is compact already: a node does this for every query it answers.

    Queries and replies are put together by hand, in the order of their keys, in a tenth of the time that the general
    encoder takes; the tests hold them against it.
    """
    parts = [b"d" if ip is None else b"d2:ip%d:%b" % (len(ip), ip), b"1:rd2:id20:", sender]
    if nodes is not None:
        parts.append(b"5:nodes%d:%b" % (len(nodes), nodes))
    if nodes6 is not None:
        parts.append(b"6:nodes6%d:%b" % (len(nodes6), nodes6))
    if token is not None:
        parts.append(b"5:token%d:%b" % (len(token), token))
    end = b"e%b1:y1:re" % _envelope(transaction, version)
    if values:
        room = MAX_SENT - sum(map(len, parts)) - len(end) - len(b"6:valuesle")
        parts.append(b"6:valuesl%be" % _fitting(values, room))
    parts.append(end)
    return b"".join(parts)


def _plain_query(match: re.Match[bytes]) -> Query:
    """What a datagram of the form _QUESTION says."""
    sender, info_hash, target, read_only, transaction, version = match.groups()
    ask: Ask = Ping()
    if info_hash is not None:
        ask = GetPeers(InfoHash(info_hash))
    elif target is not None:
        ask = FindNode(NodeId(target))
    return Query(_content(transaction), NodeId(sender), ask, read_only is not None, version and _content(version))


def _plain_response(match: re.Match[bytes]) -> Response:
    """What a datagram of the form _ANSWER says."""
    ip, sender, nodes, token, values, transaction, version = match.groups()
    return Response(
        _content(transaction),
        NodeId(sender),
        () if nodes is None else CompactNodes(_content(nodes), NODE_SIZE),
        (),
        () if values is None else [unpack(values[at : at + PEER_SIZE]) for at in range(2, len(values), 2 + PEER_SIZE)],
        token and _content(token),
        None if ip is None else unpack(ip),
        version and _content(version),
    )


def _content(string: bytes) -> bytes:
    """The content of a byte string in bencode."""
    return string[string.index(b":") + 1 :]


def _query(transaction: bytes, fields: dict[bytes, Value]) -> Query | BadQuery:
    method, arguments = fields.get(b"q"), fields.get(b"a")
    if not isinstance(method, bytes) or not isinstance(arguments, dict):
        return BadQuery(transaction, PROTOCOL_ERROR, "a query needs a method and arguments")
    sender = arguments.get(b"id")
    if not _is_id(sender):
        return BadQuery(transaction, PROTOCOL_ERROR, "id must be 20 bytes")
    ask: Ask
    match method:
        case b"ping":
            ask = Ping()
        case b"find_node":
            target = arguments.get(b"target")
            if not _is_id(target):
                return BadQuery(transaction, PROTOCOL_ERROR, "target must be 20 bytes")
            ask = FindNode(NodeId(target), _want(arguments.get(b"want")))
        case b"get_peers":
            info_hash = arguments.get(b"info_hash")
            if not _is_id(info_hash):
                return BadQuery(transaction, PROTOCOL_ERROR, "info_hash must be 20 bytes")
            ask = GetPeers(InfoHash(info_hash), _want(arguments.get(b"want")))
        case b"announce_peer":
            info_hash, token = arguments.get(b"info_hash"), arguments.get(b"token")
            if not _is_id(info_hash):
                return BadQuery(transaction, PROTOCOL_ERROR, "info_hash must be 20 bytes")
            if not isinstance(token, bytes) or len(token) > MAX_TOKEN:
                return BadQuery(transaction, PROTOCOL_ERROR, "token must be a short string")
            implied = arguments.get(b"implied_port", 0)
            port = arguments.get(b"port", 0)
            implied_port = isinstance(implied, int) and implied != 0
            if not implied_port and (not isinstance(port, int) or not 0 < port <= 65_535):
                return BadQuery(transaction, PROTOCOL_ERROR, "port must be 1 to 65535")
            known_port = port if isinstance(port, int) and 0 < port <= 65_535 else 0
            ask = AnnouncePeer(InfoHash(info_hash), known_port, token, implied_port)
        case _:
            return BadQuery(transaction, METHOD_UNKNOWN, "method unknown")
    return Query(transaction, NodeId(sender), ask, fields.get(b"ro") == 1, _version(fields))


def _response(transaction: bytes, fields: dict[bytes, Value]) -> Response:
    body = fields.get(b"r")
    if not isinstance(body, dict):
        raise DhtError("a KRPC response without a body")
    sender = body.get(b"id")
    if not _is_id(sender):
        raise DhtError("a KRPC response without the id of its sender")
    token = body.get(b"token")
    if token is not None and (not isinstance(token, bytes) or len(token) > MAX_TOKEN):
        raise DhtError("a KRPC response with a token that is no short string")
    nodes, nodes6, values = body.get(b"nodes", b""), body.get(b"nodes6", b""), body.get(b"values", [])
    if not isinstance(nodes, bytes) or not isinstance(nodes6, bytes) or not isinstance(values, list):
        raise DhtError("a KRPC response with a list of nodes or peers that is none")
    try:
        return Response(
            transaction,
            NodeId(sender),
            _nodes(nodes, NODE_SIZE),
            _nodes(nodes6, NODE6_SIZE),
            [unpack(value) for value in values[:MAX_VALUES] if _is_peer(value)] if values else (),
            token,
            _ip(fields),
            _version(fields),
        )
    except RemoteProtocolError as error:
        raise DhtError(str(error)) from error


def _nodes(raw: bytes, size: int) -> Sequence[CompactNode]:
    """The first MAX_NODES of a list. Raises RemoteProtocolError for a length that is no multiple."""
    if not raw:
        return ()
    nodes = CompactNodes(raw, size)
    del nodes.entries[MAX_NODES:]
    return nodes


def _error(transaction: bytes, fields: dict[bytes, Value]) -> ErrorReply:
    match fields.get(b"e"):
        case [int(code), bytes(text), *_]:
            return ErrorReply(transaction, code, clean_line(text, MAX_TEXT), _ip(fields))
        case _:
            raise DhtError("a KRPC error without code and text")


def _encode_query(query: Query) -> bytes:
    match query.ask:
        case Ping():
            arguments = b"e1:q4:ping"
        case FindNode(target, want):
            arguments = b"6:target20:%b%be1:q9:find_node" % (target, _WANTS[want])
        case GetPeers(info_hash, want):
            arguments = b"9:info_hash20:%b%be1:q9:get_peers" % (info_hash, _WANTS[want])
        case AnnouncePeer(info_hash, port, token, implied_port):
            arguments = b"12:implied_porti%de9:info_hash20:%b4:porti%de5:token%d:%be1:q13:announce_peer" % (
                implied_port,
                info_hash,
                port,
                len(token),
                token,
            )
    read_only = b"2:roi1e" if query.read_only else b""
    envelope = _envelope(query.transaction, query.version)
    return b"d1:ad2:id20:%b%b%b%b1:y1:qe" % (query.sender, arguments, read_only, envelope)


def _envelope(transaction: bytes, version: bytes | None) -> bytes:
    if version is None:
        return b"1:t%d:%b" % (len(transaction), transaction)
    return b"1:t%d:%b1:v%d:%b" % (len(transaction), transaction, len(version), version)


def _fitting(values: Sequence[bytes], room: int) -> bytes:
    """As many of `values` as take no more than `room` bytes of bencode, in bencode."""
    taken: list[bytes] = []
    for value in values:
        entry = b"%d:%b" % (len(value), value)
        room -= len(entry)
        if room < 0:
            break
        taken.append(entry)
    return b"".join(taken)


def _ip(fields: dict[bytes, Value]) -> Address | None:
    """Where the other sees us; None where it says nothing or nonsense, which costs it nothing else."""
    value = fields.get(b"ip")
    return unpack(value) if _is_peer(value) else None


def _version(fields: dict[bytes, Value]) -> bytes | None:
    value = fields.get(b"v")
    return value[:MAX_VERSION] if isinstance(value, bytes) else None


def _want(value: Value | None) -> tuple[bool, ...]:
    if not isinstance(value, list):
        return ()
    entries = value[:MAX_WANT]
    return tuple(is_ipv6 for is_ipv6, flag in ((False, b"n4"), (True, b"n6")) if flag in entries)


def _is_id(value: Value | None) -> TypeGuard[bytes]:
    return isinstance(value, bytes) and len(value) == NODE_ID_SIZE


def _is_peer(value: Value | None) -> TypeGuard[bytes]:
    return isinstance(value, bytes) and len(value) in (PEER_SIZE, PEER6_SIZE)
