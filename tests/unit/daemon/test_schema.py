"""The served schema: it is valid, it names everything there is, and every answer fits it."""

from __future__ import annotations

import base64
import inspect
import json
import random
import re
from pathlib import Path

import aiohttp
import pytest
from fake_library import FakeLibrary
from jsonschema import Draft202012Validator
from own_daemon import own_daemon, until
from rpc_client import Client

from p2p.daemon import client_events, fields, metrics, session_fields
from p2p.daemon.client_events import _READERS
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.methods import all_methods
from p2p.daemon.names import session_key, torrent_key
from p2p.daemon.ports import Group, PeerFacts
from p2p.daemon.schema import rpc_schema
from p2p.session.create import create

SCHEMA = json.loads(json.dumps(rpc_schema()))

PEER = PeerFacts(
    **{
        **dict.fromkeys(PeerFacts.__slots__, False),
        **dict.fromkeys(("address", "client_name", "flag_str", "peer_id"), "x"),
        **dict.fromkeys(("port", "rate_to_client", "rate_to_peer", "bytes_to_client", "bytes_to_peer"), 1),
        "progress": 0.5,
    }
)


def fits(pointer, value):
    Draft202012Validator({**SCHEMA, "$ref": f"#/{pointer}"}).validate(value)


def test_it_is_a_schema():
    for method in SCHEMA["methods"].values():
        for part in ("params", "result"):
            Draft202012Validator.check_schema(method[part])
    for part in (SCHEMA["$defs"], SCHEMA["events"]):
        for each in part.values():
            Draft202012Validator.check_schema(each)


async def test_it_names_every_method_field_and_event(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        methods = all_methods(session_id="", version="", own=daemon.monitor.methods())
        async with aiohttp.ClientSession() as http, http.get(f"{daemon.url}/schema") as response:
            assert response.headers["Content-Type"].startswith("application/json")
            assert await response.json() == SCHEMA
    assert set(SCHEMA["methods"]) == set(methods)
    assert set(SCHEMA["$defs"]["torrent"]["properties"]) == set(fields.BY_NAME)
    assert set(SCHEMA["$defs"]["torrent_legacy"]["properties"]) == {torrent_key(name) for name in fields.BY_NAME}
    assert set(SCHEMA["$defs"]["session_legacy"]["properties"]) == {session_key(n) for n in session_fields.BY_NAME}
    assert set(SCHEMA["events"]) == {*_READERS, "settings"}
    for name, reader in _READERS.items():
        assert set(SCHEMA["events"][name]["properties"]) == set(reader._keys)
    assert client_events.EVENTS_PATH == "/events"


def test_the_document_names_every_method_page_event_and_series():
    document = (Path(__file__).parents[3] / "docs" / "rpc.md").read_text(encoding="utf-8")
    names = {name for name in SCHEMA["methods"] if name.startswith("starling_")}
    series = set(re.findall(r'f"\{PREFIX\}_(\w+)"', inspect.getsource(metrics)))
    assert len(series) > 10
    missing = [
        name
        for name in (*names, *SCHEMA["events"], "/events", "/metrics", "/schema", "/health", *series)
        if not re.search(rf"`(starling_)?{name}(_total)?`", document)
    ]
    assert missing == []


async def test_a_wrong_answer_does_not_fit():
    client = Client(Dispatcher(FakeLibrary(1), session_id="t", version="1"))
    answer = (await client.new("torrent_get", fields=["status"]))["result"]
    fits("methods/torrent_get/result", answer)
    for wrong in ({"status": 9}, {"status": "x"}, {"nonsense": 1}):
        with pytest.raises(Exception, match="is not valid under any"):
            fits("methods/torrent_get/result", {"torrents": [wrong]})


async def test_every_answer_of_transmissions_methods_fits():
    library = FakeLibrary()
    library.kept[1].connected = [PEER]
    library.named["g"] = Group("g")
    client = Client(Dispatcher(library, session_id="t", version="1"))
    asked = {
        "torrent_get": {"fields": list(fields.BY_NAME)},
        "torrent_add": {"filename": "magnet:?x"},
        "torrent_set_location": {"location": "/x", "ids": [1]},
        "torrent_rename_path": {"path": "name", "name": "other", "ids": [1]},
        "torrent_set": {"labels": ["a"], "seed_ratio_mode": 1},
        "session_set": {"speed_limit_down": 5},
        "free_space": {"path": "/x"},
        "port_test": {"ip_protocol": "ipv4"},
        "group_set": {"name": "g", "speed_limit_up": 4},
    }
    values, empty = library.values, {"boolean": False, "string": "", "array": [], "number": 1.5, "object": {}}
    for setting in session_fields.SETTINGS:
        if setting.name in values:
            values[setting.name] = empty.get(setting.kind, 0)
    for name in all_methods(session_id="", version=""):
        params = asked.get(name, {})
        fits(f"methods/{name}/params", params)
        fits(f"methods/{name}/result", (await client.new(name, **params))["result"])
    known = await client.new("torrent_add", metainfo=base64.b64encode(b"known").decode())
    fits("methods/torrent_add/result", known["result"])
    table = await client.new("torrent_get", fields=["id", "name"], format="table", starling_since=0)
    fits("methods/torrent_get/result", table["result"])
    legacy = await client.legacy("torrent-get", fields=[torrent_key(name) for name in fields.BY_NAME])
    for torrent in legacy["arguments"]["torrents"]:
        assert set(torrent) == set(SCHEMA["$defs"]["torrent_legacy"]["properties"])
        fits("$defs/torrent_legacy", torrent)
    fits("$defs/session_legacy", (await client.legacy("session-get"))["arguments"])


async def test_every_answer_of_a_real_daemon_fits(tmp_path, seed):
    path = tmp_path / "made" / "content.bin"
    path.parent.mkdir()
    path.write_bytes(random.Random(seed).randbytes(100_000))
    torrent = await create(path, trackers=("http://127.0.0.1:1/announce",), piece_length=16_384)
    async with own_daemon(tmp_path, dht=True, bootstrap=()) as daemon:
        call = daemon.client.transport.call
        added = await daemon.client.add(torrent, download_dir=str(path.parent))
        await daemon.client.add(f"magnet:?xt=urn:btih:{'ab' * 20}", paused=True)

        async def one():
            (row,) = await daemon.client.torrents([added.id])
            return row

        await until(one, lambda row: row.percent_done == 1.0)
        made = await call("starling_create_start", {"path": str(path)})
        fits("methods/starling_create_start/result", made)
        await until(lambda: daemon.client.own.creations(made["job"]), lambda each: each[0].ended is not None)
        about = {"ids": [added.id], "job": made["job"], "level": "warning"}
        for name, method in SCHEMA["methods"].items():
            if name.endswith("_get") or name in ("starling_create_file", "starling_log_set", "session_stats"):
                params = {key: about[key] for key in about if key in method["params"]["properties"]}
                if name == "torrent_get":
                    params = {"fields": list(fields.BY_NAME)}
                fits(f"methods/{name}/params", params)
                fits(f"methods/{name}/result", await call(name, params))
        fits("methods/starling_history_get/result", await call("starling_history_get"))
        async with aiohttp.ClientSession() as http, http.get(f"{daemon.url}/events?since=0") as response:
            for _ in range(2):
                event, facts = await one_event(response.content)
                fits(f"events/{event}", facts)


async def one_event(content):
    lines = {}
    while (line := (await content.readline()).decode().strip()) or not lines:
        name, _, value = line.partition(": ")
        lines[name] = value
    return lines["event"], json.loads(lines["data"])
