"""Why a call of the RPC is refused: a code that programs can tell apart, and a sentence for people.

The codes are JSON-RPC 2.0's own (below zero) and those that Transmission gives its refusals.
"""

from __future__ import annotations

from enum import IntEnum

from p2p.errors import StarlingError


class Code(IntEnum):
    """Of JSON-RPC 2.0 section 5.1, and of Transmission's RPC from 4.1 on."""

    PARSE = -32700
    INVALID_REQUEST = -32600
    NO_METHOD = -32601
    INVALID_PARAMS = -32602
    INTERNAL = -32603
    SET_ANNOUNCE_LIST = 1
    INVALID_TRACKER_LIST = 2
    PATH_NOT_ABSOLUTE = 3
    UNRECOGNIZED_INFO = 4
    SYSTEM = 5
    FILE_INDEX = 6
    PIECE_INDEX = 7
    HTTP = 8
    CORRUPT_TORRENT = 9
    INVALID_BLOCKLIST = 10


SUMMARIES: dict[Code, str] = {
    Code.PARSE: "Parse error",
    Code.INVALID_REQUEST: "Invalid Request",
    Code.NO_METHOD: "Method not found",
    Code.INVALID_PARAMS: "Invalid params",
    Code.INTERNAL: "Internal error",
    Code.SET_ANNOUNCE_LIST: "error setting announce list",
    Code.INVALID_TRACKER_LIST: "invalid tracker list",
    Code.PATH_NOT_ABSOLUTE: "path is not absolute",
    Code.UNRECOGNIZED_INFO: "unrecognized info",
    Code.SYSTEM: "system error",
    Code.FILE_INDEX: "file index out of range",
    Code.PIECE_INDEX: "piece index out of range",
    Code.HTTP: "error from http request",
    Code.CORRUPT_TORRENT: "invalid or corrupt torrent file",
    Code.INVALID_BLOCKLIST: "invalid blocklist contents",
}
"""The message that belongs to each code; what is wrong in this very case stands beside it."""


class RpcError(StarlingError):
    """A call is refused. `code` says of which kind the reason is, the text what is wrong."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> RpcError:
    """An argument that is not what it must be."""
    return RpcError(Code.INVALID_PARAMS, message)
