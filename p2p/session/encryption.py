"""What `--encryption` means: how connections are begun, and what those that reach us may be. Pure.

The attempts at one peer are made in order, each on a connection of its own, and the next only where the last one was
connected and its handshake failed: who cannot be reached is not reached a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from p2p.wire.mse import Method


class Encryption(Enum):
    """A user's word on encryption; its value is what the command line calls it."""

    OFF = "off"
    """Plaintext alone, as before there was encryption."""

    ALLOW = "allow"
    """Plaintext where the peer takes it, encryption where it asks for it."""

    PREFER = "prefer"
    """Encryption where the peer knows it, plaintext otherwise."""

    REQUIRE = "require"
    """RC4 alone; peers that do not know it are not spoken to."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to begin a connection: the methods offered in an encrypted handshake, or none for a plain one."""

    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True)
class Acceptable:
    """What an incoming connection may be: plain or not, and the methods under MSE, the preferred first."""

    plain: bool
    methods: tuple[Method, ...]


def attempts(encryption: Encryption) -> tuple[Attempt, ...]:
    """The ways to begin a connection, in order."""
    plain = Attempt(())
    encrypted = Attempt((Method.RC4, Method.PLAINTEXT))
    match encryption:
        case Encryption.OFF:
            return (plain,)
        case Encryption.ALLOW:
            return (plain, encrypted)
        case Encryption.PREFER:
            return (encrypted, plain)
        case Encryption.REQUIRE:
            return (Attempt((Method.RC4,)),)


def acceptable(encryption: Encryption) -> Acceptable:
    """What is taken of a peer that reached us."""
    match encryption:
        case Encryption.OFF:
            return Acceptable(plain=True, methods=())
        case Encryption.ALLOW:
            return Acceptable(plain=True, methods=(Method.PLAINTEXT, Method.RC4))
        case Encryption.PREFER:
            return Acceptable(plain=True, methods=(Method.RC4, Method.PLAINTEXT))
        case Encryption.REQUIRE:
            return Acceptable(plain=False, methods=(Method.RC4,))
