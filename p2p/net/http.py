"""The HTTP port: one bounded GET, as tracker announces need it."""

from __future__ import annotations

from typing import Final, Protocol

from p2p.errors import TrackerError

MAX_REDIRECTS: Final = 5


class RedirectedError(TrackerError):
    """The answer is elsewhere, at `location`, and was not followed there."""

    def __init__(self, message: str, location: str) -> None:
        super().__init__(message)
        self.location = location


class HttpClient(Protocol):
    """Fetches small documents."""

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - the client turns it into one line of reason
        max_body: int,
        headers: dict[str, str] | None = None,
        local: str | None = None,
        redirects: int = MAX_REDIRECTS,
    ) -> bytes:
        """The body of `url` for status 200.

        `timeout` bounds the whole exchange in seconds, `max_body` the body in bytes (a longer one is cut off and
        refused). At most `redirects` are followed, to http and https only; one more is a RedirectedError. `local` is an
        IP address to send from. Raises TrackerError with one line of reason for every failure: name, refusal, status,
        redirect loop, size, time.
        """

    async def close(self) -> None: ...
