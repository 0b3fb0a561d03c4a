"""The one door to the `redis` package: commands in, plain answers out, one error for a Redis that is of no use now.

The rule: every command has an answer within seconds or fails; nothing is tried again here, as the caller decides that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from p2p.errors import ConfigError, NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CONNECT_TIME: Final = 2.0
ANSWER_TIME: Final = 5.0
"""Seconds for Redis to answer; then it counts as down."""

_FAILURES: Final = (RedisError, OSError, ValueError, TypeError, LookupError)
"""What the client raises for a Redis that is away, or for something that is none: its parsers stumble over that."""


class RedisOutageError(NetworkError):
    """Redis cannot be used now, in words for the log."""


class RedisConnection:
    """To the Redis at `url`; connects when it is first asked. Raises ConfigError for a URL that leads nowhere."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            self._redis = Redis.from_url(
                url,
                protocol=2,  # answers have one shape, whatever the version of the server
                socket_timeout=ANSWER_TIME,
                socket_connect_timeout=CONNECT_TIME,
                retry=Retry(NoBackoff(), 0),
                decode_responses=False,
            )
            self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # which alone looks at all options of the URL
        except (ValueError, TypeError) as error:  # an option it does not know
            raise ConfigError(f"[swarms] redis: {error}") from error
        self.place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        """Where it leads, without the password."""

    async def ask(self, *command: bytes | str | int) -> Any:
        """The answer to a command, parsed. Raises RedisOutageError."""
        try:
            answer = await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]
        except _FAILURES as error:
            raise _outage(error) from error
        _heed_cancellation()
        return answer

    async def ask_all(self, commands: Iterable[Sequence[bytes | str | int]]) -> list[Any]:
        """The answers to commands sent together; None where a key holds something else. Raises RedisOutageError."""
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except _FAILURES as error:
            raise _outage(error) from error
        _heed_cancellation()
        for n, answer in enumerate(answers):
            if isinstance(answer, Exception):
                if not (isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE")):
                    raise _outage(answer) from answer
                answers[n] = None
        return answers

    async def close(self) -> None:
        """Let go of it; what is under way fails."""
        try:
            await self._redis.aclose()
        except _FAILURES:  # it is gone already
            return


def _heed_cancellation() -> None:
    """The client waits by `asyncio.wait_for`, which in Python 3.11 loses a cancellation that comes with the answer."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _outage(error: BaseException) -> RedisOutageError:
    return RedisOutageError(f"{type(error).__name__}: {error}")
