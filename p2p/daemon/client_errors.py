"""Why a call to a daemon brought nothing, as types: what a person can do about it differs with each."""

from __future__ import annotations

from p2p.errors import StarlingError


class ClientError(StarlingError):
    """Base of all of them."""


class UnreachableError(ClientError):
    """Nobody answers, or not in time, or the connection broke. Trying again later may help."""


class LoginRefusedError(ClientError):
    """A user and a password are needed, or those given are wrong."""


class NotAllowedError(ClientError):
    """The server does not speak to us: our address, the name we reach it by, or too many wrong passwords."""


class RefusedError(ClientError):
    """The server understood and refuses. `code` is `p2p.daemon.rpc_errors.Code`'s number, None in the legacy dialect.

    The text is the server's own.
    """

    def __init__(self, method: str, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.method = method
        self.code = code


class UnsupportedError(ClientError):
    """This server does not have what was asked for, as its version tells or it says itself."""


class BadAnswerError(ClientError):
    """What answered is no daemon, or breaks its protocol."""
