"""A request in, a response out, with no transport in sight.

The rule: whatever comes in, what goes out is an answer of the dialect. What the client did wrong, or the library
refuses, is told in a sentence; a bug of ours is logged and told as an internal error, without its inner workings.
The calls of a batch are done one after another, so that a client can rely on their order.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from p2p.daemon.dialects import Call, Refused, answer, encode, read_request, refusal
from p2p.daemon.methods import all_methods
from p2p.daemon.rpc_errors import Code, RpcError
from p2p.errors import MagnetError, MetainfoError, StarlingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.methods import Method
    from p2p.daemon.names import Json
    from p2p.daemon.ports import Library

log = logging.getLogger(__name__)

_READS: Final = ("_get", "_stats")
"""Endings of methods that change nothing."""


class Dispatcher:
    """See the module's head. The arguments are those of `all_methods`."""

    def __init__(
        self, library: Library, *, session_id: str, version: str, own: Mapping[str, Method] | None = None
    ) -> None:
        self._library = library
        self._methods = all_methods(session_id=session_id, version=version, own=own)

    async def dispatch(self, body: bytes) -> bytes | None:
        """The response to a request, None where nobody waits for one. Raises nothing."""
        request = read_request(body)
        answers: list[Json] = []
        for call in request.calls:
            envelope = await self._answer(call)
            if envelope is not None:
                answers.append(envelope)
        if request.batch:
            return encode(answers) if answers else None
        return encode(answers[0]) if answers else None

    async def _answer(self, call: Call | Refused) -> dict[str, Json] | None:
        if isinstance(call, Refused):
            return refusal(call, call.error)
        try:
            method = self._methods.get(call.method)
            if method is None:
                raise RpcError(Code.NO_METHOD, f"there is no method {call.method}")  # noqa: TRY301 - one way out
            envelope = answer(call, await self._done(call, method))
        except RpcError as error:
            envelope = refusal(call, error)
        except (MetainfoError, MagnetError) as error:
            envelope = refusal(call, RpcError(Code.CORRUPT_TORRENT, str(error)))
        except StarlingError as error:
            envelope = refusal(call, RpcError(Code.SYSTEM, str(error)))
        except Exception:  # a bug of ours in one call must not take the daemon down, and must be seen
            log.exception("the call %s ended by a bug", call.method)
            envelope = refusal(call, RpcError(Code.INTERNAL, "a bug in this program; its log tells where"))
        return envelope if call.answered else None

    async def _done(self, call: Call, method: Method) -> dict[str, Json]:
        """What the method gives, once what it has changed is kept, also where it failed on the way."""
        try:
            return await method(call, self._library)
        finally:
            if not call.method.endswith(_READS):
                await self._library.settle()
