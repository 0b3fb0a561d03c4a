"""Any bytes in, a legal answer of the right dialect out."""

from __future__ import annotations

import json

import pytest
from fake_library import FakeLibrary
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon import fields, session_fields
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.methods import all_methods
from p2p.daemon.names import canonical, session_key, torrent_key
from p2p.errors import StorageError


async def test_both_dialects_ask_the_same_thing(client):
    assert await client.send(
        {"method": "torrent-get", "arguments": {"fields": ["downloadDir"], "ids": 1}, "tag": 7}
    ) == {
        "result": "success",
        "arguments": {"torrents": [{"downloadDir": "/downloads"}]},
        "tag": 7,
    }
    assert await client.send(
        {"jsonrpc": "2.0", "method": "torrent_get", "params": {"fields": ["download_dir"], "ids": 1}, "id": "x"}
    ) == {"jsonrpc": "2.0", "result": {"torrents": [{"download_dir": "/downloads"}]}, "id": "x"}


async def test_arguments_that_are_no_object_are_none_in_the_legacy_dialect(client):
    answer = await client.send({"method": "session-stats", "arguments": 21, "tag": 21})
    assert (answer["result"], answer["tag"]) == ("success", 21)
    assert answer["arguments"]["torrentCount"] == 3
    assert answer["arguments"]["current-stats"]["uploadedBytes"] == 6
    assert answer["arguments"]["cumulative-stats"]["sessionCount"] == 7


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"[{", None),
        (b'[{"jsonrpc"', -32700),
        ([], -32600),
        ({"jsonrpc": "1.0", "method": "session_get", "id": 1}, -32600),
        ({"jsonrpc": "2.0", "method": 5, "id": 1}, -32600),
        ({"jsonrpc": "2.0", "method": "session_get", "id": {}}, -32600),
        ({"jsonrpc": "2.0", "method": "session_get", "params": [1], "id": 1}, -32602),
        ({"jsonrpc": "2.0", "method": "no_such", "id": 1}, -32601),
        ({"jsonrpc": "2.0", "method": "session-get", "id": 1}, -32601),
        ({"jsonrpc": "2.0", "method": "torrent_get", "params": {"fields": 5}, "id": 1}, -32602),
        ({"jsonrpc": "2.0", "method": "free_space", "params": {"path": "up"}, "id": 1}, 3),
        ([{"jsonrpc": "2.0", "method": "session_get", "id": 1}] * 101, -32600),
    ],
)
async def test_bad_requests_are_told_by_their_code(client, request_, code):
    answer = await client.send(request_)
    if code is None:
        assert answer["result"] == "the request is not JSON"
    else:
        assert answer["error"]["code"] == code
        assert answer["error"]["data"]["error_string"]


@pytest.mark.parametrize("request_", [{}, {"method": 4}, {"method": "torrent-fly"}, {"arguments": {}}])
async def test_legacy_says_no_method_name(client, request_):
    assert (await client.send(request_))["result"] == "no method name"


async def test_a_batch_is_answered_in_order_without_its_notifications(client, library):
    def call(method, **more):
        return {"jsonrpc": "2.0", "method": method, **more}

    batch = [
        call("torrent_stop", params={"ids": 1}),
        call("free_space", params={"path": "/"}, id=2),
        call("x", id=3),
        7,
    ]
    free, unknown, nothing = await client.send(batch)
    assert free == {"jsonrpc": "2.0", "result": {"path": "/", "size_bytes": 10, "total_size": 20}, "id": 2}
    assert (unknown["id"], unknown["error"]["code"]) == (3, -32601)
    assert (nothing["id"], nothing["error"]["code"]) == (None, -32600)
    assert library.verbs[0] == ("stop", [1])


async def test_notifications_alone_have_no_answer_even_when_they_fail(client):
    assert await client.send({"jsonrpc": "2.0", "method": "no_such"}) is None
    assert await client.send([{"jsonrpc": "2.0", "method": "torrent_start"}]) is None


async def test_refusals_of_the_library_and_bugs_are_told(client, library, caplog):
    library.failure = StorageError("the disk is gone")
    assert (await client.legacy("torrent-verify"))["result"] == "the disk is gone"
    assert (await client.new("torrent_verify"))["error"]["code"] == 5
    library.failure = ZeroDivisionError("secret")
    answer = await client.new("torrent_verify")
    assert answer["error"]["code"] == -32603
    assert "secret" not in json.dumps(answer)
    assert "ended by a bug" in caplog.text


async def test_names_that_are_no_unicode_do_not_stop_an_answer(client, library):
    library.kept[1].name = "half \ud800"
    answer = await client.legacy("torrent-get", ids=1, fields=["name"])
    assert answer["arguments"]["torrents"] == [{"name": "half \ud800"}]


def test_every_name_comes_back_from_the_legacy_dialect():
    assert [canonical(torrent_key(name)) for name in fields.BY_NAME] == list(fields.BY_NAME)
    assert [canonical(session_key(name)) for name in session_fields.BY_NAME] == list(session_fields.BY_NAME)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
METHODS = sorted(all_methods(session_id="", version=""))
KEYS = [
    *[
        "ids",
        "fields",
        "format",
        "location",
        "move",
        "path",
        "name",
        "filename",
        "metainfo",
        "labels",
        "starling_since",
    ],
    *["files_wanted", "priority_high", "tracker_add", "tracker_remove", "tracker_replace", "tracker_list", "cookies"],
    *["delete_local_data", "group", "ip_protocol", "seed_ratio_limit", "seed_idle_mode", "queue_position"],
    *session_fields.BY_NAME,
]
arguments = st.dictionaries(st.sampled_from(KEYS), json_values, max_size=5)
requests = st.one_of(
    json_values,
    st.fixed_dictionaries({"method": st.sampled_from(METHODS), "arguments": arguments}, optional={"tag": json_values}),
    st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "method": st.sampled_from(METHODS), "params": arguments, "id": json_values}
    ),
)


def is_legal(answer):
    if answer.get("jsonrpc") == "2.0":
        return ("result" in answer) != ("error" in answer) and "id" in answer
    return isinstance(answer["result"], str) and isinstance(answer["arguments"], dict)


@given(st.one_of(requests, st.lists(requests, max_size=3)))
async def test_any_json_has_a_legal_answer(request_):
    dispatcher = Dispatcher(FakeLibrary(), session_id="token", version="1")
    response = await dispatcher.dispatch(json.dumps(request_).encode())
    if response is not None:
        answer = json.loads(response)
        for each in answer if isinstance(answer, list) else [answer]:
            assert is_legal(each)
            assert each.get("error", {}).get("code") != -32603
            assert "a bug in this program" not in str(each.get("result"))


@given(st.binary(max_size=200))
async def test_any_bytes_have_a_legal_answer(body):
    response = await Dispatcher(FakeLibrary(), session_id="token", version="1").dispatch(body)
    answer = json.loads(response)
    assert all(map(is_legal, answer if isinstance(answer, list) else [answer]))


async def test_nesting_has_a_bottom(client):
    assert (await client.send(b"[" * 100_000))["result"] == "the request is not JSON"
