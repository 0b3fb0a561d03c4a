"""The HTTP port: one bounded GET, as tracker announces need it."""

from __future__ import annotations

from typing import Protocol


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
    ) -> bytes:
        """The body of `url` for status 200.

        `timeout` bounds the whole exchange in seconds, `max_body` the body in bytes (a longer one is cut off and
        refused). At most five redirects, http and https only. `local` is an IP address to send from. Raises
        TrackerError with one line of reason for every failure: name, refusal, status, redirect loop, size, time.
        """

    async def close(self) -> None: ...
