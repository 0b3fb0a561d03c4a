"""Whatever a daemon answers, the client's methods give values of their kinds or raise one of its errors."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.daemon.client import Changes, Client, ClientError, Part, Server, TorrentChanges
from p2p.daemon.client_events import happenings
from p2p.daemon.client_transport import Transport
from p2p.daemon.names import Dialect
from p2p.net.http_calls import Reply

NAMES = st.sampled_from(
    [
        "torrents",
        "removed",
        "version",
        "rpc_version",
        "starling_version",
        "starling_revision",
        "starling_full",
        "id",
        "size_bytes",
        "group",
        "torrent_added",
        "hashString",
        "trackerStats",
        "files",
        "fileStats",
        "file_stats",
        "current_stats",
        "peers",
        "creations",
        "lines",
        "hosts",
        "families",
        "series",
        "metainfo",
        "result",
        "arguments",
        "error",
        "data",
        "error_string",
        "code",
        "starling_extensions",
        "status",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=15,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=6)


class Answering:
    """A transport that has one answer to everything."""

    def __init__(self, answer, dialect, version):
        self.answer, self.dialect, self.generation = answer, dialect, 1
        self.server = Server.parse("box")
        self._version = version

    async def call(self, method, arguments=None, *, timeout=None):
        return self._version if method == "session_get" else self.answer


async def every_answer(client):
    own = client.own
    asked = [
        client.torrents(),
        client.torrents(only=("seeders",)),
        client.details(1, *Part),
        client.add(b"x", changes=TorrentChanges(labels=("a",))),
        client.settings(),
        client.statistics(),
        client.free_space("/"),
        client.test_port(),
        client.update_blocklist(),
        client.groups(),
        own.choking(1),
        own.pieces(1),
        own.dht(),
        own.disk(),
        own.trackers(),
        own.rates(),
        own.log(),
        own.create("/x"),
        own.creations(),
        own.created_file(1),
        own.removals(),
    ]
    for question in asked:
        with suppress(ClientError):
            await question
    mark = None
    for _ in range(2):
        changes = await client.changes(mark)
        assert isinstance(changes, Changes)
        mark = changes.mark


@settings(max_examples=40)
@given(OBJECTS, st.sampled_from(Dialect), st.sampled_from(["", "1.0"]))
def test_any_answer_is_understood_or_refused(answer, dialect, starling):
    version = {"version": "4", "rpc_version": 18, "starling_version": starling}
    client = Client(Server.parse("box"))
    client.transport = client.own._transport = Answering(answer, dialect, version)
    asyncio.run(every_answer(client))


@settings(max_examples=80)
@given(JSON | OBJECTS, st.sampled_from(Dialect))
def test_any_envelope_is_understood_or_refused(envelope, dialect):
    import orjson

    transport = Transport(Server.parse("box"), password=None)
    transport.dialect = dialect
    try:
        body = orjson.dumps(envelope)
    except TypeError:  # a number beyond 64 bits, half a surrogate pair
        return
    with suppress(ClientError):
        assert isinstance(transport._understood("torrent_get", Reply(200, {}, body)), dict)


LINES = st.lists(
    st.sampled_from([b"", b"event: changed", b"event: settings", b"event: log", b": x", b"id: 5", b"data: {}"])
    | st.binary(max_size=20).map(lambda each: b"data: " + each)
    | st.binary(max_size=20),
    max_size=20,
)


class Lines:
    def __init__(self, lines):
        self._lines = lines

    async def __aiter__(self):
        for line in self._lines:
            yield line


@given(LINES)
def test_any_stream_is_understood_or_refused(lines):
    async def follow():
        return [event async for event in happenings(Lines(lines))]

    with suppress(ClientError):
        asyncio.run(follow())


def test_the_password_is_in_no_error_and_no_representation():
    client = Client(Server.parse("me@127.0.0.1:1"), password="secret-word")
    assert "secret-word" not in repr(client.transport.server)

    async def ask():
        async with client:
            await client.info()

    with pytest.raises(ClientError) as error:
        asyncio.run(ask())
    assert "secret-word" not in str(error.value)
