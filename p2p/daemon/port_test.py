"""Whether peers reach the port: asked of somebody outside, whom the user names.

The rule: nobody is asked unless their URL is set (`starling_port_test_url`); `{port}` in it stands for the port that
others are told. The answer is `1` for a port that is open, and `0` for one that is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.rpc_errors import Code, RpcError
from p2p.errors import TrackerError

if TYPE_CHECKING:
    from p2p.daemon.session_values import SessionValues
    from p2p.net.http import HttpClient
    from p2p.session.session import Session

KEY: Final = "starling_port_test_url"

TIMEOUT: Final = 30.0
"""Seconds: who tests waits for a connection himself."""

MAX_ANSWER: Final = 1_024

_ANY: Final = {"ipv4": "0.0.0.0", "ipv6": "::", None: None}  # noqa: S104 - the family to ask from


class PortTest:
    """See the module's head."""

    def __init__(self, values: SessionValues, session: Session, http: HttpClient) -> None:
        self._values = values
        self._session = session
        self._http = http

    async def is_open(self, ip_protocol: str | None) -> bool:
        """Ask over `ipv4`, `ipv6`, or either. Raises RpcError where nobody is to be asked, or no answer comes."""
        url = self._values.text(KEY)
        if not url:
            raise RpcError(Code.SYSTEM, f"nobody is named who could test the port: set {KEY}")
        asked = url.replace("{port}", str(self._session.network.facts.announced_port))
        try:
            body = await self._http.get(asked, timeout=TIMEOUT, max_body=MAX_ANSWER, local=_ANY[ip_protocol])
        except TrackerError as error:
            raise RpcError(Code.HTTP, f"{url}: {error}") from error
        answer = body.strip()
        if answer not in (b"0", b"1"):
            raise RpcError(Code.HTTP, f"{url}: an answer that is neither 0 nor 1")
        return answer == b"1"
