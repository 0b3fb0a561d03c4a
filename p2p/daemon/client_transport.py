"""Calls of the RPC over HTTP: the handshake, the password, the dialect, and what each kind of failure is.

The rule: a call is made once. Only where the server says that it has not looked at it (409, the token of the handshake)
is it sent again. The dialect is the one that the server's own header announces: JSON-RPC from Transmission 4.1 on and
with our daemon, the legacy one before. Nothing waits for ever, and no answer is larger than MAX_ANSWER.
"""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import orjson

from p2p.daemon.client_errors import (
    BadAnswerError,
    ClientError,
    LoginRefusedError,
    NotAllowedError,
    RefusedError,
    UnreachableError,
    UnsupportedError,
)
from p2p.daemon.dialects import encode
from p2p.daemon.names import Dialect, canonical, session_key, torrent_key
from p2p.errors import NetworkError
from p2p.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from p2p.daemon.client_address import Server
    from p2p.daemon.names import Json
    from p2p.net.http_calls import HttpCalls, LineStream, Reply

TOKEN_HEADER: Final = "X-Transmission-Session-Id"  # noqa: S105 - a header's name
VERSION_HEADER: Final = "x-transmission-rpc-version"

TIMEOUT: Final = 30.0
"""Seconds for a call: a daemon whose disk is busy takes some, a dead one all."""

MAX_ANSWER: Final = 256 * 1024 * 1024
"""Bytes: a hundred thousand torrents with every field that a list shows."""

MAX_LINE: Final = 8 * 1024 * 1024
"""Bytes of one line of a stream: an event that names a million torrents."""

SILENCE: Final = 45.0
"""Seconds without a sign of life after which a stream is dead: three of its heartbeats."""

RECENT: Final = "recently_active"
"""Stands for the torrents that changed in the last minute."""

MAX_TOKEN: Final = 512
_NEW_DIALECT: Final = 6
"""Major version of the RPC that brought JSON-RPC."""

_NO_METHOD: Final = ("no method name", "method name not recognized")
"""What versions say in the legacy dialect."""

_KEBAB: Final = frozenset(
    {
        "delete_local_data",
        "download_dir",
        "files_unwanted",
        "files_wanted",
        "peer_limit",
        "priority_high",
        "priority_low",
        "priority_normal",
    }
)
"""Arguments about torrents that are in kebab-case in the legacy dialect, unlike their fields."""


