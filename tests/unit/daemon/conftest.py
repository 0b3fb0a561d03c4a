"""A library in memory, and a client that speaks to its dispatcher."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_library import FakeLibrary

from p2p.daemon.dispatch import Dispatcher


class Client:
    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    async def send(self, request):
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        response = await self.dispatcher.dispatch(body)
        return None if response is None else json.loads(response)

    async def legacy(self, method, **arguments):
        """The whole envelope; underscores in `method` stand for dashes."""
        return await self.send({"method": method.replace("_", "-"), "arguments": arguments})

    async def new(self, method, **params):
        return await self.send({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})


@pytest.fixture
def library():
    return FakeLibrary()


@pytest.fixture
def client(library):
    return Client(Dispatcher(library, session_id="token", version="9.9.9"))
