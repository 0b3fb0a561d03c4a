"""Every method of the RPC by its snake_case name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from p2p.daemon.dialects import Call
from p2p.daemon.names import Json
from p2p.daemon.ports import Library
from p2p.daemon.session_methods import SessionMethods
from p2p.daemon.torrent_methods import torrent_methods

Method: TypeAlias = Callable[[Call, Library], Awaitable[dict[str, Json]]]
"""Answers a call, or raises StarlingError. Reads never suspend, so their answers are of one moment."""


def all_methods(*, session_id: str, version: str, own: Mapping[str, Method] | None = None) -> dict[str, Method]:
    """See the module's head. `own` are those beyond Transmission's; the other arguments are those of SessionMethods."""
    own = own or {}
    return {**torrent_methods(), **SessionMethods(session_id, version, own).methods(), **own}
