"""Who is logged in: a cookie that carries the member and an end, signed, so that nothing is kept here.

The rule: a session ends by itself, with a new signing key, and with whatever `mark` stands for: the state of the
account that logged in, so that a changed passkey or a disabled member is out at the next request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from typing import Final, NamedTuple

LIFETIME: Final = 12 * 3_600.0
"""Seconds of a session: a day's work, and not a lost phone's week."""

COOKIE: Final = "starling_session"

MAX_COOKIE: Final = 4_096
"""Bytes of the header looked at: what browsers keep of one cookie."""

_BODY: Final = struct.Struct(">QQ")
_SIGNATURE: Final = 32


class Session(NamedTuple):
    """A member's number and the end of the session in whole seconds since the epoch."""

    member: int
    ends: int


def key_of(secret: bytes) -> bytes:
    """The signing key that follows from a tracker's secret, of no use for anything else."""
    return hashlib.blake2b(secret, digest_size=32, person=b"starling session"[:16]).digest()


def sign(session: Session, mark: bytes, key: bytes) -> str:
    """The cookie's value."""
    body = _BODY.pack(*session)
    return base64.urlsafe_b64encode(body + _signature(body, mark, key)).decode("ascii")


def read(value: str) -> Session | None:
    """Whose session this says it is; None for what is no cookie of ours. To be believed after `is_genuine` alone."""
    raw = _decode(value)
    return None if raw is None else Session(*_BODY.unpack_from(raw))


def is_genuine(value: str, mark: bytes, key: bytes, now: float) -> bool:
    """Whether the cookie was signed here, for an account in this state, and has not ended."""
    raw = _decode(value)
    if raw is None:
        return False
    body, signature = raw[: _BODY.size], raw[_BODY.size :]
    signed = hmac.compare_digest(signature, _signature(body, mark, key))
    return signed and now < Session(*_BODY.unpack(body)).ends


def cookie_in(header: str) -> str | None:
    """Our cookie's value in a `Cookie` header."""
    for part in header[:MAX_COOKIE].split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return None


def set_cookie(value: str, *, seconds: float, secure: bool) -> str:
    """A `Set-Cookie` header: out of reach of scripts and of other sites; with 0 seconds it is taken away."""
    parts = [f"{COOKIE}={value}", "Path=/", f"Max-Age={int(seconds)}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def _decode(value: str) -> bytes | None:
    try:
        raw = base64.b64decode(value.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return raw if len(raw) == _BODY.size + _SIGNATURE else None


def _signature(body: bytes, mark: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(struct.pack(">I", len(mark)) + mark + body, digest_size=_SIGNATURE, key=key).digest()
