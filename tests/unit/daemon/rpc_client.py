"""A client that speaks to a dispatcher, in either dialect, without a transport."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
