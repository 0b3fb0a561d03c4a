"""What is served beside the RPC: documents that are made from memory, and streams that go on. No transport in sight."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

Query: TypeAlias = Mapping[str, str]
"""What stands behind the question mark. A stream is told the header Last-Event-ID as `last_event_id`."""

JSON_TYPE = "application/json"
EVENTS_TYPE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Document:
    body: bytes
    content_type: str
    status: int = 200


MakeDocument: TypeAlias = Callable[[Query], Document]
"""Answers at once. Raises RpcError for a query that cannot be."""

OpenStream: TypeAlias = Callable[[Query], AbstractContextManager[AsyncIterable[bytes]]]
"""The pieces of a stream while it is entered. Raises RpcError for a query that cannot be."""


@dataclass(frozen=True, slots=True)
class Pages:
    """By path. Those in `unguarded` are told without a password, to whoever may call at all."""

    documents: Mapping[str, MakeDocument] = field(default_factory=dict)
    streams: Mapping[str, OpenStream] = field(default_factory=dict)
    unguarded: frozenset[str] = frozenset()

    def __contains__(self, path: str) -> bool:
        return path in self.documents or path in self.streams