class Transport:
    """An async context manager; see the module's head. `password` is sent with every call where there is one."""

    def __init__(self, server: Server, *, password: str | None, timeout: float = TIMEOUT) -> None:
        self.server = server
        self.dialect = Dialect.LEGACY
        """Until the server has said which it speaks."""
        self.generation = 0
        """Of the server's token: another one may mean another process, whose numbers are new."""
        self._timeout = timeout
        self._headers: dict[str, str] = {"Content-Type": "application/json"}
        if server.user is not None or password is not None:
            credentials = f"{server.user or ''}:{password or ''}".encode("utf-8", "surrogatepass")
            self._headers["Authorization"] = f"Basic {base64.b64encode(credentials).decode()}"
        self._calls: HttpCalls | None = None

    async def __aenter__(self) -> Transport:
        # Imported here: an interface can be drawn before the HTTP library, which takes as long, is loaded.
        from p2p.net.http_calls import HttpCalls  # noqa: PLC0415

        self._calls = await HttpCalls(user_agent=f"Starling/{VERSION}").__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        calls, self._calls = self._calls, None
        if calls is not None:
            await calls.__aexit__()

    @property
    def _http(self) -> HttpCalls:
        if self._calls is None:
            raise UnreachableError("the client is closed")
        return self._calls

    async def call(
        self,
        method: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - turned into one of our errors
    ) -> dict[str, Json]:
        """The answer of `method`, under snake_case names but for what is inside `torrents`.

        Method, arguments and the names in `fields` are snake_case whatever the dialect. Raises a ClientError.
        """
        for _ in range(3):  # to learn the token, and to learn it anew from a server that was started in between
            reply = await self._post(_body(self.dialect, method, arguments or {}), timeout or self._timeout)
            if reply.status != 409:
                return self._understood(method, reply)
            self._on_token(reply)
        raise BadAnswerError(f"{self.server.url} does not accept the token that it gives")

    async def _post(self, body: bytes, timeout: float) -> Reply:  # noqa: ASYNC109 - as above
        try:
            return await self._http.call(
                "POST", self.server.url, headers=self._headers, body=body, timeout=timeout, max_body=MAX_ANSWER
            )
        except NetworkError as error:
            raise _failure(self.server.url, error) from error

    async def page(self, name: str, max_body: int) -> bytes:
        """A document beside the RPC, such as `/schema`. Raises a ClientError."""
        url = self.server.page(name)
        try:
            reply = await self._http.call("GET", url, headers=self._headers, timeout=self._timeout, max_body=max_body)
        except NetworkError as error:
            raise _failure(url, error) from error
        self._require_page(reply, name)
        return reply.body

    @asynccontextmanager
    async def lines(self, name: str, headers: Mapping[str, str]) -> AsyncIterator[LineStream]:
        """The lines of a stream beside the RPC. Raises a ClientError."""
        url = self.server.page(name)
        try:
            async with self._http.lines(
                url, headers={**self._headers, **headers}, timeout=self._timeout, silence=SILENCE, max_line=MAX_LINE
            ) as stream:
                self._require_page(stream.reply, name)
                yield stream
        except NetworkError as error:
            raise _failure(url, error) from error

    def _require_page(self, reply: Reply, name: str) -> None:
        self._require_known(reply)
        if reply.status == 503:
            raise UnreachableError(f"{self.server.url} is busy")
        if reply.status != 200:
            raise UnsupportedError(f"{self.server.url} has no {name.partition('?')[0]}")

    def _on_token(self, reply: Reply) -> None:
        token = reply.headers.get(TOKEN_HEADER.lower(), "")
        if not token or len(token) > MAX_TOKEN or not token.isascii() or not token.isprintable():
            raise BadAnswerError(f"{self.server.url} is no Transmission RPC: it gives no token")
        self._headers[TOKEN_HEADER] = token
        self.generation += 1
        major = reply.headers.get(VERSION_HEADER, "").partition(".")[0]
        new = major.isdecimal() and int(major[:9]) >= _NEW_DIALECT
        self.dialect = Dialect.JSON_RPC if new else Dialect.LEGACY

    def _require_known(self, reply: Reply) -> None:
        url = self.server.url
        match reply.status:
            case 401:
                raise LoginRefusedError(f"{url}: a user and a password are needed, or those given are wrong")
            case 403 | 421:
                raise NotAllowedError(f"{url}: {_words(reply) or 'we may not use this'}")

    def _understood(self, method: str, reply: Reply) -> dict[str, Json]:
        url = self.server.url
        self._require_known(reply)
        match reply.status:
            case 200:
                return self._result(method, reply.body)
            case 204:
                return {}
            case 408 | 503:
                raise UnreachableError(f"{url} is busy: {_words(reply)}")
            case 413:
                raise RefusedError(method, _words(reply) or "the request is too large")
        raise BadAnswerError(f"{url} is no Transmission RPC: it answers with status {reply.status}")

    def _result(self, method: str, body: bytes) -> dict[str, Json]:
        try:
            envelope = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadAnswerError(f"{self.server.url} is no Transmission RPC: its answer is not JSON") from error
        if not isinstance(envelope, dict):
            raise self._broken()
        if self.dialect is Dialect.JSON_RPC:
            return self._of_json_rpc(method, envelope)
        result, arguments = envelope.get("result"), envelope.get("arguments", {})
        if not isinstance(result, str) or not isinstance(arguments, dict):
            raise self._broken()
        if result == "success":
            return _renamed(arguments)
        if result in _NO_METHOD:
            raise UnsupportedError(f"{self.server.url} has no method {method}")
        raise RefusedError(method, _line(result))

    def _of_json_rpc(self, method: str, envelope: dict[str, Json]) -> dict[str, Json]:
        result, error = envelope.get("result"), envelope.get("error")
        if isinstance(error, dict):
            code, inner = error.get("code"), error.get("data")
            told = inner.get("error_string") if isinstance(inner, dict) else None
            if code == -32601:
                raise UnsupportedError(f"{self.server.url} has no method {method}")
            text = _line(str(told or error.get("message") or "refused without a reason"))
            raise RefusedError(method, text, code if isinstance(code, int) else None)
        if not isinstance(result, dict):
            raise self._broken()
        return result

    def _broken(self) -> BadAnswerError:
        return BadAnswerError(f"{self.server.url} is no Transmission RPC: its answer is of another kind")


def _failure(url: str, error: NetworkError) -> ClientError:
    from p2p.net.http_calls import LargeAnswerError  # noqa: PLC0415 - as above; it is loaded by now

    kind = BadAnswerError if isinstance(error, LargeAnswerError) else UnreachableError
    return kind(f"{url}: {error}")


def _body(dialect: Dialect, method: str, arguments: Mapping[str, Json]) -> bytes:
    if dialect is Dialect.JSON_RPC:
        return encode({"jsonrpc": "2.0", "method": method, "params": dict(arguments), "id": 1})
    about_torrents = method.startswith("torrent_")
    spoken: dict[str, Json] = {}
    for name, value in arguments.items():
        if name == "fields" and isinstance(value, list):
            key = torrent_key if about_torrents else session_key
            spoken[name] = [key(each) for each in value if isinstance(each, str)]
        elif name == "ids" and value == RECENT:
            spoken[name] = RECENT.replace("_", "-")
        elif name in _KEBAB:
            spoken[name.replace("_", "-")] = value
        else:
            spoken[torrent_key(name) if about_torrents else session_key(name)] = value
    return encode({"method": method.replace("_", "-"), "arguments": spoken})


def _renamed(answer: dict[str, Json]) -> dict[str, Json]:
    """The keys of a legacy answer in snake_case, and those of objects in it; what is in lists, as torrents are, is left
    to its readers, who know its names."""
    return {
        canonical(name): {canonical(inner): each for inner, each in value.items()} if isinstance(value, dict) else value
        for name, value in answer.items()
    }


def _words(reply: Reply) -> str:
    return _line(reply.body[:1000].decode("utf-8", "replace"))


def _line(text: str) -> str:
    """One line of bounded length, since it is shown."""
    return " ".join(text.split())[:500]
