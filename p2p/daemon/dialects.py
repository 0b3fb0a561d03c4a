"""The two envelopes of the RPC: Transmission's own, and JSON-RPC 2.0 (https://www.jsonrpc.org/specification).

The rule: any bytes become calls or an error's answer, never an exception, and an answer is in the dialect of its
question. The key `jsonrpc` tells them apart; a list is a batch, which only JSON-RPC has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import orjson

from p2p.daemon.names import Dialect, Json, spoken, understood
from p2p.daemon.rpc_errors import SUMMARIES, Code, RpcError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BATCH: Final = 100
"""Calls in one request: a client asks for a handful, and each may ask for every torrent there is."""

MAX_METHOD: Final = 64
"""Letters of a method's name."""

Id: TypeAlias = "bool | int | float | str | None"


@dataclass(frozen=True, slots=True)
class Call:
    """One question. `method` and the keys of `arguments` are snake_case whatever the dialect."""

    dialect: Dialect
    method: str
    arguments: Mapping[str, Json]
    id: Id = None
    """JSON-RPC's `id`, or the legacy `tag`; None where there is none."""

    answered: bool = True
    """False for JSON-RPC's notifications, which nobody waits for."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What should have been a call and is none."""

    dialect: Dialect
    error: RpcError
    id: Id = None


@dataclass(frozen=True, slots=True)
class Request:
    """What one HTTP request asks, in order. `batch` tells that the answers go in a list."""

    calls: tuple[Call | Refused, ...]
    batch: bool = False


def read_request(body: bytes) -> Request:
    """Understand a request, whatever it is."""
    try:
        request = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        dialect = Dialect.JSON_RPC if b'"jsonrpc"' in body else Dialect.LEGACY  # as far as can be seen
        return Request((_refused(dialect, Code.PARSE, "the request is not JSON"),))
    if isinstance(request, list):
        if not request:
            return Request((_refused(Dialect.JSON_RPC, Code.INVALID_REQUEST, "the batch is empty"),))
        if len(request) > MAX_BATCH:
            message = f"the batch has {len(request)} calls, and {MAX_BATCH} are allowed"
            return Request((_refused(Dialect.JSON_RPC, Code.INVALID_REQUEST, message),))
        return Request(tuple(map(_json_rpc, request)), batch=True)
    if isinstance(request, dict) and "jsonrpc" in request:
        return Request((_json_rpc(request),))
    return Request((_legacy(request),))


def _refused(dialect: Dialect, code: Code, message: str, id_: Id = None) -> Refused:
    return Refused(dialect, RpcError(code, message), id_)


def _json_rpc(request: Json) -> Call | Refused:
    dialect = Dialect.JSON_RPC
    if not isinstance(request, dict):
        return _refused(dialect, Code.INVALID_REQUEST, "a request must be an object")
    given = request.get("id")
    if isinstance(given, (bool, dict, list)):
        return _refused(dialect, Code.INVALID_REQUEST, "id must be a string, a number or null")
    method, arguments = request.get("method"), request.get("params", {})
    if request.get("jsonrpc") != "2.0":
        return _refused(dialect, Code.INVALID_REQUEST, 'jsonrpc must be "2.0"', given)
    if not isinstance(method, str) or len(method) > MAX_METHOD:
        return _refused(dialect, Code.INVALID_REQUEST, "method must be a name", given)
    if not isinstance(arguments, dict):
        return _refused(dialect, Code.INVALID_PARAMS, "params must be an object, by name", given)
    return Call(dialect, method, understood(arguments, dialect), given, answered="id" in request)


def _legacy(request: Json) -> Call | Refused:
    dialect = Dialect.LEGACY
    if not isinstance(request, dict):
        return _refused(dialect, Code.INVALID_REQUEST, "a request must be an object")
    tag, method, arguments = request.get("tag"), request.get("method"), request.get("arguments")
    if isinstance(tag, (dict, list)):
        tag = None  # a number, says the protocol; clients that send text get it back as well
    if not isinstance(method, str) or len(method) > MAX_METHOD:
        return _refused(dialect, Code.NO_METHOD, "no method name", tag)
    # Arguments that are no object are none: tremc sends a number where it has none.
    known = understood(arguments, dialect) if isinstance(arguments, dict) else {}
    return Call(dialect, method.replace("-", "_"), known, tag)


def answer(call: Call, result: dict[str, Json]) -> dict[str, Json]:
    """The envelope of what a call brought."""
    if call.dialect is Dialect.JSON_RPC:
        return {"jsonrpc": "2.0", "result": result, "id": call.id}
    # Methods of our own speak the same in both.
    own = call.method.startswith("starling_")
    return _tagged({"result": "success", "arguments": result if own else spoken(result, call.dialect)}, call.id)


def refusal(call: Call | Refused, error: RpcError, result: dict[str, Json] | None = None) -> dict[str, Json]:
    """The envelope of a refusal. `result` is what can be told all the same."""
    if call.dialect is Dialect.LEGACY:
        text = "no method name" if error.code is Code.NO_METHOD else str(error)
        return _tagged({"result": text, "arguments": spoken(result or {}, call.dialect)}, call.id)
    told: dict[str, Json] = {"error_string": str(error)}
    if result:
        told["result"] = result
    body: dict[str, Json] = {"code": int(error.code), "message": SUMMARIES[error.code], "data": told}
    return {"jsonrpc": "2.0", "error": body, "id": call.id}


def _tagged(envelope: dict[str, Json], tag: Id) -> dict[str, Json]:
    return envelope if tag is None else {**envelope, "tag": tag}


def encode(answer: Json) -> bytes:
    """JSON in UTF-8. Text that is no Unicode (half of a surrogate pair in a name) is escaped rather than refused."""
    try:
        return orjson.dumps(answer)
    except TypeError:
        return json.dumps(answer, separators=(",", ":"), allow_nan=False).encode()
